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

    @pytest.mark.parametrize(("before", "after"), [(0.1, 0.7), (0.3, 1.0), (0.0, 0.75)])
    def test_modes_leave_a_change_of_level(self, before: float, after: float) -> None:
        values = mixed(9, [(100, before), (100, after)])
        bare = detect(values)
        assert len(bare) == 1
        changes, shapes = changes_of(histories(points(values.tolist())))
        assert [(one.index, one.effect) for one in changes] == [(one.index, one.effect) for one in bare]
        assert shapes == []

    def test_spread(self) -> None:
        values = 100 * np.exp(np.concatenate([noise(1, 100), noise(2, 100, 0.04)]))
        changes, ((number, shape),) = changes_of(histories(points(values.tolist())))
        assert (changes, number, shape.kind) == ([], 0, ChangeKind.SPREAD)
        assert shape.p_value <= RULES.significance

    def test_no_spread_beside_a_change_of_level(self) -> None:
        steps = np.log(1.3) * (np.arange(200) >= 100)
        values = 100 * np.exp(steps + np.concatenate([noise(1, 100), noise(2, 100, 0.04)]))
        (change,), shapes = changes_of(histories(points(values.tolist())))
        assert (change.index, shapes) == (100, [])


class TestNamed:
    """Naming changes the series, the commit and the id, and no number."""

    def test_the_commit_is_that_of_the_index(self) -> None:
        found = histories(points(STEPPED))
        (bare,) = detect(np.array(STEPPED))
        change = named(found, 0, bare)
        assert change.commit == found.points["commit"][bare.index]
        assert (change.low, change.high, change.provisional) == (bare.low, bare.high, bare.provisional)
