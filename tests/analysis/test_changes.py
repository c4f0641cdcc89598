from __future__ import annotations

import numpy as np
import pytest

from bench_db.analysis.changes import changes_of, named
from bench_db.analysis.detect import detect
from bench_db.analysis.histories import histories
from bench_db.derive import finding_id
from bench_db.model import ChangeKind
from bench_db.rules import RULES
from tests.analysis.test_judge import level, points
from tests.analysis.test_shape_kernel import mixed, noise

STEPPED = [value * (1.0 if i < 20 else 1.3) for i, value in enumerate(level(40))]


class TestChangesOf:
    """The changes are those of the detector, with the series, the commit and the id of the finding."""

    def test_names(self) -> None:
        found = histories(points(STEPPED))
        (change,), shapes = changes_of(found)
        assert shapes == []
        (bare,) = detect(np.array(STEPPED))
        assert (change.index, change.effect, change.p_value) == (bare.index, bare.effect, bare.p_value)
        assert (change.commit, change.series) == (f"{20:040x}", found.series[0])
        assert change.id == finding_id(7, f"{20:040x}")

    def test_without_a_change(self) -> None:
        assert changes_of(histories(points(level(40)))) == ([], [])

    def test_an_unknown_profile(self) -> None:
        with pytest.raises(ValueError, match="'loud' is not a valid Profile"):
            changes_of(histories(points(STEPPED)), profile="loud")

    def test_modes_take_the_place_of_a_level(self) -> None:
        values = mixed(9, [(100, 0.1), (100, 0.7)])
        (bare,) = detect(values)
        changes, ((number, shape),) = changes_of(histories(points(values.tolist())))
        assert (changes, number, shape.kind, shape.index) == ([], 0, ChangeKind.MODES, bare.index)
        assert shape.replaces_level
        assert shape.p_value < 1e-6

    def test_spread(self) -> None:
        values = 100 * np.exp(np.concatenate([noise(1, 100), noise(2, 100, 0.04)]))
        _, ((_, shape),) = changes_of(histories(points(values.tolist())))
        assert (shape.kind, shape.replaces_level) == (ChangeKind.SPREAD, False)
        assert shape.p_value <= RULES.significance


class TestNamed:
    """Naming changes the series, the commit and the id, and no number."""

    def test_the_commit_is_that_of_the_index(self) -> None:
        found = histories(points(STEPPED))
        (bare,) = detect(np.array(STEPPED))
        change = named(found, 0, bare)
        assert change.commit == found.points["commit"][bare.index]
        assert (change.low, change.high, change.provisional) == (bare.low, bare.high, bare.provisional)
