from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import find
from tests.ingest.support import DATA, FIXED, read

if TYPE_CHECKING:
    from pathlib import Path

STORE = DATA / "calibrax" / "0.1.1"


def definition(name: str, unit: str = "", direction: str = "higher") -> dict[str, str]:
    return {"name": name, "unit": unit, "direction": direction, "group": "", "priority": "secondary", "description": ""}


def point(name: str = "forward", **metrics: Any) -> dict[str, Any]:
    found = metrics or {"latency": {"value": 21.5}}
    return {"name": name, "scenario": "train", "tags": {"framework": "flax"}, "metrics": found}


def calibrax_run(*points: Any, **fields: Any) -> str:
    """Return a run as calibrax writes it; None omits a field."""
    usual = {
        "id": "a1b2c3d4e5f6",
        "timestamp": "2026-05-28T12:00:00",
        "commit": "1a2b3c4d5e6f70819293a4b5c6d7e8f901234567",
        "branch": "main",
        "environment": {},
        "metadata": {},
        "metric_defs": {"latency": definition("latency", "ms", "lower")},
        "points": points or [point()],
    }
    return json.dumps({name: value for name, value in {**usual, **fields}.items() if value is not None}, indent=2)


class TestReading:
    """Each metric of a point is a result of its scenario, in the unit and direction of its definition."""

    def test_samples_interval_and_value(self, tmp_path: Path) -> None:
        metric = {"value": 20.0, "lower": 19.0, "upper": 23.0, "samples": [20.0, 21.0, 22.0]}
        run, [result] = read(tmp_path / "f", calibrax_run(point(latency=metric)))
        assert (list(result.values), result.lower, result.upper) == ([20e6, 21e6, 22e6], 19e6, 23e6)
        assert (result.suite, result.metric, result.units, str(result.direction)) == (
            "train",
            "latency",
            "nanoseconds",
            "lower",
        )
        assert (dict(result.tags), json.loads(result.metadata)) == ({"framework": "flax"}, {"value": 20.0})
        assert (run.branch, run.run_time, run.commit) == (
            "main",
            1779969600,
            "1a2b3c4d5e6f70819293a4b5c6d7e8f901234567",
        )

    @pytest.mark.parametrize(
        ("unit", "direction", "expected"),
        [
            ("samples/sec", "higher", ("samples/sec", "higher", 2)),
            ("", "higher", ("ratio", "higher", 2)),
            ("", "info", ("ratio", "info", 2)),
            ("MB", "lower", ("bytes", "lower", 2e6)),
            ("seconds", "sideways", ("nanoseconds", "lower", 2e9)),
        ],
    )
    def test_definitions(self, tmp_path: Path, unit: str, direction: str, expected: tuple[str, str, float]) -> None:
        text = calibrax_run(point(m={"value": 2}), metric_defs={"m": definition("m", unit, direction)})
        _, [result] = read(tmp_path / "f", text)
        assert (result.units, str(result.direction), result.values[0]) == expected

    def test_the_definitions_of_the_store(self, tmp_path: Path) -> None:
        """A run precedes `config.json`, which is read beside the directory of the runs alone."""
        (tmp_path / "config.json").write_text(
            json.dumps(
                {"metric_defs": {"loss": definition("loss", "", "lower"), "latency": definition("latency", "s")}}
            )
        )
        text = calibrax_run(point(loss={"value": 1}, latency={"value": 1}))
        for home, expected in (("runs", "lower"), ("baselines", "lower"), ("elsewhere", "info")):
            (tmp_path / home).mkdir()
            _, [loss, latency] = read(tmp_path / home / "r.json", text)
            assert (str(loss.direction), latency.values[0]) == (expected, 1e6)
        (tmp_path / "config.json").write_text("{")
        run, _ = read(tmp_path / "runs" / "r.json", text)
        assert any("config.json beside the file cannot be read" in note for note in run.notes)

    def test_the_id_is_that_of_the_run(self, tmp_path: Path) -> None:
        """Unless the caller states one; a text that is no name is none, and the run has its key as id."""
        for own, stored in (
            ("a1b2c3d4e5f6", "a1b2c3d4e5f6"),
            ("../../x", None),
            ("", None),
            (5, None),
            ("a" * 65, None),
        ):
            run, _ = read(tmp_path / "f", calibrax_run(id=own))
            assert run.run_id == (stored or f"{run.run_key:016x}")
        assert read(tmp_path / "f", calibrax_run(), replace(FIXED, run_id="77"))[0].run_id == "77"

    def test_the_baseline_of_a_store_is_named(self, tmp_path: Path) -> None:
        """A store keeps it as a copy of a run, and importing sets no baseline."""
        said = "the baseline of its store; 'bench-db baseline set main run:a1b2c3d4e5f6' makes it one here"
        for home, expected in (("baselines", 1), ("runs", 0)):
            (tmp_path / home).mkdir()
            run, _ = read(tmp_path / home / "main.json", calibrax_run())
            assert sum(said in note for note in run.notes) == expected

    def test_context(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", calibrax_run(environment={"gpu": "x"}, metadata={"seed": 7}))
        context = json.loads(run.context)
        assert (context["id"], context["environment"], context["metadata"]) == (
            "a1b2c3d4e5f6",
            {"gpu": "x"},
            {"seed": 7},
        )
        assert "points" not in context

    @pytest.mark.parametrize(("commit", "stored"), [(None, None), ("v1.2", None), ("abcdef1", "abcdef1")])
    def test_a_commit_of_another_form_is_a_version(
        self, tmp_path: Path, commit: str | None, stored: str | None
    ) -> None:
        provenance = type(FIXED)(test_bed=FIXED.test_bed, ingested_at=1, dut_name="lib")
        run, _ = read(tmp_path / "f", calibrax_run(commit=commit), provenance)
        assert run.commit == stored
        assert run.dut.version == {None: "unknown", "v1.2": "v1.2", "abcdef1": "abcdef1"}[commit]


class TestRefused:
    """A metric that is no number is skipped with its place; the others are stored."""

    @pytest.mark.parametrize(
        ("metric", "reason"),
        [
            ({"value": "fast"}, "not-a-number"),
            ({"value": None}, "not-a-number"),
            ({"value": float("nan")}, "not-finite"),
            ({"value": 1, "samples": [1, True]}, "not-a-number"),
            ({"value": -1}, "negative-time"),
            ({}, "missing-field"),
            (5, "wrong-type"),
        ],
    )
    def test_a_metric(self, tmp_path: Path, metric: Any, reason: str) -> None:
        text = calibrax_run(point(latency=metric, other={"value": 1}))
        run, [other] = read(tmp_path / "f", text)
        assert (other.metric, run.skipped) == ("other", {reason: 1})
        assert any("forward (latency): skipped" in note and "$.points[0].metrics.latency" in note for note in run.notes)

    def test_a_point(self, tmp_path: Path) -> None:
        text = calibrax_run(point(), {"name": "", "metrics": {}}, {"name": "x", "metrics": {}}, 5)
        run, results = read(tmp_path / "f", text)
        assert len(results) == 1
        assert run.skipped == {"no-name": 1, "no-statistics": 1, "wrong-type": 1}

    def test_no_point(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            read(tmp_path / "f", calibrax_run(points=[]))


class TestStore:
    """The directory of a calibrax store is published whole: each run, and nothing else of it."""

    def test_found(self) -> None:
        found = find(STORE)
        assert [path.name for path in found.readable] == ["a1b2c3d4e5f6.json"]
        assert sorted(path.name for path in found.passed_over) == ["a1b2c3d4e5f6.golden.json", "config.json"]
