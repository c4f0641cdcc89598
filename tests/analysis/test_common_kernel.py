"""The common movement of runs: what it finds, and what it leaves alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.common_kernel import FEWEST_SERIES, departures, followed, movement, without_common

Array = np.ndarray[Any, Any]
RUNS = 30


def corrected(values: Array, sign: float = 1.0) -> tuple[Array, Array, Array]:
    """Return the corrected values, the movement and the number of series of each run; a row of `values` is a series."""
    series, runs = values.shape
    out = np.empty(values.size)
    offsets = np.arange(0, values.size + 1, runs)
    numbers = np.tile(np.arange(runs), series)
    moved, _, measured = without_common(
        values.ravel(), offsets, numbers, *np.zeros((2, runs), np.int64), np.full(series, sign), out
    )
    return out.reshape(values.shape), moved, measured


def suite(series: int) -> Array:
    noise = np.random.default_rng(series).normal(0, 0.001, (series, RUNS))
    return np.exp(noise + np.arange(1, series + 1)[:, None])


class TestWithoutCommon:
    """A run that moves all series is corrected; a run that moves a few of them is not."""

    @pytest.mark.parametrize(("sign", "moved"), [(1.0, 0.2), (-1.0, -0.2)])
    def test_a_slow_run(self, sign: float, moved: float) -> None:
        quiet = suite(20)
        slow = quiet.copy()
        slow[:, 12] *= math.exp(0.2)
        out, movements, measured = corrected(slow, sign)
        assert movements[12] == pytest.approx(moved, abs=0.002)
        assert not np.delete(movements, 12).any()
        assert set(measured) == {20}
        np.testing.assert_allclose(out, quiet, rtol=0.003)

    def test_few_series_show_no_movement(self) -> None:
        slow = suite(FEWEST_SERIES - 1)
        slow[:, 12] *= 1.2
        out, movements, _ = corrected(slow)
        assert not movements.any()
        np.testing.assert_array_equal(out, slow)

    def test_a_change_of_a_minority_stays(self) -> None:
        stepped = suite(20)
        stepped[:3, 15:] *= 1.3
        out, movements, _ = corrected(stepped)
        assert not movements.any()
        np.testing.assert_array_equal(out, stepped)

    def test_failed_and_negative_values_stay(self) -> None:
        slow = suite(20)
        slow[:, 12] *= 1.2
        slow[3, 5], slow[4, 7] = math.nan, -1.0
        out, _, measured = corrected(slow)
        assert math.isnan(out[3, 5])
        np.testing.assert_array_equal(out[4], slow[4])
        assert (measured[5], measured[12]) == (18, 19)


class TestDepartures:
    """A departure is the logarithm relative to the running median, positive for a slower time or a lower rate."""

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_one_slow_point(self, sign: float) -> None:
        x, out = np.full(20, 4.0), np.empty(20)
        x[8] = 5.0
        departures(x, np.arange(20), np.zeros(20), np.zeros(20, np.int64), sign, 1.0, out)
        assert out[8] == pytest.approx(sign * math.log(1.25))
        np.testing.assert_allclose(np.delete(out, 8), 0.0)

    def test_a_series_that_is_not_positive_has_none(self) -> None:
        out = np.empty(3)
        departures(np.array([1.0, 0.0, 1.0]), np.arange(3), np.zeros(3), np.zeros(3, np.int64), 1.0, 1.0, out)
        assert np.isnan(out).all()


class TestFollowed:
    """The share of a series that moves by a quarter multiple of every movement is that multiple."""

    @given(quarters=st.integers(0, 4), seed=st.integers(0, 99))
    def test_share(self, quarters: int, seed: int) -> None:
        moved = np.random.default_rng(seed).uniform(0.1, 0.5, 8)
        assert followed(moved * quarters / 4, np.arange(8), moved) == quarters / 4


class TestMovement:
    """The movement of a run is the median departure, and 0 when noise explains it."""

    def test_of_a_run(self) -> None:
        assert movement(np.array([0.2, 0.21, 0.19, 0.2, 5.0]), 5) == 0.2

    def test_noise(self) -> None:
        assert movement(np.array([-0.3, 0.31, 0.01, -0.2, 0.2]), 5) == 0.0

    def test_no_series(self) -> None:
        assert movement(np.array([0.5]), 0) == 0.0
