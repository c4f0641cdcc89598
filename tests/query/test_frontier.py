from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline, KroghInterpolator

from bench_db.query.frontier import value_at, with_front
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[int, float, float]
# few values, so that points tie in one metric and in both; both zeros
_VALUES = st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0])
_POINTS = st.lists(st.tuples(st.integers(0, 2), _VALUES, _VALUES), max_size=25)
_WAYS = st.sampled_from([Direction.LOWER, Direction.HIGHER])


def _frame(points: Sequence[Point]) -> pl.LazyFrame:
    schema = {"group": pl.UInt32, "x": pl.Float64, "y": pl.Float64}
    return pl.LazyFrame(points, schema, orient="row")


def _front(points: Sequence[Point], x: Direction, y: Direction) -> list[bool]:
    marked: list[bool] = with_front(_frame(points), x=x, y=y).collect()["on_front"].to_list()
    return marked


def _dominates(one: Point, other: Point, x: Direction, y: Direction) -> bool:
    signs = [1 if way is Direction.LOWER else -1 for way in (x, y)]
    costs = [(sign * a, sign * b) for sign, a, b in zip(signs, one[1:], other[1:], strict=True)]
    return one[0] == other[0] and all(a <= b for a, b in costs) and any(a < b for a, b in costs)


class TestFront:
    """A point is on the front of its group exactly when no point of the group dominates it."""

    @settings(max_examples=80, deadline=None)
    @given(_POINTS, _WAYS, _WAYS)
    def test_brute_force(self, points: list[Point], x: Direction, y: Direction) -> None:
        marked = _front(points, x, y)
        assert marked == [not any(_dominates(other, one, x, y) for other in points) for one in points]

    @pytest.mark.parametrize(
        ("x", "y", "wanted"),
        [
            ("lower", "higher", [True, True, False]),
            ("higher", "higher", [False, True, False]),
            ("lower", "lower", [True, False, True]),
            ("higher", "lower", [False, True, True]),
        ],
    )
    def test_each_direction(self, x: str, y: str, wanted: list[bool]) -> None:
        points = [(0, 1.0, 2.0), (0, 3.0, 4.0), (0, 2.0, 1.0)]
        assert _front(points, Direction(x), Direction(y)) == wanted

    def test_the_order_of_points_is_kept(self) -> None:
        points = [(1, 3.0, 1.0), (0, 1.0, 1.0), (1, 1.0, 1.0)]
        found = with_front(_frame(points), x=Direction.LOWER, y=Direction.LOWER).collect()
        assert found.select("group", "x", "y").rows() == points
        assert found["on_front"].to_list() == [False, True, True]


def _values(knots: Sequence[tuple[float, float]], at: float) -> list[float | None]:
    rows = [(0, *knot) for knot in knots]
    found = value_at(_frame(rows).rename({"x": "known", "y": "asked"}), at).collect()
    assert found.columns == ["group", "value"]
    return found["value"].to_list()


def _at(knots: Sequence[tuple[float, float]], at: float) -> float | None:
    (value,) = _values(knots, at)
    return value


def _limited(slope: float, secants: Sequence[float]) -> float:
    """The slope of the parabola, not against a neighbouring secant and not steeper than twice the flatter one."""
    if any(secant * slope <= 0 for secant in secants):
        return 0.0
    return slope if all(abs(slope) <= 2 * abs(secant) for secant in secants) else 2 * min(secants, key=abs)


def _reference(knots: Sequence[tuple[float, float]]) -> CubicHermiteSpline:
    """Steffen's method by another way: slopes of parabolas through three knots, from SciPy."""
    xs, ys = zip(*knots, strict=True)
    secants = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(knots)]
    if len(knots) == 2:
        return CubicHermiteSpline(xs, ys, secants * 2)
    slopes = []
    for number, x in enumerate(xs):
        first = min(max(number - 1, 0), len(xs) - 3)
        parabola = KroghInterpolator(xs[first : first + 3], ys[first : first + 3])
        beside = secants[max(number - 1, 0) : number + 1]
        slopes.append(_limited(float(parabola.derivative(x)), beside))
    return CubicHermiteSpline(xs, ys, slopes)


_STEPS = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=8)


def _knots(steps: Sequence[tuple[float, float]], *, falling: bool) -> list[tuple[float, float]]:
    """Knots of a front: both metrics change from each to the next."""
    x, y, knots = 1.0, 1000.0 if falling else 1.0, []
    for right, up in [(0.0, 0.0), *steps]:
        x, y = x + right, y - up if falling else y + up
        knots.append((x, y))
    return knots


class TestInterpolation:
    """Between knots the value is Steffen's, monotone and between theirs; beyond the ends there is none."""

    @settings(max_examples=80, deadline=None)
    @given(_STEPS, st.booleans(), st.floats(0, 1))
    def test_reference(self, steps: list[tuple[float, float]], falling: bool, share: float) -> None:  # noqa: FBT001 drawn
        knots = _knots(steps, falling=falling)
        at = min(max(knots[0][0] + share * (knots[-1][0] - knots[0][0]), knots[0][0]), knots[-1][0])
        assert _at(knots, at) == pytest.approx(float(_reference(knots)(at)), rel=1e-9, abs=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(_STEPS, st.booleans(), st.lists(st.floats(0, 1), min_size=2, max_size=6))
    def test_monotone_and_within_the_knots(
        self,
        steps: list[tuple[float, float]],
        falling: bool,  # noqa: FBT001 drawn
        shares: list[float],
    ) -> None:
        knots = _knots(steps, falling=falling)
        (first, _), (last, _) = knots[0], knots[-1]
        ats = sorted(min(first + share * (last - first), last) for share in shares)
        found = [value for at in ats if (value := _at(knots, at)) is not None]
        assert len(found) == len(ats)
        assert found == sorted(found, reverse=falling)
        for at, value in zip(ats, found, strict=True):
            inside = [(a, b) for a, b in pairwise(knots) if a[0] <= at <= b[0]]
            assert any(min(a[1], b[1]) <= value <= max(a[1], b[1]) for a, b in inside)

    def test_two_knots_are_a_straight_line(self) -> None:
        assert _at([(0.0, 0.0), (10.0, 100.0)], 2.5) == 25.0

    def test_a_line_of_many_knots_is_a_line(self) -> None:
        assert _at([(x, 3 * x) for x in (1.0, 2.0, 5.0, 9.0)], 6.5) == pytest.approx(19.5)

    @pytest.mark.parametrize("at", [0.999, 9.001, -1.0])
    def test_there_is_none_beyond_the_ends(self, at: float) -> None:
        assert _at([(1.0, 5.0), (4.0, 6.0), (9.0, 7.0)], at) is None

    def test_the_ends_and_knots_are_themselves(self) -> None:
        knots = [(1.0, 5.0), (4.0, 6.0), (9.0, 7.0)]
        assert [_at(knots, x) for x, _ in knots] == [5.0, 6.0, 7.0]
        assert _at(knots, 9.0 * (1 + 1e-12)) == 7.0  # 0.07 s are 70,000,000.00000001 ns

    def test_one_knot_is_a_value_at_itself_alone(self) -> None:
        assert _at([(3.0, 5.0)], 3.0) == 5.0
        assert _at([(3.0, 5.0)], 3.1) is None

    def test_nothing_is_below_zero(self) -> None:
        assert _at([(0.0, -4.0), (1.0, -2.0), (2.0, 3.0)], 0.5) == 0.0

    def test_equal_knots_count_once_and_groups_are_apart(self) -> None:
        rows = [(0, 0.0, 0.0), (0, 0.0, 0.0), (0, 10.0, 10.0), (1, 0.0, 50.0), (1, 10.0, 60.0), (2, 0.0, 1.0)]
        found = value_at(_frame(rows).rename({"x": "known", "y": "asked"}), 5.0).collect()
        assert found.sort("group").rows() == [(0, 5.0), (1, 55.0), (2, None)]
