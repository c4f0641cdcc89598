"""The optimal partitionings against exhaustive search."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from bench_db.analysis.constants import Constants
from bench_db.analysis.partition_kernel import (
    FEATURES,
    FREQUENCY,
    HARMONICS,
    POWER,
    WINDOWS,
    add_features,
    candidates,
    fourier,
    least_squares,
)

Array = np.ndarray[Any, Any]
seeds = st.integers(0, 2**32 - 1)


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
        count = least_squares(y, scale, np.array(places), len(places), penalty, bounds)
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
