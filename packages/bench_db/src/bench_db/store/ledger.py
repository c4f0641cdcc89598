"""Append-only tables of records: baselines, findings, scans, verdicts of pairs and messages, written atomically and once by any number of writers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import ref

from bench_db.arrow import Record, from_table, to_table
from bench_db.derive import baseline_key, finding_key, notification_key, pair_key, scan_key
from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.model import Baseline, Finding, Notification, PairRecord, ScanRecord
from bench_db.store.tables import (
    BASELINES_TABLE,
    FINDINGS_TABLE,
    NOTIFICATIONS_TABLE,
    PAIRS_TABLE,
    SCANS_TABLE,
    TABLES,
    registered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from bench_db.store.engine import Engine
    from bench_db.store.tables import Table

Answer = TypeVar("Answer")
Subject = TypeVar("Subject", Baseline, Finding)
# The last answers of this process by store and question, each with the state of the tables that it is from.
_KEPT: dict[tuple[object, str], tuple[object, Any]] = {}
_MOST_KEPT = 32


def kept(engine: Engine, tables: Iterable[Table], question: str, answer: Callable[[Collection[str]], Answer]) -> Answer:
    """Return the answer to a question, which a process computes once for a state of some tables; `answer` gets the names of those that are there.

    On a disk it is kept for all who open the store, because what they would notice of its files changes the state. In a bucket it is
    kept for one engine.
    """
    with engine.one_look():
        present = engine.present()
        states = {table.name: engine.state(table) for table in tables if table.name in present}
        there = {name: state for name, state in states.items() if state is not None}
        asked, state = (ref(engine) if engine.bucket else str(engine.location), question), tuple(there.items())
        before, found = _KEPT.get(asked, (None, None))
        if before != state:
            found = answer(there.keys())
            if len(_KEPT) >= _MOST_KEPT:
                _KEPT.clear()
            _KEPT[asked] = state, found
    return cast("Answer", found)


def set_baseline(engine: Engine, baseline: Baseline) -> Baseline:
    """Add one setting of a pointer, later than every other of its name and scope; return the setting that applies now.

    An existing identical setting is not changed. A setting with `replaces` has no effect when another record came between.
    """
    earlier = [b for b in baseline_history(engine) if scope_of(b) == scope_of(baseline)]
    if earlier and earlier[-1].commit == baseline.commit:
        return earlier[-1]
    engine.ensure(BASELINES_TABLE)
    # Of two settings in one second, or by machines with different clocks, the later write applies.
    set_at = max([baseline.set_at, *(b.set_at + 1 for b in earlier)])
    placed = replace(baseline, set_at=set_at)
    written = replace(placed, key=baseline_key(placed))
    engine.merge(BASELINES_TABLE, to_table([written], BASELINES_TABLE.schema))
    if written.replaces is None:
        return written
    return [b for b in baseline_history(engine) if scope_of(b) == scope_of(baseline)][-1]


def held(settings: Iterable[Baseline]) -> list[Baseline]:
    """Return the applicable ones of all settings, oldest first: the newest of each name and scope, without cleared ones, by name."""
    newest = {scope_of(b): b for b in settings}
    return sorted((b for b in newest.values() if b.commit is not None), key=lambda b: (b.name, b.key))


def baseline_history(engine: Engine) -> list[Baseline]:
    """Return every setting that applied, oldest first: each is later than the one that its writer has seen, whatever its clock."""
    return _applied(sorted(records(engine, BASELINES_TABLE, Baseline), key=lambda b: (b.set_at, b.key)), scope_of)


def scope_of(baseline: Baseline) -> tuple[str | None, ...]:
    """Return what a setting of a pointer applies to: its name, device, test bed and branch, None for every one."""
    return baseline.name, baseline.dut_name, baseline.testbed_name, baseline.branch


def record_findings(engine: Engine, findings: Sequence[Finding]) -> None:
    """Add records of findings that apply whatever was recorded before; existing ones are not added again."""
    _add_findings(engine, [replace(finding, replaces=None) for finding in findings])


def update_findings(engine: Engine, findings: Sequence[Finding]) -> bool:
    """Add records of findings; return whether all of them apply, because none of what they replace has changed meanwhile."""
    keys = _add_findings(engine, findings)
    return not keys or keys <= {finding.key for finding in finding_history(engine)}


def _add_findings(engine: Engine, findings: Sequence[Finding]) -> set[int]:
    """Write records of findings and return their keys."""
    keyed = [replace(finding, key=finding_key(finding)) for finding in findings]
    _add(engine, FINDINGS_TABLE, keyed)
    return {finding.key for finding in keyed}


def _add(engine: Engine, table: Table, keyed: Sequence[Record]) -> None:
    """Write records that have their keys; those that are there already are not added again, and none makes no table."""
    if keyed:
        engine.ensure(table)
        engine.merge(table, to_table(keyed, table.schema))


def standing(records: Iterable[Finding]) -> list[Finding]:
    """Return the newest record of each id from records in their order, in the order of first detection."""
    return list({finding.id: finding for finding in records}.values())


def finding_history(engine: Engine) -> list[Finding]:
    """Return every record of a finding that applied, oldest first: each is later than the one that its writer has seen."""
    return _applied(sorted(records(engine, FINDINGS_TABLE, Finding), key=lambda f: (f.at, f.key)), lambda f: f.id)


def _applied(written: Iterable[Subject], subject: Callable[[Subject], object]) -> list[Subject]:
    """Return, of records oldest first, all but those that replace a record that was no longer the newest.

    A record whose predecessor is lost applies: damage to one record does not undo the decisions after it.
    """
    keys: dict[object, list[int]] = {}
    found = []
    for record in written:
        of_subject = keys.setdefault(subject(record), [0])
        newest = of_subject[-1]
        is_stale = record.replaces in of_subject and record.replaces != newest
        of_subject += [] if is_stale else [record.key]
        found += [] if is_stale else [record]
    return found


def record_pairs(engine: Engine, verdicts: Sequence[PairRecord]) -> None:
    """Add verdicts of pairs; existing ones are not added again."""
    _add(engine, PAIRS_TABLE, [replace(verdict, key=pair_key(verdict)) for verdict in verdicts])


def record_notifications(engine: Engine, written: Sequence[Notification]) -> None:
    """Add records of messages. A claim on what another process has claimed is not added."""
    _add(engine, NOTIFICATIONS_TABLE, [replace(record, key=notification_key(record)) for record in written])


def notifications(engine: Engine) -> list[Notification]:
    """Return every record of a message in the order in which they were written."""
    return records(engine, NOTIFICATIONS_TABLE, Notification)


def record_scans(engine: Engine, written: Sequence[ScanRecord]) -> None:
    """Add records of scans; existing ones are not added again."""
    _add(engine, SCANS_TABLE, [replace(record, key=scan_key(record)) for record in written])


def scans(engine: Engine) -> list[ScanRecord]:
    """Return every record of a scan in the order in which they were written."""
    return records(engine, SCANS_TABLE, ScanRecord)


def pair_verdicts(engine: Engine) -> list[PairRecord]:
    """Return the verdicts of pairs in the order in which they were written; none when the store has no table of them."""
    return records(engine, PAIRS_TABLE, PairRecord)


def existing(engine: Engine) -> list[Table]:
    """Return the tables of the registry that the store has."""
    return [table for table in registered() if table in TABLES or _exists(engine, table)]


def _exists(engine: Engine, table: Table) -> bool:
    try:
        return engine.exists(table)
    except (CorruptStoreError, SchemaMismatchError):
        if table.derived:  # it is made again
            return True
        raise


def records(engine: Engine, table: Table, record: type[Record]) -> list[Record]:
    """Return the records of a table in the order in which they were written; none when the store does not have it.

    Raises `CorruptStoreError` when a record lacks a value that each has: Lance reads a column as null where a manifest names it wrongly.
    """
    try:
        stored = engine.open(table)
        rows = stored.rows()
    except StoreNotFoundError:
        return []
    return from_table(stored.whole(rows, record), record)
