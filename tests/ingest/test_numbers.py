"""Numbers of tools as samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.ingest import numbers
from bench_db.ingest.reading import RefusedError, SkipReason
from bench_db.units import BYTES, NANOSECONDS

TIMES = st.just(0.0) | st.floats(1e-9, 1e12)


class TestScaled:
    """Samples are the numbers times the factor, in order; a number that is no time refuses all of them."""

    @given(st.lists(TIMES, max_size=9), st.sampled_from([1.0, 1e3, 1e9]))
    def test_each_times_the_factor(self, values: list[float], factor: float) -> None:
        assert list(numbers.scaled(values, factor, at="$")) == [value * factor for value in values]

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ([1.0, -2.0], SkipReason.NEGATIVE_TIME),
            ([1.0, 1e308], SkipReason.OUT_OF_RANGE),
            ([1.0, math.inf], SkipReason.OUT_OF_RANGE),
            ([1.0, math.nan], SkipReason.OUT_OF_RANGE),
            ([1.0, 10**400], SkipReason.OUT_OF_RANGE),
        ],
    )
    @pytest.mark.parametrize("only", [False, True])
    def test_refused(self, values: list[float], reason: SkipReason, *, only: bool) -> None:
        with pytest.raises(RefusedError, match=r"at \$\.data") as raised:
            numbers.scaled(values[1:] if only else values, 1e3, at="$.data")
        assert raised.value.reason is reason

    def test_the_refusal_counts_from_one(self) -> None:
        with pytest.raises(RefusedError, match=r"sample 2 is negative \(-2\)"):
            numbers.scaled([1.0, -2.0, -3.0], 1.0, at="$")

    def test_a_signed_number_may_be_negative(self) -> None:
        assert list(numbers.scaled([-2.0], 10.0, at="$", signed=True)) == [-20.0]


class TestStated:
    """A tool's statistics are scaled, and its only central value is both mean and median."""

    def test_scaled(self) -> None:
        found = numbers.stated({"min": 1.0, "median": 2.0, "mean": 3.0, "max": None}, 1e3, at="$")
        assert (found.min, found.median, found.mean, found.max) == (1e3, 2e3, 3e3, None)

    @pytest.mark.parametrize("central", ["mean", "median"])
    def test_one_central_value(self, central: str) -> None:
        found = numbers.stated({central: 2.0}, 10.0, at="$")
        assert (found.median, found.mean) == (20.0, 20.0)

    def test_none(self) -> None:
        with pytest.raises(RefusedError) as raised:
            numbers.stated({"min": 1.0, "median": None}, 1.0, at="$")
        assert raised.value.reason is SkipReason.NO_STATISTICS

    def test_the_refusal_names_the_statistic(self) -> None:
        with pytest.raises(RefusedError, match=r"at \$ \(min\)"):
            numbers.stated({"min": -1.0, "median": 1.0}, 1.0, at="$")


class TestPerIteration:
    """A value times its count is the measured total."""

    @given(st.lists(st.tuples(TIMES, st.integers(1, 10**6)), min_size=1, max_size=9))
    def test_times_the_count(self, batches: list[tuple[float, int]]) -> None:
        totals, counts = zip(*batches, strict=True)
        values, iterations = numbers.per_iteration(totals, counts, 10.0)
        assert iterations == counts
        np.testing.assert_allclose(np.array(values) * counts, np.array(totals) * 10.0)

    @pytest.mark.parametrize(
        ("totals", "counts", "reason"),
        [
            ([1.0], [1, 2], SkipReason.LENGTH_MISMATCH),
            ([], [], SkipReason.NO_STATISTICS),
            ([1.0], [0], SkipReason.ZERO_ITERATIONS),
            ([1.0], [1.5], SkipReason.ZERO_ITERATIONS),
            ([1.0], [2**63], SkipReason.ZERO_ITERATIONS),
            ([-1.0], [1], SkipReason.NEGATIVE_TIME),
        ],
    )
    def test_refused(self, totals: list[float], counts: list[float], reason: SkipReason) -> None:
        with pytest.raises(RefusedError) as raised:
            numbers.per_iteration(totals, counts, 1.0)
        assert raised.value.reason is reason


class TestNumber:
    """Only a JSON number is a number; the reason says what the value is instead."""

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("NaN", SkipReason.NOT_FINITE),
            ("-INF", SkipReason.NOT_FINITE),
            ("1", SkipReason.NOT_A_NUMBER),
            (True, SkipReason.NOT_A_NUMBER),
            (None, SkipReason.NOT_A_NUMBER),
            (10**400, SkipReason.OUT_OF_RANGE),
        ],
    )
    def test_refused(self, value: object, reason: SkipReason) -> None:
        with pytest.raises(RefusedError, match="at the mean") as raised:
            numbers.number(value, at="the mean")
        assert raised.value.reason is reason

    def test_a_long_text_is_shortened(self) -> None:
        with pytest.raises(RefusedError) as raised:
            numbers.number("x" * 10_000, at="$")
        assert len(raised.value.detail) < 60

    def test_the_first_refusal_of_a_list(self) -> None:
        refused = numbers.first_not_a_number([1, 2.5, "x", None], at="$.data")
        assert refused is not None
        assert refused.detail == "'x' at $.data[2]"
        assert numbers.first_not_a_number([1, 2.5], at="$.data") is None

    @pytest.mark.parametrize(
        ("value", "count"), [(1, 1), (2**63 - 1, 2**63 - 1), (2**63, None), (0, None), (True, None), (2.0, None)]
    )
    def test_count(self, value: object, count: int | None) -> None:
        assert numbers.count(value) == count


class TestInterval:
    """An interval has two finite bounds or none."""

    @pytest.mark.parametrize(
        ("lower", "upper", "bounds"),
        [
            (1, 2.5, (10.0, 25.0)),
            (None, 2, (None, None)),
            (1, "NaN", (None, None)),
            (1, 1e308, (None, None)),
            (1, math.nan, (None, None)),
        ],
    )
    def test_bounds(self, lower: object, upper: object, bounds: tuple[float | None, float | None]) -> None:
        assert numbers.interval(lower, upper, 10.0) == bounds


class TestUnitOf:
    """A unit that is known by a spelling has its factor; any other costs the benchmark."""

    def test_known(self) -> None:
        assert (numbers.unit_of("ms"), numbers.unit_of("bytes")) == ((NANOSECONDS, 1e6), (BYTES, 1.0))

    def test_unknown(self) -> None:
        with pytest.raises(RefusedError, match="'parsecs'") as raised:
            numbers.unit_of("parsecs")
        assert raised.value.reason is SkipReason.UNKNOWN_UNIT
