from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, find
from tests.ingest.support import BED, FIXED, read

if TYPE_CHECKING:
    from pathlib import Path

RUN = "0123456789abcdef"


def metalab_run(**fields: Any) -> str:
    """Return a run record of metalab; None omits a field."""
    usual = {
        "run_id": RUN,
        "experiment_id": "my_exp:1.0",
        "status": "success",
        "context_fingerprint": "c" * 16,
        "params_fingerprint": "p" * 16,
        "seed_fingerprint": "s" * 16,
        "started_at": "2026-05-28T12:00:00+00:00",
        "finished_at": "2026-05-28T12:00:03+00:00",
        "metrics": {"accuracy": 0.91},
        "provenance": {
            "python_version": "3.12.1",
            "metalab_version": "0.1.0",
            "executor_id": "thread",
            "host": "node-1",
        },
        "params_resolved": {"lr": 0.01, "layers": 3},
        "tags": ["baseline"],
        "warnings": [],
        "artifacts": [],
    }
    return json.dumps({name: value for name, value in {**usual, **fields}.items() if value is not None}, indent=2)


def file_store(root: Path, **fields: Any) -> Path:
    """Write a FileStore with a run, derived metrics and structured results; return the file of the run."""
    documents: dict[str, Any] = {
        "_meta.json": {"schema_version": "0.1", "experiment_id": "my_exp:1.0"},
        f"derived/{RUN}.json": {"gap": 0.05, "best_ms": 1.5, "label": "good", "lost": float("nan")},
        f"results/{RUN}/loss.json": {
            "data": [3.0, 2.0, 1.0],
            "dtype": "float64",
            "shape": [3],
            "metadata": {"step": 10},
        },
        f"results/{RUN}/step_ms.json": {"data": [4, 5]},
        f"results/{RUN}/matrix.json": {"data": [[1, 2], [3, 4]], "dtype": "float64", "shape": [2, 2]},
        f"results/{RUN}/words.json": {"data": [1, "x"]},
        "experiments/my_exp_1.0_20260528.json": {"experiment_id": "my_exp:1.0", "params": {}},
    }
    for name, document in documents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(document))
    (root / "runs").mkdir()
    (root / "runs" / f"{RUN}.json").write_text(metalab_run(**fields))
    return root / "runs" / f"{RUN}.json"


class TestReading:
    """A run is a result for each metric: of the experiment, tagged with its parameters."""

    def test_metrics_and_duration(self, tmp_path: Path) -> None:
        metrics = {"accuracy": 0.91, "train_ms": 250, "steps": 10, "optimizer": "adam", "converged": True, "note": None}
        run, results = read(tmp_path / "f", metalab_run(metrics=metrics, duration_ms=3000))
        assert [(r.metric, r.units, str(r.direction), list(r.values)) for r in results] == [
            ("accuracy", "ratio", "info", [0.91]),
            ("train", "nanoseconds", "lower", [250e6]),
            ("steps", "ratio", "info", [10]),
            ("time", "nanoseconds", "lower", [3e9]),
        ]
        assert {(r.benchmark_name, r.suite, tuple(sorted(r.tags.items()))) for r in results} == {
            ("my_exp:1.0", "", (("layers", "3"), ("lr", "0.01")))
        }
        assert json.loads(results[0].metadata) == {"optimizer": "adam", "converged": True, "note": None}
        assert [r.metadata for r in results[1:]] == 3 * ["{}"]
        assert (run.run_time, run.skipped) == (1779969600, {})
        context = json.loads(run.context)
        assert (context["run_id"], context["tags"], "metrics" in context) == (RUN, ["baseline"], False)

    def test_parameters_within_parameters(self, tmp_path: Path) -> None:
        parameters = {"optimizer": {"name": "adam", "betas": [0.9, 0.99]}, "bias": True}
        _, [result] = read(tmp_path / "f", metalab_run(params_resolved=parameters))
        assert dict(result.tags) == {"optimizer.name": "adam", "optimizer.betas": "[0.9,0.99]", "bias": "true"}

    def test_build_and_machine(self, tmp_path: Path) -> None:
        """The `code_hash` is of the text of a function, which many commits share, so it is no commit and no version."""
        provenance = {"code_hash": "1a2b3c4d5e6f7081", "host": "node-1"}
        stated = Provenance(dut_name="d", commit="5d6e7f8" + 33 * "0", ingested_at=1)
        alone, _ = read(tmp_path / "f", metalab_run(provenance=provenance), Provenance(dut_name="d", ingested_at=1))
        run, _ = read(tmp_path / "f", metalab_run(provenance=provenance), stated)
        assert (alone.commit, run.commit) == (None, stated.commit)
        assert "1a2b3c4" not in f"{alone.dut.version} {run.dut.version}"
        assert not any("1a2b3c4" in note for note in run.notes)
        assert json.loads(run.context)["provenance"] == provenance
        assert any("measured on node-1, not on this machine" in note for note in run.notes)

    @pytest.mark.parametrize(
        ("started", "run_time", "is_noted"),
        [
            ("2026-05-28T21:00:00.123456", 1780002000, True),
            ("2026-05-28T21:00:00+09:00", 1779969600, False),
            ("soon", None, False),
        ],
    )
    def test_a_time_without_an_offset(
        self, tmp_path: Path, started: str, run_time: int | None, *, is_noted: bool
    ) -> None:
        """Such a time is read as UTC, as in every format, and a note says so: metalab writes the local time of the machine."""
        run, _ = read(tmp_path / "f", metalab_run(started_at=started))
        assert run.run_time == run_time
        note = (
            f"the time {started} has no offset and is read as UTC; metalab writes local time. Set TZ=UTC where it runs"
        )
        assert (note in run.notes) == is_noted

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            (
                {"status": "failed", "error": {"type": "ValueError", "message": "bad"}},
                'failed: {"type":"ValueError","message":"bad"}',
            ),
            ({"status": "failed", "error": "out of memory"}, "failed: out of memory"),
            ({"status": "cancelled"}, "cancelled"),
            ({"status": "exploded"}, "exploded"),
            ({"status": 5}, "unknown status"),
        ],
    )
    def test_a_run_that_failed(self, tmp_path: Path, fields: dict[str, Any], error: str) -> None:
        _, [result] = read(tmp_path / "f", metalab_run(**fields))
        assert (result.benchmark_name, result.error, list(result.values)) == ("my_exp:1.0", error, [])

    def test_a_run_that_has_not_ended(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", metalab_run(status="running", metrics={}))
        assert (results, run.skipped) == ([], {"no-statistics": 1})
        assert any("the run has not ended; publish it again when it has" in note for note in run.notes)

    @pytest.mark.parametrize(
        ("metrics", "reason"),
        [({"x": float("nan")}, "not-finite"), ({"x_ms": -1}, "negative-time"), ({}, "no-statistics"), ([], "no-statistics"), ({"x": "y"}, "no-statistics")],
    )  # fmt: skip
    def test_refused(self, tmp_path: Path, metrics: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", metalab_run(metrics=metrics))
        assert (results, run.skipped) == ([], {reason: 1})

    def test_without_an_experiment(self, tmp_path: Path) -> None:
        with pytest.raises(
            UnreadableOutputError, match=r"has no experiment_id, which names the benchmark at \$.experiment_id"
        ):
            read(tmp_path / "f", metalab_run(experiment_id=""))


class TestFileStore:
    """Of a FileStore each run is read, with the derived metrics and the structured results that belong to it."""

    def test_derived_metrics_and_results(self, tmp_path: Path) -> None:
        run, results = read(file_store(tmp_path / "my_exp_1.0"))
        assert [(r.metric, list(r.values)) for r in results] == [
            ("accuracy", [0.91]),
            ("derived_gap", [0.05]),
            ("derived_best", [1.5e6]),
            ("loss", [3, 2, 1]),
            ("step", [4e6, 5e6]),
        ]
        assert json.loads(results[1].metadata) == {"label": "good"}
        assert json.loads(results[3].metadata) == {"dtype": "float64", "shape": [3], "metadata": {"step": 10}}
        assert run.skipped == {"not-a-number": 1, "not-finite": 1}
        assert f"results/{RUN}/matrix.json is not a list of numbers, and is not stored" in run.notes

    def test_a_collection(self, tmp_path: Path) -> None:
        files = [file_store(tmp_path / name) for name in ("a_1.0", "b_1.0")]
        assert [*find(tmp_path).readable] == files
        assert len(find(tmp_path).passed_over) == 14

    @pytest.mark.parametrize("run_id", ["../../x", "..", "", "a/b", 5])
    def test_an_id_that_is_no_file_name(self, tmp_path: Path, run_id: Any) -> None:
        path = file_store(tmp_path / "s", run_id=run_id)
        run, results = read(path)
        assert ([r.metric for r in results], run.skipped) == (["accuracy"], {})

    def test_broken_files_beside_a_run(self, tmp_path: Path) -> None:
        path = file_store(tmp_path / "s")
        (tmp_path / "s" / "derived" / f"{RUN}.json").write_text("{")
        run, results = read(path)
        assert [r.metric for r in results] == ["accuracy", "loss", "step"]
        assert any("beside the file cannot be read" in note for note in run.notes)

    def test_a_record_elsewhere_is_read_alone(self, tmp_path: Path) -> None:
        text = file_store(tmp_path / "s").read_text()
        _, results = read(tmp_path / "s" / "copy.json", text, FIXED)
        assert [r.metric for r in results] == ["accuracy"]
        assert results[0].test_bed == BED
