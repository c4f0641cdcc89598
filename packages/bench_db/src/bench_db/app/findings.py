"""Findings: list them, and record what people decide about them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench_db.analysis.by_commit import by_commit
from bench_db.analysis.findings import in_order
from bench_db.app.answers import Answer
from bench_db.app.database import on_database
from bench_db.app.scan import findings_frame, groups_json
from bench_db.app.scans import last_scans, scans_json
from bench_db.errors import UserError
from bench_db.model import CommitFindings, Finding, LastScan, Series, State
from bench_db.query.series import identified
from bench_db.report.document import finding_json

if TYPE_CHECKING:
    import polars as pl

    from bench_db.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings(Answer):
    """Findings in their newest state, open ones first and the largest first among them, and the series of the store by key.

    `scans` has the newest scan of each device.
    """

    findings: Sequence[Finding]
    series: Mapping[int, Series]
    scans: Sequence[LastScan]

    def frame(self) -> pl.DataFrame:
        """Return the findings as a frame, a row each, with their series."""
        return findings_frame(self.findings, self.series)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        found = [finding_json(finding, self.series) for finding in self.findings]
        return {"findings": found, "groups": groups_json(self.groups), "scans": scans_json(self.scans)}

    @property
    def groups(self) -> list[CommitFindings]:
        """The findings of each commit and state together, in the order of the first of each."""
        return by_commit(self.findings, self.series)


@on_database
def findings(store: Database, *, states: Collection[str] = ()) -> Findings:
    """List the findings of a store, of some `states` only when any are given."""
    if unknown := sorted(set(states) - set(State)):
        message = f"`states`: {unknown[0]!r} is no state of a finding; the states are {', '.join(State)}"
        raise UserError(message)
    found = [finding for finding in store.findings() if not states or finding.state in states]
    series = {series.series_key: series for series in identified(store.latest())}
    return Findings(findings=in_order(found), series=series, scans=last_scans(store))


@on_database
def bless_finding(store: Database, finding_id: str, *, note: str = "", by: str = "") -> Finding:
    """Accept a change: it is known and wanted. Later commits are compared with the level after it."""
    return _decide(store, finding_id, State.BLESSED, note, by)


@on_database
def ignore_finding(store: Database, finding_id: str, *, note: str = "", by: str = "") -> Finding:
    """Set a finding aside: it is no change of the code. Later commits are compared with the level after it."""
    return _decide(store, finding_id, State.IGNORED, note, by)


@on_database
def reopen_finding(store: Database, finding_id: str, *, note: str = "", by: str = "") -> Finding:
    """Open a finding again."""
    return _decide(store, finding_id, State.REOPENED, note, by)


def _decide(store: Database, finding_id: str, state: State, note: str, by: str) -> Finding:
    old = _found(store, finding_id)
    moved = replace(old, state=state, at=max(int(time.time()), old.at + 1), by=by, note=note)
    store.record_findings([moved])
    return moved


def _found(store: Database, finding_id: str) -> Finding:
    """Return the one finding whose id is, or begins with, the given text."""
    found = [finding for finding in store.findings() if finding.id.startswith(finding_id)]
    if len(found) != 1:
        many = "no finding" if not found else f"{len(found)} findings"
        message = f"{many} with an id that begins with {finding_id!r}; 'bench-db finding list' shows them"
        raise UserError(message)
    return found[0]
