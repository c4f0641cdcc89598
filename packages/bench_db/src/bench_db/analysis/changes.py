"""The change points of some series as records that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.constants import Profile
from bench_db.analysis.detect import detect_all
from bench_db.derive import finding_id
from bench_db.model import Finding

if TYPE_CHECKING:
    from bench_db.analysis.histories import Histories


def changes_of(histories: Histories, profile: str = Profile.DEFAULT) -> list[Finding]:
    """Every change of every series, oldest first, as findings nobody has recorded yet; `profile` is how readily."""
    found = detect_all(histories.values, histories.offsets, profile=Profile(profile))
    commits = histories.points["commit"].to_list()
    findings = []
    for series, change in zip(found.series.tolist(), found.rows(np.arange(len(found))), strict=True):
        key, commit = histories.series[series]["series_key"], commits[int(histories.offsets[series]) + change.index]
        findings.append(
            Finding(
                id=finding_id(key, commit),
                series_key=key,
                commit=commit,
                index=change.index,
                effect=change.effect,
                low=change.low,
                high=change.high,
                p_value=change.p_value,
                provisional=change.provisional,
                at=0,
            )
        )
    return findings
