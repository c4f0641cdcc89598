from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


def hyperfine_result(command: str = "sleep 1", **fields: Any) -> dict[str, Any]:
    """Return a result of three runs; None omits a field."""
    usual = {"mean": 2.0, "stddev": 1.0, "median": 2.0, "user": 0.5, "system": 0.25, "min": 1.0, "max": 3.0,
             "times": [1.0, 2.0, 3.0], "exit_codes": [0, 0, 0]}  # fmt: skip
    return {"command": command, **{name: value for name, value in {**usual, **fields}.items() if value is not None}}


def hyperfine_file(*results: Any, **top: Any) -> str:
    return json.dumps({"results": results or [hyperfine_result()], **top})


class TestReading:
    """Each command has a wall time, a user time, a system time and, if measured, a peak of memory."""

    def test_metrics(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", hyperfine_file(hyperfine_result(memory_usage_byte=[4096, 8192, 4096])))
        assert [(r.metric, r.units, r.n, list(r.values)) for r in results] == [
            ("time", "nanoseconds", 3, [1e9, 2e9, 3e9]),
            ("user-time", "nanoseconds", 3, []),
            ("system-time", "nanoseconds", 3, []),
            ("peak_rss", "bytes", 3, [4096, 8192, 4096]),
        ]
        user = results[1].summary
        assert user is not None
        assert (user.mean, user.median, user.min, user.standard_deviation) == (5e8, 5e8, None, None)

    @pytest.mark.parametrize("field", ["user", "system"])
    def test_a_missing_metric_is_no_row(self, tmp_path: Path, field: str) -> None:
        _, results = read(tmp_path / "f", hyperfine_file({**hyperfine_result(), field: None}))
        assert f"{field}-time" not in {r.metric for r in results}
        assert len(results) == 2

    @pytest.mark.parametrize(("median", "expected"), [(1.5, 1.5e9), (None, 2e9)])
    def test_statistics_are_kept_without_times(self, tmp_path: Path, median: float | None, expected: float) -> None:
        _, [result, *_] = read(tmp_path / "f", hyperfine_file(hyperfine_result(times=None, median=median)))
        s = result.summary
        assert s is not None
        assert (s.min, s.q1, s.median, s.q3, s.max, s.mean, s.standard_deviation) == (
            1e9, None, expected, None, 3e9, 2e9, 1e9,
        )  # fmt: skip
        assert (result.n, list(result.values)) == (3, [])

    def test_parameters_are_tags(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", hyperfine_file(hyperfine_result(parameters={"a": "x", "b": 2})))
        assert [dict(r.tags) for r in results] == [{"a": "x", "b": "2"}] * 3

    @pytest.mark.parametrize("value", ["4", 4])
    def test_the_nameless_parameter_of_old_files(self, tmp_path: Path, value: Any) -> None:
        _, [result, *_] = read(tmp_path / "f", hyperfine_file(hyperfine_result(parameter=value)))
        assert dict(result.tags) == {"parameter": "4"}

    @pytest.mark.parametrize(
        ("codes", "error"),
        [
            ([0, 1, 0], "1 of 3 runs failed: exit code 1"),
            ([2, None, 2], "3 of 3 runs failed: ended by a signal, exit code 2"),
            ([-1], "1 of 1 runs failed: exit code -1"),
        ],
    )
    def test_a_failed_run_is_a_row_with_an_error(self, tmp_path: Path, codes: Any, error: str) -> None:
        bad = hyperfine_result(exit_codes=codes, parameters={"a": "1"})
        run, [result] = read(tmp_path / "f", hyperfine_file(bad))
        assert (result.error, result.metric, result.n, list(result.values), dict(result.tags)) == (
            error, "time", 0, [], {"a": "1"},
        )  # fmt: skip
        assert run.skipped == {}
        assert json.loads(result.metadata) == bad

    @pytest.mark.parametrize("codes", [None, [], [0]])
    def test_other_exit_codes_fail_nothing(self, tmp_path: Path, codes: Any) -> None:
        _, [result, *_] = read(tmp_path / "f", hyperfine_file(hyperfine_result(exit_codes=codes)))
        assert (result.error, result.n) == (None, 3)

    def test_metadata_context_and_time(self, tmp_path: Path) -> None:
        top = {"metadata": {"start_time": "2025-01-01T00:00:00Z", "platform": {"os": "Linux"}}, "more": 1}
        run, [result, *_] = read(tmp_path / "f", hyperfine_file(hyperfine_result(new=[1]), **top))
        kept = {name: v for name, v in hyperfine_result(new=[1]).items() if name != "times"}
        assert (json.loads(result.metadata), json.loads(run.context)) == (kept, top)
        assert run.run_time == 1735689600


class TestSkips:
    """An invalid result is skipped completely, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (hyperfine_result(""), "no-name"),
            ({"command": 5}, "no-name"),
            (hyperfine_result("bad", times=[1.0, -1.0]), "negative-time"),
            (hyperfine_result("bad", times=[1.0, "2"]), "not-a-number"),
            (hyperfine_result("bad", times=5), "wrong-type"),
            (hyperfine_result("bad", times=None, mean=None, median=None), "no-statistics"),
            (hyperfine_result("bad", user=-1), "negative-time"),
            (hyperfine_result("bad", user="much"), "not-a-number"),
            (hyperfine_result("bad", memory_usage_byte=["1"]), "not-a-number"),
            (hyperfine_result("bad", mean=float("nan")), "not-a-number"),
            (hyperfine_result("bad", times=[1e308]), "out-of-range"),
            (hyperfine_result("bad", parameters=["a"]), "wrong-type"),
            (hyperfine_result("bad", exit_codes=0), "wrong-type"),
            ([], "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        file = hyperfine_file(hyperfine_result("before"), bad, hyperfine_result("after"))
        run, results = read(tmp_path / "f", file)
        assert {r.benchmark_name for r in results} == {"before", "after"}
        assert run.skipped == {reason: 1}

    def test_no_result(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="is in no format"):
            read(tmp_path / "f", '{"results": []}')
