"""Golden readings of real files of JMH, cargo bench, Go, Catch2, Bencher, LNT, Otava and .NET that are not part of the project."""

from __future__ import annotations

import pytest

from bench_db.ingest import Provenance, parse, parse_each
from tests.ingest.support import REAL, figures, read

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real files are not here")
TOOL_OUTPUT = REAL / "bencherdev+bencher" / "lib" / "bencher_adapter" / "tool_output"


class TestJmh:
    """A throughput of each set of parameters, with its interval."""

    def test_golden(self) -> None:
        run, results = read(TOOL_OUTPUT / "java" / "jmh" / "six.json")
        assert (run.format, run.skipped, len(results)) == ("jmh", {}, 6)
        assert [(r.benchmark_name.rsplit(".")[-1], dict(r.tags)) for r in results] == [
            (method, {"computeType": kind})
            for method in ("compute_sameKey", "compute_spread")
            for kind in ("Caffeine", "Guava", "ConcurrentHashMap")
        ]
        first = results[0]
        assert (first.metric, first.units, first.direction, first.n) == ("throughput", "per_second", "higher", 3)
        assert figures(first, "mean") == [pytest.approx(152520132.34402195, rel=1e-14)]
        assert first.upper is not None
        assert first.upper - 152520132.34402195 == pytest.approx(3520320.778563123, rel=1e-8)


class TestCustomJson:
    """A value with its interval; the direction comes from the user or the unit."""

    @pytest.mark.parametrize(
        ("name", "direction"),
        [("auto", "lower"), ("customSmallerIsBetter", "lower"), ("customBiggerIsBetter", "higher")],
    )
    def test_golden(self, name: str, direction: str) -> None:
        path = REAL / "benchmark-action+github-action-benchmark" / "test" / "data" / "extract"
        run, results = parse(path / "customSmallerIsBetter_output2.json", name, provenance=Provenance(ingested_at=1))
        assert (run.skipped, [r.benchmark_name for r in results]) == (
            {}, ["No instrumentation", "Deactivated probe", "No logging", "Binary file"],
        )  # fmt: skip
        assert [list(r.values) for r in results] == [[90.9439], [445.661], [1847.38], [3886.75]]
        assert {(r.metric, r.units, str(r.direction)) for r in results} == {("time", "nanoseconds", direction)}
        assert (results[0].lower, results[0].upper) == (90.9439 - 0.519165, 90.9439 + 0.519165)


class TestBenchmarkDotNet:
    """Samples of operations, the statistics of the tool, and allocations."""

    def test_golden(self) -> None:
        run, results = read(
            REAL
            / "bencherdev+bencher"
            / "lib"
            / "bencher_adapter"
            / "tool_output"
            / "c_sharp"
            / "dot_net"
            / "memory.json"
        )
        assert (run.format, run.skipped, run.run_time) == ("benchmarkdotnet", {}, 1773616208)
        assert len({r.benchmark_name for r in results}) == 2
        first, allocated = results[0], results[1]
        assert (first.benchmark_name, first.n, first.iterations) == (
            "BenchmarkDotNet.Samples.Memory.AllocEmptyList", 3, (8388608,) * 3,
        )  # fmt: skip
        assert figures(first, "mean", "median", "standard_deviation", "q1", "q3") == pytest.approx(
            [77.49449412027995, 77.41812467575073, 1.175959577250963, 76.88835263252258, 78.0624508857727], rel=1e-12
        )
        assert (allocated.metric, allocated.units, list(allocated.values)) == ("allocated-bytes", "bytes", [368])


class TestLnt:
    """Seconds of each test, with all samples."""

    def test_golden(self) -> None:
        provenance = Provenance(ingested_at=1, dut_name="elsewhere")
        run, results = parse(REAL / "llvm+llvm-lnt" / "docs" / "report-example.json", provenance=provenance)
        assert (run.format, run.skipped, run.dut.version, run.run_time) == ("lnt", {}, "265649", 1500377313)
        assert (run.test_bed.name, run.test_bed.cpu) == ("LNT-AArch64-A53-O3__clang_DEV__aarch64", "HAL 9000")
        found = {(r.benchmark_name, r.metric): list(r.values) for r in results}
        assert found == {
            ("benchmark1", "time"): pytest.approx([105600000, 105500000]),
            ("benchmark2", "compile-time"): pytest.approx([13120000000]),
            ("benchmark2", "time"): pytest.approx([213500000]),
        }


class TestBmf:
    """The bounds are stored unchanged, although both are below the value."""

    def test_golden(self) -> None:
        run, results = read(TOOL_OUTPUT / "json" / "report_bmf_mixed.json")
        assert (run.format, run.skipped) == ("bmf", {})
        assert [(r.benchmark_name, r.metric, list(r.values), r.lower, r.upper) for r in results] == [
            ("31aba8a9-977a-47d1-9fb6-e6b94b428471", "time", [3247.0], 1044.0, 1044.0),
            ("benchmark-b", "time", [3443.0], 2275.0, 2275.0),
            ("tests::benchmark_c", "time", [3361.0], 1093.0, 1093.0),
        ]


class TestCatch2:
    """A mean with its interval and deviation; the suite is the test case."""

    def test_golden(self) -> None:
        run, results = read(
            REAL / "benchmark-action+github-action-benchmark" / "test" / "data" / "extract" / "catch2_output_v3.txt"
        )
        assert (run.format, run.skipped) == ("catch2", {})
        found = [
            (r.suite, r.benchmark_name, r.n, figures(r, "mean", "standard_deviation"), r.lower, r.upper)
            for r in results
        ]
        assert found == [
            ("Fibonacci", "Fibonacci 10", 100, [344, 19], 341, 349),
            ("Fibonacci", "Fibonacci 20", 100, [41731, 3256], 41250, 42622),
            ("More Fibonacci", "Fibonacci~ 5!", 100, [36, 4], 35, 37),
            ("More Fibonacci", "Fibonacci-15_bench", 100, [3789, 362], 3734, 3888),
        ]


class TestGo:
    """A time per line; the number at the end of a name is GOMAXPROCS."""

    def test_golden(self) -> None:
        run, results = read(TOOL_OUTPUT / "go" / "bench" / "five.txt")
        assert (run.format, run.skipped) == ("go", {})
        assert [(r.benchmark_name, dict(r.tags), list(r.values), r.iterations) for r in results] == [
            ("BenchmarkFib10", {"gomaxprocs": "8"}, [325.0], (5000000,)),
            ("BenchmarkFib20", {}, [40537.123], (30000,)),
            ("BenchmarkFib/my_tabled_benchmark_-_10", {"gomaxprocs": "8"}, [325.0], (5000000,)),
            ("BenchmarkFib/my_tabled_benchmark_-_20", {}, [40537.123], (30000,)),
            ("BenchmarkFib/my/tabled/benchmark_-_20", {}, [40537.456], (30001,)),
        ]


class TestCargoBench:
    """The lines of libtest and of Criterion, in any unit."""

    def test_libtest(self) -> None:
        path = REAL / "bencherdev+bencher" / "lib" / "bencher_adapter" / "tool_output" / "rust" / "bench" / "many.txt"
        run, results = read(path)
        assert (run.format, run.skipped) == ("cargo-bench", {})
        assert [(r.benchmark_name, *figures(r, "median"), r.lower, r.upper) for r in results] == [
            ("tests::benchmark", 3161.0, 2186.0, 4136.0), ("tests::other_benchmark", 3161.0, 2186.0, 4136.0),
            ("tests::last_benchmark", 3161.0, 2186.0, 4136.0), ("tests::one_digit", 1e3, 0.0, 2e3),
            ("tests::two_digit", 22e6, 0.0, 44e6), ("tests::three_digit", 333e9, 0.0, 666e9),
        ]  # fmt: skip

    def test_criterion(self) -> None:
        path = (
            REAL / "bencherdev+bencher" / "lib" / "bencher_adapter" / "tool_output" / "rust" / "criterion" / "many.txt"
        )
        run, results = read(path)
        found = [(r.benchmark_name, r.lower, *figures(r, "mean"), r.upper) for r in results]
        assert (run.format, run.skipped, len(found), {r.n for r in results}) == ("cargo-bench", {}, 5, {100})
        assert found[0][0] == "file"
        assert found[0][1:] == pytest.approx([0.32062, 0.32390, 0.32755], rel=1e-12)
        assert found[2][1:] == pytest.approx([16652, 18019, 19562], rel=1e-12)
        assert found[4][0] == "benchmark: name with spaces"


class TestOtava:
    """A run per row, in the order of the file."""

    def test_golden(self) -> None:
        runs = list(
            parse_each(
                REAL / "apache+otava" / "tests" / "resources" / "sample.csv", provenance=Provenance(ingested_at=1)
            )
        )
        # no sha has four digits, so the column is a version
        assert [(run.commit, run.dut.version) for run, _ in runs] == [(None, f"aaa{row}") for row in range(10)]
        assert {(run.format, run.results, *run.skipped) for run, _ in runs} == {("otava", 2)}
        assert (runs[0][0].run_time, runs[9][0].run_time) == (1704074400, 1704852000)
        found = {
            metric: [r.values[0] for _, results in runs for r in results if r.metric == metric]
            for metric in ("metric1", "metric2")
        }
        assert found == {
            "metric1": [154023, 138455, 143112, 149190, 132098, 151344, 155145, 148889, 149466, 148209],
            "metric2": [10.43, 10.23, 10.29, 10.91, 10.34, 10.69, 9.23, 9.11, 9.13, 9.03],
        }
