from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, parse, this_machine
from tests.ingest.support import FIXED, read

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Result, Run

HERE = this_machine()


def go_events(*pieces: tuple[str, str]) -> str:
    """Return pieces of output of packages as events of test2json."""
    first = {"Time": "2025-01-01T00:00:00.123456789Z", "Action": "start", "Package": "a"}
    events = ({"Action": "output", "Package": package, "Output": output} for output, package in pieces)
    return "".join(json.dumps(event) + "\n" for event in (first, *events))


class TestReading:
    """A unit is a metric, a line is a sample, and the lines around it have the origin."""

    def test_units(self, tmp_path: Path) -> None:
        line = "BenchmarkA-8\t 5\t 2 ns/op\t 3 MB/s\t 4 B/op\t 5 allocs/op\t 6 items/s\t 7 p99-ns\t 8 heap-bytes\t -9 x/op\t 1 us/op\n"
        _, results = read(tmp_path / "f", line)
        assert [(r.metric, r.units, str(r.direction), list(r.values), r.iterations) for r in results] == [
            ("time", "nanoseconds", "lower", [2], (5,)),
            ("throughput", "bytes_per_second", "higher", [3e6], ()),
            ("allocated-bytes", "bytes", "lower", [4], ()),
            ("allocations", "count", "lower", [5], ()),
            ("items/s", "per_second", "higher", [6], ()),
            ("p99-ns", "nanoseconds", "lower", [7], ()),
            ("heap-bytes", "bytes", "lower", [8], ()),
            ("x/op", "x/op", "info", [-9], ()),
            ("us/op", "nanoseconds", "lower", [1000], ()),
        ]

    def test_repetitions_are_samples_wherever_they_are(self, tmp_path: Path) -> None:
        text = "BenchmarkA-8 1 1 ns/op\nBenchmarkB-8 1 5 ns/op\nBenchmarkA-8 2 3 ns/op\nBenchmarkA-4 1 9 ns/op\n"
        _, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.tags["gomaxprocs"], list(r.values), r.iterations) for r in results] == [
            ("BenchmarkA", "8", [1, 3], (1, 2)),
            ("BenchmarkB", "8", [5], (1,)),
            ("BenchmarkA", "4", [9], (1,)),
        ]

    def test_a_package_is_a_suite(self, tmp_path: Path) -> None:
        text = "pkg: a/b\nBenchmarkA 1 1 ns/op\nPASS\nok  \ta/b\t1s\npkg: c\nBenchmarkA 1 2 ns/op\n"
        _, results = read(tmp_path / "f", text)
        assert [(r.suite, list(r.values)) for r in results] == [("a/b", [1]), ("c", [2])]

    def test_units_say_which_way_is_better(self, tmp_path: Path) -> None:
        text = "Unit hits/op better=higher assume=exact\nUnit p9 better=lower\nBenchmarkA 1 1 hits/op 2 p9 3 q9\n"
        _, results = read(tmp_path / "f", text)
        assert [(r.metric, str(r.direction)) for r in results] == [
            ("hits/op", "higher"),
            ("p9", "lower"),
            ("q9", "info"),
        ]

    def test_build(self, tmp_path: Path) -> None:
        text = "commit: 0123456789abcdef\ncommit-time: 2024-01-02T03:04:05Z\nbranch: main\nBenchmarkA 1 1 ns/op\n"
        run, _ = parse_elsewhere(tmp_path / "f", text)
        assert (run.commit, run.branch, run.dut.timestamp) == ("0123456789abcdef", "main", 1704164645)

    def test_two_commits_are_none(self, tmp_path: Path) -> None:
        run, _ = parse_elsewhere(tmp_path / "f", "commit: 0123456\nBenchmarkA 1 1 ns/op\ncommit: 89abcde\n")
        assert run.commit is None
        assert json.loads(run.context) == {"commit": ["0123456", "89abcde"]}

    def test_another_machine(self, tmp_path: Path) -> None:
        text = "goos: darwin\ngoarch: arm64\ncpu: Apple M9\nBenchmarkA 1 1 ns/op\n"
        run, _ = parse_elsewhere(tmp_path / "f", text)
        assert (run.test_bed.name, run.test_bed.cpu, run.test_bed.os) == ("Darwin-arm64", "Apple M9", "Darwin")

    @pytest.mark.parametrize("text", ["goos: plan9\n", f"goos: {HERE.os.split()[0].lower()}\ncpu: {HERE.cpu}\n"])
    def test_this_machine(self, tmp_path: Path, text: str) -> None:
        run, _ = parse_elsewhere(tmp_path / "f", text + "BenchmarkA 1 1 ns/op\n")
        assert run.test_bed == HERE

    def test_failures(self, tmp_path: Path) -> None:
        text = (
            "BenchmarkA-8 1 1 ns/op\n--- BENCH: BenchmarkA-8\n    a_test.go:1: said\n"
            "--- FAIL: BenchmarkB\n    a_test.go:2: first\n        second\n"
            "BenchmarkC\n    a_test.go:3: because\n--- SKIP: BenchmarkC\n    --- FAIL: BenchmarkD/e (0.01s)\n"
            "--- FAIL: TestX (0.00s)\n--- FAIL: BenchmarkA\nFAIL\ta/b [build failed]\n"
        )
        run, [_, *failed] = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.error, dict(r.tags)) for r in failed] == [
            ("BenchmarkB", "failed: a_test.go:2: first second", {"gomaxprocs": "8"}),
            ("BenchmarkC", "skipped: a_test.go:3: because", {"gomaxprocs": "8"}),
            ("BenchmarkD/e", "failed", {"gomaxprocs": "8"}),
        ]
        assert "failed: a/b [build failed]" in run.notes


class TestPrinting:
    """Output of a benchmark appears between name and figures; no figure is lost silently."""

    def test_figures_in_a_line_of_their_own(self, tmp_path: Path) -> None:
        text = "BenchmarkA-2  \thello\n  more\n\n     100\t  5 ns/op\t 7 B/op\nBenchmarkB-2  \t\n  100\t  6 ns/op\n"
        run, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.metric, list(r.values), dict(r.tags)) for r in results] == [
            ("BenchmarkA", "time", [5], {"gomaxprocs": "2"}),
            ("BenchmarkA", "allocated-bytes", [7], {"gomaxprocs": "2"}),
            ("BenchmarkB", "time", [6], {"gomaxprocs": "2"}),
        ]
        assert run.skipped == {}

    @pytest.mark.parametrize(
        "after",
        [
            "BenchmarkB-2 \t 1\t 6 ns/op\n",
            "--- FAIL: BenchmarkA\n",
            "ok  \ta/b\t1s\n",
        ],
    )
    def test_figures_belong_to_no_benchmark_that_is_over(self, tmp_path: Path, after: str) -> None:
        text = "BenchmarkZ 1 1 ns/op\nBenchmarkA-2  \thello\n" + after + "     100\t  5 ns/op\n"
        _, results = read(tmp_path / "f", text)
        assert [5] not in [list(r.values) for r in results]

    def test_figures_behind_what_was_printed(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", "BenchmarkA 1 1 ns/op\nBenchmarkB-2 \thello    100\t 5 ns/op\n")
        assert ([r.benchmark_name for r in results], run.skipped) == (["BenchmarkA"], {"not-a-number": 1})
        assert "in line 2: does the benchmark print?" in run.notes[0]

    @pytest.mark.parametrize("torn", ["BenchmarkA-2  \t", "BenchmarkA-2  100  5 ns/op"])
    def test_a_line_with_two_benchmarks(self, tmp_path: Path, torn: str) -> None:
        run, results = read(tmp_path / "f", f"{torn}BenchmarkB-2  \t100\t 6 ns/op\nBenchmarkC 1 1 ns/op\n")
        assert [(r.benchmark_name, list(r.values)) for r in results] == [("BenchmarkB", [6]), ("BenchmarkC", [1])]
        assert run.notes[0].startswith("BenchmarkA: skipped, not-a-number: ")

    def test_figures_without_a_name_are_counted(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", "BenchmarkA-2  100  5 ns/op\n    2000\t     7.0 ns/op\n")
        assert ([list(r.values) for r in results], run.skipped) == ([[5]], {"no-name": 1})
        assert run.notes == ("line 2: skipped, no-name: no name in front of '2000\\t     7.0 ns/op'",)

    @pytest.mark.parametrize("line", ["BenchmarkA-8   \tlog: opened\n", "BenchmarkA-8  \tBenchmarkB-8  \n"])
    def test_a_text_that_lost_all_figures_is_still_of_go(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "f").write_text(f"goos: linux\ngoarch: amd64\npkg: a/b\n{line}PASS\n")
        run, results = parse(tmp_path / "f", provenance=FIXED)
        assert (run.format, results) == ("go", [])
        assert run.notes[0].startswith("BenchmarkA: skipped, not-a-number")


class TestPanic:
    """For a benchmark that panics Go prints only the trace."""

    TRACE = "panic: boom\n\ngoroutine 8 [running]:\na/b.BenchmarkBad.func1(0x2)\n\t/x.go:1\nexit status 2\n"

    @pytest.mark.parametrize("named", ["BenchmarkBad\n", ""])
    def test_is_a_row(self, tmp_path: Path, named: str) -> None:
        text = "pkg: a/b\nBenchmarkA-8 1 1 ns/op\n" + named + self.TRACE + "FAIL\ta/b\t1s\n"
        run, [_, bad] = read(tmp_path / "f", text)
        assert (bad.suite, bad.benchmark_name, bad.error, dict(bad.tags)) == (
            "a/b", "BenchmarkBad", "failed: panic: boom", {"gomaxprocs": "8"},
        )  # fmt: skip
        assert "failed: a/b 1s: panic: boom" in run.notes

    def test_in_a_package_that_passed_it_was_only_printed(self, tmp_path: Path) -> None:
        text = (
            "pkg: a/b\nBenchmarkA 1 1 ns/op\n"
            + self.TRACE
            + "ok  \ta/b\t1s\npkg: c\nBenchmarkC 1 1 ns/op\nFAIL\tc\t1s\n"
        )
        run, results = read(tmp_path / "f", text)
        assert [r.error for r in results] == [None, None]
        assert "failed: c 1s" in run.notes

    def test_a_failure_after_the_first_iteration_is_named_with_gomaxprocs(self, tmp_path: Path) -> None:
        """Go prints the name of the line of figures then, as after `-count 2`; the part of a benchmark may end with a number itself."""
        text = (
            "BenchmarkA-4 1 1 ns/op\n--- FAIL: BenchmarkA-4\n--- FAIL: BenchmarkB-4\n    no\n--- FAIL: BenchmarkA-2\n"
            "BenchmarkC/n=1-4 1 1 ns/op\n--- FAIL: BenchmarkC/n=1-4\n--- FAIL: BenchmarkC/n-3\nFAIL\n"
        )
        _, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.error, dict(r.tags)) for r in results] == [
            ("BenchmarkA", None, {"gomaxprocs": "4"}),
            ("BenchmarkC/n=1", None, {"gomaxprocs": "4"}),
            ("BenchmarkB", "failed: no", {"gomaxprocs": "4"}),
            ("BenchmarkA", "failed", {"gomaxprocs": "2"}),
            ("BenchmarkC/n-3", "failed", {"gomaxprocs": "4"}),
        ]

    def test_a_parent_fails_with_its_part_and_is_no_benchmark(self, tmp_path: Path) -> None:
        text = "BenchmarkA/x-2 1 1 ns/op\n--- FAIL: BenchmarkA/y\n    no\n--- FAIL: BenchmarkA\n--- FAIL: BenchmarkB\nFAIL\n"
        _, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.error) for r in results] == [
            ("BenchmarkA/x", None), ("BenchmarkA/y", "failed: no"), ("BenchmarkB", "failed"),
        ]  # fmt: skip


class TestEvents:
    """The events of `-json` give the text they contain, in any order of packages and pieces."""

    def test_as_the_text(self, tmp_path: Path) -> None:
        text = "goos: linux\npkg: a\nBenchmarkA-8 \t 1\t 5 ns/op\nBenchmarkA-8 \t 1\t 6 ns/op\nPASS\n"
        run, [result] = read(tmp_path / "f", go_events(*((line, "a") for line in text.splitlines(keepends=True))))
        assert (result.suite, result.benchmark_name, list(result.values)) == ("a", "BenchmarkA", [5, 6])
        assert (run.run_time, json.loads(run.context)) == (1735689600, {"goos": "linux"})

    def test_packages_and_pieces_alternate(self, tmp_path: Path) -> None:
        pieces = [
            ("pkg: a\n", "a"),
            ("BenchmarkX-2 \t", "a"),
            ("pkg: b\nBenchmarkY-2 \t 10\t 7 ns/op\n", "b"),
            (" 10\t 5 ns/op", "a"),
        ]
        _, results = read(tmp_path / "f", "# not an event\n" + go_events(*pieces))
        assert [(r.suite, r.benchmark_name, list(r.values)) for r in results] == [
            ("a", "BenchmarkX", [5]), ("b", "BenchmarkY", [7]),
        ]  # fmt: skip

    def test_cut_off(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="the text ends too early") as caught:
            read(tmp_path / "f", go_events(("BenchmarkA 1 1 ns/op\n", "a"))[:-9])
        assert caught.value.line == 2


class TestSkips:
    """An invalid line is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ("x ns/op", "not-a-number"),
            ("1 ns/op 2", "not-a-number"),
            ("NaN ns/op", "not-finite"),
            ("+Inf ns/op", "not-finite"),
            ("1e999 ns/op", "out-of-range"),
            ("-1 ns/op", "negative-time"),
            ("1 ns/op x B/op", "not-a-number"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: str, reason: str) -> None:
        run, results = read(tmp_path / "f", f"BenchmarkA 1 1 ns/op\nBenchmarkBad 1 {bad}\nBenchmarkC 1 1 ns/op\n")
        assert [r.benchmark_name for r in results if r.benchmark_name != "BenchmarkBad"] == ["BenchmarkA", "BenchmarkC"]
        assert run.skipped == {reason: 1}

    @pytest.mark.parametrize("count", ["0", "9" * 5000])
    def test_odd_iterations_are_left_out(self, tmp_path: Path, count: str) -> None:
        _, [result] = read(tmp_path / "f", f"BenchmarkA {count} 1 ns/op\n")
        assert (result.iterations, list(result.values)) == ((), [1])

    def test_no_benchmark(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("PASS\nok  \ta/b\t0.1s\n")
        with pytest.raises(UnreadableOutputError, match="contains no line like BenchmarkName-8"):
            parse(tmp_path / "f", "go", provenance=FIXED)


def parse_elsewhere(path: Path, text: str) -> tuple[Run, list[Result]]:
    """Parse a text that contains its own origin."""
    return read(path, text, Provenance(ingested_at=1, dut_name="elsewhere"))
