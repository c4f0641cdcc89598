from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_db as api
from bench_db.app.exported import _written

if TYPE_CHECKING:
    from pathlib import Path

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

    @given(st.text(max_size=300))
    def test_a_part_is_one_that_every_file_system_takes(self, text: str) -> None:
        part = _written(("suite", text))
        assert part not in ("", ".", "..")
        assert part == part.strip(" .")
        assert part.isascii()
        assert len(part) <= 77
        assert "/" not in part
