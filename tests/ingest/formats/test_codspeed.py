from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import figures, read

if TYPE_CHECKING:
    from pathlib import Path


def codspeed_benchmark(uri: str = "tests/t.py::test", **stats: Any) -> dict[str, Any]:
    """Return a benchmark of seven rounds; None omits a statistic."""
    usual = {"min_ns": 1.0, "q1_ns": 2.0, "median_ns": 3.0, "q3_ns": 4.0, "max_ns": 9.0, "mean_ns": 3.5, "stdev_ns": 0.5,
             "rounds": 7, "iter_per_round": 100}  # fmt: skip
    kept = {name: value for name, value in {**usual, **stats}.items() if value is not None}
    return {"name": uri.rpartition("::")[2], "uri": uri, "config": {"max_rounds": None}, "stats": kept}


def codspeed_file(*benchmarks: Any, **top: Any) -> str:
    usual = {"creator": {"name": "pytest-codspeed"}, "python": {}, "instrument": {"type": "walltime"}}
    return json.dumps({**usual, **top, "benchmarks": benchmarks or [codspeed_benchmark()]})


class TestReading:
    """The statistics of the tool, per iteration in nanoseconds; there are no samples."""

    def test_statistics(self, tmp_path: Path) -> None:
        run, [result] = read(tmp_path / "f", codspeed_file())
        names = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
        assert figures(result, *names) == [1.0, 2.0, 3.0, 4.0, 9.0, 3.5, 0.5]
        assert (result.benchmark_name, result.n, list(result.values)) == ("tests/t.py::test", 7, [])
        assert json.loads(result.metadata) == codspeed_benchmark()
        assert json.loads(run.context)["instrument"] == {"type": "walltime"}

    @pytest.mark.parametrize(
        ("uri", "name"),
        [
            ("/usr/local/user/tests/t.py::A::test[x/y]", "t.py::A::test[x/y]"),
            ("C:\\project\\t.py::test", "t.py::test"),
            ("crates/a/benches/b.rs::group::f", "crates/a/benches/b.rs::group::f"),
            ("/odd", "/odd"),
        ],
    )
    def test_names_hold_no_place_of_a_machine(self, tmp_path: Path, uri: str, name: str) -> None:
        _, [result] = read(tmp_path / "f", codspeed_file(codspeed_benchmark(uri)))
        assert result.benchmark_name == name

    def test_without_a_uri_the_name(self, tmp_path: Path) -> None:
        record = {**codspeed_benchmark(), "uri": None, "name": "n"}
        assert read(tmp_path / "f", codspeed_file(record))[1][0].benchmark_name == "n"

    @pytest.mark.parametrize("rounds", [None, 0, -1, 1.5, "7", True, 2**63])
    def test_odd_rounds_cost_nothing(self, tmp_path: Path, rounds: Any) -> None:
        assert read(tmp_path / "f", codspeed_file(codspeed_benchmark(rounds=rounds)))[1][0].n == 1

    @pytest.mark.parametrize("record", [{"uri": "u"}, {"uri": "u", "stats": None}])
    def test_without_statistics_is_a_row_with_an_error(self, tmp_path: Path, record: Any) -> None:
        run, results = read(tmp_path / "f", codspeed_file(codspeed_benchmark(), record))
        assert (results[1].benchmark_name, results[1].error, run.skipped) == ("u", "no statistics in the file", {})


class TestSkips:
    """An invalid benchmark is skipped; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (codspeed_benchmark("bad", mean_ns=None, median_ns=None), "no-statistics"),
            (codspeed_benchmark("bad", min_ns="1"), "not-a-number"),
            (codspeed_benchmark("bad", min_ns=-1), "negative-time"),
            (codspeed_benchmark("bad", stdev_ns=float("nan")), "not-finite"),
            (codspeed_benchmark("bad", max_ns=10**400), "out-of-range"),
            ({"uri": "bad", "stats": 5}, "wrong-type"),
            ({"uri": "", "name": 5}, "no-name"),
            (None, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", codspeed_file(codspeed_benchmark("a"), bad, codspeed_benchmark("z")))
        assert [r.benchmark_name for r in results] == ["a", "z"]
        assert run.skipped == {reason: 1}

    def test_another_instrument_has_no_benchmarks(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text('{"creator": {}, "instrument": {"type": "valgrind"}}')
        with pytest.raises(UnreadableOutputError, match="has no list `benchmarks`"):
            parse(tmp_path / "f", "codspeed")
