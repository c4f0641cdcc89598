"""The newest runs of a level that show the change of the candidate already."""

from __future__ import annotations

import numpy as np
import pytest

from bench_db.analysis.fresh_level import fresh_runs
from bench_db.rules import RULES


def level(seed: int, runs: int, spread: float = 0.01) -> list[float]:
    return [float(x) for x in 100.0 * np.exp(np.random.default_rng(seed).normal(0.0, spread, runs))]


class TestFreshRuns:
    """They are those since the step, as long as they are too few for a level."""

    @pytest.mark.parametrize("factor", [1.3, 0.7, 750.0])
    @pytest.mark.parametrize("slow", range(RULES.level_runs))
    def test_as_many_as_follow_the_step(self, factor: float, slow: int) -> None:
        runs = [*level(1, 12), *(factor * x for x in level(2, slow))]
        assert fresh_runs([factor * 100.0], runs) == slow

    def test_a_step_of_a_level_is_no_fresh_one(self) -> None:
        runs = [*level(1, 12), *(1.3 * x for x in level(2, RULES.level_runs))]
        assert fresh_runs([130.0], runs) == 0

    def test_enough_runs_remain_for_a_baseline(self) -> None:
        assert fresh_runs([130.0], [*level(1, RULES.baseline_runs), 130.0]) == 1
        assert fresh_runs([130.0], [*level(1, RULES.baseline_runs - 1), 130.0]) == 0

    def test_a_spike_before_an_unchanged_candidate(self) -> None:
        assert fresh_runs([100.0], [*level(1, 12), 130.0]) == 0

    def test_a_change_the_other_way(self) -> None:
        assert fresh_runs([70.0], [*level(1, 12), 130.0]) == 0

    def test_an_earlier_run_as_slow_is_a_mode_of_the_level(self) -> None:
        assert fresh_runs([130.0], [*level(1, 6), 131.0, *level(2, 6), 130.0]) == 0

    def test_the_threshold_of_the_series(self) -> None:
        assert fresh_runs([101.0], [*[100.0] * 7, 101.0]) == 0
        assert fresh_runs([101.0], [*[100.0] * 7, 101.0], minimum_effect=0.005) == 1
        assert fresh_runs([101.0], [*[100.0] * 7, 101.0], minimum_effect=0.0, minimum_difference=2.0) == 0

    def test_chance(self) -> None:
        found = sum(fresh_runs([level(seed, 1)[0]], level(1000 + seed, 20)) > 0 for seed in range(1000))
        assert found <= 5
