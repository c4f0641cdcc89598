"""The choice among partitionings by least squares, and the parts that join the branches of the detector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.constants import Constants
from bench_db.analysis.detect_kernel import (
    COLUMNS,
    EFFECT,
    HIGH,
    LOW,
    P_VALUE,
    all_changes,
    criterion,
    enlarged,
    finite,
    merged,
    relative,
    relocate,
    squares_bounds,
    united,
)
from bench_db.analysis.noise_kernel import about_means, about_medians, autoregressive_inflation, inflation
from bench_db.analysis.partition_kernel import candidates, least_squares, weighted_sums

Array = np.ndarray[Any, Any]
positions = st.sets(st.integers(1, 99), max_size=8).map(sorted)


SIGMA = 0.01


def sticky(seed: int, n: int, rho: float) -> Array:
    """Return a first-order autoregression whose innovations have the standard deviation SIGMA."""
    y = np.random.default_rng(seed).normal(0, SIGMA, n)
    for i in range(1, n):
        y[i] += rho * y[i - 1]
    return y


class TestCriterion:
    """The criterion is n log of the variance after the autoregression, and log n for each step."""

    @given(seed=st.integers(0, 999), n=st.integers(20, 90), rho=st.floats(-0.9, 0.9), steps=st.integers(0, 9))
    def test_textbook(self, seed: int, n: int, rho: float, steps: int) -> None:
        residual, c = sticky(seed, n, rho), Constants()
        scale = np.random.default_rng(seed).uniform(0.005, 0.02, n)
        z = residual / scale
        fitted = np.clip((z[1:] * z[:-1]).sum() / (z * z).sum(), 0, 0.95)
        left = z - fitted * np.concatenate([[0], z[:-1]])
        expected = n * math.log((left**2).mean()) + c.step_weight * steps * math.log(n)
        assert criterion(residual, scale, steps, c) == pytest.approx(expected)

    def test_residuals_of_rounding_are_none(self) -> None:
        c, scale = Constants(), np.full(30, 1.0)
        assert criterion(np.zeros(30), scale, 2, c) == criterion(np.full(30, 1e-9), scale, 2, c)


class TestSquaresBounds:
    """Of partitionings from many steps to few, the one of least criterion is chosen, and the inflation is that about it."""

    @given(seed=st.integers(0, 999), rho=st.sampled_from([0.0, 0.5, 0.9]), step=st.sampled_from([0.0, 0.02, 0.05]))
    def test_least_of_the_ladder(self, seed: int, rho: float, step: float) -> None:
        n, c = 120, Constants()
        y = sticky(seed, n, rho) + step * np.repeat([0, 1, 2, 0], 30)
        scale, places = np.full(n, SIGMA), np.empty(n + 2, np.int64)
        count = candidates(y, scale, c.candidate, c, places)
        ladder, sums = [], weighted_sums(y, scale, places, count)
        for rung in (1.3, 1.3 * 1.6, 1.3 * 1.6**2):
            tried, residual = np.empty(n + 2, np.int64), np.empty(n)
            kept = least_squares(sums, places, count, c.squares_penalty * math.log(n) * rung**2, tried)
            about_means(y, scale, tried, kept, residual)
            ladder.append((criterion(residual, scale, kept - 2, c), tried[:kept].tolist()))
        bounds, factor = self.of(y, scale, c)
        assert bounds == min(ladder)[1]
        residual = np.empty(n)
        about_medians(y, np.array(bounds), len(bounds), residual)
        assert factor == inflation(residual, scale, c)

    def test_a_staircase_is_no_autocorrelation(self) -> None:
        for seed in range(20):
            y = sticky(seed, 160, 0.0) + np.repeat([0.0, 0.1, 0.2, 0.1, 0.3, 0.2, 0.1, 0.0], 20)
            bounds, factor = self.of(y, np.full(160, SIGMA), Constants())
            assert bounds == list(range(0, 161, 20))
            assert factor < 0.7 * Constants().inflation_most

    def test_autocorrelation_is_no_staircase(self) -> None:
        chosen = of_first = 0
        for seed in range(20):
            y, scale = sticky(seed, 200, 0.9), np.full(200, SIGMA)
            bounds, factor = self.of(y, scale, Constants())
            first, factor_of_first = self.of(y, scale, Constants(rungs=1))
            chosen, of_first = chosen + len(bounds) - 2, of_first + len(first) - 2
            assert factor >= factor_of_first - 0.5
        assert chosen < of_first / 2

    def test_autoregressive(self) -> None:
        y, scale = sticky(3, 80, 0.5), np.full(80, SIGMA)
        bounds, factor = self.of(y, scale, Constants(autoregressive=True, inflation_most=99.0))
        residual = np.empty(80)
        about_means(y, scale, np.array(bounds), len(bounds), residual)
        assert factor == autoregressive_inflation(residual, scale, len(bounds) - 1, Constants())
        assert factor > self.of(y, scale, Constants())[1]
        assert self.of(y, scale, Constants(autoregressive=True, inflation_most=1.1))[1] == 1.1

    @staticmethod
    def of(y: Array, scale: Array, c: Constants) -> tuple[list[int], float]:
        places, bounds = np.empty(len(y) + 2, np.int64), np.empty(len(y) + 2, np.int64)
        count = candidates(y, scale, c.candidate, c, places)
        kept, factor = squares_bounds(y, scale, places, count, c, bounds)
        return bounds[:kept].tolist(), factor


class TestUnited:
    """All positions of the first branch stay, and those of the second that are far from each of them."""

    @given(left=positions, right=positions, apart=st.integers(1, 9))
    def test_union(self, left: list[int], right: list[int], apart: int) -> None:
        out = np.empty(len(left) + len(right) + 4, np.int64)
        a, b = (np.array([0, *part, 100]) for part in (left, right))
        count = united(a, len(a), b, len(b), apart, out)
        far = [r for r in right if all(abs(r - x) >= apart for x in left)]
        assert out[:count].tolist() == [0, *sorted([*left, *far]), 100]


class TestMerged:
    """Two steps close to each other become one where outliers alone separate them; a level between them stays."""

    @pytest.mark.parametrize(
        ("between", "bounds", "kept"),
        [
            ([9, 9, 9, -9, -9, -9], [40, 46], [40]),  # outliers against the step, soon after it
            ([0, 0, -9, -9, -9, 9], [40, 46], [42]),  # before it
            ([5, 5, 5, 5, 5, 5], [40, 46], [40, 46]),  # a staircase
            ([20, 20, 20, 20, 20], [40, 45], [40, 45]),  # an excursion, above both sides
            ([9] * 9, [40, 49], [40, 49]),  # further apart than a step is moved
        ],
    )
    def test_of_two(self, between: list[int], bounds: list[int], kept: list[int]) -> None:
        raw = np.array([0.0] * 40 + between + [10.0] * 40)
        ends = np.array([0, *bounds, len(raw)])
        count = merged(raw, np.ones(len(raw)), ends, len(ends), Constants())
        assert ends[: count - 1].tolist() == [0, *kept]
        assert ends[count - 1] == len(raw)

    def test_each_pair_of_a_chain(self) -> None:
        raw = np.repeat([0.0, 10.0, 20.0], 40)
        raw[42:45], raw[82:85] = -9.0, 9.0
        ends = np.array([0, 40, 45, 80, 85, 120])
        count = merged(raw, np.ones(120), ends, 6, Constants())
        assert ends[:count].tolist() == [0, 40, 80, 120]


class TestRelocate:
    """A step moves to where it explains the raw values: from 3 noise scales on, and from 2 beside two outliers."""

    @pytest.mark.parametrize(
        ("step", "outliers", "at"), [(5.0, 0, 40), (2.5, 0, 46), (2.5, 1, 46), (2.5, 2, 40), (1.5, 3, 46)]
    )
    def test_where(self, step: float, outliers: int, at: int) -> None:
        raw = np.repeat([0.0, step], 40)
        raw[43 : 43 + outliers] = -9.0
        bounds = np.array([0, 46, 80])
        relocate(raw, np.ones(80), bounds, 3, Constants())
        assert bounds.tolist() == [0, at, 80]


class TestRelative:
    """The effect is relative to the level before, to the level after when that is 0, and exact on the log scale."""

    @pytest.mark.parametrize(
        ("step", "before", "after", "logarithmic", "effect"),
        [
            (math.log(1.5), 0.0, 0.0, True, 0.5),
            (1.0, 4.0, 5.0, False, 0.25),
            (-1.0, -4.0, -5.0, False, -0.25),
            (2.0, 0.0, 2.0, False, 1.0),
        ],
    )
    def test_effect(self, step: float, before: float, after: float, logarithmic: bool, effect: float) -> None:  # noqa: FBT001
        assert relative(step, before, after, logarithmic) == pytest.approx(effect)


class TestFinite:
    """Finite values keep their order, and their positions lead back to them."""

    @given(values=st.lists(st.floats(), max_size=20))
    def test_positions(self, values: list[float]) -> None:
        x, where = np.empty(len(values)), np.empty(len(values), np.int64)
        count = finite(np.array(values, dtype=np.float64), x, where)
        assert where[:count].tolist() == [i for i, value in enumerate(values) if math.isfinite(value)]
        assert x[:count].tolist() == [value for value in values if math.isfinite(value)]


class TestAllChanges:
    """Each change has its series, its index among all points, and an interval about its effect."""

    def test_two_series(self) -> None:
        stepped = np.concatenate([np.full(20, 2.0), [math.nan], np.full(20, 3.0)])
        values = np.concatenate([stepped, np.full(30, 7.0), stepped])
        per_series, points, index, figures = all_changes(values, np.array([0, 41, 71, 112]), Constants())
        assert per_series.tolist() == [1, 0, 1]
        assert points.tolist() == [40, 30, 40]
        assert index.tolist() == [21, 21]
        figures = figures.reshape(-1, COLUMNS)
        np.testing.assert_allclose(figures[:, EFFECT], 0.5)
        assert (figures[:, LOW] <= figures[:, EFFECT]).all()
        assert (figures[:, EFFECT] <= figures[:, HIGH]).all()
        assert ((figures[:, P_VALUE] >= 0) & (figures[:, P_VALUE] < 1e-6)).all()

    def test_a_short_side_widens_the_interval(self) -> None:
        values, offsets = np.repeat([2.0, 3.0], [40, 10]), np.array([0, 50])
        plain, doubted = (all_changes(values, offsets, Constants(short_side=s))[3] for s in (0.0, 8.0))
        assert doubted[EFFECT] == plain[EFFECT]
        widths = [math.log1p(row[HIGH]) - math.log1p(row[LOW]) for row in (plain, doubted)]
        assert widths[1] / widths[0] == pytest.approx(1 + 8 * (1 / 40 + 1 / 10))

    def test_each_branch_finds_what_is_its_own(self) -> None:
        rng = np.random.default_rng(4)
        two_modes = np.where(rng.random(200) < 0.5, 1520.0, 965.0) * np.exp(rng.normal(0, 0.01, 200))
        two_modes[100:] *= 1.2
        stepped = 100 * np.exp(rng.normal(0, 0.01, 200) + np.repeat([0.0, 0.02], 100))
        of_pairs = Constants(squares=False, fourier_alpha=0.0)
        of_squares = Constants(fourier_alpha=0.0, pairs_alpha=0.0)
        of_fourier = Constants(squares=False, pairs_alpha=0.0)
        for values, constants, at in (
            (two_modes, of_pairs, 100),
            (stepped, of_squares, 100),
            (stepped, of_fourier, 100),
        ):
            (index,) = all_changes(values, np.array([0, 200]), constants)[2]
            assert abs(index - at) <= 5
        none = Constants(squares=False, fourier_alpha=0.0, pairs_alpha=0.0)
        assert all_changes(stepped, np.array([0, 200]), none)[2].tolist() == []

    def test_more_changes_than_the_first_room(self) -> None:
        values = np.tile(np.repeat([2.0, 3.0], 10), 200)
        per_series, _, index, figures = all_changes(values, np.arange(0, len(values) + 1, 20), Constants())
        assert per_series.tolist() == [1] * 200
        assert index.tolist() == [10] * 200
        np.testing.assert_allclose(figures[EFFECT::COLUMNS], 0.5)


class TestEnlarged:
    """The larger arrays begin with the filled part of the smaller ones."""

    def test_copies(self) -> None:
        found, figures = np.arange(4), np.arange(4.0 * COLUMNS)
        more, more_figures = enlarged(found, figures, 3, 9)
        assert (len(more), len(more_figures)) == (9, 9 * COLUMNS)
        assert more[:3].tolist() == [0, 1, 2]
        assert more_figures[: 3 * COLUMNS].tolist() == figures[: 3 * COLUMNS].tolist()
