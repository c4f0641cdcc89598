"""The states of findings over time: detected changes are matched to known findings, so that each keeps its id."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.changes import named
from bench_db.analysis.detect import detect_all
from bench_db.analysis.scan import Scan, scan
from bench_db.analysis.scan_blame import Blamed, blame_scan
from bench_db.analysis.shapes import NEAR
from bench_db.derive import finding_id
from bench_db.model import ChangeKind, Finding, PairVerdict, State
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bench_db.analysis.histories import Histories
    from bench_db.analysis.scan import Detected, Points
    from bench_db.model import Blame, Change, Movement, PairRecord, Series, ShapeChange
    from bench_db.query.thresholds import Threshold

_CHANGED = {PairVerdict.REGRESSED, PairVerdict.IMPROVED}
_SETTLED = {State.BLESSED, State.IGNORED}
_CONFIRMED, _WITHDRAWN = "confirmed by later runs", "withdrawn: later runs do not show it"


def scanned(
    histories: Histories,
    *,
    rate: float,
    thresholds: Mapping[int, Threshold] | None = None,
    detect: Callable[[Points], Detected] | None = None,
) -> Scan:
    """Scan all histories at a false discovery rate. `thresholds` are those that definitions state, by series key.

    `detect` is that of `analysis.scan.scan`.
    """
    of_key = thresholds or {}
    own = {n: of_key[s.series_key] for n, s in enumerate(histories.series if of_key else ()) if s.series_key in of_key}
    rates = (histories.names["direction"] == Direction.HIGHER).to_numpy()
    return scan(
        histories.values,
        histories.offsets,
        histories.runs,
        rates=rates,
        suites=histories.suites,
        rate=rate,
        thresholds=own,
        detect=detect,
    )


def updated(  # noqa: PLR0913 all but the first three by keyword
    histories: Histories,
    found: Scan,
    known: Sequence[Finding],
    *,
    at: int,
    blamed: Blamed | None = None,
    thresholds: Mapping[int, Threshold] | None = None,
    paired: Iterable[PairRecord] = (),
    trees: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Return the records that bring the known findings up to date with a scan at a time (unix seconds).

    A new change is opened. A known one keeps its id and its state; one that was fixed and is back is reopened. A finding of a
    scanned series that the scan no longer sees is fixed, and its note says so if it was provisional: then it is withdrawn. A provisional one
    that is seen again with enough runs is confirmed. Blessed and ignored findings stay as they are. So does one of level that its series still
    shows by itself, though not clearly enough among all; and one where the scan sees a change of modes that moves the same way, which is not opened. `blamed` has the causes;
    without it they are looked for in these histories. Partial ones leave known causes as they are. `thresholds` are those of the scan.
    `paired` are the stored verdicts of pairs: one at the commit of a change, in the same direction, confirms it. So does one at a commit with
    the same content, as the head of a pull request has it that was merged by squash: `trees` has the id of the content by commit, of those
    that are known. A commit of another tree confirms nothing, whatever its subject or its pull request.
    A record `replaces` the known one, and is later, whatever the clocks of the machines.
    """
    blamed = blame_scan(histories, found, {}) if blamed is None else blamed
    numbers = {series.series_key: number for number, series in enumerate(histories.series)}
    left: dict[int, dict[str, Finding]] = defaultdict(dict)
    for finding in known:
        if finding.series_key in numbers:
            left[finding.series_key][finding.id] = finding
    records: list[Finding] = []
    content = trees or {}
    confirming = {
        (p.series_key, content.get(p.head, p.head), (p.effect or 0.0) > 0.0): p.pair_id
        for p in paired
        if p.verdict in _CHANGED
    }
    for fresh in _fresh(histories, found, blamed, at):
        of = content.get(fresh.commit or "", fresh.commit or "")
        by = confirming.get((fresh.series_key, of, _rises(fresh))) if fresh.kind == ChangeKind.LEVEL else None
        fresh = replace(fresh, confirmed_by=by)  # noqa: PLW2901
        number = numbers[fresh.series_key]
        candidates = left.get(fresh.series_key)
        places = _indices(histories, number) if candidates else {}
        shown = _level_of_modes(fresh, candidates.values(), places, histories.series[number]) if candidates else None
        if shown is not None:
            del left[fresh.series_key][shown.id]
            continue
        old = _match(fresh, candidates.values(), places) if candidates else None
        if old is None:
            records.append(replace(fresh, replaces=0))
            continue
        del left[fresh.series_key][old.id]
        fresh = replace(fresh, at=max(at, old.at + 1))  # noqa: PLW2901
        if blamed.partial and old.cause is not None:
            fresh = replace(fresh, cause=old.cause, evidence=old.evidence)  # noqa: PLW2901
        if old.state is State.FIXED:
            records.append(replace(fresh, id=old.id, state=State.REOPENED, note="seen again", replaces=old.key))
        elif _facts(old) != _facts(fresh):
            is_confirmed = old.is_unsettled and not fresh.provisional and not old.by
            note = _CONFIRMED if is_confirmed else old.note
            records.append(replace(fresh, id=old.id, state=old.state, by=old.by, note=note, replaces=old.key))
    unseen = (finding for of_series in left.values() for finding in of_series.values())
    waiting = [finding for finding in unseen if finding.state not in {*_SETTLED, State.FIXED}]
    still = _shown(waiting, histories, numbers, thresholds or {})
    gone = [finding for finding in waiting if finding.id not in still]
    return records + [
        replace(
            finding,
            state=State.FIXED,
            at=max(at, finding.at + 1),
            by="",
            note=_gone(finding, thresholds or {}),
            replaces=finding.key,
        )
        for finding in gone
    ]


def _shown(
    waiting: Sequence[Finding], histories: Histories, numbers: Mapping[int, int], thresholds: Mapping[int, Threshold]
) -> set[str]:
    """Return the ids of those changes of level that their series shows by itself, in the same direction and near.

    That is what `detect` finds, with a change of `rules.change_effect` at least. A series with a threshold of its own shows none.
    """
    levels = [f for f in waiting if f.kind == ChangeKind.LEVEL and f.series_key not in thresholds]
    own = sorted({numbers[finding.series_key] for finding in levels})
    if not own:
        return set()
    parts = [histories.values[histories.offsets[n] : histories.offsets[n + 1]] for n in own]
    changes = detect_all(np.concatenate(parts), np.cumsum([0, *map(len, parts)]))
    found = defaultdict[tuple[int, bool], list[int]](list)
    for row in np.flatnonzero(np.abs(changes.effect) >= RULES.change_effect):
        found[own[changes.series[row]], bool(changes.effect[row] > 0.0)].append(int(changes.index[row]))
    shown = set()
    for finding in levels:
        number = numbers[finding.series_key]
        at = _indices(histories, number).get(finding.commit or "", finding.index)
        near = (abs(at - index) <= RULES.same_change_runs for index in found[number, _rises(finding)])
        shown |= {finding.id} if any(near) else set()
    return shown


def _gone(finding: Finding, thresholds: Mapping[int, Threshold]) -> str:
    threshold = thresholds.get(finding.series_key)
    if threshold is not None:
        return f"not seen any more from {threshold.text}"
    return _WITHDRAWN if finding.provisional else "not seen any more"


def _indices(histories: Histories, series: int) -> Mapping[str, int]:
    commits = histories.of(series)["commit"].to_list()
    return {commit: index for index, commit in reversed(list(enumerate(commits))) if commit is not None}


def _facts(finding: Finding) -> tuple[object, ...]:
    """Return what a new record of a finding is written for."""
    of_cause = finding.cause, finding.evidence
    return finding.commit, finding.provisional, finding.common_mode, of_cause, finding.figure, finding.confirmed_by


def _fresh(histories: Histories, found: Scan, blamed: Blamed, at: int) -> list[Finding]:
    commits = commits_of_runs(histories)
    of_level = [
        finding_of(
            named(histories, f.series, f.change),
            at=at,
            common_mode=f"the whole run of {(commits[f.run] or '?')[: RULES.sha_length]}" if whole else None,
            blame=one,
        )
        for f, one, whole in zip(found.findings, blamed.findings, blamed.whole_runs, strict=True)
    ]
    return of_level + [finding_of_shape(histories, number, change, at=at) for number, change in found.shapes]


def finding_of(change: Change, *, at: int, common_mode: str | None = None, blame: Blame | None = None) -> Finding:
    """Return the finding of a change that is not recorded yet."""
    return Finding(
        id=change.id,
        series_key=change.series.series_key,
        commit=change.commit,
        index=change.index,
        effect=change.effect,
        low=change.low,
        high=change.high,
        p_value=change.p_value,
        provisional=change.provisional,
        common_mode=common_mode,
        figure=change.figure,
        at=at,
        cause=None if blame is None else blame.cause,
        evidence=() if blame is None else blame.evidence,
    )


def finding_of_shape(histories: Histories, number: int, change: ShapeChange, *, at: int) -> Finding:
    """Return the finding of a change of spread or modes of the series of a number. Of modes it has the share of the worse runs."""
    series = histories.series[number]
    commit = histories.commit(number, change.index)
    upper_is_better = change.kind is ChangeKind.MODES and series.direction is Direction.HIGHER
    before, after = (1.0 - part if upper_is_better else part for part in (change.before, change.after))
    return Finding(
        id=finding_id(series.series_key, commit, change.kind),
        series_key=series.series_key,
        commit=commit,
        index=change.index,
        effect=None,
        low=None,
        high=None,
        p_value=change.p_value,
        provisional=False,
        figure=histories.figures[number],
        at=at,
        kind=change.kind,
        before=before,
        after=after,
    )


def settled(known: Iterable[Finding], records: Iterable[Finding]) -> tuple[list[str], list[str]]:
    """Return the ids of the provisional findings that the records of a scan confirm, and of those that they withdraw."""
    waiting = {finding.id for finding in known if finding.is_unsettled}
    decided = [record for record in records if record.id in waiting and not record.is_unsettled]
    return [one.id for one in decided if not one.is_withdrawn], [one.id for one in decided if one.is_withdrawn]


def commits_of_runs(histories: Histories) -> dict[int, str | None]:
    """Return the commit of each run by its number."""
    runs, first_of_run = np.unique(histories.runs, return_index=True)
    return dict(zip(runs.tolist(), histories.column("commit").gather(first_of_run).to_list(), strict=True))


def movements(histories: Histories, found: Scan, blamed: Blamed) -> list[Movement]:
    """Return the movements of a scan, largest first, with the commits of their runs and their causes."""
    commits = commits_of_runs(histories)
    return [
        replace(
            movement,
            commit=commits[movement.run],
            test_bed_name=bed,
            benchmarks=sum(of.moved for of in blame.test_beds if of.test_bed_name == bed),
            measured=sum(of.measured for of in blame.test_beds if of.test_bed_name == bed),
            cause=blame.cause,
            evidence=blame.evidence,
        )
        for movement, blame, bed in zip(found.movements, blamed.movements, blamed.beds, strict=True)
    ]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by state as `State` lists them, then largest change first, then by id."""
    rank = {state: number for number, state in enumerate(State)}
    return sorted(findings, key=lambda f: (rank[f.state], -abs(f.effect or 0.0), f.id))


def _rises(finding: Finding) -> bool:
    """Return whether the level, the noise or the share of the worse runs grows."""
    if finding.kind == ChangeKind.LEVEL:
        return (finding.effect or 0.0) > 0.0
    return (finding.after or 0.0) > (finding.before or 0.0)


def _match(fresh: Finding, known: Iterable[Finding], places: Mapping[str, int]) -> Finding | None:
    """Return the nearest known finding of the series that moved the same way, within `rules.same_change_runs` points."""
    alike = [old for old in known if old.kind == fresh.kind and _rises(old) == _rises(fresh)]
    return _nearest(fresh, alike, places, RULES.same_change_runs)


def _level_of_modes(
    fresh: Finding, known: Iterable[Finding], places: Mapping[str, int], series: Series
) -> Finding | None:
    """Return the known change of level that a change of modes shows to be there still: near, and the same way."""
    if fresh.kind != ChangeKind.MODES:
        return None
    rises = _rises(fresh) != (
        series.direction is Direction.HIGHER
    )  # the share of the worse runs grows where a rate falls
    levels = [
        old for old in known if old.kind == ChangeKind.LEVEL and old.state is not State.FIXED and _rises(old) == rises
    ]
    return _nearest(fresh, levels, places, NEAR)


def _nearest(fresh: Finding, known: Iterable[Finding], places: Mapping[str, int], within: int) -> Finding | None:
    near = [(abs(places.get(old.commit or "", old.index) - fresh.index), old.id, old) for old in known]
    close = [entry for entry in near if entry[0] <= within]
    return min(close)[2] if close else None
