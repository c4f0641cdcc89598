from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


def epoch(elapsed: float = 1e-9, **fields: Any) -> dict[str, Any]:
    return {"iterations": 7, "elapsed": elapsed, "instructions": 0, "cpucycles": 0, **fields}


def nanobench_result(name: str = "add", **fields: Any) -> dict[str, Any]:
    usual = {
        "title": "sums",
        "name": name,
        "unit": "op",
        "batch": 1,
        "median(elapsed)": 1e-9,
        "measurements": [epoch(), epoch(2e-9)],
    }
    return {**usual, **fields}


def nanobench_file(*results: Any) -> str:
    return json.dumps({"results": results or [nanobench_result()]}, indent=4)


class TestReading:
    """Each result has a sample an epoch: the time of an iteration."""

    def test_times(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", nanobench_file())
        assert (result.suite, result.benchmark_name, result.metric, list(result.values), list(result.iterations)) == (
            "sums", "add", "time", [1.0, 2.0], [7, 7],
        )  # fmt: skip

    def test_a_batch_is_divided(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", nanobench_file(nanobench_result(batch=10)))
        assert list(result.values) == pytest.approx([0.1, 0.2])

    def test_counters_of_the_processor(self, tmp_path: Path) -> None:
        counted = nanobench_result(measurements=[epoch(instructions=8.0), epoch(instructions=9.0)], batch=2)
        _, results = read(tmp_path / "f", nanobench_file(counted))
        assert [(r.metric, r.units, list(r.values)) for r in results[1:]] == [("instructions", "count", [4.0, 4.5])]

    def test_quotes_and_backslashes_in_names(self, tmp_path: Path) -> None:
        """nanobench writes names as they are, which is no JSON."""
        text = nanobench_file().replace('"name": "add"', '"name": "a "b" \\c"')
        _, [result] = read(tmp_path / "f", text)
        assert result.benchmark_name == 'a "b" \\c'


class TestNothingLost:
    """A result without epochs is a skip, a cut file is refused."""

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"measurements": []}, "no-statistics"),
            ({"measurements": [epoch("x")]}, "not-a-number"),  # type: ignore[arg-type]
            ({"measurements": [epoch(iterations=0)]}, "zero-iterations"),
            ({"name": ""}, "no-name"),
        ],
    )
    def test_a_bad_result(self, tmp_path: Path, fields: Any, reason: str) -> None:
        run, [_] = read(tmp_path / "f", nanobench_file(nanobench_result(), nanobench_result(**{"name": "b", **fields})))
        assert run.skipped == {reason: 1}

    def test_a_bad_counter_costs_no_other_metric(self, tmp_path: Path) -> None:
        counted = nanobench_result(measurements=[epoch(instructions=-1, cpucycles=5)])
        run, results = read(tmp_path / "f", nanobench_file(counted))
        assert ([r.metric for r in results], len(run.skipped)) == (["time", "cycles"], 1)

    def test_a_cut_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="too early"):
            read(tmp_path / "f", nanobench_file()[:-9])
