"""The noise of one series against NumPy, and its laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from bench_db.analysis.constants import Constants
from bench_db.analysis.noise_kernel import (
    PAIRED,
    about_means,
    about_medians,
    autocorrelation,
    autoregressive_inflation,
    distance_of_pairs,
    inflation,
    narrowed_distance,
    noise_scale,
    of_two_modes,
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


def autoregression(rng: np.random.Generator, n: int, rho: float) -> Array:
    """Return a stationary first-order autoregression of standard deviation 1."""
    y = rng.normal(0, 1, n)
    y[1:] *= math.sqrt(1 - rho * rho)
    for i in range(1, n):
        y[i] += rho * y[i - 1]
    return y


class TestInflation:
    """The inflation is the largest excess of the spread of block means, from 1 to `inflation_most`."""

    @pytest.mark.parametrize("n", [20, 100, 1000])
    def test_least(self, n: int) -> None:
        alternating = np.resize([-0.01, 0.01], n)
        assert inflation(alternating, np.full(n, 0.01), Constants()) == 1.0

    @given(seed=st.integers(0, 999), n=st.integers(20, 300))
    def test_block_means(self, seed: int, n: int) -> None:
        rng, c = np.random.default_rng(seed), Constants()
        y, scale = np.cumsum(rng.normal(0, 0.01, n)) * 0.3, rng.uniform(0.01, 0.02, n)
        expected = 1.0
        for length in (2, 4, 8, 16):
            if n // length >= 6:
                blocks, spread = (part[n % length :].reshape(-1, length).mean(axis=1) for part in (y, scale))
                ratios = np.abs(np.diff(blocks)) / (spread[1:] * math.sqrt(2 / length))
                expected = max(expected, np.median(ratios) / norm.ppf(0.75))
        assert inflation(y, scale, c) == pytest.approx(min(expected, c.inflation_most))

    def test_most(self) -> None:
        assert inflation(np.linspace(0, 9, 100), np.full(100, 0.01), Constants()) == Constants().inflation_most

    def test_autocorrelated(self) -> None:
        y = np.convolve(np.random.default_rng(9).normal(0, 0.01, 2000), np.ones(5), "valid")
        assert inflation(y, np.full(len(y), np.std(np.diff(y)) / math.sqrt(2)), Constants()) > 2


class TestAutocorrelation:
    """The correlation of neighbours is the sum of their products over the sum of squares."""

    @given(seed=st.integers(0, 999), n=st.integers(2, 80))
    def test_textbook(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        residual, scale = autoregression(rng, n, 0.5), rng.uniform(0.5, 2, n)
        z = residual / scale
        assert autocorrelation(residual, scale) == pytest.approx(float((z[1:] * z[:-1]).sum() / (z * z).sum()))

    def test_alternating_and_nothing(self) -> None:
        assert autocorrelation(np.resize([-0.01, 0.01], 100), np.full(100, 0.01)) == pytest.approx(-0.99)
        assert autocorrelation(np.zeros(100), np.full(100, 0.01)) == 0.0


class TestAutoregressiveInflation:
    """The upper bound covers the true inflation of an autoregression in at least 90 % of histories."""

    @pytest.mark.parametrize(("segments", "n"), [(1, 40), (1, 60), (1, 200), (3, 200)])
    @pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.8])
    def test_covers(self, segments: int, n: int, rho: float) -> None:
        bounds = np.linspace(0, n, segments + 1).astype(np.int64)
        true, scale, covered = math.sqrt((1 + rho) / (1 - rho)), np.ones(n), 0
        for seed in range(200):
            y, residual = autoregression(np.random.default_rng([seed, n]), n, rho), np.empty(n)
            about_means(y, scale, bounds, segments + 1, residual)
            covered += autoregressive_inflation(residual, scale, segments, Constants()) >= true
        assert covered >= 180

    def test_each_mean_taken_out_raises_it(self) -> None:
        y, scale = autoregression(np.random.default_rng(2), 100, 0.3), np.ones(100)
        bounds = [autoregressive_inflation(y, scale, segments, Constants()) for segments in (1, 2, 3, 6)]
        assert bounds == sorted(set(bounds))

    def test_approaches_the_true_one(self) -> None:
        y = autoregression(np.random.default_rng(1), 200_000, 0.5)
        assert autoregressive_inflation(y, np.ones(len(y)), 1, Constants()) == pytest.approx(math.sqrt(3), rel=0.02)

    def test_limits(self) -> None:
        scale, c = np.ones(1000), Constants()
        assert autoregressive_inflation(np.resize([-1.0, 1.0], 1000), scale, 1, c) == 1.0
        assert autoregressive_inflation(np.linspace(-1, 1, 1000), scale, 1, c) == pytest.approx(math.sqrt(39))


class TestOfTwoModes:
    """Two narrow modes are recognised by the jumps between them; one mode is not, with any spread."""

    @pytest.mark.parametrize("share", [0.3, 0.5])
    def test_bimodal(self, share: float) -> None:
        for seed in range(20):
            rng = np.random.default_rng(seed)
            y = np.where(rng.random(200) < share, math.log(1520), math.log(965)) + rng.normal(0, 0.01, 200)
            assert of_two_modes(y, Constants())

    @pytest.mark.parametrize("n", [40, 200])
    def test_one_mode(self, n: int) -> None:
        for seed in range(20):
            rng = np.random.default_rng(seed)
            assert not of_two_modes(rng.normal(0, 0.01, n), Constants())
            assert not of_two_modes(rng.standard_t(3, n), Constants())
            assert not of_two_modes(np.repeat([0.0, 1.0], n // 2) + rng.normal(0, 0.01, n), Constants())

    def test_rounding_is_no_mode(self) -> None:
        assert not of_two_modes(np.resize([0.0, 0.0, 1e-6], 100), Constants())
        assert of_two_modes(np.resize([0.0, 0.0, 2e-5], 100), Constants())


class TestDistanceOfPairs:
    """The distance is the root of half the median squared distance of all pairs, of a long series thinned out."""

    @given(seed=st.integers(0, 999), n=st.integers(2, 127))
    def test_all_pairs(self, seed: int, n: int) -> None:
        y = np.random.default_rng(seed).normal(0, 0.02, n)
        assert distance_of_pairs(y) == pytest.approx(self.reference(y))

    @pytest.mark.parametrize("n", [128, 191, 192, 1000, 6399])
    def test_thinned_out(self, n: int) -> None:
        y = np.random.default_rng(n).normal(0, 0.02, n)
        thin = y[:: n // PAIRED]
        assert PAIRED <= len(thin) < 2 * PAIRED
        assert distance_of_pairs(y) == pytest.approx(self.reference(thin))

    @given(
        seed=st.integers(0, 999),
        n=st.integers(2, 300),
        digits=st.integers(1, 4),
        outlier=st.sampled_from([0.0, 9.0, 1e9]),
    )
    def test_narrowed(self, seed: int, n: int, digits: int, outlier: float) -> None:
        y = np.random.default_rng(seed).normal(0, 0.1, n).round(digits)
        y[0] += outlier
        assert narrowed_distance(y) == distance_of_pairs(y)

    @pytest.mark.parametrize("equal", range(1, 40))
    def test_narrowed_where_about_half_of_the_pairs_are_equal(self, equal: int) -> None:
        y = np.concatenate([np.full(equal, 0.5), np.arange(40 - equal) / 8])
        assert narrowed_distance(y) == distance_of_pairs(y)

    def test_a_constant_series(self) -> None:
        assert distance_of_pairs(np.full(30, 7.0)) == 0.0

    @staticmethod
    def reference(y: Array) -> float:
        apart = np.subtract.outer(y, y)[np.triu_indices(len(y), 1)]
        return math.sqrt(np.median(apart**2) / 2)


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
        assert noise_scale(np.zeros(30), c, scale) == c.rounding
        assert set(scale) == {c.rounding}


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


class TestAboutMeans:
    """Every segment of the result has weighted mean 0, and the differences within a segment stay."""

    @given(seed=st.integers(0, 999), n=st.integers(9, 60), at=st.integers(1, 8))
    def test_weighted_mean_of_each_segment(self, seed: int, n: int, at: int) -> None:
        rng = np.random.default_rng(seed)
        y, scale, out = rng.normal(0, 1, n), rng.uniform(0.5, 2, n), np.empty(n)
        about_means(y, scale, np.array([0, at, n]), 3, out)
        for part in (slice(0, at), slice(at, n)):
            expected = y[part] - np.average(y[part], weights=scale[part] ** -2)
            np.testing.assert_allclose(out[part], expected, atol=1e-9)
