"""Answers as tables for publication."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from bench_db.identity import tags_key
from bench_db.model import Verdict
from bench_db.report import figures
from bench_db.rules import RULES
from tests.report.example_site import history
from tests.report.examples import commit_of, compared

Render = Callable[[pl.DataFrame, str], str]
READ = history("read", np.array([1234.56789, np.nan]))
WRITE = history("write", np.array([2e6]))


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestStatistics:
    """A spreadsheet has every statistic in full precision; a page has those of its question, rounded."""

    @pytest.mark.parametrize("render", [figures.latest, figures.summary, figures.trend])
    def test_a_spreadsheet(self, render: Render) -> None:
        first, second = lines(render(READ, "csv"))
        assert float(first["median [nanoseconds]"]) == 1234.56789
        assert first["commit"] == commit_of(0)
        assert first["test bed"] == "runner-large"
        names = {name.removesuffix(" [nanoseconds]") for name in first}
        assert names >= {"min", "q1", "median", "q3", "max", "mean", "standard_deviation"}
        assert second["median [nanoseconds]"] == "failed"

    def test_a_page(self) -> None:
        shown = figures.latest(READ, "html")
        assert "<td>1.235 µs</td>" in shown
        assert "<td>failed</td>" in shown
        assert commit_of(0)[: RULES.sha_length] in shown
        assert commit_of(0) not in shown

    @pytest.mark.parametrize(
        ("render", "shown"),
        [
            (figures.latest, ["n", "median", "q1", "q3"]),
            (figures.summary, ["n", "min", "median", "max", "standard_deviation"]),
            (figures.trend, ["n", "median", "q1", "q3"]),  # no point has the interval of a tool
        ],
    )
    def test_columns_of_a_page(self, render: Render, shown: list[str]) -> None:
        heads = render(WRITE, "html").split("</thead>")[0]
        assert [part.split("<")[0] for part in heads.split('<th scope="col">')[4:]] == shown

    def test_test_beds_are_named_when_there_are_several(self) -> None:
        other = history("read", np.array([1.0]), bed="laptop")
        assert "laptop" in figures.latest(pl.concat([WRITE, other]), "html")
        assert "laptop" not in figures.latest(other, "html")


class TestAcross:
    """Series that differ in the asked name alone share a row, and the newest of each cell counts."""

    ARM = history("write", np.array([1e6, 3e6]), bed="arm")

    def test_test_beds(self) -> None:
        (row,) = lines(figures.across(pl.concat([WRITE, self.ARM]), "csv", "testbed"))
        assert [float(row[f"{bed} [nanoseconds]"]) for bed in ("arm", "runner-large")] == [3e6, 2e6]

    def test_the_best_is_bold(self) -> None:
        shown = figures.across(pl.concat([WRITE, self.ARM]), "html", "testbed")
        assert "<strong>2.000 ms</strong>" in shown
        assert shown.count("<strong>") == 1

    def test_what_else_differs_has_its_own_row(self) -> None:
        rows = lines(figures.across(pl.concat([READ.head(1), self.ARM]), "csv", "testbed"))
        assert [(row["benchmark"], row["arm [nanoseconds]"]) for row in rows] == [
            ("io: read", "-"),
            ("io: write", "3000000.0"),
        ]

    def test_values_of_a_tag(self) -> None:
        tagged = [
            WRITE.with_columns(tags_key=pl.lit(tags_key(tags)))
            for tags in ({"k": "1", "size": "9"}, {"k": "2", "size": "9"}, {"size": "9"})
        ]
        (row,) = lines(figures.across(pl.concat(tagged), "csv", "k"))
        assert "size=9" in row["benchmark"]
        assert "k=" not in row["benchmark"]
        assert list(row)[1:] == ["'- [nanoseconds]", "1 [nanoseconds]", "2 [nanoseconds]"]

    def test_a_failure(self) -> None:
        assert "failed" in figures.across(READ, "html", "suite")


SLOWER = compared(
    "decode",
    "regressed",
    effect=0.081,
    low=0.052,
    high=0.11,
    p_value=0.0004,
    baseline_median=1432.5,
    candidate_median=1548.6,
    baseline_value=1432.5,
    candidate_value=1548.6,
    note="because",
)


class TestComparisons:
    """A spreadsheet can be computed with; on a page the better side is bold, and only where one is better."""

    def test_a_spreadsheet(self) -> None:
        (row,) = lines(figures.comparisons([SLOWER], "csv"))
        numbers = ("change", "low", "high", "p", "before [nanoseconds]", "after [nanoseconds]", "runs before")
        assert [float(row[name]) for name in numbers] == [0.081, 0.052, 0.11, 0.0004, 1432.5, 1548.6, 20]
        assert (row["verdict"], row["note"], row["test bed"]) == ("regressed", "because", "ci-1")

    def test_the_better_side(self) -> None:
        assert "<strong>1.433 µs</strong>" in figures.comparisons([SLOWER], "html")
        faster = replace(SLOWER, verdict=Verdict.IMPROVED, baseline_value=1548.6, candidate_value=1432.5)
        assert "<td>1.549 µs</td><td><strong>1.433 µs</strong></td>" in figures.comparisons([faster], "html")
        same = replace(SLOWER, verdict=Verdict.UNCHANGED)
        assert "<strong>" not in figures.comparisons([same], "html")

    def test_test_beds_are_named_when_there_are_several(self) -> None:
        other = compared("decode", "regressed", test_bed_name="ci-2")
        assert "ci-2" in figures.comparisons([SLOWER, other], "html")
        assert "ci-2" not in figures.comparisons([other], "html")
