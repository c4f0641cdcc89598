"""Golden readings of real files that are not part of the project; skipped if they are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, detect, parse
from tests.ingest.support import REAL, assert_close, figures, read

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real files are not here")

PYTEST_BENCHMARK = [
    (
        "benchmark-action+github-action-benchmark/test/data/extract/pytest_several_units.json",
        ["bench.py::test_fib_1", "bench.py::test_fib_10", "bench.py::test_fib_20", "bench.py::test_sleep_2"],
        {"min": 1.422099999981441e-07, "mean": 1.4995610248628836e-07, "standard_deviation": 2.9351731952139377e-08,
         "median": 1.437600000020467e-07},
        68536, 0, "b8e9e2af2493", 1575622738,
    ),
    (
        "generated-here/pytest-benchmark-5.3.1-with-data.json",
        ["test_b.py::test_fib[5]", "test_b.py::test_fib[10]", "test_b.py::test_sort"],
        {"min": 5.142499958310509e-07, "mean": 1.032720892363985e-06, "standard_deviation": 9.872276178060266e-06,
         "median": 5.412999939835572e-07},
        426, 426, "5de6afac4e3d", 1795220084,
    ),
    (
        "ionelmc+pytest-benchmark/tests/test_storage/0001_b87b9aae14ff14a7887a6bbaa9731b9a8760555d_20150814_190343_uncommitted-changes.json",
        ["tests/test_normal.py::test_xfast_parametrized[0]"],
        {"min": 2.1731454219544334e-07, "mean": 2.622408132654948e-07, "standard_deviation": 2.140441942118885e-07,
         "median": 2.2016643907464864e-07},
        9987, 0, "5b78858eb718", 1439596906,
    ),
]  # fmt: skip


class TestPytestBenchmark:
    """Statistics in nanoseconds, with and without samples."""

    @pytest.mark.parametrize("golden", PYTEST_BENCHMARK, ids=lambda golden: golden[0].split("/")[0])
    def test_golden(self, golden: tuple[str, list[str], dict[str, float], int, int, str, int]) -> None:
        file, names, stats, n, kept, commit, time = golden
        run, results = read(REAL / file)
        assert (run.format, run.skipped, run.run_time) == ("pytest-benchmark", {}, time)
        assert run.commit is not None
        assert run.commit.startswith(commit)
        assert [r.benchmark_name for r in results][: len(names)] == names
        assert (results[0].n, len(results[0].values)) == (n, kept)
        for name, seconds in stats.items():
            assert getattr(results[0].summary, name) == pytest.approx(seconds * 1e9, rel=1e-12)


PYPERF = [
    ("psf+pyperf/pyperf/tests/telco.json", "telco", "time", 120, 1e9, 0.02253074578743508, 0.02211380250082584,
     0.02292071737429069, "selma", "Intel(R) Core(TM) i7-3520M CPU @ 2.90GHz"),
    ("psf+pyperf/pyperf/tests/track_memory.json", "timeit", "memory", 3, 1, 7368704.0, 7360512, 7380992, "apu",
     "Intel(R) Core(TM) i7-6820HQ CPU @ 2.70GHz"),
    ("generated-here/pyperf-2.10.0.json", "list_mul", "time", 6, 1e9, 8.078941345221585e-07, 7.962034530642481e-07,
     8.248647842407086e-07, "vm", "AMD EPYC"),
]  # fmt: skip


class TestPyperf:
    """All values of a benchmark, per iteration."""

    @pytest.mark.parametrize("golden", PYPERF, ids=lambda golden: golden[0].rsplit("/")[-1])
    def test_golden(self, golden: tuple[str, str, str, int, float, float, float, float, str, str]) -> None:
        file, name, metric, n, factor, mean, low, high, node, cpu = golden
        run, [result] = parse(REAL / file, provenance=Provenance(ingested_at=1))
        assert (run.test_bed.name, run.test_bed.cpu) == (node, cpu)
        assert (run.format, result.benchmark_name, result.metric, result.n) == ("pyperf", name, metric, n)
        assert result.summary is not None
        found = [result.summary.mean, result.summary.min, result.summary.max]
        assert found == pytest.approx([mean * factor, low * factor, high * factor], rel=1e-12)


class TestAsv:
    """Both versions of a results file, with the benchmarks beside them; a malformed file is reported."""

    def test_second_version(self) -> None:
        [file] = (REAL / "generated-here").glob("asv-*/results/vm/806cd029-*.json")
        run, results = read(file)
        assert run.commit is not None
        assert (run.format, run.commit[:12], run.run_time) == ("asv", "806cd02939e3", 1795220088)
        assert [r.benchmark_name for r in results if r.error] == ["b.time_fail"]
        assert len(results) == 17
        lists = {tuple(r.tags.values()): r.values[0] for r in results if r.benchmark_name == "b.TimeSuite.mem_list"}
        assert lists == {("10", "'a'"): 136, ("10", "'b'"): 136, ("100", "'a'"): 856, ("100", "'b'"): 856}
        [sort, *_] = [r for r in results if r.benchmark_name == "b.TimeSuite.time_sort"]
        assert dict(sort.tags) == {"n": "10", "kind": "'a'"}
        assert sort.values[0] == pytest.approx(3644.9998788157245)
        assert (sort.lower, sort.upper, sort.iterations) == (None, None, (1,))

    def test_first_version(self) -> None:
        file = (
            REAL
            / "airspeed-velocity+asv"
            / "test"
            / "example_results"
            / "cheetah"
            / "05d283b9-py2.7-Cython-numpy1.8.json"
        )
        run, results = parse(file, provenance=Provenance(ingested_at=1, dut_name="elsewhere"))
        assert run.commit is not None
        assert (run.commit[:12], run.dut.timestamp, run.test_bed.name) == ("05d283b9694e", 1386688801, "cheetah")
        assert (len(results), {r.error for r in results}) == (12, {None})
        found = {r.benchmark_name: list(r.values) for r in results}
        assert found["time_coordinates.time_latitude"] == [pytest.approx(65947.2942352295, rel=1e-12)]

    def test_malformed(self) -> None:
        file = (
            REAL
            / "airspeed-velocity+asv"
            / "test"
            / "example_results"
            / "cheetah"
            / "aaaaaaaa-py2.7-Cython-numpy1.8.json"
        )
        with pytest.raises(UnreadableOutputError, match="is not valid JSON") as caught:
            parse(file, "asv")
        assert (caught.value.line, caught.value.column) == (2, 5)


class TestGoogleBenchmark:
    """Real and processor time of each benchmark, and the machine of the file."""

    def test_golden(self) -> None:
        path = REAL / "bencherdev+bencher" / "lib" / "bencher_adapter" / "tool_output" / "cpp" / "google" / "two.txt"
        run, results = parse(path, provenance=Provenance(ingested_at=1, dut_name="elsewhere"))
        assert (run.format, run.test_bed.name, run.run_time, run.commit) == (
            "google-benchmark", "Corgi.local", 1575062819, None,
        )  # fmt: skip
        found = {(r.benchmark_name, r.metric): (list(r.values), r.iterations) for r in results}
        assert found[("fib_10", "time")] == ([214.98980114547953], (3070566,))
        assert found[("fib_10", "cpu-time")] == ([213.65507206163295], (3070566,))
        assert found[("fib_20", "time")][0] == [27455.600415007055]
        assert len(found) == 4


class TestVitest:
    """The mean in nanoseconds and the rate per second, under the names of file, group and benchmark."""

    def test_golden(self) -> None:
        path = REAL / "bencherdev+bencher" / "lib" / "bencher_adapter" / "tool_output" / "js" / "vitest" / "four.json"
        run, results = read(path)
        found = [(r.benchmark_name.rpartition(" > ")[2], r.metric, *figures(r, "mean")) for r in results]
        assert run.format == "vitest"
        assert found == [
            ("fib(10)", "throughput", 1000.0), ("fib(20)", "throughput", 500.0), ("normal", "time", 5e6),
            ("normal", "throughput", 200.0), ("reverse", "time", 1e7), ("reverse", "throughput", 100.0),
        ]  # fmt: skip
        assert results[0].benchmark_name == "fib.bench.ts > fibonacci > fib(10)"
        # made by hand, with a smallest time above the median
        assert run.skipped == {"contradictory-statistics": 2}
        assert any("min 800000 is above median 750000" in note for note in run.notes)


class TestCodspeed:
    """The statistics of the tool, unchanged."""

    def test_golden(self) -> None:
        run, results = read(REAL / "generated-here" / "pytest-codspeed-5.0.4-walltime.json")
        assert (run.format, [r.benchmark_name for r in results]) == (
            "codspeed", ["test_b.py::test_fib[5]", "test_b.py::test_fib[10]", "test_b.py::test_sort"],
        )  # fmt: skip
        assert figures(results[0], "mean", "min", "q1") == [1064.9819318148159, 558.4644412191582, 566.9470246734397]
        assert [r.n for r in results] == [49, 49, 7]


class TestHyperfine:
    """Wall time from its samples, user and system time as reported by the tool."""

    def test_golden(self) -> None:
        path = (
            REAL / "bencherdev+bencher" / "lib" / "bencher_adapter" / "tool_output" / "shell" / "hyperfine" / "two.json"
        )
        run, results = read(path)
        assert (run.format, {r.benchmark_name for r in results}) == ("hyperfine", {"sleep 0.1", "sleep 0.2"})
        found = {r.metric: r for r in results if r.benchmark_name == "sleep 0.1"}
        assert {metric: r.n for metric, r in found.items()} == {"time": 27, "user-time": 27, "system-time": 27}
        assert figures(found["time"], "mean", "standard_deviation", "median") == pytest.approx(
            [0.10753446442370372e9, 0.0032178771150522725e9, 0.10652535172000001e9], rel=1e-12
        )
        assert figures(found["user-time"], "mean", "min") == [pytest.approx(0.0007174962962962964e9), None]
        assert figures(found["system-time"], "mean") == [pytest.approx(0.0013508844444444443e9)]


class TestCriterion:
    """Times per iteration: the minimum is that of an iteration, not of a batch."""

    def test_stream(self) -> None:
        run, [result] = read(REAL / "lemmih+num-criterion" / "cargo-criterion-one.jsonl")
        assert (run.format, result.benchmark_name, result.n, len(result.iterations)) == (
            "criterion",
            "clone/64bits/uint",
            100,
            100,
        )
        assert result.summary is not None
        assert result.summary.mean == pytest.approx(1.4401793550510666, rel=1e-14)
        assert (result.summary.min, result.summary.max) == (1.3801137453987196, 1.8056355146165164)
        assert (result.lower, result.upper) == (1.4248770384169342, 1.4407761974403446)

    def test_directory(self) -> None:
        run, results = read(REAL / "garypen+deduplicate" / "target" / "criterion")
        found = {r.benchmark_name: r for r in results}
        assert (run.format, sorted(found)) == ("criterion-dir", ["get/deduplicate get/0", "get/deduplicate get/1024"])
        first, second = found["get/deduplicate get/0"], found["get/deduplicate get/1024"]
        assert_close(first.summary, {"mean": 5486177.750999999, "median": 5517447.9, "standard_deviation": 302809.3625796138,
                                     "min": 4867171.5, "max": 6096338.8, "q1": 5285475.4, "q3": 5682059.1})  # fmt: skip
        assert second.summary is not None
        assert (second.summary.min, second.summary.max) == (716543.9523809524, 2944442.1428571427)
        assert (first.lower, first.upper) == (5427147.800400001, 5544756.894974998)


class TestLanceBench:
    """Any results file with values_ns is parsed, also that of IVF, with its own time."""

    @pytest.mark.parametrize(
        ("directory", "time", "suite", "metrics", "mean"),
        [
            ("many_frags_fts_search", 1772502275, "many_frags_fts_search", ["time"], 90453852.5),
            ("train_ivf_index", 1772046362, "train_ivf_index", ["time", "peak_rss", "delta_rss"], 223041488815.0),
        ],
    )
    def test_golden(self, directory: str, time: int, suite: str, metrics: list[str], mean: float) -> None:
        [file] = (REAL / "lancedb+lance-bench" / "benchmarks" / directory).glob("*.json")
        run, results = read(file)
        assert (run.format, run.run_time) == ("values-ns", time)
        assert [(r.suite, r.metric) for r in results] == [(suite, m) for m in metrics]
        assert results[0].summary is not None
        assert results[0].summary.mean == mean


# Directories of files by format; files elsewhere match no format.
SHOWN = {
    "/05d283b9-": "asv",
    "/806cd029-": "asv",
    "/cpp/google/": "google-benchmark",
    "/hyperfine/": "hyperfine",
    "/rust/bench/": "cargo-bench",
    "/rust/criterion/": "cargo-bench",
    "/js/vitest/": "vitest",
    "garypen+deduplicate": "",  # a part of a directory of Criterion
    "generated-here/pyperf": "pyperf",
    "generated-here/pytest-codspeed": "codspeed",
    "/java/jmh/": "jmh",
    "extract/custom": "github-action-benchmark",
    "/dot_net/": "benchmarkdotnet",
    "apache+otava": "otava",
    "llvm+llvm-lnt": "lnt",
    "/json/report_bmf": "bmf",
    "extract/catch2": "catch2",
    "/go/bench/": "go",
    "generated-here/pytest-benchmark": "pytest-benchmark",
    "ionelmc+pytest-benchmark": "pytest-benchmark",
    "lancedb+lance-bench": "values-ns",
    "lemmih+num-criterion": "criterion",
    "psf+pyperf": "pyperf",
    "extract/pytest": "pytest-benchmark",
}


class TestDetection:
    """Each file matches only its own format; output without an adapter matches none."""

    def test_every_file(self) -> None:
        for path in (path for path in REAL.rglob("*") if path.is_file()):
            name = str(path.relative_to(REAL))
            assert self.shown(path) == next((shown for part, shown in SHOWN.items() if part in name), ""), name

    @staticmethod
    def shown(path: Path) -> str:
        try:
            return detect(path).name
        except UnreadableOutputError as error:
            return "" if "is in no format bench_db knows" in str(error) else str(error)
