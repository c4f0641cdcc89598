"""The parts that join the two branches of the detector."""

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
    enlarged,
    finite,
    relative,
    united,
)

Array = np.ndarray[Any, Any]
positions = st.sets(st.integers(1, 99), max_size=8).map(sorted)


class TestUnited:
    """All positions of the first branch stay, and those of the second that are far from each of them."""

    @given(left=positions, right=positions, apart=st.integers(1, 9))
    def test_union(self, left: list[int], right: list[int], apart: int) -> None:
        out = np.empty(len(left) + len(right) + 4, np.int64)
        a, b = (np.array([0, *part, 100]) for part in (left, right))
        count = united(a, len(a), b, len(b), apart, out)
        far = [r for r in right if all(abs(r - x) >= apart for x in left)]
        assert out[:count].tolist() == [0, *sorted([*left, *far]), 100]


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
        np.testing.assert_allclose(figures[:, EFFECT], 0.5)
        assert (figures[:, LOW] <= figures[:, EFFECT]).all()
        assert (figures[:, EFFECT] <= figures[:, HIGH]).all()
        assert ((figures[:, P_VALUE] >= 0) & (figures[:, P_VALUE] < 1e-6)).all()

    def test_more_changes_than_the_first_room(self) -> None:
        values = np.tile(np.repeat([2.0, 3.0], 10), 200)
        per_series, _, index, figures = all_changes(values, np.arange(0, len(values) + 1, 20), Constants())
        assert per_series.tolist() == [1] * 200
        assert index.tolist() == [10] * 200
        np.testing.assert_allclose(figures[:, EFFECT], 0.5)


class TestEnlarged:
    """The larger arrays begin with the filled part of the smaller ones."""

    def test_copies(self) -> None:
        found, figures = np.arange(4), np.arange(4.0 * COLUMNS).reshape(4, COLUMNS)
        more, more_figures = enlarged(found, figures, 3, 9)
        assert (more.shape, more_figures.shape) == ((9,), (9, COLUMNS))
        assert more[:3].tolist() == [0, 1, 2]
        np.testing.assert_array_equal(more_figures[:3], figures[:3])
