"""Laws of the run-level comparison and of the seed's two methods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.compare import Verdict, compare, established_level, level_at_end
from bench_db.analysis.seed_methods import lance_bench_ttest, lance_bench_z
from bench_db.units import Direction

seeds = st.integers(0, 2**32 - 1)
OPPOSITE = {Verdict.REGRESSED: Verdict.IMPROVED, Verdict.IMPROVED: Verdict.REGRESSED}


def runs(seed: int, n: int = 12, sigma: float = 0.02, level: float = 100.0) -> list[float]:
    return [float(x) for x in level * np.exp(np.random.default_rng(seed).normal(0, sigma, n))]


class TestVerdict:
    """A clear change is a verdict, and direction alone decides which."""

    @given(seed=seeds, factor=st.sampled_from([0.5, 0.7, 1.4, 2.0]))
    def test_direction_flips_the_verdict_alone(self, seed: int, factor: float) -> None:
        candidate, baseline = [factor * x for x in runs(seed, 3)], runs(seed + 1)
        lower = compare(candidate, baseline)
        higher = compare(candidate, baseline, Direction.HIGHER)
        assert lower.verdict is (Verdict.REGRESSED if factor > 1 else Verdict.IMPROVED)
        assert higher.verdict is OPPOSITE[lower.verdict]
        assert (lower.effect, lower.p_value) == (higher.effect, higher.p_value)

    def test_info_is_never_better_or_worse(self) -> None:
        comparison = compare([200.0], runs(1), Direction.INFO)
        assert comparison.verdict is Verdict.UNCHANGED
        assert comparison.significant

    @given(seed=seeds, n=st.integers(5, 20), m=st.integers(5, 20), factor=st.floats(0.8, 1.25))
    def test_swapping_sides_swaps_the_verdict(self, seed: int, n: int, m: int, factor: float) -> None:
        a, b = runs(seed, n), [factor * x for x in runs(seed + 1, m)]
        forth, back = compare(a, b), compare(b, a)
        assert back.verdict is OPPOSITE.get(forth.verdict, forth.verdict)
        assert back.p_value == pytest.approx(forth.p_value, rel=1e-6)
        assert forth.effect is not None
        assert back.effect is not None
        assert (1 + forth.effect) * (1 + back.effect) == pytest.approx(1)

    @given(seed=seeds, scale=st.floats(1e-9, 1e9))
    def test_scale_does_not_matter(self, seed: int, scale: float) -> None:
        a, b = runs(seed, 2), runs(seed + 1)
        ours, scaled = compare(a, b), compare([scale * x for x in a], [scale * x for x in b])
        assert scaled.verdict is ours.verdict
        assert scaled.effect == pytest.approx(ours.effect, rel=1e-6, abs=1e-9)

    @given(seed=seeds, order=st.randoms())
    def test_order_does_not_matter(self, seed: int, order: object) -> None:
        a, b = runs(seed, 4), runs(seed + 1)
        shuffled = list(b)
        order.shuffle(shuffled)  # type: ignore[attr-defined]
        assert compare(a, shuffled) == compare(a, b)

    def test_interval_holds_the_effect(self) -> None:
        c = compare([110.0], runs(1))
        assert None not in (c.low, c.effect, c.high)
        assert c.low < c.effect < c.high  # type: ignore[operator]


class TestZeroVariance:
    """Constant then changed is the clearest change there is; constant is no change."""

    def test_changed(self) -> None:
        c = compare([2.0], [1.0] * 7)
        assert (c.verdict, c.p_value, c.effect, c.low, c.high) == (Verdict.REGRESSED, 0.0, 1.0, 1.0, 1.0)

    def test_unchanged(self) -> None:
        assert compare([0.1 + 0.2], [0.1 + 0.2] * 7).verdict is Verdict.UNCHANGED

    def test_zero(self) -> None:
        assert compare([0.0], [0.0] * 7).verdict is Verdict.UNCHANGED
        assert compare([3.0], [0.0] * 7).verdict is Verdict.REGRESSED
        assert compare([0.0], [3.0] * 7).effect == -1.0
        assert compare([-3.0], [3.0] * 7).verdict is Verdict.IMPROVED

    def test_too_small_to_matter(self) -> None:
        assert compare([1.019], [1.0] * 7).verdict is Verdict.UNCHANGED
        assert compare([1.02], [1.0] * 7).verdict is Verdict.REGRESSED


class TestWithoutTest:
    """What cannot be tested has a verdict of its own, with null figures."""

    @pytest.mark.parametrize(
        ("candidate", "baseline", "failed", "verdict"),
        [
            ([1.0], [1.0] * 4, False, Verdict.INSUFFICIENT),
            ([1.0], [1.0] * 4 + [math.nan] * 9, False, Verdict.INSUFFICIENT),
            ([], [1.0] * 9, False, Verdict.MISSING),
            ([math.nan], [1.0] * 9, False, Verdict.MISSING),
            ([math.nan], [1.0] * 9, True, Verdict.FAILED),
            ([], [], True, Verdict.FAILED),
            ([1.0], [], False, Verdict.NEW),
            ([], [], False, Verdict.MISSING),
        ],
    )
    def test_verdict(self, candidate: list[float], baseline: list[float], failed: bool, verdict: Verdict) -> None:  # noqa: FBT001
        c = compare(candidate, baseline, failed=failed)
        assert c.verdict is verdict
        assert (c.effect, c.low, c.high, c.p_value, c.significant) == (None, None, None, None, False)

    def test_a_run_that_failed_once_still_counts_by_the_others(self) -> None:
        assert compare([1.0, math.nan], [1.0] * 5, failed=True).verdict is Verdict.UNCHANGED


class TestBaseline:
    """The newest 20 runs of the present level; what fewer than 7 runs have in common is no level yet."""

    @pytest.mark.parametrize(
        ("points", "changes", "established", "at_end"),
        [
            (0, [], (0, 0), (0, 0)),
            (5, [], (0, 5), (0, 5)),
            (30, [], (10, 30), (10, 30)),
            (30, [5], (10, 30), (10, 30)),
            (30, [15], (15, 30), (15, 30)),
            (30, [23], (23, 30), (23, 30)),
            (30, [24], (4, 24), (10, 30)),
            (30, [15, 26], (15, 26), (15, 30)),
            (30, [10, 24, 27], (10, 24), (10, 30)),
            (12, [6], (0, 12), (0, 12)),
            (6, [2], (0, 6), (0, 6)),
        ],
    )
    def test_runs(self, points: int, changes: list[int], established: tuple[int, int], at_end: tuple[int, int]) -> None:
        assert established_level(points, changes) == slice(*established)
        assert level_at_end(points, changes) == slice(*at_end)


class TestSeedMethods:
    """lance-bench's statistics, without its defects."""

    def test_ttest_is_scipy_s(self) -> None:
        stats = pytest.importorskip("scipy.stats")
        values = [*runs(1, 20), 107.0, 108.0, 105.0, 111.0]
        c = lance_bench_ttest(values)
        assert c.p_value == pytest.approx(stats.ttest_ind(values[-4:], values[:-4]).pvalue)
        assert c.verdict is Verdict.REGRESSED
        assert lance_bench_ttest(values, Direction.HIGHER).verdict is Verdict.IMPROVED

    def test_z(self) -> None:
        history = runs(2, 40)
        mean, spread = float(np.mean(history[-20:])), float(np.std(history[-20:], ddof=1))
        assert lance_bench_z(mean + 2.1 * spread, history).verdict is Verdict.REGRESSED
        assert lance_bench_z(mean + 1.9 * spread, history).verdict is Verdict.UNCHANGED
        assert (
            lance_bench_z(0.95 * 0.9, [0.9 + 1e-9 * i for i in range(9)], Direction.HIGHER).verdict is Verdict.REGRESSED
        )

    def test_zero_variance(self) -> None:
        assert lance_bench_z(2.0, [1.0] * 9).verdict is Verdict.REGRESSED
        assert lance_bench_z(0.1, [0.1] * 9).verdict is Verdict.UNCHANGED
        assert lance_bench_ttest([1.0] * 9 + [2.0] * 4).p_value == 0.0
        assert lance_bench_ttest([0.1] * 13).verdict is Verdict.UNCHANGED
        assert lance_bench_ttest([0.0] * 9 + [1.0] * 4).verdict is Verdict.REGRESSED

    def test_without_test(self) -> None:
        assert lance_bench_z(1.0, [1.0] * 4).verdict is Verdict.INSUFFICIENT
        assert lance_bench_z(1.0, []).verdict is Verdict.NEW
        assert lance_bench_z(math.nan, [1.0] * 9).verdict is Verdict.MISSING
        assert lance_bench_ttest([1.0] * 5).verdict is Verdict.INSUFFICIENT

    def test_minimum_effect(self) -> None:
        assert lance_bench_z(1.01, [1.0] * 9).verdict is Verdict.UNCHANGED
