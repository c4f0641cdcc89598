"""The change points of some series as records that name the series and the commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.constants import Profile
from bench_db.analysis.detect import detect_all
from bench_db.derive import finding_id

if TYPE_CHECKING:
    from bench_db.analysis.histories import Histories
    from bench_db.model import Change


def changes_of(histories: Histories, profile: str = Profile.DEFAULT) -> list[Change]:
    """Return every change of every series, oldest first. `profile` says how readily one is reported."""
    found = detect_all(histories.values, histories.offsets, profile=Profile(profile))
    changes = zip(found.series.tolist(), found.rows(np.arange(len(found))), strict=True)
    return [named(histories, number, change) for number, change in changes]


def named(histories: Histories, number: int, change: Change) -> Change:
    """Add to a change of the series of a number the series, the commit, and the id of its finding."""
    series = histories.series[number]
    commit: str | None = histories.points["commit"][int(histories.offsets[number]) + change.index]
    figure = histories.figures[number]
    return replace(change, series=series, figure=figure, commit=commit, id=finding_id(series.series_key, commit))
