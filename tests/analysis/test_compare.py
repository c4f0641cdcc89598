"""Laws of the run-level comparison and of the two methods of lance-bench."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from bench_db.analysis.compare import centres, compare, means
from bench_db.model import Comparison, Series, Verdict
from bench_db.units import Direction

seeds = st.integers(0, 2**32 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [1.7e308, 1e300, -1e300, 1e-300, 5e-324, 0.0]
)
OPPOSITE = {Verdict.REGRESSED: Verdict.IMPROVED, Verdict.IMPROVED: Verdict.REGRESSED}


def runs(seed: int, n: int = 12, sigma: float = 0.02, level: float = 100.0) -> list[float]:
    return [float(x) for x in level * np.exp(np.random.default_rng(seed).normal(0, sigma, n))]


class TestVerdict:
    """A clear change has a verdict, and only the direction decides which."""

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


class TestSeveralRuns:
    """Several candidate runs are tested by the t-test of means of logs with pooled variance, and one run by the median."""

    @given(seed=seeds, m=st.integers(2, 8), factor=st.floats(0.8, 1.25))
    def test_as_scipy_does(self, seed: int, m: int, factor: float) -> None:
        new, old = [factor * x for x in runs(seed, m)], runs(seed + 1)
        tested = stats.ttest_ind(np.log(new), np.log(old))
        interval = np.expm1(tested.confidence_interval(0.99))
        ours = compare(new, old)
        assert ours.p_value == pytest.approx(tested.pvalue, rel=1e-6, abs=1e-12)
        assert [ours.low, ours.high] == pytest.approx(list(interval), abs=1e-9)

    @pytest.mark.parametrize("unit", [1.0, -1.0])
    def test_the_effect_is_that_of_the_centres(self, unit: float) -> None:
        new, old = [unit * x for x in (3.0, 4.0, 6.0)], [1.0, 2.0, 4.0, 5.0, 9.0]
        after, before = centres(new, old)
        expected = (stats.gmean(new), stats.gmean(old)) if unit > 0 else (np.mean(new), np.mean(old))
        assert (after, before) == pytest.approx(expected)
        assert compare(new, old).effect == pytest.approx(after / before - 1)

    def test_one_run_beside_the_median(self) -> None:
        assert centres([7.0], [1.0, 2.0, 9.0, 9.0, 9.0]) == (7.0, 9.0)
        effect = compare([7.0], [1.0, 2.0, 9.0, 9.0, 9.0]).effect
        assert effect == pytest.approx(7 / 9 - 1)

    def test_equal_runs_have_no_spread(self) -> None:
        third = 0.1 + 0.2
        assert compare([third] * 3, [third] * 7).p_value == 1.0
        assert compare([third * 1.1] * 3, [third] * 7).p_value == 0.0


class TestZeroVariance:
    """A change of a constant series is certain; a constant series has no change."""

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


class TestAnyNumber:
    """Every set of finite figures has a verdict with finite figures, however many orders of magnitude are between them."""

    @given(
        candidate=st.lists(FINITE, min_size=1, max_size=4),
        baseline=st.lists(FINITE, min_size=5, max_size=9),
    )
    @example(candidate=[1e-300, 1e300, -1e-300], baseline=[-1.0] * 5)
    @example(candidate=[-1.0], baseline=[1e-300, -1.0, -1.7e308, -1.0, -1e300])
    @example(candidate=[1.0, 0.0], baseline=[-1e-300, -1e300, 1.7e308, 1.0, 1e300])
    @example(candidate=[1.0, 1e-300, -1.0], baseline=[-1e-300, 1.0, -1e300, 1.7e308, -1.0, 1.7e308])
    @example(candidate=[0.0], baseline=[5e-324] * 5)
    def test_figures_are_finite(self, candidate: list[float], baseline: list[float]) -> None:
        c = compare(candidate, baseline)
        assert all(x is not None and math.isfinite(100 * x) for x in (c.effect, c.low, c.high, c.p_value))
        if len(candidate) > 1:
            assert all(map(math.isfinite, centres(candidate, baseline)))

    @pytest.mark.parametrize("size", [1e-290, 1.0, 1e150, 1e300])
    def test_the_size_of_both_signs_does_not_matter(self, size: float) -> None:
        candidate, baseline = [3.0, 3.1], [-1.0, 1.0, 0.5, -0.5, 0.0, 0.25]
        ours, scaled = (
            compare(candidate, baseline),
            compare([size * x for x in candidate], [size * x for x in baseline]),
        )
        assert ours.verdict is scaled.verdict is Verdict.REGRESSED
        assert (scaled.effect, scaled.p_value) == pytest.approx((ours.effect, ours.p_value))

    def test_a_step_of_600_orders_of_magnitude(self) -> None:
        up, down = (compare([x], [-1e-300] * 7) for x in (1e300, -1e300))
        assert (up.verdict, down.verdict) == (Verdict.REGRESSED, Verdict.IMPROVED)
        assert up.p_value == down.p_value == 0.0
        assert compare([1e300, -1e300], [1.0, -1.0] * 4).verdict is Verdict.UNCHANGED


class TestWithoutTest:
    """A series without a test has a separate verdict with null figures."""

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


class TestMeans:
    """The geometric mean of the ratios of the benchmarks that both sides have, by suite, metric and direction."""

    @staticmethod
    def compared(old: float | None, new: float | None, **names: object) -> Comparison:
        about = Series(**names)  # type: ignore[arg-type]
        return Comparison(
            series=about,
            verdict=Verdict.UNCHANGED,
            n_baseline=5,
            n_candidate=1,
            baseline_value=old,
            candidate_value=new,
        )

    def test_the_mean_of_ratios_with_those_that_lack_a_side(self) -> None:
        pairs = [
            (100.0, 200.0),
            (100.0, 50.0),
            (10.0, 20.0),
            (1.0, None),
            (None, 1.0),
            (None, 2.0),
            (0.0, 1.0),
            (None, None),
        ]
        (one,) = means([self.compared(old, new) for old, new in pairs])
        assert one.effect == pytest.approx(2 ** (1 / 3) - 1)
        assert (one.benchmarks, one.missing, one.new, one.not_positive) == (3, 1, 2, 1)
        logs = np.log([2.0, 0.5, 2.0])
        interval = stats.t.interval(0.99, 2, logs.mean(), stats.sem(logs))
        assert [one.low, one.high] == pytest.approx(np.expm1(interval).tolist())

    def test_extreme_ratios(self) -> None:
        (one,) = means([self.compared(1e-300, 1e300), self.compared(1e300, 1e-300), self.compared(1e-300, 1e300)])
        assert one.effect is not None
        assert one.high is not None
        assert one.high > one.effect > 1e100

    def test_swapping_the_sides_inverts_it(self) -> None:
        pairs = [(3.0, 4.0), (5.0, 2.0), (7.0, 9.0)]
        (one,), (other,) = (
            means([self.compared(*side) for side in sides]) for sides in (pairs, [p[::-1] for p in pairs])
        )
        assert one.effect is not None
        assert other.effect is not None
        assert (1 + one.effect) * (1 + other.effect) == pytest.approx(1.0)

    def test_a_group_for_each_suite_metric_and_direction(self) -> None:
        found = means(
            [
                self.compared(1.0, 2.0, suite="b"),
                self.compared(1.0, 3.0, suite="a", metric="rate", direction=Direction.HIGHER),
                self.compared(1.0, 4.0, suite="a"),
                self.compared(None, 4.0, suite="c"),
            ]
        )
        assert [(m.suite, m.metric, m.direction, m.effect and round(m.effect), m.low) for m in found] == [
            ("a", "rate", "higher", 2, None),
            ("a", "time", "lower", 3, None),
            ("b", "time", "lower", 1, None),
            ("c", "time", "lower", None, None),
        ]
