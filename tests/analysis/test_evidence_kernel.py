"""The evidence for a change against textbook formulas, and the reasons to drop one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.constants import Constants
from bench_db.analysis.evidence_kernel import (
    SEEN_BEFORE,
    TOO_SHORT,
    TOO_SMALL,
    UNLIKE_A_STEP,
    eliminated,
    like_a_slope,
    seen_before,
    weakness,
    welch,
)

Array = np.ndarray[Any, Any]
SIGMA = 0.01


def noise(seed: int, n: int = 60) -> Array:
    return np.random.default_rng(seed).normal(0, SIGMA, n)


def scale(y: Array) -> Array:
    return np.full(len(y), SIGMA)


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
    """A change is dropped when it is small, short, a recurring mode, or a drift; a plain step is not."""

    def of(self, y: Array, *bounds: int, j: int = 1) -> float:
        return weakness(y, scale(y), np.array(bounds), len(bounds), j, 1.0, 0.05, Constants())

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
        assert self.of(np.repeat([0.0, 0.009], 30), 0, 30, 60) >= TOO_SMALL
        assert self.of(np.repeat([0.0, 0.02], 30), 0, 30, 60) < UNLIKE_A_STEP

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


class TestEliminated:
    """Elimination keeps the changes with evidence, in order, and both ends."""

    @given(seed=st.integers(0, 999), false=st.sampled_from([10, 20, 45]))
    def test_a_false_change_goes_and_the_true_one_stays(self, seed: int, false: int) -> None:
        y = noise(seed) * 0.3 + np.repeat([0.0, 0.2], 30)
        bounds = np.array(sorted([0, 30, false, 60]))
        count = eliminated(y, scale(y), bounds, 4, 1.0, 0.001, Constants())
        assert bounds[:count].tolist() == [0, 30, 60]

    def test_a_flat_series_keeps_its_ends(self) -> None:
        bounds = np.array([0, 10, 20, 30])
        assert eliminated(np.zeros(30), np.full(30, SIGMA), bounds, 4, 1.0, 0.05, Constants()) == 2
        assert bounds[:2].tolist() == [0, 30]
