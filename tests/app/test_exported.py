from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_db as api
from bench_db.app.exported import _written
from bench_db.model import Definition
from tests.cli.commands import publish
from tests.ingest.support import DATA

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

TIME = 1_780_000_000


class TestNames:
    """A metric has one name in every export, which every tool and file system takes."""

    @pytest.mark.parametrize("form", ["mlflow", "wandb"])
    def test_a_name_is_of_its_series_alone(self, tmp_path: Path, form: str) -> None:
        """A metric has the same name beside others and alone, in every run, whatever characters were replaced."""
        store = api.connect(tmp_path / "store", create=True)
        names = ("f[1]", "f(1)", "测试", "排序", "F", "f", "f a=1")
        tags = [("cmp", "op", "x<10"), ("cmp", "op", "x>10"), ("f", "a", "1"), ("g", "a_b", "c"), ("g", "a", "b_c")]
        each = [*((name, {}) for name in names), *((name, {tag: value}) for name, tag, value in tags)]
        for number, chosen in enumerate([each, *([one] for one in each)]):
            about: dict[str, Any] = {"suite": "s", "environment": {}, "test_bed_name": "b", "run_time": TIME}
            with store.record("m", commit=f"{number:040x}", **about) as run:
                for name, own in chosen:
                    run.add(name, 1.0, unit="s", tags=own)
        store.export_to(tmp_path / "out", format_name=form)
        by_run = {
            path: {one[f"{form}_metric"] for one in json.loads(path.read_text())}
            for path in (tmp_path / "out").rglob("results.json")
        }
        everything = max(by_run.values(), key=len)
        assert len({name.casefold() for name in everything}) == len(each)
        assert set().union(*by_run.values()) == everything
        assert "s/f/time" not in everything

    @pytest.mark.parametrize("form", ["mlflow", "wandb"])
    @pytest.mark.parametrize(("file", "metrics"), [("1.9.5/bindings.json", 22), ("1.7.1/all.json", 33)])
    def test_series_that_differ_in_their_unit_alone_have_two_names(
        self, tmp_path: Path, form: str, file: str, metrics: int
    ) -> None:
        """Google Benchmark reports bytes and items a second as one metric; no other name has a unit."""
        publish(DATA / "google-benchmark" / file, tmp_path / "store", "0" * 40)
        done = api.connect(tmp_path / "store").export_to(tmp_path / "out", format_name=form)
        [path] = (tmp_path / "out").rglob("results.json")
        units = {one[f"{form}_metric"]: one["units"] for one in json.loads(path.read_text()) if one["error"] is None}
        assert (len(units), sum(one.rows for one in done.files.values())) == (metrics, metrics)
        with_unit = {name.rpartition("/")[2] for name, unit in units.items() if name.endswith(unit)}
        assert with_unit == {"throughput bytes_per_second", "throughput per_second"}

    @pytest.mark.parametrize("form", ["mlflow", "wandb"])
    def test_only_the_names_that_need_their_unit_have_it(self, tmp_path: Path, form: str) -> None:
        """Another file may have the other unit, and another metric may be called as one with its unit is."""
        store = api.connect(tmp_path / "store", create=True)
        about: dict[str, Any] = {"suite": "s", "environment": {}, "test_bed_name": "b", "run_time": TIME}
        for number, unit in enumerate(("W", "V")):
            with store.record("m", commit=f"{number:040x}", **about) as run:
                run.add(
                    "f",
                    1.0,
                    unit=unit,
                    metric="rate",
                    metrics={"other": api.Metric(values=1.0, unit="W"), "other W": 1.0},
                )
                run.add("g", 1.0, unit="W", metric="rate")
                run.add("h", 1.0, unit=unit, metric="other")
        store.export_to(tmp_path / "out", format_name=form)
        rows = [row for path in (tmp_path / "out").rglob("results.json") for row in json.loads(path.read_text())]
        found = {(row["benchmark_name"], row["metric"], row["units"]): row[f"{form}_metric"] for row in rows}
        alike = {found.pop(one).rpartition("-")[0] for one in (("f", "other W", "ratio"), ("h", "other", "W"))}
        assert alike == {"s/f/other W", "s/h/other W"}
        assert found == {
            ("f", "rate", "W"): "s/f/rate W",
            ("f", "rate", "V"): "s/f/rate V",
            ("f", "other", "W"): "s/f/other",
            ("g", "rate", "W"): "s/g/rate",
            ("h", "other", "V"): "s/h/other V",
        }

    @pytest.mark.parametrize("form", ["mlflow", "wandb"])
    def test_names_that_a_definition_joins_stay_apart(self, tmp_path: Path, form: str) -> None:
        """An export has the names as they were published."""
        store = api.connect(tmp_path / "store", create=True)
        with store.record("m", commit="0" * 40, suite="s", environment={}, test_bed_name="b", run_time=TIME) as run:
            run.add("F", 1.0, unit="s")
            run.add("f", 1.0, unit="s")
        store.store.define([Definition(kind="join", field="", pattern="f", value="g", at=TIME)])
        store.export_to(tmp_path / "out", format_name=form)
        [path] = (tmp_path / "out").rglob("results.json")
        assert len({row[f"{form}_metric"].casefold() for row in json.loads(path.read_text())}) == 2

    @given(st.text(max_size=300))
    def test_a_part_is_one_that_every_file_system_takes(self, text: str) -> None:
        part = _written(("suite", text))
        assert part not in ("", ".", "..")
        assert part == part.strip(" .")
        assert part.isascii()
        assert len(part) <= 77
        assert "/" not in part
