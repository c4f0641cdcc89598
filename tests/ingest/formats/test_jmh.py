from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import FIXED, read

if TYPE_CHECKING:
    from pathlib import Path

HISTOGRAM = [[[[1.0, 3], [2.0, 1]]]]


def jmh_metric(**fields: Any) -> dict[str, Any]:
    """Return a score of two forks; None omits a field."""
    usual = {
        "score": 2.0,
        "scoreError": 0.5,
        "scoreConfidence": [1.5, 2.5],
        "scorePercentiles": {"0.0": 1.0, "50.0": 2.0, "100.0": 3.0},
        "scoreUnit": "us/op",
        "rawData": [[1.0, 2.0], [3.0]],
    }
    return {name: value for name, value in {**usual, **fields}.items() if value is not None}


def jmh_benchmark(name: str = "a.B.c", mode: str = "avgt", secondary: Any = None, **fields: Any) -> dict[str, Any]:
    about = {"jmhVersion": "1.37", "benchmark": name, "mode": mode, "threads": 1, "params": {"size": "10"}}
    return {**about, "primaryMetric": jmh_metric(**fields), "secondaryMetrics": secondary or {}}


def jmh_file(*benchmarks: Any) -> str:
    return json.dumps(benchmarks or [jmh_benchmark()])


class TestReading:
    """Iterations are samples, the unit gives the metric, and modes and parameters distinguish series."""

    @pytest.mark.parametrize(
        ("mode", "unit", "metric", "units", "factor", "tags"),
        [
            ("thrpt", "ops/s", "throughput", "per_second", 1, {}),
            ("thrpt", "ops/ns", "throughput", "per_second", 1e9, {}),
            ("thrpt", "ops/min", "throughput", "per_second", 1 / 60, {}),
            ("avgt", "ns/op", "time", "nanoseconds", 1, {}),
            ("avgt", "s/op", "time", "nanoseconds", 1e9, {}),
            ("avgt", "min/op", "time", "nanoseconds", 60e9, {}),
            ("ss", "hr/op", "time", "nanoseconds", 3600e9, {"mode": "ss"}),
            ("sample", "day/op", "time", "nanoseconds", 86400e9, {"mode": "sample"}),
        ],
    )
    def test_units(  # noqa: PLR0917 a column each
        self, tmp_path: Path, mode: str, unit: str, metric: str, units: str, factor: float, tags: dict[str, str]
    ) -> None:
        _, [result] = read(tmp_path / "f", jmh_file(jmh_benchmark(mode=mode, scoreUnit=unit)))
        assert (result.metric, result.units, dict(result.tags)) == (metric, units, {"size": "10", **tags})
        assert list(result.values) == pytest.approx([factor, 2 * factor, 3 * factor], rel=1e-14)
        assert (result.lower, result.upper) == pytest.approx((1.5 * factor, 2.5 * factor), rel=1e-14)

    def test_histogram(self, tmp_path: Path) -> None:
        bare: dict[str, Any] = {"rawData": None, "rawDataHistogram": HISTOGRAM}
        _, [result] = read(tmp_path / "f", jmh_file(jmh_benchmark(mode="sample", **bare)))
        assert list(result.values) == [1e3, 1e3, 1e3, 2e3]
        assert "rawDataHistogram" not in json.loads(result.metadata)["primaryMetric"]

    def test_a_long_histogram_is_not_spread(self, tmp_path: Path) -> None:
        long = [[[[1.0, 1 << 40], [2.0, 1]]]]
        fields = jmh_benchmark(mode="sample", rawData=None, rawDataHistogram=long)
        _, [result] = read(tmp_path / "f", jmh_file(fields))
        s = result.summary
        assert s is not None
        assert (s.min, s.q1, s.median, s.max, s.mean, s.standard_deviation) == (1e3, None, 2e3, 3e3, 2e3, None)
        assert (result.n, list(result.values)) == ((1 << 40) + 1, [])
        assert json.loads(result.metadata)["primaryMetric"]["rawDataHistogram"] == long

    @pytest.mark.parametrize("raw", [None, [], [[]]])
    def test_score_without_samples(self, tmp_path: Path, raw: Any) -> None:
        _, [result] = read(tmp_path / "f", jmh_file(jmh_benchmark(rawData=raw, scorePercentiles={"50.0": 1.5})))
        assert result.summary is not None
        assert (result.summary.mean, result.summary.median, result.n) == (2e3, 1.5e3, 1)

    @pytest.mark.parametrize("bounds", [["NaN", "NaN"], ["-INF", "+INF"], [], [1.0], [1.0, 2.0, 3.0]])
    def test_no_interval(self, tmp_path: Path, bounds: Any) -> None:
        _, [result] = read(tmp_path / "f", jmh_file(jmh_benchmark(scoreError="NaN", scoreConfidence=bounds)))
        assert (result.lower, result.upper, result.n) == (None, None, 3)

    @pytest.mark.parametrize("mark", ["", "\u00b7", "?"])
    def test_secondary_metrics(self, tmp_path: Path, mark: str) -> None:
        secondary = {
            f"{mark}gc.alloc.rate.norm": jmh_metric(scoreUnit="B/op"),
            f"{mark}gc.alloc.rate": jmh_metric(scoreUnit="MB/sec"),
            f"{mark}gc.count": jmh_metric(scoreUnit="counts", score=6.0),
            f"{mark}rss": jmh_metric(scoreUnit="pages", rawData=[[-1.0, 5.0]]),
            f"{mark}cycles": jmh_metric(scoreUnit="#/op"),
            "method": jmh_metric(),
            f"{mark}stack": jmh_metric(scoreUnit="---", score="NaN", rawData=[["NaN"]]),
            "c:p0.999": jmh_metric(rawData=[[]]),
        }
        run, results = read(tmp_path / "f", jmh_file(jmh_benchmark(secondary=secondary)))
        assert run.skipped == {}
        found = {(r.benchmark_name, r.metric, r.units, str(r.direction)): list(r.values) for r in results}
        assert found == {
            ("a.B.c", "time", "nanoseconds", "lower"): [1e3, 2e3, 3e3],
            ("a.B.c", "allocated-bytes", "bytes", "lower"): [1, 2, 3],
            ("a.B.c", "gc.alloc.rate", "bytes_per_second", "info"): [2**20, 2 * 2**20, 3 * 2**20],
            ("a.B.c", "gc.count", "count", "info"): [6],
            ("a.B.c", "rss", "pages", "info"): [-1, 5],
            ("a.B.c", "cycles", "count", "lower"): [1, 2, 3],
            ("a.B.c:method", "time", "nanoseconds", "lower"): [1e3, 2e3, 3e3],
        }

    def test_metadata(self, tmp_path: Path) -> None:
        benchmark = jmh_benchmark(secondary={"m": jmh_metric(), "odd": 5}) | {"new": {"a": [1]}}
        run, [result, _] = read(tmp_path / "f", jmh_file(benchmark))
        lean = jmh_metric(rawData=None)
        assert json.loads(result.metadata) == {
            **benchmark,
            "primaryMetric": lean,
            "secondaryMetrics": {"m": lean, "odd": 5},
        }
        assert run.skipped == {"wrong-type": 1}


class TestSkips:
    """An invalid benchmark is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (jmh_benchmark(""), "no-name"),
            ({"benchmark": 5}, "no-name"),
            ({"benchmark": "bad"}, "missing-field"),
            (jmh_benchmark("bad", scoreUnit="furlongs/op"), "unknown-unit"),
            (jmh_benchmark("bad", scoreUnit="B/op"), "unknown-unit"),
            (jmh_benchmark("bad", rawData=[["NaN"]]), "not-finite"),
            (jmh_benchmark("bad", rawData=None, score="+INF"), "not-finite"),
            (jmh_benchmark("bad", rawData=[["1"]]), "not-a-number"),
            (jmh_benchmark("bad", rawData=[[-1.0]]), "negative-time"),
            (jmh_benchmark("bad", rawData=None, rawDataHistogram=[[[[1.0, 0]]]]), "out-of-range"),
            (jmh_benchmark("bad", rawData=None, rawDataHistogram=[[[[1.0, 1 << 63]]]]), "out-of-range"),
            (jmh_benchmark("bad", rawData=5), "wrong-type"),
            (5, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", jmh_file(jmh_benchmark("before"), bad, jmh_benchmark("after")))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    def test_no_benchmark(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("[\n]\n")
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            parse(tmp_path / "f", "jmh", provenance=FIXED)
