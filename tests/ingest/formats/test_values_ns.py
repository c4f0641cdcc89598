from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.units import Direction
from tests.ingest.support import DATA, assert_close, read

if TYPE_CHECKING:
    from pathlib import Path


def results_file(*results: Any, **top: Any) -> str:
    return json.dumps({"benchmark_type": "kind", "timestamp": 5, "results": results, **top})


def entry(name: str = "b", **fields: Any) -> dict[str, Any]:
    return {"benchmark_name": name, "values_ns": [1, 3], "duration_ns": 2, **fields}


class TestReading:
    """The statistics are those of the values, not of the single duration; memory is a separate metric."""

    def test_golden(self) -> None:
        golden = json.loads((DATA / "values-ns" / "golden.json").read_text())
        run, results = read(DATA / "values-ns" / golden["file"])
        assert (run.format, run.run_time) == ("values-ns", golden["run_time"])
        for result, expected in zip(results, golden["benchmarks"], strict=True):
            assert (result.benchmark_name, result.metric, result.units, result.n) == (
                expected["name"], expected["metric"], expected["units"], expected["n"],
            )  # fmt: skip
            assert (result.suite, result.direction) == (golden["suite"], Direction.LOWER)
            assert_close(result.summary, expected)

    @pytest.mark.parametrize("values", [[], None])
    def test_duration_stands_in_for_missing_values(self, tmp_path: Path, values: Any) -> None:
        _, [result] = read(tmp_path / "f", results_file(entry(values_ns=values, duration_ns=0)))
        assert result.values == [0.0]

    def test_metadata_and_context(self, tmp_path: Path) -> None:
        run, [result] = read(tmp_path / "f", results_file(entry(dataset_name="d", min_ns=1), host="h"))
        assert json.loads(result.metadata) == {
            "benchmark_name": "b",
            "duration_ns": 2,
            "dataset_name": "d",
            "min_ns": 1,
        }
        assert json.loads(run.context) == {"benchmark_type": "kind", "timestamp": 5, "host": "h"}

    @pytest.mark.parametrize("odd", [None, "now", 1.5, True, -1, 2**80, [], {}])
    def test_odd_time_or_type_of_the_file_costs_nothing(self, tmp_path: Path, odd: Any) -> None:
        run, [result] = read(tmp_path / "f", results_file(entry(), timestamp=odd, benchmark_type=7))
        assert (run.run_time, result.suite) == (None, "")


class TestSkips:
    """An entry without a time or with an impossible one is skipped; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ({"benchmark_name": "bad"}, "no-statistics"),
            (entry("bad", values_ns=[1, -1]), "negative-time"),
            (entry("bad", values_ns=["1"]), "not-a-number"),
            (entry("bad", values_ns=[float("nan")]), "not-a-number"),
            (entry("bad", values_ns=[True]), "not-a-number"),
            (entry("bad", values_ns=3), "wrong-type"),
            (entry("bad", peak_rss_bytes="much"), "not-a-number"),
            (entry("bad", values_ns=[10**400]), "out-of-range"),
            (entry(""), "no-name"),
            ("bad", "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", results_file(entry("before"), bad, entry("after")))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    def test_nothing_of_a_bad_entry_is_kept(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", results_file(entry("bad", peak_rss_bytes=1, delta_rss_bytes=[])))
        assert results == []

    def test_no_result(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            read(tmp_path / "f", '{"results": [], "duration_ns": 1}')
