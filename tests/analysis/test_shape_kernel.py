"""The kernel of changes of spread and modes: its parts against textbook formulas, and its two forms against one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db.analysis.constants import SHAPE
from bench_db.analysis.shape_kernel import (
    COLUMNS,
    MODES,
    SPREAD,
    all_shapes,
    best_split,
    chance,
    inflated,
    is_mixed,
    is_other_noise,
    scored,
    two_modes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]


def noise(seed: int, n: int, sigma: float = 0.01) -> Array:
    drawn: Array = np.random.default_rng(seed).normal(0, sigma, n)
    return drawn


def mixed(seed: int, shares: Sequence[tuple[int, float]], apart: float = 0.1) -> Array:
    """Return values of two modes; each part has so many points, of which this share is slow."""
    rng = np.random.default_rng(seed)
    slow = np.concatenate([rng.random(n) < share for n, share in shares])
    values: Array = 100 * np.exp(noise(seed, len(slow)) + np.log1p(apart) * slow)
    return values


def shapes(values: Array, *levels: int) -> list[tuple[float, int, float, float]]:
    """Return kind, index, before and after of each change of one series with these changes of level."""
    offsets, counts = np.array([0, len(values)]), np.array([len(levels)])
    per_series, index, figures = all_shapes.plain(values, offsets, counts, np.array(levels, np.int64), SHAPE)
    assert per_series.tolist() == [len(index)]
    return [
        (kind, int(at), before, after)
        for at, (kind, before, after, _) in zip(index, figures.reshape(-1, COLUMNS).tolist(), strict=True)
    ]


class TestChance:
    """The formula bounds the share of series without a change whose best split is that far apart; it has no correction for steps in time."""

    @pytest.mark.parametrize("z", [2.5, 3.0, 3.5])
    def test_of_normal_scores(self, z: float) -> None:
        rng = np.random.default_rng(1)
        found = np.array([best_split(rng.normal(0, 1, 100), 0, 100, 10)[1] for _ in range(2000)])
        assert chance(z, 100, 10) / 3 < np.mean(found >= z) < 1.1 * chance(z, 100, 10)

    def test_falls_with_distance(self) -> None:
        assert chance(0.5, 100, 10) == 1.0
        assert 1.0 > chance(3.0, 100, 10) > chance(4.0, 100, 10) > 0.0


class TestBestSplit:
    """Of all splits with enough scores on both sides the one of means most standard errors apart."""

    def test_textbook(self) -> None:
        score = noise(2, 60)
        score[40:] += 0.02
        far = [
            abs(score[:k].mean() - score[k:].mean()) / (score.std() * np.sqrt(1 / k + 1 / (60 - k)))
            for k in range(10, 51)
        ]
        at, z = best_split(score, 0, 60, 10)
        assert at == 10 + int(np.argmax(far))
        assert z == pytest.approx(max(far))

    def test_equal_scores_have_none(self) -> None:
        assert best_split(np.zeros(60), 0, 60, 10) == (0, 0.0)


class TestScored:
    """A score is the place among the quartiles, so one huge jump counts as any large one."""

    def test_outliers(self) -> None:
        jumps, score = np.arange(1.0, 41.0), np.empty(40)
        variance = scored(jumps, 40, np.empty(40), score)
        other = np.empty(40)
        assert scored(np.append(jumps[:-1], 1e9), 40, np.empty(40), other) == pytest.approx(variance)
        assert score == pytest.approx(other)
        assert score.mean() == pytest.approx(0.0)

    def test_equal_jumps_have_no_spread(self) -> None:
        assert scored(np.zeros(20), 20, np.empty(20), np.empty(20)) == 0.0


class TestInflated:
    """Scores that follow one another alike need more evidence."""

    def test_autocorrelation(self) -> None:
        alone = noise(3, 200)
        sticky = np.repeat(noise(4, 50), 4)
        assert inflated(alone, 0, 100, 200, SHAPE) < 1.5 < inflated(sticky, 0, 100, 200, SHAPE)


class TestTwoModes:
    """Two modes are far apart for their width; a tail is no mode."""

    def test_border(self) -> None:
        border, apart = two_modes(np.log(mixed(5, [(100, 0.3)])), 0, 100, SHAPE.gap, np.empty(100), SHAPE)
        assert apart == pytest.approx(0.095, abs=0.01)
        assert np.log(102) < border < np.log(108)

    @pytest.mark.parametrize("seed", range(5))
    def test_one_mode(self, seed: int) -> None:
        tail = 0.01 * np.random.default_rng(seed).standard_t(2.5, 100)
        for y in (noise(seed, 100), tail):
            assert two_modes(y, 0, 100, SHAPE.gap, np.empty(100), SHAPE) == (0.0, 0.0)

    def test_less_than_the_smallest_change(self) -> None:
        y = np.tile([0.0, 0.0, 0.005], 20) + noise(1, 60, 1e-5)
        assert two_modes(y, 0, 60, SHAPE.gap, np.empty(60), SHAPE) == (0.0, 0.0)


class TestIsMixed:
    """Slow runs that follow one another in a block are a level, and not a share."""

    def test_blocks(self) -> None:
        assert is_mixed(np.tile([0.0, 1.0, 0.0], 10), 0, 30, 0.5, SHAPE)
        assert not is_mixed(np.repeat([0.0, 1.0], 15), 0, 30, 0.5, SHAPE)
        assert not is_mixed(np.repeat([0.0, 1.0], [29, 1]), 0, 30, 0.5, SHAPE)


class TestIsOtherNoise:
    """Noise that follows its level, or is below what the clock shows, is no other noise."""

    @pytest.mark.parametrize(
        ("before", "after", "moved", "finest", "other"),
        [
            (0.01, 0.04, 0.0, 0.0, True),
            (0.04, 0.01, 0.0, 0.0, True),
            (0.01, 0.012, 0.0, 0.0, False),
            (0.001, 0.004, 0.0, 0.0, False),
            (0.01, 0.02, -0.7, 0.0, False),  # half the level with the same noise in seconds
            (0.02, 0.01, 0.7, 0.0, False),
            (0.01, 0.04, 0.0, 0.05, False),
            (0.0, 0.03, 0.0, 0.01, True),
        ],
    )
    def test_cases(self, before: float, after: float, moved: float, finest: float, other: bool) -> None:  # noqa: FBT001
        assert is_other_noise(before, after, moved, finest, SHAPE) is other


class TestAllShapes:
    """Each change of spread or modes is named for what it is, with what was before and is after it."""

    @pytest.mark.parametrize(("first", "second"), [(0.01, 0.04), (0.04, 0.01)])
    def test_spread(self, first: float, second: float) -> None:
        values = 100 * np.exp(np.concatenate([noise(6, 100, first), noise(7, 100, second)]))
        ((kind, at, before, after),) = shapes(values)
        assert kind == SPREAD
        assert abs(at - 100) <= 10
        assert before == pytest.approx(first, rel=0.3)
        assert after == pytest.approx(second, rel=0.3)

    def test_share_within_a_level(self) -> None:
        ((kind, at, before, after),) = shapes(mixed(8, [(100, 0.1), (100, 0.45)]))
        assert kind == MODES
        assert abs(at - 100) <= 10
        assert before < 0.25
        assert after > 0.3

    def test_share_at_a_change_of_level(self) -> None:
        ((kind, at, before, after),) = shapes(mixed(9, [(100, 0.1), (100, 0.7)]), 100)
        assert (kind, at) == (MODES, 100)
        assert before < 0.25
        assert after > 0.55

    @pytest.mark.parametrize("newest", range(5, 15))
    def test_a_change_newer_than_the_fewest_points_names_no_earlier_point(self, newest: int) -> None:
        calm, wild = noise(6, 100), noise(7, newest, 0.06)
        assert shapes(100 * np.exp(np.concatenate([calm, wild]))) == []
        assert shapes(mixed(8, [(100, 0.1), (newest, 0.95)])) == []

    def test_a_step_of_both_modes_is_none(self) -> None:
        values = mixed(10, [(200, 0.3)], 0.5)
        values[100:] *= 1.2
        assert shapes(values, 100) == []

    def test_a_plain_step_is_none(self) -> None:
        assert shapes(mixed(11, [(100, 0.0), (100, 1.0)]), 100) == []

    def test_ticks_of_a_clock_are_no_modes(self) -> None:
        drift = np.concatenate([np.full(100, 10.1), np.full(100, 10.45)])
        assert shapes(np.round(drift + 30 * noise(13, 200))) == []

    @pytest.mark.parametrize("values", [np.zeros(0), np.ones(15), np.full(100, 7.0), np.full(100, np.nan)])
    def test_nothing_to_see(self, values: Array) -> None:
        assert shapes(values) == []

    def test_runs_without_a_result_keep_their_place(self) -> None:
        values = 100 * np.exp(np.concatenate([noise(6, 100), noise(7, 100, 0.04)]))
        holes = np.insert(values, [20, 50, 150], np.nan)
        ((_, at, *_),), ((_, moved, *_),) = shapes(values), shapes(holes)
        assert moved == at + 2

    def test_both_forms_agree(self) -> None:
        parts = [mixed(12, [(60, 0.1), (60, 0.5)]), 100 * np.exp(np.concatenate([noise(1, 60), noise(2, 60, 0.05)]))]
        values, offsets = np.concatenate(parts), np.array([0, 120, 240])
        given = (values, offsets, np.array([0, 0]), np.empty(0, np.int64), SHAPE)
        plain, machine = all_shapes.plain(*given), all_shapes.machine(*given)
        assert len(plain[1]) > 0
        for one, other in zip(plain, machine, strict=True):
            assert one == pytest.approx(other, rel=1e-12)
