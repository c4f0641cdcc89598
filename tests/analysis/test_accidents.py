"""Moves of baselines: which are found, how far they are, and when moves as large happen by themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench_db.analysis.accidents import alike, distance, independent, moves
from bench_db.rules import RULES

QUIET = 100 * np.exp(0.01 * np.random.default_rng(3).standard_normal((40, 20)))


def every(baselines: list[np.ndarray], least: float) -> set[tuple[int, int]]:
    """Return the moves by the distance of each run, one by one."""
    return {
        (number, run)
        for number, values in enumerate(baselines)
        for run, value in enumerate(values.tolist())
        if abs(distance(value, np.delete(values, run).tolist())) >= least
        and abs(value - np.median(values)) >= RULES.minimum_effect * abs(np.median(values))
    }


class TestMoves:
    @pytest.mark.parametrize("least", [1.5, 3.0, 5.0, 50.0])
    @pytest.mark.parametrize("runs", [5, 6, 8, 19, 20])
    def test_all_that_are_so_far_are_found(self, runs: int, least: float) -> None:
        rng = np.random.default_rng(runs)
        noise = rng.standard_t(2, (200, runs))
        baselines = [*(100 * np.exp(0.02 * noise)), *(noise[:50] * 0.02), *QUIET[:, :runs]]
        found = {(move.baseline, move.run) for move in moves(baselines, least)}
        assert found == every(baselines, least)
        assert found or least == 50.0

    def test_baselines_of_several_lengths_keep_their_numbers(self) -> None:
        baselines = [QUIET[0], QUIET[1, :8].copy(), QUIET[2]]
        baselines[1][3] *= 1.5
        assert [(move.baseline, move.run) for move in moves(baselines, 8.0)] == [(1, 3)]

    def test_the_distance_is_signed_and_from_the_other_runs(self) -> None:
        values = QUIET[0].copy()
        values[4] *= 0.5
        (move,) = moves([values], 8.0)
        assert move.distance == distance(float(values[4]), np.delete(values, 4).tolist()) < -8.0

    def test_a_move_below_the_smallest_change_is_none(self) -> None:
        values = 100 * np.exp(1e-4 * np.random.default_rng(3).standard_normal(20))
        values[4] *= 1.019
        assert moves([values], 8.0) == []
        values[4] *= 1.01
        assert len(moves([values], 8.0)) == 1

    def test_a_run_beside_constant_ones_is_beyond_any_distance(self) -> None:
        (move,) = moves([np.array([5.0] * 9 + [6.0])], math.inf)
        assert (move.run, move.distance) == (9, math.inf)
        assert moves([np.full(10, 5.0)], 1.0) == []


class TestAlike:
    def test_moves_of_two_benchmarks_at_two_runs_are_usual(self) -> None:
        found = alike([(30.0, "a", "r1"), (20.0, "b", "r2"), (10.0, "c", "r3")], [9.0])
        assert (found.usual, found.distances) == (20.0, [10.0, 20.0, 30.0])
        assert [found.count(size) for size in (20.0, 20.1, 10.0, 31.0)] == [2, 1, 3, 0]

    @pytest.mark.parametrize("found", [[(30.0, "a", "r1"), (20.0, "a", "r2")], [(30.0, "a", "r1"), (20.0, "b", "r1")]])
    def test_those_of_one_benchmark_or_one_run_are_not(self, found: list[tuple[float, str, str]]) -> None:
        assert alike(found, [10.0]).usual == 0.0

    def test_more_series_than_that_together_are_no_accident(self) -> None:
        moved = [(30.0, "a", "r1"), (20.0, "b", "r2")]
        assert alike(moved, [10.0, 12.0]).usual == 20.0
        assert 9.0 < alike(moved, [10.0, 12.0, 15.0]).usual < 10.0
        assert alike(moved, [9.0, 10.0, 12.0]).usual < 9.0

    def test_without_moves_nothing_is_usual(self) -> None:
        assert alike([], [1.0]).usual == 0.0


class TestIndependent:
    """Moves are counted without those of the benchmark or of the run that made most of them."""

    @pytest.mark.parametrize(
        ("found", "count"),
        [
            ([], 0),
            ([(5.0, "a", 1)], 0),
            ([(5.0, "a", 1), (5.0, "b", 2)], 1),
            ([(5.0, "a", 1), (5.0, "b", 2), (4.9, "c", 3)], 1),
            ([(5.0, "a", 1), (5.0, "a", 2), (5.0, "a", 3), (9.0, "b", 3)], 1),
            ([(5.0, "a", 1), (5.0, "b", 1), (5.0, "c", 1), (9.0, "c", 3)], 1),
        ],
    )
    def test_without_the_most(self, found: list[tuple[float, str, int]], count: int) -> None:
        assert independent(found, 5.0) == count
