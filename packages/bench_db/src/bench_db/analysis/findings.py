"""Findings and their lives: detected changes matched to the findings already known, so that each keeps its id."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.level import SAME_WITHIN
from bench_db.analysis.scan import Scan, scan
from bench_db.derive import finding_id
from bench_db.model import Finding, State
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench_db.analysis.histories import Histories

_SETTLED = {State.BLESSED, State.IGNORED}
_NAMED = 12


def scanned(histories: Histories, *, rate: float) -> Scan:
    """The scan of all histories at a false discovery rate."""
    rates = (histories.names["direction"] == Direction.HIGHER).to_numpy()
    return scan(histories.values, histories.offsets, histories.runs, rates=rates, rate=rate)


def updated(histories: Histories, found: Scan, known: Sequence[Finding], *, at: int) -> list[Finding]:
    """Records to add so that the findings tell what a scan at a time (unix seconds) found.

    A new change is opened. A known one keeps its id and its state, unless it was fixed and is back: then it is reopened. One
    that is not seen any more, in a series that was scanned, is fixed; what people blessed or ignored stays so.
    """
    numbers = {key: number for number, key in enumerate(_keys(histories))}
    left: dict[int, dict[str, Finding]] = defaultdict(dict)
    for finding in known:
        if finding.series_key in numbers:
            left[finding.series_key][finding.id] = finding
    records: list[Finding] = []
    for fresh in _fresh(histories, found, at):
        candidates = left.get(fresh.series_key)
        old = _match(fresh, candidates.values(), _indices(histories, numbers[fresh.series_key])) if candidates else None
        if old is None:
            records.append(fresh)
            continue
        del left[fresh.series_key][old.id]
        if old.state is State.FIXED:
            records.append(replace(fresh, id=old.id, state=State.REOPENED, note="seen again"))
        elif (old.commit, old.provisional, old.common_mode) != (fresh.commit, fresh.provisional, fresh.common_mode):
            records.append(replace(fresh, id=old.id, state=old.state, by=old.by, note=old.note))
    unseen = (finding for of_series in left.values() for finding in of_series.values())
    gone = [finding for finding in unseen if finding.state not in {*_SETTLED, State.FIXED}]
    return records + [replace(finding, state=State.FIXED, at=at, by="", note="not seen any more") for finding in gone]


def _keys(histories: Histories) -> list[int]:
    return [int(series["series_key"]) for series in histories.series]


def _indices(histories: Histories, series: int) -> Mapping[str, int]:
    commits = histories.of(series)["commit"].to_list()
    return {commit: index for index, commit in reversed(list(enumerate(commits))) if commit is not None}


def _fresh(histories: Histories, found: Scan, at: int) -> list[Finding]:
    keys, commits = _keys(histories), histories.points["commit"]
    runs, first_of_run = np.unique(histories.runs, return_index=True)
    first_commit = dict(zip(runs.tolist(), commits.gather(first_of_run).to_list(), strict=True))
    return [
        Finding(
            id=finding_id(keys[f.series], commits[int(histories.offsets[f.series]) + f.change.index]),
            series_key=keys[f.series],
            commit=commits[int(histories.offsets[f.series]) + f.change.index],
            index=f.change.index,
            effect=f.change.effect,
            low=f.change.low,
            high=f.change.high,
            p_value=f.change.p_value,
            provisional=f.change.provisional,
            common_mode=f"the whole run of {(first_commit[f.run] or '?')[:_NAMED]}" if f.suite_wide else None,
            at=at,
        )
        for f in found.findings
    ]


def _match(fresh: Finding, known: Iterable[Finding], places: Mapping[str, int]) -> Finding | None:
    """The nearest of the findings known of the series that moved the same way, within 5 points."""
    near = [
        (abs(places.get(old.commit or "", old.index) - fresh.index), old.id, old)
        for old in known
        if ((old.effect or 0) > 0) == ((fresh.effect or 0) > 0)
    ]
    within = [entry for entry in near if entry[0] <= SAME_WITHIN]
    return min(within)[2] if within else None
