from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_db as api
from bench_db.app.mlflow import _part, experiment_id
from tests.repository.tree import ROOT
from tests.support.needs import lacking

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database

COMMIT = "5d6e7f8" + 33 * "0"
TIME = 1_780_000_000


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    store = api.connect(tmp_path / "store", create=True)
    bed = api.TestBed(name="gpu-1", cpu="c", memory_gb=8, os="Linux 6")
    about: dict[str, Any] = {"test_bed": bed, "commit": COMMIT, "branch": "main", "environment": {}, "run_time": TIME}
    with store.record("flax", suite="train", **about) as run:
        run.add("step[a=1]", [2, 4, 3], unit="ms", tags={"batch": 32}, metrics={"loss": 0.5})
        run.add("step(a=1)", 7.0, unit="s", tags={"batch": 32})
        run.add("../x: 'y'\n", 1.0, unit="s")
    with store.record("flax", suite="serve", **about) as run:
        run.add("step[a=1]", 1.0, unit="s")
    return store


def exported(store: Database, directory: Path) -> dict[str, Any]:
    """Return what MLflow reads of an export; without an index of packages the test is skipped, and fails in CI."""
    store.export_to(directory, format_name="mlflow")
    script = ROOT / "tests" / "support" / "mlflow_reader.py"
    command = ["uv", "run", "--quiet", "--no-project", "--script", str(script), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "Failed to " in done.stderr:
        lacking(f"MLflow cannot be installed here, so that it reads nothing: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class TestMLflow:
    """MLflow reads every run and measurement of an export, under names that it takes."""

    @pytest.mark.slow
    def test_its_own_client_reads_it(self, store: Database, tmp_path: Path) -> None:
        found = exported(store, tmp_path / "out")
        assert {name for name, runs in found.items() if runs} == {"flax"}
        by_suite = {min(run["metrics"]).partition("/")[0]: run for run in found["flax"].values()}
        assert sorted(by_suite) == ["serve", "train"]
        train = by_suite["train"]
        assert train["metrics"] == {
            "train/step_a_1_ batch_32/time": 3e6,
            "train/step_a_1_ batch_32/loss": 0.5,
            "train/step_a_1_ batch_32/time.2": 7e9,
            "train/_x_ _y_/time": 1e9,
        }
        assert train["history"]["train/step_a_1_ batch_32/loss"] == [[1000 * TIME, 0.5, 0]]
        assert (train["status"], train["start_time"], train["artifacts"]) == ("FINISHED", 1000 * TIME, ["results.json"])
        assert train["tags"]["mlflow.source.git.commit"] == COMMIT
        assert train["params"]["test_bed_name"] == "gpu-1"
        assert set(found["flax"]) == {f"{run:032x}" for run in store.runs().collect()["run_key"]}

    def test_results_have_the_published_names(self, store: Database, tmp_path: Path) -> None:
        store.export_to(tmp_path / "out", format_name="mlflow")
        own = tmp_path / "out" / experiment_id("flax")
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
        assert len(rows) == 5
        written = {str(path.relative_to(own.parent)) for path in own.glob("*/metrics/**/*") if path.is_file()}
        assert len(written) == 5

    @given(st.text(max_size=300))
    def test_a_part_is_one_that_every_file_system_takes(self, text: str) -> None:
        part = _part(text)
        assert part not in ("", ".", "..")
        assert part == part.strip(" .")
        assert part.isascii()
        assert len(part) <= 77
        assert "/" not in part
