from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped]

import bench_db as api
from bench_db.app.mlflow import _yaml, experiment_id
from tests.app.exporting import ABOUT, COMMIT, TIME, read_by

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database

DEVICE = "flax 😀"
ONE = "train/step_a_1_ batch_32-0e79410507bb99f5"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    store = api.connect(tmp_path / "store", create=True)
    with store.record(DEVICE, suite="train", **ABOUT) as run:
        run.add("step[a=1]", [2, 4, 3], unit="ms", tags={"batch": 32}, metrics={"loss": 0.5})
        run.add("step(a=1)", 7.0, unit="s", tags={"batch": 32})
        run.add("plain", 1.0, unit="s", tags={"batch": 32})
        run.add("../x: 'y'\n", 1.0, unit="s")
    with store.record(DEVICE, suite="serve", **ABOUT) as run:
        run.add("step[a=1]", 1.0, unit="s")
    return store


def exported(store: Database, directory: Path) -> dict[str, Any]:
    """Return what MLflow reads of an export."""
    store.export_to(directory, format_name="mlflow")
    return read_by("MLflow", "mlflow_reader.py", directory)


class TestMLflow:
    """MLflow reads every run and measurement of an export, under names that it takes."""

    @pytest.mark.slow
    def test_its_own_client_reads_it(self, store: Database, tmp_path: Path) -> None:
        found = exported(store, tmp_path / "out")
        assert {name for name, runs in found.items() if runs} == {DEVICE}
        by_suite = {min(run["metrics"]).partition("/")[0]: run for run in found[DEVICE].values()}
        assert sorted(by_suite) == ["serve", "train"]
        train = by_suite["train"]
        assert train["metrics"] == {
            f"{ONE}/time": 3e6,
            f"{ONE}/loss": 0.5,
            "train/step_a_1_ batch_32-5ae3b4d000e86421/time": 7e9,
            "train/_x_ _y_-23d1a3de29d7e92b/time": 1e9,
            "train/plain batch_32/time": 1e9,
        }
        assert train["history"][f"{ONE}/loss"] == [[1000 * TIME, 0.5, 0]]
        assert (train["status"], train["start_time"], train["artifacts"]) == ("FINISHED", 1000 * TIME, ["results.json"])
        assert train["tags"]["mlflow.source.git.commit"] == COMMIT
        assert train["params"]["test_bed_name"] == "gpu-1"
        assert set(found[DEVICE]) == {f"{run:032x}" for run in store.runs().collect()["run_key"]}

    def test_results_have_the_published_names(self, store: Database, tmp_path: Path) -> None:
        store.export_to(tmp_path / "out", format_name="mlflow")
        own = tmp_path / "out" / experiment_id(DEVICE)
        documents = [json.loads(path.read_text()) for path in own.glob("*/artifacts/results.json")]
        rows = {(row["suite"], row["benchmark_name"], row["metric"]): row for document in documents for row in document}
        one = rows["train", "step[a=1]", "time"]
        assert (one["median"], one["n"], one["units"], one["direction"], one["tags"]) == (
            3e6,
            3,
            "nanoseconds",
            "lower",
            {"batch": "32"},
        )
        assert len(rows) == 6
        written = {str(path.relative_to(own.parent)) for path in own.glob("*/metrics/**/*") if path.is_file()}
        assert len(written) == 6

    @pytest.mark.parametrize("name", ["dev 😀", "a\tb\x7f\x85\u2028\u2029\ufeff", 'it\'s: "x" # \\', "测试"])
    def test_yaml_is_read_as_it_was(self, name: str) -> None:
        assert yaml.safe_load(_yaml({"name": name, "tags": [], "at": 1})) == {"name": name, "tags": [], "at": 1}
