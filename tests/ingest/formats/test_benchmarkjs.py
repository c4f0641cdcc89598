from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


RATES = "fib(10) x 1,431,759 ops/sec ±0.74% (93 runs sampled)\n"


class TestReading:
    """Each line is a rate with the interval of its margin of error."""

    def test_a_rate(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", RATES)
        assert (result.benchmark_name, result.metric, result.units, result.direction, result.n, list(result.values)) == (
            "fib(10)", "throughput", "per_second", "higher", 93, [],
        )  # fmt: skip
        assert result.summary is not None
        assert (result.summary.mean, result.summary.median, result.summary.min) == (1431759, 1431759, None)
        assert (result.lower, result.upper) == pytest.approx((1431759 * 0.9926, 1431759 * 1.0074))

    def test_a_name_may_look_like_a_rate(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", "parse x 2 of many x 81.61 ops/sec ±1.70% (1 run sampled)\n")
        assert (result.benchmark_name, result.n) == ("parse x 2 of many", 1)

    @pytest.mark.parametrize("sign", ["±", "+-", "+/-"])
    def test_the_sign_in_other_encodings(self, tmp_path: Path, sign: str) -> None:
        _, [result] = read(tmp_path / "f", RATES.replace("±", sign))
        assert result.n == 93

    def test_other_lines_are_passed_over(self, tmp_path: Path) -> None:
        text = f"Running 2 benchmarks...\n\nthis x line is not one\r\n{RATES}Fastest is fib(10)\n"
        run, results = read(tmp_path / "f", text)
        assert ([r.benchmark_name for r in results], run.skipped) == (["fib(10)"], {})

    def test_a_failed_benchmark_is_an_error(self, tmp_path: Path) -> None:
        """Benchmark.js prints the fields of its error, and an error of JavaScript has none."""
        _, [_, failed] = read(tmp_path / "f", f"{RATES}throws: \n")
        assert (failed.benchmark_name, failed.metric, failed.error) == (
            "throws",
            "throughput",
            "failed; the line has no message",
        )

    def test_a_heading_is_no_failed_benchmark(self, tmp_path: Path) -> None:
        """It has the form of one that failed, which follows another benchmark."""
        for text, names in (
            (f"Results: \n{RATES}", ["Results"]),
            (
                f"Array: \n{RATES}{RATES.replace('fib', 'map')}Object: \n{RATES.replace('fib', 'own')}",
                ["Array", "Object"],
            ),
            (f"{RATES}\nSummary: \nNode 22\n", ["Summary"]),
            (f"{RATES}Fastest is: \n", []),
        ):
            run, results = read(tmp_path / "f", text)
            assert [r.benchmark_name for r in results if r.error is not None] == []
            assert [
                note.partition(":")[0] for note in run.notes if "a benchmark that failed, or a heading" in note
            ] == names
        _, results = read(tmp_path / "f", f"{RATES}throws: \nthrows too: \n{RATES.replace('fib', 'map')}")
        assert [r.benchmark_name for r in results if r.error is not None] == ["throws", "throws too"]


class TestNothingLost:
    """A rate that cannot be read is a skip that names the benchmark."""

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("a x 12 ops/sec ±", "no-statistics"),
            ("a x 12 ops/sec ±0.7% (9 runs", "no-statistics"),
            ("a x 12 ops/sec ±0.7% (0 runs sampled)", "out-of-range"),
            ("a x 12 ops/sec ±0.7.1% (3 runs sampled)", "not-a-number"),
        ],
    )
    def test_a_torn_line(self, tmp_path: Path, line: str, reason: str) -> None:
        run, [_] = read(tmp_path / "f", f"{RATES}{line}\n")
        assert run.skipped == {reason: 1}
        assert any(note.startswith("a: skipped") for note in run.notes)

    def test_a_text_of_failures_alone_is_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="no format"):
            read(tmp_path / "f", "throws: \n")
