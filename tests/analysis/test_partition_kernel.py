"""The optimal partitionings against exhaustive search."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.analysis.constants import Constants
from bench_db.analysis.partition_kernel import FREQUENCIES, candidates, fourier, least_squares

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

    @given(seed=seeds, penalty=st.floats(0.5, 20))
    @settings(max_examples=60)
    def test_fourier(self, seed: int, penalty: float) -> None:
        y, _, places = self.example(seed)

        def cost(a: int, b: int) -> float:
            angles = np.concatenate([np.outer(FREQUENCIES, y[a:b] / h) for h in (0.03, 0.08)])
            together = np.cos(angles).sum(axis=1) ** 2 + np.sin(angles).sum(axis=1) ** 2
            return float(2 * (b - a) - together.sum() / 4 / (b - a))

        bounds = np.empty(len(places) + 2, np.int64)
        count = fourier(y, np.array(places), len(places), 0.03, 0.08, penalty, bounds)
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


class TestCandidates:
    """The candidates are the ends and positions that differ from their surroundings; a flat series has only its ends."""

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
        count = candidates(y, np.full(len(y), 0.01), Constants(), places)
        return [int(i) for i in places[:count]]
