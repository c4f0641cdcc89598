from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import FIXED, figures, read

if TYPE_CHECKING:
    from pathlib import Path

RULE = "-" * 79
HEAD = f"""
{"~" * 79}
prog is a Catch2 v3.5.0 host application.
Run with -? for options

Randomness seeded to: 5

{RULE}
Case
{RULE}
a.cpp:5
{"." * 79}

benchmark name                       samples       iterations    est run time
                                     mean          low mean      high mean
                                     std dev       low std dev   high std dev
{RULE}
"""
ROW = """\
one                                            100           208     7.1968 ms 
                                          2 us          1 us          3 us 
                                        500 ns         11 ns         29 ns 
{}
"""  # noqa: W291 as the tool writes it
ROW = ROW.format(" " * 75)


def catch2_text(*rows: str) -> str:
    return HEAD + "".join(rows or [ROW]) + f"\n{'=' * 79}\ntest cases: 1 | 1 passed\n"


class TestReading:
    """The mean of all samples in nanoseconds, with the test case as suite."""

    @pytest.mark.parametrize("colour", ["", "\x1b[0m"])
    def test_version_3(self, tmp_path: Path, colour: str) -> None:
        run, [result] = read(tmp_path / "f", catch2_text().replace("\nbenchmark name", f"\n{colour}benchmark name"))
        assert (result.benchmark_name, result.suite, result.n, list(result.values)) == ("one", "Case", 100, [])
        assert figures(result, "mean", "median", "standard_deviation", "min") == [2000, 2000, 500, None]
        assert (result.lower, result.upper) == (1000, 3000)
        assert json.loads(run.context) == {"executable": "prog", "version": "3.5.0"}
        assert json.loads(result.metadata) == {
            "source": "a.cpp:5", "samples": 100, "iterations": 208, "estimated": "7.1968 ms", "low_std_dev": 11.0,
            "high_std_dev": 29.0,
        }  # fmt: skip

    @pytest.mark.parametrize(("unit", "factor"), [("ns", 1), ("\u00b5s", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9)])
    def test_units(self, tmp_path: Path, unit: str, factor: float) -> None:
        _, [result] = read(tmp_path / "f", catch2_text(ROW.replace("2 us", f"1.5e+01 {unit}")))
        assert figures(result, "mean") == [15 * factor]

    def test_without_the_spaces_at_the_ends_of_lines(self, tmp_path: Path) -> None:
        text = catch2_text(ROW, ROW.replace("one", "two"))
        _, results = read(tmp_path / "f", "\n".join(line.rstrip() for line in text.split("\n")))
        assert [(r.benchmark_name, figures(r, "mean")) for r in results] == [("one", [2000]), ("two", [2000])]

    def test_a_word_that_the_table_breaks(self, tmp_path: Path) -> None:
        long = "x" * 34 + "-" + " " * 40 + "\n" + "yy" + ROW[3:]
        _, [result] = read(tmp_path / "f", catch2_text(long))
        assert result.benchmark_name == "x" * 34 + "yy"

    @pytest.mark.parametrize(
        ("printed", "name"),
        [
            ("sort one hundred\nnumbers", "sort one hundred numbers"),
            ("a-name-with-hyphens-and-\nno-space", "a-name-with-hyphens-and-no-space"),
            ("x" * 34 + "-\nyyy", "x" * 34 + "yyy"),
            ("x" * 33 + "-\nyyy", "x" * 33 + "-yyy"),
            ("x" * 34 + "-\n" + "y" * 34 + "-\nz", "x" * 34 + "y" * 34 + "z"),
            ("a/\nb", "a/b"),
            ("1 2 3 4 ns", "1 2 3 4 ns"),
        ],
    )
    def test_broken_names(self, tmp_path: Path, printed: str, name: str) -> None:
        *broken, last = printed.split("\n")
        row = "".join(f"{part:79}\n" for part in broken) + ROW.replace("one".ljust(37), last.ljust(37), 1)
        _, results = read(tmp_path / "f", catch2_text(ROW, row, ROW.replace("one", "two")))
        assert [r.benchmark_name for r in results] == ["one", name, "two"]

    def test_an_assertion_ends_a_benchmark(self, tmp_path: Path) -> None:
        bad = f"{'bad':37}\nx.cpp:54: FAILED:\n  REQUIRE( f() == 1 )\n\n"
        _, results = read(tmp_path / "f", catch2_text(ROW, bad, ROW.replace("one", "two")))
        assert [(r.benchmark_name, r.error) for r in results] == [
            ("one", None), ("bad", "x.cpp:54: FAILED: REQUIRE( f() == 1 )"), ("two", None),
        ]  # fmt: skip

    @pytest.mark.parametrize("after", ["", "100           208     7.1968 ms \n"])
    def test_failed(self, tmp_path: Path, after: str) -> None:
        _, results = read(tmp_path / "f", catch2_text(f"bad      {after}Benchmark failed (why (not)) \n", ROW))
        assert [(r.benchmark_name, r.suite, r.error, r.n) for r in results] == [
            ("bad", "Case", "why (not)", 0),
            ("one", "Case", None, 100),
        ]

    def test_sections(self, tmp_path: Path) -> None:
        header = f"{RULE}\nCase\n{RULE}"
        text = catch2_text().replace(header, f"{RULE}\nCase\n  outer\n  inner: long\n         name\n{RULE}")
        _, [result] = read(tmp_path / "f", text)
        assert result.suite == "Case / outer / inner: long name"


class TestSkips:
    """An invalid row is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (ROW.splitlines(keepends=True)[0].replace("one", "bad"), "no-statistics"),
            (ROW.replace("one", "bad").replace("2 us", "nan us"), "not-a-number"),
            (ROW.replace("one", "   "), "no-name"),
            (ROW.replace("one", "bad").replace("100", "  0"), "out-of-range"),
            (ROW.replace("one", "bad").replace("2 us", "1e999 us"), "out-of-range"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: str, reason: str) -> None:
        run, results = read(tmp_path / "f", catch2_text(ROW, bad, ROW.replace("one", "two")))
        assert [r.benchmark_name for r in results] == ["one", "two"]
        assert run.skipped == {reason: 1}

    def test_text_that_is_no_table_takes_no_time(self, tmp_path: Path) -> None:
        words, spaces = "word\n" * 100_000, ("a" + " " * 20_000 + "b\n") * 20
        _, [result] = read(tmp_path / "f", catch2_text(words, spaces, "\n", ROW))
        assert result.benchmark_name == "one"

    def test_no_benchmark(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text(f"{RULE}\nCase\n{RULE}\na.cpp:1\n\nAll tests passed\n")
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            parse(tmp_path / "f", "catch2", provenance=FIXED)
