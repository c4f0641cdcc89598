"""The series that a step of a suite moved, in histories that are too short for the test of each one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench_db.analysis.scan import Scan, scan
from bench_db.analysis.suite_members import MOST_RUNS, Member, members
from bench_db.model import Movement
from bench_db.query.thresholds import Threshold

Array = np.ndarray[Any, Any]
SERIES, STILL = 20, 4


def suite(seed: int, runs: int, steps: dict[int, float], movement: float = 0.01) -> Array:
    """Return log values, a row a series; the last `STILL` series do not follow the steps."""
    random = np.random.default_rng(seed)
    logs = random.normal(5.0, 0.01, (SERIES, runs)) + random.normal(0.0, movement, runs)
    for run, share in steps.items():
        logs[:-STILL, run:] += math.log1p(share)
    return logs


def scanned(logs: Array, **how: Any) -> Scan:
    series, runs = logs.shape
    offsets = np.arange(0, series * runs + 1, runs)
    return scan(np.exp(logs).ravel(), offsets, np.tile(np.arange(runs), series), **how)


class TestShortHistories:
    """What anyone sees in the curves of a young project: scan names the commit and the series."""

    def test_two_steps_of_fourteen_runs(self) -> None:
        found = scanned(suite(1, 14, {5: -0.1, 10: -0.15}))
        assert {f.run for f in found.findings} == {5, 10}
        for run, share in ((5, -0.1), (10, -0.15)):
            moved = [f for f in found.findings if f.run == run]
            assert {f.series for f in moved} == set(range(SERIES - STILL))
            assert all(f.suite_wide and f.change.index == run for f in moved)
            assert [f.change.effect for f in moved] == pytest.approx([share] * len(moved), abs=0.03)
        assert [(m.run, m.lasting) for m in found.movements if m.lasting] == [(10, True), (5, True)]

    @pytest.mark.parametrize("runs", [8, 12, 20])
    def test_runs_that_move_together_are_no_step(self, runs: int) -> None:
        found = [scanned(suite(seed, runs, {}, movement=0.03)) for seed in range(20)]
        assert [len(one.findings) for one in found] == [0] * 20

    def test_a_step_of_four_runs_is_one_and_of_three_is_not_yet(self) -> None:
        assert {f.run for f in scanned(suite(2, 12, {8: 0.2})).findings} == {8}
        assert not scanned(suite(2, 12, {9: 0.2})).findings

    def test_the_newest_runs_are_provisional(self) -> None:
        assert all(f.change.provisional for f in scanned(suite(2, 12, {8: 0.2})).findings)
        assert not any(f.change.provisional for f in scanned(suite(2, 12, {6: 0.2})).findings)

    def test_runs_of_few_series_are_on_their_side_of_a_step(self) -> None:
        logs = suite(7, 20, {8: 0.2})
        logs[5:, 15:] = math.nan
        found = scanned(logs)
        assert {f.run for f in found.findings} == {8}
        assert [f.change.effect for f in found.findings] == pytest.approx([0.2] * len(found.findings), abs=0.04)

    def test_an_absolute_threshold_is_relative_to_the_level_before(self) -> None:
        logs = suite(8, 24, {8: 0.5, 16: 0.2}, movement=0.0)
        logs -= 5.0 - math.log(100.0)
        thresholds = {number: Threshold(absolute=24.0) for number in range(SERIES)}  # 16 % of 150, and 24 % of 100
        assert {f.run for f in scanned(logs, thresholds=thresholds).findings} == {8, 16}

    def test_the_threshold_of_a_series_counts(self) -> None:
        logs = suite(1, 14, {7: -0.1})
        found = scanned(logs, thresholds={3: Threshold(relative=0.2)})
        assert {f.series for f in found.findings} == set(range(SERIES - STILL)) - {3}


class TestMembers:
    """The test of one series at the given run."""

    @staticmethod
    def found(logs: Array, at: int, until: int | None = None) -> list[Member]:
        series, runs = logs.shape
        levels = (np.arange(runs) >= at).astype(np.int64) + (np.arange(runs) >= (until or runs))
        return members(
            [Movement(run=at, effect=0.1, series=series, lasting=True)],
            levels,
            np.exp(logs).ravel(),
            np.arange(0, series * runs + 1, runs),
            np.tile(np.arange(runs), series),
            np.zeros(series, np.int64),
            0.05,
        )

    def at_step(self, logs: Array, at: int) -> list[tuple[int, float, float]]:
        return [(m.series, m.change.effect, m.change.p_value) for m in self.found(logs, at)]

    def test_a_level_of_four_runs_before_another_step_is_not_provisional(self) -> None:
        logs = suite(3, 20, {8: 0.3, 12: 0.3})
        assert {m.change.provisional for m in self.found(logs, 8, until=12)} == {False}
        assert {m.change.provisional for m in self.found(logs[:, :12], 8)} == {True}

    def test_the_statistic_is_that_of_scipy_with_half_the_degrees(self) -> None:
        logs = suite(3, 16, {9: 0.05})
        for number, effect, p_value in self.at_step(logs, 9):
            old, new = logs[number, :9], logs[number, 9:]
            t = stats.ttest_ind(new, old).statistic
            assert p_value == pytest.approx(2 * stats.t.sf(abs(t), 7), rel=1e-6)
            assert effect == pytest.approx(math.expm1(new.mean() - old.mean()))

    def test_runs_without_a_result_and_rounding(self) -> None:
        logs = suite(4, 12, {6: 0.3})
        logs[0, 2:9] = math.nan  # too few on one side
        logs[1] = 5.0  # constant
        logs[2] = 5.0 + np.where(np.arange(12) >= 6, 0.2, 0.0)
        found = {series: (effect, p) for series, effect, p in self.at_step(logs, 6)}
        assert not {0, 1} & set(found)
        assert list(found[2]) == pytest.approx([math.expm1(0.2), 0.0])

    def test_a_count_with_zeros_is_not_tested(self) -> None:
        logs = suite(4, 16, {8: 0.3})
        logs[0] = np.log(5.0)
        logs[0, :5] = -math.inf  # exp: 0
        assert 0 not in {series for series, _, _ in self.at_step(logs, 8)}

    def test_a_step_of_few_series_is_left_to_them(self) -> None:
        logs = suite(6, 30, {})
        logs[:9, 15:] += 0.2
        assert not self.at_step(logs, 15)
        logs[9:11, 15:] += 0.2
        assert self.at_step(logs, 15)

    def test_a_long_history_needs_no_help(self) -> None:
        assert self.at_step(suite(5, MOST_RUNS, {20: 0.3}), 20)
        assert not self.at_step(suite(5, MOST_RUNS + 1, {20: 0.3}), 20)
