"""The methods of lance-bench against textbook formulas."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench_db.analysis.seed_methods import NEWEST_RUNS, RECENT_RUNS, lance_bench_ttest, lance_bench_z
from bench_db.model import Verdict
from bench_db.rules import RULES
from bench_db.units import Direction

OLD = [100.0, 101.0, 99.0, 100.5, 99.5, 100.0]
sizes = st.lists(st.floats(50, 150), min_size=RECENT_RUNS + 2, max_size=20)


class TestTTest:
    """The t-test compares the last four runs with all older ones, and the direction decides the verdict."""

    def test_hand_computed(self) -> None:
        new = [110.0, 111.0, 109.0, 110.0]
        compared = lance_bench_ttest([*OLD, *new])
        pooled = math.sqrt((stdev(OLD) ** 2 * 5 + stdev(new) ** 2 * 3) / 8)
        t = (fmean(new) - fmean(OLD)) / (pooled * math.sqrt(1 / 6 + 1 / 4))
        assert t > 15
        assert compared.p_value is not None
        assert compared.p_value < 1e-6
        assert compared.effect == pytest.approx(0.1)
        assert (compared.verdict, compared.n_baseline, compared.n_candidate) == (Verdict.REGRESSED, 6, 4)

    @given(values=sizes)
    def test_the_opposite_direction_swaps_the_verdict(self, values: list[float]) -> None:
        lower, higher = (lance_bench_ttest(values, d).verdict for d in (Direction.LOWER, Direction.HIGHER))
        swapped = {Verdict.REGRESSED: Verdict.IMPROVED, Verdict.IMPROVED: Verdict.REGRESSED}
        assert swapped.get(lower, lower) is higher

    @given(values=sizes, hole=st.integers(0, 30))
    def test_a_failed_run_does_not_count(self, values: list[float], hole: int) -> None:
        holed = values.copy()
        holed.insert(hole % (len(values) + 1), math.nan)
        assert lance_bench_ttest(holed) == lance_bench_ttest(values)

    def test_too_few_runs(self) -> None:
        assert lance_bench_ttest([1.0] * (RECENT_RUNS + 1)).verdict is Verdict.INSUFFICIENT
        assert lance_bench_ttest([1.0] * (RECENT_RUNS + 2)).verdict is Verdict.UNCHANGED

    def test_without_variance_any_difference_is_certain(self) -> None:
        compared = lance_bench_ttest([5.0] * 6 + [6.0] * RECENT_RUNS)
        assert (compared.verdict, compared.p_value) == (Verdict.REGRESSED, 0.0)

    def test_below_the_minimum_effect_nothing_changed(self) -> None:
        step = 1 + RULES.minimum_effect / 2
        assert lance_bench_ttest([5.0] * 6 + [5.0 * step] * RECENT_RUNS).verdict is Verdict.UNCHANGED


class TestZ:
    """A run is compared by its z with the newest twenty others."""

    @given(candidate=st.floats(50, 150), history=st.lists(st.floats(50, 150), min_size=5, max_size=20))
    def test_significant_beyond_two_standard_deviations(self, candidate: float, history: list[float]) -> None:
        assume(len(set(history)) > 1)
        z = (candidate - fmean(history)) / stdev(history)
        assume(abs(abs(z) - 2) > 1e-6)
        effect = (candidate - fmean(history)) / fmean(history)
        assume(abs(abs(effect) - RULES.minimum_effect) > 1e-9)
        compared = lance_bench_z(candidate, history)
        assert compared.significant is (abs(z) > 2 and abs(effect) >= RULES.minimum_effect)
        assert compared.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))

    def test_older_runs_do_not_count(self) -> None:
        newest = [100.0 + i % 3 for i in range(NEWEST_RUNS)]
        assert lance_bench_z(104.0, [1e9] * 5 + newest) == lance_bench_z(104.0, newest)

    @pytest.mark.parametrize(
        ("candidate", "history", "verdict"),
        [
            (math.nan, OLD, Verdict.MISSING),
            (1.0, [], Verdict.NEW),
            (1.0, OLD[: RULES.baseline_runs - 1], Verdict.INSUFFICIENT),
            (90.0, OLD, Verdict.IMPROVED),
            (110.0, OLD, Verdict.REGRESSED),
        ],
    )
    def test_verdicts(self, candidate: float, history: list[float], verdict: Verdict) -> None:
        assert lance_bench_z(candidate, history).verdict is verdict

    def test_a_number_without_direction_never_regresses(self) -> None:
        assert lance_bench_z(110.0, OLD, Direction.INFO).verdict is Verdict.UNCHANGED
