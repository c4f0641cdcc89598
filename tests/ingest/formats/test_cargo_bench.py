from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from bench_db.units import Direction
from tests.ingest.support import FIXED, figures, read

if TYPE_CHECKING:
    from pathlib import Path

LIBTEST = "test a::b ... bench:       1,234.50 ns/iter (+/- 34)\n"
CRITERION = "group/f                 time:   [1.0000 us 2.0000 us 3.0000 us]\n"


def total(passed: int = 0, failed: int = 0) -> str:
    return f"\ntest result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed; 0 ignored; 1 measured;\n"


class TestLibtest:
    """The median in nanoseconds, with the range that libtest prints."""

    def test_line(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", LIBTEST)
        assert (result.benchmark_name, result.n, list(result.values)) == ("a::b", 1, [])
        assert figures(result, "median", "mean", "min", "standard_deviation") == [1234.5, 1234.5, None, None]
        assert (result.lower, result.upper) == (1200.5, 1268.5)
        assert json.loads(result.metadata) == {"line": "1,234.50 ns/iter (+/- 34)"}

    @pytest.mark.parametrize("name", ["a", "a::b", "with spaces (and more)", "cut off... ", "a ... b", 'it\'s "x" \\'])
    def test_names(self, tmp_path: Path, name: str) -> None:
        _, [result] = read(tmp_path / "f", f"test {name}   ... bench:   1 ns/iter (+/- 0)\n")
        assert result.benchmark_name == name.strip()

    @pytest.mark.parametrize(
        ("unit", "median", "metric"),
        [
            ("ps/iter", 5e-3, "time"),
            ("ns/iter", 5.0, "time"),
            ("µs/iter", 5e3, "time"),
            ("\N{GREEK SMALL LETTER MU}s/iter", 5e3, "time"),
            ("us/iter", 5e3, "time"),
            ("ms/iter", 5e6, "time"),
            ("s/iter", 5e9, "time"),
            ("cycles/iter", 5.0, "cycles"),
            ("instructions/iter", 5.0, "instructions"),
        ],
    )
    def test_units(self, tmp_path: Path, unit: str, median: float, metric: str) -> None:
        _, [result] = read(tmp_path / "f", f"test a ... bench:           5 {unit} (+/- 1)\n")
        assert figures(result, "median") == [pytest.approx(median)]
        assert (result.metric, result.units) == (metric, "nanoseconds" if metric == "time" else "count")

    def test_throughput(self, tmp_path: Path) -> None:
        _, [_, speed] = read(tmp_path / "f", LIBTEST.replace("\n", " = 512 MB/s\n"))
        assert (speed.metric, speed.units, speed.direction) == ("throughput", "bytes_per_second", Direction.HIGHER)
        assert figures(speed, "median") == [5.12e8]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("test bad ... bench:  fast ns/iter (+/- 1)", "not-a-number"),
            ("test bad ... bench:  1,2", "not-a-number"),
            ("test bad ... bench:  -5 ns/iter (+/- 1)", "not-a-number"),
            ("test bad ... bench:  5 ns/iter", "not-a-number"),
            ("test bad ... bench:  5 furlong/iter (+/- 1)", "unknown-unit"),
            ("test bad ... bench:  5 MS/s (+/- 1)", "unknown-unit"),
            (f"test bad ... bench:  {'9' * 400} ns/iter (+/- 1)", "out-of-range"),
        ],
    )
    def test_a_bad_line_is_skipped(self, tmp_path: Path, line: str, reason: str) -> None:
        run, results = read(tmp_path / "f", LIBTEST + line + "\n")
        assert ([r.benchmark_name for r in results], run.skipped) == (["a::b"], {reason: 1})
        assert "line 2" in run.notes[0] or reason in {"out-of-range", "unknown-unit"}

    def test_a_range_beyond_float_is_not_known(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", f"test a ... bench:  5 ns/iter (+/- {'9' * 400})\n")
        assert (figures(result, "median"), result.lower, result.upper) == ([5.0], None, None)

    def test_two_processes_in_one_line(self, tmp_path: Path) -> None:
        """The figures belong to the second name, and what has no name or no figures is skipped."""
        text = "test a ... test b ... bench: 10 ns/iter (+/- 1)\nbench: 20 ns/iter (+/- 2)\n"
        run, [result] = read(tmp_path / "f", text)
        assert (result.benchmark_name, *figures(result, "median")) == ("b", 10.0)
        assert run.skipped == {"no-name": 1, "no-statistics": 1}

    def test_thousands_of_processes_in_one_line(self, tmp_path: Path) -> None:
        text = "test a" + " ... test b" * 3000 + f"\n{LIBTEST}"
        run, results = read(tmp_path / "f", text)
        assert [r.benchmark_name for r in results] == ["a::b"]
        assert run.skipped == {"no-statistics": 3000}


class TestLibtestFailures:
    """A benchmark that panics becomes a row with an error; ignored benchmarks and failed tests do not."""

    def test_reason(self, tmp_path: Path) -> None:
        text = (
            f"running 3 tests\ntest a ... ignored\n{LIBTEST}test b ... FAILED\ntest c    ... FAILED\n\nfailures:\n\n"
            "---- b stdout ----\n\nthread 'main' (77) panicked at src/lib.rs:49:9:\nno such file\nnote: more\n"
            "---- c stdout ----\nthread 'main' panicked at 'explicit panic', src/lib.rs:1:9\n\n"
            f"failures:\n    b\n    c\n{total(failed=2)}"
        )
        _, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.error) for r in results] == [
            ("a::b", None),
            ("b", "panicked at src/lib.rs:49:9: no such file"),
            ("c", "panicked at 'explicit panic', src/lib.rs:1:9"),
        ]

    def test_without_a_reason_or_an_end(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", f"{LIBTEST}test b ... FAILED")
        assert [r.error for r in results] == [None, "failed"]

    def test_a_run_of_tests_has_no_failed_benchmark(self, tmp_path: Path) -> None:
        tests = f"test works ... ok\ntest broken ... FAILED\n{total(passed=1, failed=1)}"
        benches = f"{LIBTEST}test slow ... FAILED\n{total(failed=1)}"
        for text in (tests + benches, benches + tests):
            _, results = read(tmp_path / "f", text)
            assert [r.benchmark_name for r in results] == ["a::b", "slow"]


class TestCriterion:
    """The estimate and its bounds, each in its printed unit."""

    def test_line(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", CRITERION)
        assert (result.benchmark_name, result.metric, result.units, result.n) == ("group/f", "time", "nanoseconds", 1)
        assert figures(result, "mean", "median", "min") == [2e3, 2e3, None]
        assert (result.lower, result.upper) == (1e3, 3e3)

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("short time:   [1 ns 2 ns 3 ns]", "short"),
            ("with: colons and time     time:   [1 ns 2 ns 3 ns]", "with: colons and time"),
            ("a name that is longer than that\n                        time:   [1 ns 2 ns 3 ns]",
             "a name that is longer than that"),
            ("Found 1 outliers\na name that is longer than that\n   time:   [1 ns 2 ns 3 ns]",
             "a name that is longer than that"),
            ("\x1b[32mgreen\x1b[39m   time:   [\x1b[2m1 ns\x1b[22m \x1b[1m2 ns\x1b[22m \x1b[2m3 ns\x1b[22m]", "green"),
            ("Benchmarking x: Analyzing\r               \rx   time:   [1 ns 2 ns 3 ns]\r", "x"),
        ],
    )  # fmt: skip
    def test_names(self, tmp_path: Path, text: str, name: str) -> None:
        _, [result] = read(tmp_path / "f", text)
        assert (result.benchmark_name, figures(result, "mean")) == (name, [2.0])

    @pytest.mark.parametrize(
        ("bounds", "units", "middle", "lower"),
        [
            ("1.0000 Kelem/s 2.0000 Kelem/s 3.0000 Kelem/s", "per_second", 2e3, 1e3),
            ("100.00  elem/s 2.0000 Melem/s 3.0000 Gelem/s", "per_second", 2e6, 100.0),
            ("100.00   B/s 2.0000 KiB/s 3.0000 GiB/s", "bytes_per_second", 2048.0, 100.0),
            ("1.0000 MB/s 2.0000 MB/s 3.0000 MB/s", "bytes_per_second", 2e6, 1e6),
            ("8.0000 Kb/s 16.000 Kb/s 24.000 Kb/s", "bytes_per_second", 2e3, 1e3),
        ],
    )
    def test_throughput(self, tmp_path: Path, bounds: str, units: str, middle: float, lower: float) -> None:
        _, [_, speed] = read(tmp_path / "f", f"{CRITERION}                        thrpt:  [{bounds}]\n")
        assert (speed.metric, speed.units, speed.direction) == ("throughput", units, Direction.HIGHER)
        assert (figures(speed, "mean"), speed.lower) == ([middle], lower)

    def test_changes_are_no_times(self, tmp_path: Path) -> None:
        change = (
            "                 change:\n                        time:   [+1.5% +2.5% +3.5%] (p = 0.00 < 0.05)\n"
            "                        thrpt:  [-1.0% -2.0% -3.0%]\n                        Performance has regressed.\n"
        )
        _, [result] = read(tmp_path / "f", CRITERION + change)
        assert json.loads(result.metadata)["lines"][1:] == [line.strip() for line in change.splitlines()]

    @pytest.mark.parametrize(
        ("text", "n"),
        [
            (CRITERION, 1),
            (f"{CRITERION}Found 8 outliers among 100 measurements (8.00%)\n", 100),
            (f"{CRITERION}Found 8 outliers among {'9' * 5000} measurements (8.00%)\n", 1),
            (f"Benchmarking group/f: Collecting 50 samples in estimated 5.0 s (15B iterations)\n{CRITERION}", 50),
        ],
    )
    def test_samples(self, tmp_path: Path, text: str, n: int) -> None:
        assert read(tmp_path / "f", text)[1][0].n == n

    @pytest.mark.parametrize("between", ["group/f                 warning: x", "group/f\nwarning: x"])
    def test_other_output_behind_the_name(self, tmp_path: Path, between: str) -> None:
        text = f"Benchmarking group/f: Analyzing\n{between}\n                        time:   [1.0 us 2.0 us 3.0 us]\n"
        _, [result] = read(tmp_path / "f", text)
        assert (result.benchmark_name, result.error, *figures(result, "mean")) == ("group/f", None, 2000.0)

    def test_a_name_of_a_whole_line_follows_a_benchmark_with_its_time(self, tmp_path: Path) -> None:
        time, slower = "time:   [1.0 ns 2.0 ns 3.0 ns]", "time:   [1.0 us 2.0 us 3.0 us]"
        began = "Benchmarking p\nBenchmarking p: Warming up for 3.0 s\nBenchmarking p: Analyzing\n"
        appended = f"a_benchmark_with_a_long_name\n    {slower}\nanother_with_a_long_name\n    {slower}\n"
        _, results = read(tmp_path / "f", f"{began}p  {time}\n{appended}")
        medians = {r.benchmark_name: r.summary.mean for r in results if r.summary}
        assert medians == {
            "p": 2.0,
            "a_benchmark_with_a_long_name": 2000.0,
            "another_with_a_long_name": 2000.0,
        }
        assert len(results) == 3

    def test_a_name_of_a_whole_line_follows_a_benchmark_whose_time_is_torn(self, tmp_path: Path) -> None:
        began = "Benchmarking p\nBenchmarking p: Analyzing\np  time:   [1.0 ns 2.0\n"
        _, results = read(tmp_path / "f", f"{began}a_benchmark_with_a_long_name\n    time:   [1.0 us 2.0 us 3.0 us]\n")
        assert {r.benchmark_name: r.error is None for r in results} == {
            "p": False,
            "a_benchmark_with_a_long_name": True,
        }

    def test_what_began_and_has_no_time_is_an_error(self, tmp_path: Path) -> None:
        begun = "Benchmarking {0}\nBenchmarking {0}: Warming up for 3.0000 s\n"
        panic = "thread 'main' panicked at benches/b.rs:1:2:\nno such file\n"
        text = f"{begun.format('group/f')}{CRITERION}{begun.format('b')}{begun.format('c')}\n{panic}"
        _, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.error) for r in results] == [
            ("group/f", None),
            ("b", "it began, and no time of it is in the output"),
            ("c", "panicked at benches/b.rs:1:2: no such file"),
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("bad   time:   [1 furlong 2 furlong 3 furlong]", "unknown-unit"),
            ("bad   time:   [1 ns 2 bytes 3 ns]", "unknown-unit"),
            (f"{CRITERION.replace('group/f', 'bad')}   thrpt:  [1 x/s 2 x/s 3 x/s]", "unknown-unit"),
            (f"bad   time:   [1 s {'9' * 400} s 3 s]", "out-of-range"),
        ],
    )
    def test_a_bad_block_is_skipped(self, tmp_path: Path, text: str, reason: str) -> None:
        run, results = read(tmp_path / "f", f"{CRITERION}\n{text}\n")
        assert ([r.benchmark_name for r in results], run.skipped) == (["group/f"], {reason: 1})

    def test_a_time_without_any_name(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", "   time:   [1 ns 2 ns 3 ns]\n")
        assert (results, run.skipped) == ([], {"no-name": 1})


class TestText:
    """A text can contain both kinds among other output of a build."""

    def test_both(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", f"   Compiling x\nrunning 1 test\n{LIBTEST}{total()}{CRITERION}garbage é\n")
        assert (run.format, [r.benchmark_name for r in results]) == ("cargo-bench", ["a::b", "group/f"])

    def test_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("running 0 tests\n")
        with pytest.raises(UnreadableOutputError, match="contains no line like"):
            parse(tmp_path / "f", "cargo-bench")

    @pytest.mark.parametrize(
        "line",
        [
            "test " + " " * 200_000 + " ... bench: x",
            " " * 200_000 + "time: [",
            "a" + " " * 200_000 + "time:   [1 ns 2 ns 3",
            "Benchmarking " + ": " * 100_000,
            "time:   [" + "1 " * 100_000,
            "thread '" * 30_000 + ":",
            "\x1b[" + "1;" * 100_000,
            "---- " * 50_000,
        ],
        ids=range(8),
    )
    def test_a_long_line_takes_no_longer_than_long_text(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "f").write_text(LIBTEST + CRITERION + line + "\n")
        start = time.perf_counter()
        parse(tmp_path / "f", "cargo-bench", provenance=FIXED)
        assert time.perf_counter() - start < 5
