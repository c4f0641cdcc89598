"""Which runs of a history are its level."""

from __future__ import annotations

import numpy as np
import pytest

from bench_db.analysis.level import accepted, at_end, established, fresh_runs, large
from bench_db.model import Finding, State
from bench_db.rules import RULES


@pytest.mark.parametrize(
    ("points", "changes", "established_runs", "runs_at_end"),
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
def test_the_newest_20_runs_of_a_level_of_7(
    points: int, changes: list[int], established_runs: tuple[int, int], runs_at_end: tuple[int, int]
) -> None:
    assert established(points, changes) == slice(*established_runs)
    assert at_end(points, changes) == slice(*runs_at_end)


@pytest.mark.parametrize(
    ("points", "changes", "settled", "established_runs", "runs_at_end"),
    [
        (30, [27], [27], (27, 30), (27, 30)),
        (30, [26], [27], (27, 30), (27, 30)),
        (30, [15, 27], [15], (15, 27), (15, 30)),
        (30, [20, 26], [20], (20, 26), (20, 30)),
        (40, [30], [12], (30, 40), (30, 40)),
        (40, [36], [12, 20], (20, 36), (20, 40)),
    ],
)
def test_an_accepted_level_counts_however_young(
    points: int, changes: list[int], settled: list[int], established_runs: tuple[int, int], runs_at_end: tuple[int, int]
) -> None:
    assert established(points, changes, settled) == slice(*established_runs)
    assert at_end(points, changes, settled) == slice(*runs_at_end)


def finding(commit: str | None, state: State) -> Finding:
    return Finding(
        id="1", series_key=7, commit=commit, index=3, effect=0.1, low=0.0, high=0.2, p_value=0.0, provisional=False,
        state=state, at=0,
    )  # fmt: skip


def test_accepted_are_the_blessed_and_the_ignored() -> None:
    commits = {State.OPEN: "a", State.BLESSED: "b", State.IGNORED: "c", State.FIXED: "d", State.REOPENED: "e"}
    found = [finding(commit, state) for state, commit in commits.items()]
    assert accepted([*found, finding(None, State.BLESSED)]) == {7: {"b", "c"}}


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([], []),
        ([0.02, -0.5], [0, 1]),
        ([0.005, 0.004], []),
        ([0.006, 0.006], [0, 1]),  # together 1.2 %
        ([0.006, -0.006, 0.006], []),
        ([0.008, 0.008, 0.008, 0.008, 0.008], [0, 1, 2, 3]),  # two pairs; the last one waits
        ([0.005, 0.3, 0.006], [1]),  # what is before a large change is no part of it
        ([-0.006, -0.006], [0, 1]),
    ],
)
def test_small_changes_count_together(effects: list[float], expected: list[int]) -> None:
    assert large(effects, [0.01] * len(effects)) == expected


def noisy(seed: int, runs: int, spread: float = 0.01) -> list[float]:
    return [float(x) for x in 100.0 * np.exp(np.random.default_rng(seed).normal(0.0, spread, runs))]


class TestFreshRuns:
    """They are those since the step, as long as they are too few for a level."""

    @pytest.mark.parametrize("factor", [1.3, 0.7, 750.0])
    @pytest.mark.parametrize("slow", range(RULES.level_runs))
    def test_as_many_as_follow_the_step(self, factor: float, slow: int) -> None:
        runs = [*noisy(1, 12), *(factor * x for x in noisy(2, slow))]
        assert fresh_runs([factor * 100.0], runs) == slow

    def test_a_step_of_a_level_is_no_fresh_one(self) -> None:
        runs = [*noisy(1, 12), *(1.3 * x for x in noisy(2, RULES.level_runs))]
        assert fresh_runs([130.0], runs) == 0

    def test_enough_runs_remain_for_a_baseline(self) -> None:
        assert fresh_runs([130.0], [*noisy(1, RULES.baseline_runs), 130.0]) == 1
        assert fresh_runs([130.0], [*noisy(1, RULES.baseline_runs - 1), 130.0]) == 0

    def test_a_spike_before_an_unchanged_candidate(self) -> None:
        assert fresh_runs([100.0], [*noisy(1, 12), 130.0]) == 0

    def test_a_change_the_other_way(self) -> None:
        assert fresh_runs([70.0], [*noisy(1, 12), 130.0]) == 0

    def test_an_earlier_run_as_slow_is_a_mode_of_the_noisy(self) -> None:
        assert fresh_runs([130.0], [*noisy(1, 6), 131.0, *noisy(2, 6), 130.0]) == 0

    def test_the_threshold_of_the_series(self) -> None:
        assert fresh_runs([101.0], [*[100.0] * 7, 101.0]) == 0
        assert fresh_runs([101.0], [*[100.0] * 7, 101.0], minimum_effect=0.005) == 1
        assert fresh_runs([101.0], [*[100.0] * 7, 101.0], minimum_effect=0.0, minimum_difference=2.0) == 0

    def test_chance(self) -> None:
        found = sum(fresh_runs([noisy(seed, 1)[0]], noisy(1000 + seed, 20)) > 0 for seed in range(1000))
        assert found <= 5
