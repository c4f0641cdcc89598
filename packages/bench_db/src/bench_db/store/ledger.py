"""Append-only tables of records: baselines and findings, written atomically and once by any number of writers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from bench_db.arrow import from_table, to_table
from bench_db.derive import baseline_key, finding_key
from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.model import Baseline, Finding
from bench_db.store.tables import BASELINES_TABLE, FINDINGS_TABLE, TABLES, registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench_db.store.engine import Engine
    from bench_db.store.tables import Table

Record = TypeVar("Record")


def set_baseline(engine: Engine, baseline: Baseline) -> Baseline:
    """Add one setting of a pointer, later than every other of its name and scope; return the written record.

    An existing identical setting is not changed.
    """
    earlier = [b for b in baseline_history(engine) if _scope(b) == _scope(baseline)]
    if earlier and earlier[-1].commit == baseline.commit:
        return earlier[-1]
    engine.ensure(BASELINES_TABLE)
    # Of two settings in one second, or by machines with different clocks, the later write applies.
    set_at = max([baseline.set_at, *(b.set_at + 1 for b in earlier)])
    placed = replace(baseline, set_at=set_at)
    written = replace(placed, key=baseline_key(placed))
    engine.merge(BASELINES_TABLE, to_table([written], BASELINES_TABLE.schema))
    return written


def held(settings: Iterable[Baseline]) -> list[Baseline]:
    """Return the applicable ones of all settings, oldest first: the newest of each name and scope, without cleared ones, by name."""
    newest = {_scope(b): b for b in settings}
    return sorted((b for b in newest.values() if b.commit is not None), key=lambda b: (b.name, b.key))


def baseline_history(engine: Engine) -> list[Baseline]:
    """Return every setting, oldest first."""
    return sorted(records(engine, BASELINES_TABLE, Baseline), key=lambda b: (b.set_at, b.key))


def _scope(baseline: Baseline) -> tuple[str | None, ...]:
    return baseline.name, baseline.dut_name, baseline.testbed_name, baseline.branch


def record_findings(engine: Engine, findings: Sequence[Finding]) -> None:
    """Add records of findings; existing ones are not added again."""
    if findings:
        engine.ensure(FINDINGS_TABLE)
        keyed = [replace(finding, key=finding_key(finding)) for finding in findings]
        engine.merge(FINDINGS_TABLE, to_table(keyed, FINDINGS_TABLE.schema))


def standing(records: Iterable[Finding]) -> list[Finding]:
    """Return the newest record of each id from records, oldest first, in the order of first detection."""
    return list({finding.id: finding for finding in records}.values())


def finding_history(engine: Engine) -> list[Finding]:
    """Return every record of a finding, oldest first."""
    return sorted(records(engine, FINDINGS_TABLE, Finding), key=lambda f: f.at)


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
    """Return the records of a table in the order in which they were written; none when the store does not have it."""
    try:
        return from_table(engine.open(table).rows(), record)
    except StoreNotFoundError:
        return []
