"""The change points of some series as records that name the series and the commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.constants import Profile
from bench_db.analysis.detect import detect_all
from bench_db.analysis.shapes import shapes_of, significant
from bench_db.derive import finding_id
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.analysis.histories import Histories
    from bench_db.model import Change, ShapeChange


def changes_of(
    histories: Histories, profile: str = Profile.DEFAULT
) -> tuple[list[Change], list[tuple[int, ShapeChange]]]:
    """Return every change of level, and the changes of spread and modes with the number of their series, which some of the former are."""
    found = detect_all(histories.values, histories.offsets, profile=Profile(profile))
    shapes = shapes_of(histories.values, histories.offsets, found)
    levels = list(zip(found.series.tolist(), found.rows(np.arange(len(found))), strict=True))
    others = [(int(shapes.series[row]), shapes.of(row)) for row in significant(shapes, RULES.significance).tolist()]
    explained = {(number, one.index) for number, one in others if one.replaces_level}
    return (
        [named(histories, number, change) for number, change in levels if (number, change.index) not in explained],
        others,
    )


def named(histories: Histories, number: int, change: Change) -> Change:
    """Add to a change of the series of a number the series, the commit, and the id of its finding."""
    series = histories.series[number]
    commit: str | None = histories.points["commit"][int(histories.offsets[number]) + change.index]
    figure = histories.figures[number]
    return replace(change, series=series, figure=figure, commit=commit, id=finding_id(series.series_key, commit))
