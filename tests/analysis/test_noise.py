"""The figures of `noise` match the comparison."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.compare import compare
from bench_db.analysis.histories import histories
from bench_db.analysis.noise import noise, noise_of
from bench_db.model import Verdict
from bench_db.rules import RULES
from tests.analysis.test_judge import points

seeds = st.integers(0, 2**32 - 1)
# so that the log of the median is the median of the logs
odd = st.sampled_from(range(5, 20, 2))


def runs(seed: int, n: int, sigma: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return 100 * np.exp(np.random.default_rng(seed).normal(0, sigma, n))


class TestSmallestEffect:
    """One more run at this distance from the level is significant, and a slightly closer one is not."""

    @given(seed=seeds, n=odd, sigma=st.floats(0.001, 0.2))
    def test_by_one_run(self, seed: int, n: int, sigma: float) -> None:
        level = runs(seed, n, sigma)
        effect, middle = noise_of(level).smallest_effect, float(np.median(level))
        assert effect is not None
        nearer, farther = (compare([middle * (1 + effect) ** share], level.tolist()) for share in (0.999, 1.001))
        assert nearer.p_value is not None
        assert farther.p_value is not None
        assert nearer.p_value > RULES.significance > farther.p_value


class TestRunsNeeded:
    """This number of candidate runs, with the spread of the level, shows 5 %, and one run fewer does not."""

    @staticmethod
    def slower(level: np.ndarray[Any, np.dtype[np.float64]], m: int) -> list[float]:
        """Return so many runs with the spread of the level, whose centre is 5 % above its own."""
        if m == 1:
            return [float(np.median(level)) * 1.05]
        y, around = np.log(level), np.arange(m) - (m - 1) / 2
        shifted = y.mean() + math.log(1.05) + y.std(ddof=1) * around / around.std(ddof=1)
        return [float(x) for x in np.exp(shifted)]

    @given(seed=seeds, n=odd, sigma=st.floats(0.001, 0.1))
    def test_by_that_many(self, seed: int, n: int, sigma: float) -> None:
        level = runs(seed, n, sigma)
        needed = noise_of(level).runs_needed
        shown = [m for m in range(1, 5) if compare(self.slower(level, m), level.tolist()).significant]
        if shown:
            assert needed == min(shown)
        else:
            assert needed is None or needed >= 5

    def test_many_candidates_tell_the_spread_too(self) -> None:
        level = 100 * np.exp(0.02 * np.array([-1.5, -1, -0.5, 0, 0.5, 1, 1.5]))
        needed = noise_of(level).runs_needed
        assert needed is not None
        assert 1 < needed < 5
        candidate = 105 * np.exp(0.02 * np.resize([-1.5, -1, -0.5, 0, 0.5, 1, 1.5], 2 * needed))
        assert compare(candidate.tolist(), level.tolist()).verdict is Verdict.REGRESSED

    def test_none_would(self) -> None:
        level = runs(1, 5, 0.3)
        assert noise_of(level).runs_needed is None
        assert compare([105.0] * 4, level.tolist()).verdict is Verdict.UNCHANGED
        assert noise_of(runs(1, 20, 0.001)).runs_needed == 1
        assert RULES.noise_runs >= 20


class TestLevel:
    """The noise is that of the newest 20 runs with a result."""

    def test_of_the_runs_that_a_comparison_takes(self) -> None:
        values = runs(3, 60, 0.02)
        ours = values[-45:].copy()
        gaps = np.concatenate([values[:15], ours])
        gaps[30:59] = math.nan
        (row,) = noise(histories(points(gaps.tolist()))).to_dicts()
        kept = gaps[np.isfinite(gaps)][-20:]
        assert row["spread"] == pytest.approx(noise_of(kept).spread)
        assert len(kept) == 20

    @pytest.mark.parametrize("level", [[1.0] * 4, [1.0, 1.0, 1.0, 1.0, 0.0], [1.0, math.nan] * 4])
    def test_too_little(self, level: list[float]) -> None:
        assert noise_of(np.array(level)).spread is None

    def test_runs_hundreds_of_orders_of_magnitude_apart(self) -> None:
        found = noise_of(np.array([1e-300, 1e300] * 4))
        assert found.spread is not None
        assert found.smallest_effect is not None
        assert 1e300 < found.spread <= found.smallest_effect < math.inf

    def test_constant(self) -> None:
        found = noise_of(np.full(9, 7.0))
        assert (found.spread, found.smallest_effect, found.runs_needed) == (0.0, 0.0, 1)
