"""The noise of one series against NumPy, and its laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.constants import Constants
from bench_db.analysis.noise_kernel import (
    about_medians,
    inflation,
    noise_scale,
    on_log_scale,
    place,
    quantile,
    rolling_quantile,
    winsorise,
)

Array = np.ndarray[Any, Any]


class TestQuantiles:
    """Quantiles equal those of NumPy, also over a moving window."""

    @given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), p=st.floats(0, 1))
    def test_selected(self, values: list[float], p: float) -> None:
        assert quantile(np.array(values), len(values), p) == pytest.approx(np.quantile(values, p), rel=1e-9, abs=1e-9)

    @given(
        values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
        before=st.integers(0, 9),
        after=st.integers(1, 9),
    )
    def test_rolling(self, values: list[float], before: int, after: int) -> None:
        out, x = np.empty(len(values)), np.array(values)
        rolling_quantile(x, before, after, 0.75, out)
        expected = [np.quantile(x[max(0, i - before) : i + after], 0.75) for i in range(len(x))]
        np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)

    @given(values=st.lists(st.integers(-9, 9), max_size=20).map(sorted), value=st.integers(-10, 10))
    def test_place(self, values: list[int], value: int) -> None:
        ordered = np.array(values, dtype=np.float64)
        assert place(ordered, len(values), float(value)) == np.searchsorted(ordered, value)


class TestInflation:
    """The inflation of independent noise approaches 1 with the length; it is larger for a short history."""

    @pytest.mark.parametrize(("n", "least"), [(20, 1.5), (100, 1.1), (1000, 1.01)])
    def test_least(self, n: int, least: float) -> None:
        alternating = np.resize([-0.01, 0.01], n)
        assert inflation(alternating, np.full(n, 0.01), Constants()) == pytest.approx(least)

    def test_autocorrelated(self) -> None:
        y = np.convolve(np.random.default_rng(9).normal(0, 0.01, 2000), np.ones(5), "valid")
        assert inflation(y, np.full(len(y), np.std(np.diff(y)) / math.sqrt(2)), Constants()) > 2


class TestLogScale:
    """A positive series is transformed to logarithms; another is divided by its median size."""

    def test_positive(self) -> None:
        x = np.array([1.0, 2.0, 4.0])
        y = np.empty(3)
        assert on_log_scale(x, y)
        np.testing.assert_allclose(y, np.log(x))

    @pytest.mark.parametrize(("x", "unit"), [([-2.0, 4.0, 6.0], 4.0), ([0.0, 0.0, 6.0], 2.0), ([0.0, 0.0], 1.0)])
    def test_other(self, x: list[float], unit: float) -> None:
        y = np.empty(len(x))
        assert not on_log_scale(np.array(x), y)
        np.testing.assert_allclose(y, np.array(x) / unit)


class TestNoiseScale:
    """The scale estimates the standard deviation of normal noise, and a step does not change it."""

    def test_estimates_the_standard_deviation(self) -> None:
        y, scale = np.random.default_rng(1).normal(0, 0.02, 4000), np.empty(4000)
        assert noise_scale(y, Constants(), scale) == pytest.approx(0.02, rel=0.05)
        assert np.median(scale) == pytest.approx(0.02, rel=0.1)

    def test_ignores_a_step(self) -> None:
        y = np.random.default_rng(2).normal(0, 0.02, 400)
        stepped = y + np.where(np.arange(400) < 200, 0.0, 5.0)
        assert noise_scale(stepped, Constants(), np.empty(400)) == pytest.approx(
            noise_scale(y, Constants(), np.empty(400)), rel=0.02
        )

    def test_a_constant_series_has_the_floor(self) -> None:
        scale, c = np.empty(30), Constants()
        assert noise_scale(np.zeros(30), c, scale) == c.effect_floor * c.minimum_effect
        assert set(scale) == {c.effect_floor * c.minimum_effect}


class TestWinsorise:
    """An outlier is moved to the margin about the running median; other points stay."""

    def test_outlier(self) -> None:
        y = np.zeros(21)
        y[10] = -1.0
        winsorise(y, np.full(21, 0.01), Constants())
        assert y[10] == pytest.approx(-0.01 * Constants().winsor)
        assert not np.delete(y, 10).any()

    def test_a_step_stays(self) -> None:
        y = np.repeat([0.0, 1.0], 10)
        winsorise(y, np.full(20, 0.01), Constants())
        assert y.tolist() == np.repeat([0.0, 1.0], 10).tolist()


class TestAboutMedians:
    """Every segment of the result has median 0, and the differences within a segment stay."""

    @given(values=st.lists(st.floats(-100, 100), min_size=9, max_size=30), at=st.integers(1, 8))
    def test_median_of_each_segment(self, values: list[float], at: int) -> None:
        y, out = np.array(values), np.empty(len(values))
        about_medians(y, np.array([0, at, len(y)]), 3, out)
        for part in (slice(0, at), slice(at, len(y))):
            np.testing.assert_allclose(out[part], y[part] - np.median(y[part]), atol=1e-9)
