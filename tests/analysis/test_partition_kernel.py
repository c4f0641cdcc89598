"""Candidates, the two partitionings against every other one, and the evidence for a bound."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma, norm

from bench_db.analysis.constants import Constants
from bench_db.analysis.partition_kernel import (
    FEATURES,
    FREQUENCY,
    HARMONICS,
    POWER,
    SEEN_BEFORE,
    TOO_SHORT,
    TOO_SMALL,
    UNLIKE_A_STEP,
    WINDOWS,
    add_features,
    candidates,
    distribution_p,
    eliminated,
    fourier,
    kernel_features,
    least_squares,
    like_a_slope,
    seen_before,
    visited,
    weakness,
    weighted_sums,
    welch,
)

pytestmark = pytest.mark.few(2)

Array = np.ndarray[Any, Any]
seeds = st.integers(0, 2**32 - 1)
SIGMA = 0.01


def best(costs: Any, places: list[int], penalty: float) -> tuple[float, list[int]]:
    """Return the least total cost over all partitionings, by recursion over all last segments."""

    @cache
    def up_to(j: int) -> tuple[float, tuple[int, ...]]:
        if j == 0:
            return -penalty, ()
        return min((up_to(i)[0] + costs(places[i], places[j]) + penalty, (*up_to(i)[1], places[j])) for i in range(j))

    cost, path = up_to(len(places) - 1)
    return cost, [0, *path]


class TestPartitioning:
    """The pruned dynamic programmes find the partitioning that an exhaustive search finds."""

    @given(seed=seeds, penalty=st.floats(0.5, 20))
    @settings(max_examples=60)
    def test_least_squares(self, seed: int, penalty: float) -> None:
        y, scale, places = self.example(seed)
        weight = scale**-2

        def cost(a: int, b: int) -> float:
            mean = np.average(y[a:b], weights=weight[a:b])
            return float((weight[a:b] * (y[a:b] - mean) ** 2).sum())

        bounds = np.empty(len(places) + 2, np.int64)
        sums = weighted_sums(y, scale, np.array(places), len(places))
        count = least_squares(sums, np.array(places), len(places), penalty, bounds)
        self.same(cost, places, penalty, bounds[:count].tolist())

    @pytest.mark.parametrize("bandwidths", [(0.05,), (0.03, 0.08)])
    @given(seed=seeds, penalty=st.floats(0.5, 20))
    @settings(max_examples=40)
    def test_fourier(self, seed: int, penalty: float, bandwidths: tuple[float, ...]) -> None:
        y, _, places = self.example(seed)
        frequencies = FREQUENCY * np.arange(1, HARMONICS + 1)
        weights = 2 * FREQUENCY * norm.pdf(frequencies)

        def cost(a: int, b: int) -> float:
            angles = np.array([np.outer(frequencies, y[a:b] / h) for h in bandwidths])
            together = np.cos(angles).sum(axis=2) ** 2 + np.sin(angles).sum(axis=2) ** 2
            return float(len(bandwidths) * weights.sum() * (b - a) - (weights * together).sum() / (b - a))

        bounds = np.empty(len(places) + 2, np.int64)
        count = fourier(y, np.array(places), len(places), bandwidths, penalty, bounds)
        self.same(cost, places, penalty, bounds[:count].tolist())

    @staticmethod
    def example(seed: int) -> tuple[Array, Array, list[int]]:
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 60))
        y = rng.normal(0, 0.02, n) + np.repeat(rng.normal(0, 0.1, 4), -(-n // 4))[:n]
        inner = rng.choice(np.arange(1, n), 10, replace=False)
        return y, rng.uniform(0.01, 0.03, n), [0, *sorted(int(i) for i in inner), n]

    @staticmethod
    def same(cost: Any, places: list[int], penalty: float, ours: list[int]) -> None:
        least, path = best(cost, places, penalty)
        total = sum(cost(a, b) + penalty for a, b in itertools.pairwise(ours)) - penalty
        assert total == pytest.approx(least, rel=1e-9)
        assert ours == path


class TestGaussianKernel:
    """The features approximate a Gaussian kernel, so that the partitioning is that of the exact Gram matrix."""

    @given(apart=st.floats(-5, 5), at=st.floats(-20, 20), bandwidth=st.floats(0.01, 10))
    def test_product_of_features(self, apart: float, at: float, bandwidth: float) -> None:
        one, other = np.zeros(FEATURES), np.zeros(FEATURES)
        add_features(at * bandwidth, bandwidth, one, 0)
        add_features((at + apart) * bandwidth, bandwidth, other, 0)
        zero_frequency = FREQUENCY * norm.pdf(0)  # the same for all pairs: no cost contains it
        assert one @ other + zero_frequency == pytest.approx(math.exp(-(apart**2) / 2), abs=0.01)
        assert one @ one == pytest.approx(POWER)

    def test_features_are_added_from_a_position(self) -> None:
        out, alone = np.ones(2 * FEATURES), np.zeros(FEATURES)
        add_features(0.3, 0.7, alone, 0)
        add_features(0.3, 0.7, out, FEATURES)
        assert out[:FEATURES].tolist() == [1.0] * FEATURES
        np.testing.assert_allclose(out[FEATURES:], 1 + alone)

    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("penalty", [0.5, 2.0])
    def test_every_partitioning_of_a_tiny_series(self, seed: int, penalty: float) -> None:
        rng, n = np.random.default_rng(seed), 12
        y = rng.normal(0, 0.4, n) + np.repeat(rng.normal(0, 1, 3), 4)
        gram = np.exp(-(np.subtract.outer(y, y) ** 2) / 2)

        def cost(bounds: list[int]) -> float:
            parts = itertools.pairwise(bounds)
            spread = sum((b - a) - float(gram[a:b, a:b].sum()) / (b - a) for a, b in parts)
            return spread + penalty * (len(bounds) - 2)

        inner = itertools.chain.from_iterable(itertools.combinations(range(1, n), k) for k in range(n))
        least = min(cost([0, *chosen, n]) for chosen in inner)
        bounds = np.empty(n + 2, np.int64)
        count = fourier(y, np.arange(n + 1), n + 1, (1.0,), penalty, bounds)
        assert cost(bounds[:count].tolist()) == pytest.approx(least, abs=0.02)


class TestCandidates:
    """The candidates are the ends and positions that differ from their surroundings; a flat series has only its ends."""

    @given(seed=seeds, n=st.integers(20, 120))
    def test_local_maxima(self, seed: int, n: int) -> None:
        rng, c = np.random.default_rng(seed), Constants()
        y, scale, expected = rng.normal(0, 0.01, n), rng.uniform(0.005, 0.02, n), {0, n}
        for window in WINDOWS:
            size = np.zeros(n + 1)
            for i in range(2, n - 1):
                left, right = y[max(0, i - window) : i], y[i : i + window]
                error = scale[i] * math.sqrt(1 / len(left) + 1 / len(right))
                size[i] = abs(right.mean() - left.mean()) / error
            inner = range(c.tail, n - c.tail + 1)
            expected |= {i for i in inner if size[i] >= max(c.candidate, size[i - 1], size[i + 1])}
        places = np.empty(n + 2, np.int64)
        count = candidates(y, scale, c.candidate, c, places)
        assert places[:count].tolist() == sorted(expected)

    @pytest.mark.parametrize(("of_threshold", "found"), [(0.99, False), (1.01, True)])
    def test_threshold(self, of_threshold: float, found: bool) -> None:  # noqa: FBT001
        widest = math.sqrt(2 / max(WINDOWS))  # standard error of the difference of the longest means, in scales
        y = np.repeat([0.0, of_threshold * Constants().candidate * 0.01 * widest], 30)
        assert (30 in self.of(y)) is found

    def test_a_flat_series_has_its_ends(self) -> None:
        assert self.of(np.zeros(30)) == [0, 30]

    @pytest.mark.parametrize("at", [3, 11, 27])
    def test_a_step_is_a_candidate(self, at: int) -> None:
        y = np.zeros(30)
        y[at:] = 0.1
        found = self.of(y)
        assert at in found
        assert (found[0], found[-1]) == (0, 30)
        assert found == sorted(set(found))

    @pytest.mark.parametrize("at", [1, 2, 28, 29])
    def test_none_within_the_tail(self, at: int) -> None:
        y = np.zeros(30)
        y[at:] = 0.1
        inner = self.of(y)[1:-1]
        assert all(Constants().tail <= i <= 30 - Constants().tail for i in inner)

    @staticmethod
    def of(y: Array) -> list[int]:
        places = np.empty(len(y) + 2, np.int64)
        count = candidates(y, np.full(len(y), 0.01), Constants().candidate, Constants(), places)
        return [int(i) for i in places[:count]]


def noise(seed: int, n: int = 60) -> Array:
    return np.random.default_rng(seed).normal(0, SIGMA, n)


def scale(y: Array) -> Array:
    return np.full(len(y), SIGMA)


def without_modes(y: Array, bounds: Array, alpha: float) -> int:
    """Return the count of bounds that elimination by means leaves."""
    modes = False
    return eliminated(y, y, scale(y), bounds, len(bounds), 1.0, alpha, 0.0, modes, Constants())


class TestWelch:
    """Without prior the test is Welch's, over at most `reach` points on either side."""

    @given(seed=st.integers(0, 999), at=st.integers(5, 55))
    def test_textbook(self, seed: int, at: int) -> None:
        y, c = noise(seed), Constants()._replace(prior=0.0)
        left, right = y[max(0, at - c.reach) : at], y[at : at + c.reach]
        step, error, df, p, used = welch(y, scale(y), 0, at, len(y), 1.0, c)
        a, b = left.var(ddof=1) / len(left), right.var(ddof=1) / len(right)
        assert step == pytest.approx(right.mean() - left.mean())
        assert error == pytest.approx((a + b) ** 0.5)
        assert df == pytest.approx((a + b) ** 2 / (a**2 / (len(left) - 1) + b**2 / (len(right) - 1)))
        assert used == len(left) + len(right)
        assert 0 <= p <= used

    def test_inflation_multiplies_the_error(self) -> None:
        y = noise(1)
        one, two = (welch(y, scale(y), 0, 30, 60, factor, Constants()) for factor in (1.0, 2.0))
        assert two[1] == pytest.approx(2 * one[1])
        assert two[0] == one[0]


class TestReasons:
    """A change is dropped when it is rounding, short, a recurring mode, or a drift; a plain step is not."""

    def of(self, y: Array, *bounds: int, bandwidth: float = 0.0, modes: bool = False, visit_until: int = 0) -> float:
        c = Constants(visit_until=visit_until)
        return weakness(y, y, scale(y), np.array(bounds), len(bounds), 1, 1.0, 0.05, bandwidth, modes, c)

    def test_a_step_has_evidence(self) -> None:
        y = noise(2) + np.repeat([0.0, 0.1], 30)
        assert self.of(y, 0, 30, 60) < 1e-6
        assert not like_a_slope(y, scale(y), 0, 30, 60, Constants())
        assert not seen_before(y, 0, 30, 60, Constants())

    def test_noise_has_none(self) -> None:
        step, _, _, p, _ = welch(noise(3), scale(noise(3)), 0, 30, 60, 1.0, Constants())
        assert abs(step) < 0.01
        assert p > 0.05

    def test_too_small(self) -> None:
        rounding = Constants().rounding
        assert self.of(np.repeat([0.0, 0.9 * rounding], 30), 0, 30, 60) >= TOO_SMALL
        assert self.of(np.repeat([0.0, 2.0 * rounding], 30), 0, 30, 60) < UNLIKE_A_STEP

    def test_too_short_between_others(self) -> None:
        y = np.repeat([0.0, 0.1, 0.0], [30, 4, 26])
        assert TOO_SHORT <= self.of(y, 0, 30, 34, 60) < TOO_SMALL
        assert self.of(np.repeat([0.0, 0.1], [56, 4]), 0, 56, 60) < UNLIKE_A_STEP  # the last stretch may be short

    def test_drift(self) -> None:
        y = noise(4) * 0.1 + np.linspace(0, 0.3, 60)
        assert like_a_slope(y, scale(y), 0, 30, 60, Constants())
        assert UNLIKE_A_STEP <= self.of(y, 0, 30, 60) < SEEN_BEFORE

    def test_a_mode_that_occurred_before(self) -> None:
        y = np.repeat([0.0, 0.1, 0.0, 0.1], [20, 4, 28, 8])
        assert seen_before(y, 0, 52, 60, Constants())
        assert SEEN_BEFORE <= self.of(y, 0, 52, 60) < TOO_SHORT

    def test_a_visit_counts_in_short_series_alone(self) -> None:
        y = noise(5) * 0.1 + np.repeat([0.0, 0.1], [50, 10])
        y[20] = 0.1
        assert self.of(y, 0, 50, 60) < 1e-6
        assert self.of(y, 0, 50, 60, visit_until=60) < 1e-6
        assert SEEN_BEFORE <= self.of(y, 0, 50, 60, visit_until=61) < TOO_SHORT

    def test_a_change_of_spread_is_one_of_distributions(self) -> None:
        y = noise(6) * np.repeat([1.0, 8.0], 30)
        assert self.of(y, 0, 30, 60) > 1
        assert self.of(y, 0, 30, 60, bandwidth=2 * SIGMA, modes=True) < 0.1

    def test_equal_distributions_have_no_evidence(self) -> None:
        assert self.of(noise(7), 0, 30, 60, bandwidth=2 * SIGMA) > 1

    def test_a_drift_of_distributions(self) -> None:
        y = noise(4) * 0.1 + np.linspace(0, 0.3, 60)
        assert UNLIKE_A_STEP <= self.of(y, 0, 30, 60, bandwidth=0.1) < SEEN_BEFORE
        assert self.of(y, 0, 30, 60, bandwidth=0.1, modes=True) < 1

    def test_two_modes_are_seen_from_further_away(self) -> None:
        y = np.concatenate([np.resize([0.0, 0.4], 100), np.resize([0.2, 0.6], 100)]) + noise(8, 200)
        fine, coarse = (distribution_p(y, 0, 100, 200, width, 1.0, Constants().modes_reach) for width in (0.05, 0.1))
        weak = self.of(y, 0, 100, 200, bandwidth=0.1, modes=True)
        assert weak == pytest.approx(2 * min(fine, coarse) / 0.05)
        assert weak < 1
        assert weak < 2 * distribution_p(y, 0, 100, 200, 0.05, 1.0, Constants().reach) / 0.05


class TestKernelFeatures:
    """Both sides have mean features 0, and the distance of their means is nearly that of exact Gaussian kernels."""

    @given(seed=st.integers(0, 999), at=st.integers(5, 35))
    def test_distance_of_gram_matrices(self, seed: int, at: int) -> None:
        y, features = noise(seed, 40), np.zeros(40 * FEATURES)
        y[at:] *= 1.5
        distance = kernel_features(y, 0, at, 40, 2 * SIGMA, features)
        apart = np.subtract.outer(y, y) / (2 * SIGMA)
        frequencies = FREQUENCY * np.arange(1, HARMONICS + 1)
        sum_of_cosines = (2 * FREQUENCY * norm.pdf(frequencies) * np.cos(apart[..., None] * frequencies)).sum(axis=2)
        sign = np.repeat([1 / at, -1 / (40 - at)], [at, 40 - at])
        assert distance == pytest.approx(sign @ sum_of_cosines @ sign)
        assert distance == pytest.approx(sign @ np.exp(-(apart**2) / 2) @ sign, abs=0.02)
        rows = features.reshape(40, FEATURES)
        np.testing.assert_allclose(rows[:at].sum(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(rows[at:].sum(axis=0), 0, atol=1e-9)


class TestDistributionP:
    """The p-value, before it is multiplied by the points, is that of a permutation test of the kernel distance."""

    @pytest.mark.parametrize(
        ("seed", "shift", "spread"),
        [(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 0.5, 1.0), (3, 0.3, 1.0), (4, 0.0, 1.8), (5, 0.4, 1.4), (6, -0.3, 1.0)],
    )
    def test_permutations(self, seed: int, shift: float, spread: float) -> None:
        rng = np.random.default_rng(seed)
        y, at = rng.normal(0, 1, 40), 18
        y[at:] = shift + spread * y[at:]
        gram = np.exp(-(np.subtract.outer(y, y) ** 2) / 2)
        signs = np.tile(np.repeat([1 / at, -1 / (40 - at)], [at, 40 - at]), (20_000, 1))
        signs[1:] = rng.permuted(signs[1:], axis=1)
        distances = ((signs @ gram) * signs).sum(axis=1)
        permuted = float((distances >= distances[0] - 1e-12).mean())
        assert permuted > 0.002  # otherwise too few permutations
        p = distribution_p(y, 0, at, 40, 1.0, 1.0, 40) / 40
        assert permuted / 1.2 <= p <= permuted * 1.2 if permuted > 0.05 else permuted / 2.5 <= p <= permuted

    @pytest.mark.parametrize("bandwidth", [0.5, 1.0, 2.0])
    def test_false_alarms(self, bandwidth: float) -> None:
        rng, alarms = np.random.default_rng(11), 0
        for _ in range(1000):
            y = rng.normal(0, 1, 48)
            alarms += distribution_p(y, 0, 24, 48, bandwidth, 1.0, 24) / 48 <= 0.05
        assert 30 <= alarms <= 75

    @pytest.mark.parametrize("inflation", [1.0, 1.3, 2.0])
    def test_gamma_distribution(self, inflation: float) -> None:
        y, at = noise(14) + np.repeat([0.0, 0.4 * SIGMA], 30), 30
        angles = FREQUENCY * np.arange(1, HARMONICS + 1) * y[:, None] / SIGMA
        root = np.sqrt(2 * FREQUENCY * norm.pdf(FREQUENCY * np.arange(1, HARMONICS + 1)))
        features = np.hstack([root * np.cos(angles), root * np.sin(angles)])
        left, right = features[:at], features[at:]
        centred = np.vstack([left - left.mean(axis=0), right - right.mean(axis=0)])
        covariance = centred.T @ centred / 58
        distance = 15 * float(((left.mean(axis=0) - right.mean(axis=0)) ** 2).sum()) / inflation**2
        mean, variance = float(np.trace(covariance)), 2 * float((covariance**2).sum())
        expected = 60 * gamma.sf(distance, mean**2 / variance, scale=variance / mean)
        assert distribution_p(y, 0, at, 60, SIGMA, inflation, 30) == pytest.approx(expected, rel=0.05)

    def test_inflation_and_distance_of_levels(self) -> None:
        y = noise(12)
        ps = [distribution_p(y + np.repeat([0.0, step], 30), 0, 30, 60, SIGMA, 1.0, 24) for step in (0, 0.01, 0.03)]
        assert ps == sorted(ps, reverse=True)
        assert ps[2] < 1e-4
        one, two = (distribution_p(y, 0, 30, 60, SIGMA, inflation, 24) for inflation in (1.0, 2.0))
        assert one < two

    def test_points_beyond_reach_do_not_count(self) -> None:
        y = noise(13)
        other = y.copy()
        other[:20] += 1.0
        other[40:] -= 1.0
        assert distribution_p(y, 0, 30, 60, SIGMA, 1.0, 10) == distribution_p(other, 0, 30, 60, SIGMA, 1.0, 10)

    @pytest.mark.parametrize(("after", "p"), [(7.0, 1.0), (7.1, 0.0)])
    def test_sides_without_spread(self, after: float, p: float) -> None:
        assert distribution_p(np.repeat([7.0, after], 20), 0, 20, 40, 0.05, 1.0, 24) == p


class TestVisited:
    """One point at the level of the shorter side is a visit; a stay of more than `visit_most` points is a level."""

    def test_a_point(self) -> None:
        assert self.of(np.repeat([0.0, 1.0, 0.0, 1.0], [20, 1, 29, 10]), 50)
        assert not self.of(np.repeat([0.0, 1.0], [50, 10]), 50)

    @pytest.mark.parametrize(("height", "visit"), [(0.74, False), (0.76, True), (-1.0, False)])
    def test_height(self, height: float, visit: bool) -> None:  # noqa: FBT001
        y = np.repeat([0.0, 1.0], [500, 10])
        y[20] = height
        assert self.of(y, 500) is visit

    def test_after_the_shorter_side(self) -> None:
        y = np.repeat([1.0, 0.0], [10, 50])
        assert not self.of(y, 10)
        y[-1] = 1.0
        assert self.of(y, 10)

    @pytest.mark.parametrize(("stay", "visit"), [(30, True), (31, False)])
    def test_a_long_stay(self, stay: int, visit: bool) -> None:  # noqa: FBT001
        y = np.repeat([0.0, 1.0, 0.0, 1.0], [40, stay, 900, 10])
        low = 40 + stay
        assert visited(y, y, low, low + 900, len(y), Constants()) is visit

    @pytest.mark.parametrize(("after", "visit"), [(30, True), (31, False)])
    def test_a_long_shorter_side(self, after: int, visit: bool) -> None:  # noqa: FBT001
        y = np.repeat([0.0, 1.0, 0.0, 1.0], [20, 1, 79, after])
        assert self.of(y, 100) is visit

    def test_values_before_winsorising(self) -> None:
        y = np.repeat([0.0, 1.0], [50, 10])
        raw = y.copy()
        raw[20] = 1.0
        assert visited(y, raw, 0, 50, 60, Constants())
        assert not visited(raw, y, 0, 50, 60, Constants())

    @staticmethod
    def of(y: Array, at: int) -> bool:
        return bool(visited(y, y, 0, at, len(y), Constants()))


class TestEliminated:
    """Elimination keeps the changes with evidence, in order, and both ends."""

    @given(seed=st.integers(0, 999), false=st.sampled_from([10, 20, 45]))
    def test_a_false_change_goes_and_the_true_one_stays(self, seed: int, false: int) -> None:
        y = noise(seed) * 0.3 + np.repeat([0.0, 0.2], 30)
        bounds = np.array(sorted([0, 30, false, 60]))
        count = without_modes(y, bounds, 0.001)
        assert bounds[:count].tolist() == [0, 30, 60]

    def test_a_flat_series_keeps_its_ends(self) -> None:
        bounds = np.array([0, 10, 20, 30])
        flat = np.zeros(30)
        assert without_modes(flat, bounds, 0.05) == 2
        assert bounds[:2].tolist() == [0, 30]
