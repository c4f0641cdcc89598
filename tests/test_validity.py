from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from bench_db.derive import derive
from bench_db.errors import UserError
from bench_db.model import Result, Run, SummaryValues, TestBed
from bench_db.units import Direction
from bench_db.validity import checked, contradiction
from tests.strategies import publication, publications

NOW = 1_790_000_000
YEAR = 366 * 86_400
SUMMARY = SummaryValues(min=1.0, q1=1.5, median=2.0, q3=2.5, max=3.0, mean=2.0, standard_deviation=1.0)


def result_with(**changes: Any) -> tuple[Run, list[Result]]:
    """Check a plain publication whose first result has other fields."""
    run, results = publication(1)
    checked_run, rows = checked(run, [replace(results[0], **changes), *results[1:]], NOW)
    return checked_run, list(rows)


class TestChecked:
    """Valid records are returned as they are; invalid ones are refused with the field and what to do."""

    @given(published=publications())
    def test_valid_records_are_unchanged(self, published: tuple[Run, list[Result]]) -> None:
        run, results = derive(*published)
        assert checked(run, results, NOW) == (run, results)
        assert checked(run, results, NOW)[1] is results

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"sha256": ""}, r"`sha256` is empty; give the SHA-256"),
            ({"commit": "HEAD"}, r"`commit` 'HEAD' is not a commit id; give the full sha"),
            ({"commit": "A" * 40}, r"in lower case"),
            (
                {"run_time": 1_700_000_000_000},
                r"`run_time` 1700000000000: these are milliseconds; in unix seconds it is 1700000000;",
            ),
            ({"run_time": -5}, r"`run_time` -5: it is before 1970"),
            ({"ingested_at": NOW + YEAR + 1}, r"`ingested_at` .* is more than a year from now"),
            ({"pr_number": 0}, r"`pr_number` 0 is not the number of a pull request"),
            ({"test_bed": TestBed(name="bed", created_at=10**12)}, r"`test_bed.created_at` .* milliseconds"),
        ],
    )
    def test_runs(self, changes: dict[str, Any], reason: str) -> None:
        run, results = publication(1)
        with pytest.raises(UserError, match=rf"^run '1.json': .*{reason}"):
            checked(replace(run, **changes), results, NOW)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"dut": replace(publication(1)[0].dut, name="other")}, "`dut` .* is not that of its run"),
            ({"test_bed": TestBed(name="other")}, "`test_bed` 'other' is not that of its run"),
            ({"commit": "f" * 40}, "`commit` 'f+' is not that of its run"),
            ({"timestamp": 10**15}, "`timestamp` .* these are microseconds"),
            ({"direction": "bigger"}, "`direction` 'bigger' must be one of lower, higher, info"),
            ({"summary": replace(SUMMARY, min=9.0)}, "`summary` contradicts itself: min 9 is above q1 1.5; correct it"),
            ({"summary": SUMMARY, "n": 2}, "`summary` contradicts itself: n is 2, but there are 3 values"),
            ({"lower": 2.0, "upper": 1.0}, "`lower` 2 is above `upper` 1"),
        ],
    )
    def test_results(self, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(UserError, match=rf"^'bench 0': {reason}"):
            result_with(**changes)

    def test_results_of_several_branches(self) -> None:
        run, results = publication(1)
        mixed = [replace(result, branch=branch) for result, branch in zip(results, "abc", strict=True)]
        with pytest.raises(UserError, match=r"^run '1.json': its results have several values of `branch`"):
            checked(run, mixed, NOW)

    def test_facts_of_the_run_are_those_of_its_results(self) -> None:
        run, results = publication(1)
        run = replace(run, branch="main", pr_number=3)
        _, rows = checked(run, [replace(result, commit=None) for result in results], NOW)
        assert {(row.commit, row.branch, row.pr_number) for row in rows} == {(run.commit, "main", 3)}

    def test_another_description_of_the_test_bed_in_time_is_the_same(self) -> None:
        run, results = publication(1)
        dated = replace(run.test_bed, created_at=5)
        assert checked(run, [replace(results[0], test_bed=dated)], NOW)[1][0].test_bed == dated

    def test_bounds_of_times(self) -> None:
        for run_time in (0, NOW + YEAR):
            assert result_with(run_time=run_time)[1][0].run_time == run_time

    def test_direction_as_text(self) -> None:
        assert result_with(direction="higher")[1][0].direction is Direction.HIGHER


class TestUnits:
    """A unit of time or size becomes its base unit with scaled numbers; an unknown unit is stored as it is."""

    def test_scaled(self) -> None:
        _, [row, *_] = result_with(values=[1.5, 2.0], units="ms", summary=None, lower=1.0, upper=2.0)
        assert (row.units, list(row.values)) == ("nanoseconds", [1.5e6, 2e6])
        assert (row.lower, row.upper) == (1e6, 2e6)

    def test_statistics(self) -> None:
        _, [row, *_] = result_with(values=[], units="s", summary=replace(SUMMARY, q1=None), n=3)
        assert row.summary == SummaryValues(
            min=1e9, q1=None, median=2e9, q3=2.5e9, max=3e9, mean=2e9, standard_deviation=1e9
        )

    def test_derived_results(self) -> None:
        run, results = derive(*publication(1))
        rows = checked(run, [replace(result, units="us") for result in results], NOW)[1]
        for row, result in zip(derive(run, rows)[1], results, strict=True):
            assert row.summary is not None
            assert result.summary is not None
            assert (row.units, row.summary.median) == ("nanoseconds", 1e3 * result.summary.median)

    @pytest.mark.parametrize("units", ["nanoseconds", "widgets", ""])
    def test_kept(self, units: str) -> None:
        _, [row, *_] = result_with(values=[1.5], units=units)
        assert (row.units, list(row.values)) == (units, [1.5])


class TestContradiction:
    """Statistics are in order, up to rounding, and of no fewer samples than there are values."""

    @pytest.mark.parametrize(
        ("changes", "n", "expected"),
        [
            ({}, 0, None),
            ({"min": None, "q1": None, "max": None, "standard_deviation": None}, 5, None),
            ({"median": 1.498, "mean": 3.01}, 3, None),
            ({"min": 2.1}, 3, "min 2.1 is above q1 1.5"),
            ({"q1": None, "min": 2.1}, 3, "min 2.1 is above mean 2"),
            ({"max": 1.9}, 3, "q3 2.5 is above max 1.9"),
            ({"mean": 9.0}, 3, "mean 9 is above max 3"),
            ({"standard_deviation": -0.1}, 3, "the standard deviation -0.1 is negative"),
            ({}, 2, "n is 2, but there are 3 values"),
        ],
    )
    def test_summaries(self, changes: dict[str, float], n: int, expected: str | None) -> None:
        assert contradiction(replace(SUMMARY, **changes), n, [1.0, 2.0, 3.0]) == expected

    def test_none(self) -> None:
        assert contradiction(None, 1, [1.0, 2.0]) is None
