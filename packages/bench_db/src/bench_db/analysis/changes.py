"""The change points of some series as records that name the series and the commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.constants import Profile
from bench_db.analysis.detect import detect_all
from bench_db.analysis.shapes import apart, shapes_of, significant
from bench_db.derive import finding_id
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.analysis.histories import Histories
    from bench_db.model import Change, ShapeChange


def changes_of(
    histories: Histories, profile: str = Profile.DEFAULT
) -> tuple[list[Change], list[tuple[int, ShapeChange]]]:
    """Return every change of level, and the changes of spread and modes with the number of their series, where no level changes."""
    found = detect_all(histories.values, histories.offsets, profile=Profile(profile))
    shapes = shapes_of(histories.values, histories.offsets, found)
    levels = zip(found.series.tolist(), found.rows(np.arange(len(found))), strict=True)
    at = zip(found.series.tolist(), found.index.tolist(), strict=True)
    return (
        [named(histories, number, change) for number, change in levels],
        apart(shapes, significant(shapes, RULES.significance), at),
    )


def named(histories: Histories, number: int, change: Change) -> Change:
    """Add to a change of the series of a number the series, the commit, and the id of its finding."""
    series = histories.series[number]
    commit = histories.commit(number, change.index)
    figure = histories.figures[number]
    return replace(change, series=series, figure=figure, commit=commit, id=finding_id(series.series_key, commit))
