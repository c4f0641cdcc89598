"""Laws of the step of a series at a commit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench_db.analysis.steps_kernel import REACH, steps_at

LASTING = False
Array = np.ndarray[Any, Any]


def steps(values: list[float], commit: int, *, single: bool = False, orders: list[int] | None = None) -> Any:
    order = np.arange(len(values)) if orders is None else np.array(orders)
    offsets = np.array([0, len(values)])
    found = steps_at(np.array(values), offsets, order, np.array([0]), commit, single, REACH)
    return tuple(float(one[0]) for one in found)


NOISE = [1.0, 1.01, 0.99, 1.0, 1.02]


class TestSteps:
    """The median after a commit against the median before it, with its standard error."""

    def test_a_step(self) -> None:
        effect, error, _ = steps([*NOISE, *(2 * x for x in NOISE)], 5)
        assert effect == pytest.approx(np.log(2))
        assert 0.001 < error < 0.02

    def test_the_error_covers_the_truth(self) -> None:
        rng = np.random.default_rng(3)
        values = np.exp(rng.normal(0, 0.02, (2000, 40)))
        found = steps_at(
            values.ravel(),
            np.arange(0, values.size + 1, 40),
            np.tile(np.arange(40), 2000),
            np.arange(2000),
            20,
            LASTING,
            REACH,
        )
        assert 0.9 < np.std(found[0]) / np.mean(found[1]) < 1.1

    def test_other_series_and_far_points_say_nothing(self) -> None:
        values = np.array([7.0, 7.0, 7.0, *[50.0] * 5, *[1.0] * REACH, *[3.0] * REACH, *[90.0] * 5, 8.0])
        offsets, order = np.array([0, 3, len(values) - 1, len(values)]), np.array([0, 1, 2, *range(30), 0])
        effects, errors, _ = steps_at(values, offsets, order, np.array([1, 0, 2]), REACH + 5, LASTING, REACH)
        assert (effects[0], errors[0]) == (pytest.approx(np.log(3)), 0.0)
        assert np.isnan(effects[1:]).all()

    def test_a_commit_that_was_not_measured_lies_between(self) -> None:
        effect, _, _ = steps([1.0, 1.0, 1.0, 2.0], 25, orders=[10, 20, 22, 30])
        assert effect == pytest.approx(np.log(2))

    def test_a_single_run_and_what_follows(self) -> None:
        effect, _, after = steps([*NOISE, 2.0, *NOISE], 5, single=True)
        assert (effect, after) == (pytest.approx(np.log(2)), pytest.approx(0.0))
        assert np.isnan(steps([*NOISE, 2.0], 5, single=True)[2])
        assert np.isnan(steps([1.0, 1.0, 1.0, 2.0], 25, single=True, orders=[10, 20, 22, 30])[0])

    @pytest.mark.parametrize(
        "values", [[1.0, 1.0, 2.0], [1.0, 1.0, 1.0], [np.nan, 1.0, 1.0, 2.0], [0.0, -1.0, 0.0, 2.0]]
    )
    def test_too_few(self, values: list[float]) -> None:
        assert np.isnan(steps(values, 3)[0])
