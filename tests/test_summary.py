from __future__ import annotations

from dataclasses import astuple
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.arrow import samples_column
from bench_db.errors import UserError
from bench_db.model import Samples, SummaryValues
from bench_db.summary import STATISTICS, summarise, summarise_column, summarise_lists
from tests.strategies import samples

if TYPE_CHECKING:
    from random import Random

_LARGEST = 1.7976931348623157e308
_LISTS = st.lists(samples(min_size=1, max_size=5), min_size=1, max_size=8)
_LISTS_OF_FULL_RANGE = st.lists(samples(min_size=1, max_size=3, limit=_LARGEST), min_size=1, max_size=8)


class TestOrder:
    """min <= q1 <= median <= q3 <= max and min <= mean <= max, over the whole range of a float64."""

    @given(samples(min_size=1, limit=_LARGEST))
    def test_quantiles_are_ordered_and_the_mean_is_between(self, values: Samples) -> None:
        low, q1, median, q3, high, mean, _ = astuple(summarise(values))
        assert min(values) == low <= q1 <= median <= q3 <= high == max(values)
        assert low <= mean <= high

    @given(samples(min_size=1, limit=1e153))
    def test_the_deviation_is_never_negative_and_never_wider_than_the_range(self, values: Samples) -> None:
        low, *_, high, _, deviation = astuple(summarise(values))
        assert 0 <= deviation <= (high - low) * (1 + 1e-12)

    @given(samples(min_size=1, limit=1e307))
    def test_the_deviation_is_finite_where_it_can_be(self, values: Samples) -> None:
        assert np.isfinite(astuple(summarise(values))).all()


class TestInvariance:
    """The order of samples changes no bit; scaling the samples scales every statistic."""

    @given(samples(min_size=1, max_size=40), st.randoms(use_true_random=False))
    def test_permutation(self, values: Samples, random: Random) -> None:
        shuffled = list(values)
        random.shuffle(shuffled)
        assert _bits(summarise(shuffled)) == _bits(summarise(values))

    @given(samples(min_size=1, max_size=20, limit=1e100), st.integers(-60, 60))
    def test_a_power_of_two(self, values: Samples, exponent: int) -> None:
        normal = [value for value in values if value == 0 or abs(value) > 1e-100]
        if not normal:
            return
        scaled = summarise([value * 2.0**exponent for value in normal])
        expected = [value * 2.0**exponent for value in astuple(summarise(normal))]
        assert list(astuple(scaled)) == pytest.approx(expected, rel=1e-12, abs=0)

    @given(samples(min_size=2, max_size=20, limit=1e6), st.floats(0.001, 1000))
    def test_any_scale(self, values: Samples, scale: float) -> None:
        scaled = astuple(summarise([value * scale for value in values]))
        expected = [value * scale for value in astuple(summarise(values))]
        assert list(scaled) == pytest.approx(expected, rel=1e-9, abs=1e-7)

    def test_a_constant_has_no_spread(self) -> None:
        s = summarise([0.1] * 1000)
        assert astuple(s) == (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0)

    @given(st.floats(-1e300, 1e300))
    def test_a_single_sample_is_every_statistic_and_has_no_spread(self, value: float) -> None:
        assert astuple(summarise([value])) == (value,) * 6 + (0.0,)


class TestAgainstNumpy:
    """Linear quantiles and a deviation with ddof 1, as numpy computes them."""

    @given(samples(min_size=2, max_size=60, limit=1e9))
    def test_quantiles_mean_and_deviation(self, values: Samples) -> None:
        # squares of numpy underflow below this; the test of tiny spreads covers the rest
        values = Samples(value if abs(value) > 1e-100 else 0.0 for value in values)
        s = summarise(values)
        quantiles = np.quantile(np.array(values), [0, 0.25, 0.5, 0.75, 1])
        scale = max(map(abs, values))
        assert (s.min, s.q1, s.median, s.q3, s.max) == pytest.approx(tuple(quantiles), rel=1e-12, abs=scale * 1e-14)
        assert s.mean == pytest.approx(fmean(values), rel=1e-12, abs=scale * 1e-14)
        assert s.standard_deviation == pytest.approx(np.std(np.array(values), ddof=1), rel=1e-9, abs=scale * 1e-14)

    def test_by_hand(self) -> None:
        spread = (5 / 3) ** 0.5
        by_hand = SummaryValues(min=1, q1=1.75, median=2.5, q3=3.25, max=4, mean=2.5, standard_deviation=spread)
        assert astuple(summarise([4, 1, 3, 2])) == pytest.approx(astuple(by_hand))

    @pytest.mark.parametrize("tiny", [5e-324, 1e-310, 1e-200, 1e-160])
    def test_tiny_spreads_do_not_vanish(self, tiny: float) -> None:
        assert summarise([0.0, 2 * tiny]).standard_deviation == pytest.approx(2 * tiny / 2**0.5, rel=0.5)


class TestColumn:
    """A column of lists gives the same bits as each list alone."""

    @given(_LISTS)
    def test_lists_together_as_each_alone(self, lists: list[Samples]) -> None:
        assert [_bits(s) for s in summarise_lists(lists)] == [_bits(summarise(values)) for values in lists]

    def test_a_neighbour_whose_sum_overflows_changes_nothing(self) -> None:
        block = np.random.default_rng(1).lognormal(0, 1, (100, 7))
        lists = [Samples([1e308] * 7), *(Samples(row) for row in block.tolist())]
        assert [_bits(s) for s in summarise_lists(lists)] == [_bits(summarise(values)) for values in lists]

    @given(_LISTS_OF_FULL_RANGE)
    def test_a_neighbour_of_any_size_changes_nothing(self, lists: list[Samples]) -> None:
        finite = [values for values in lists if max(values) / 4 - min(values) / 4 < _LARGEST / 8]
        if finite:
            together = summarise_lists(finite)
            assert [_bits(s) for s in together] == [_bits(summarise(values)) for values in finite]

    @pytest.mark.parametrize("length", [2, 3, 7, 8, 9, 63, 129, 1000])
    def test_many_lists_of_one_length(self, length: int) -> None:
        block = np.random.default_rng(length).lognormal(10, 1, (200, length))
        lists = [Samples(row) for row in block.tolist()]
        assert [_bits(s) for s in summarise_lists(lists)] == [_bits(summarise(values)) for values in lists]

    @given(st.lists(st.none() | samples(max_size=4), max_size=8), st.integers(0, 4), st.integers(1, 4))
    def test_null_and_empty_lists_are_null_and_the_rest_keep_their_places(
        self, lists: list[Samples | None], start: int, batch: int
    ) -> None:
        column = pa.array([None if values is None else list(values) for values in lists], pa.list_(pa.float64()))
        chosen = lists[start:]
        frame = summarise_column(
            [column.slice(at, min(batch, len(lists) - at)) for at in range(start, len(lists), batch)]
        )
        assert frame["n"].to_list() == [len(values or ()) for values in chosen]
        assert frame.columns == [*STATISTICS, "n", "lower", "upper"]
        for row, values in zip(frame.iter_rows(named=True), chosen, strict=True):
            expected = astuple(summarise(values)) if values else (None,) * len(STATISTICS)
            assert tuple(row[name] for name in STATISTICS) == expected

    def test_order_is_kept_over_many_batches(self) -> None:
        values = [Samples([float(number)]) if number % 3 else Samples() for number in range(30_000)]
        frame = summarise_column(samples_column(values[at : at + 1000]) for at in range(0, 30_000, 1000))
        assert frame["mean"].to_list() == [float(number) if number % 3 else None for number in range(30_000)]

    def test_the_interval_is_of_the_mean(self) -> None:
        (row,) = summarise_column([samples_column([Samples(range(1, 101))])]).iter_rows(named=True)
        margin = 1.959963984540054 * np.std(np.arange(1, 101), ddof=1) / 10
        assert (row["lower"], row["upper"]) == pytest.approx((50.5 - margin, 50.5 + margin))

    def test_an_interval_ends_at_the_largest_number(self) -> None:
        (row,) = summarise_column([samples_column([Samples([-_LARGEST, _LARGEST])])]).iter_rows(named=True)
        assert (row["lower"], row["upper"]) == (-_LARGEST, _LARGEST)

    @pytest.mark.parametrize("batches", [[], [samples_column([])], [pa.array([None], pa.list_(pa.float64()))]])
    def test_columns_are_the_same_when_there_is_nothing(self, batches: list[pa.ListArray]) -> None:
        full = summarise_column([samples_column([Samples([1.0])])])
        assert summarise_column(batches).schema == full.schema
        assert pl.concat([summarise_column(batches), full])["n"].sum() == 1


class TestRefused:
    """Input without statistics is refused."""

    @pytest.mark.parametrize(
        "values", [[], [float("nan")], [1.0, float("inf")], [-float("inf")], [float("inf"), -float("inf")]]
    )
    def test_empty_or_not_finite(self, values: list[float]) -> None:
        with pytest.raises(UserError, match="cannot summarise"):
            summarise(values)


def _bits(summary: SummaryValues) -> list[str]:
    return [float(value).hex() for value in astuple(summary)]
