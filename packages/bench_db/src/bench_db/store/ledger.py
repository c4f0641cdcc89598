"""Tables of records that are only ever added: baselines and findings, written whole and once by any number of writers."""

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

Record = TypeVar("Record", Baseline, Finding)


def set_baseline(engine: Engine, baseline: Baseline) -> Baseline:
    """Add one setting of a pointer, later than every other of its name and scope; the record as it was written.

    A pointer that is there already is left as it is.
    """
    earlier = [b for b in baseline_history(engine) if _scope(b) == _scope(baseline)]
    if earlier and earlier[-1].commit == baseline.commit:
        return earlier[-1]
    ensure(engine, BASELINES_TABLE)
    # Two settings within a second, or by machines whose clocks differ: what comes later holds.
    set_at = max([baseline.set_at, *(b.set_at + 1 for b in earlier)])
    placed = replace(baseline, set_at=set_at)
    written = replace(placed, key=baseline_key(placed))
    engine.merge(BASELINES_TABLE, to_table([written], BASELINES_TABLE.schema))
    return written


def held(settings: Iterable[Baseline]) -> list[Baseline]:
    """Those of all settings, oldest first, that hold: the newest of each name and scope, cleared ones left out, by name."""
    newest = {_scope(b): b for b in settings}
    return sorted((b for b in newest.values() if b.commit is not None), key=lambda b: (b.name, b.key))


def baseline_history(engine: Engine) -> list[Baseline]:
    """Every setting, oldest first."""
    return sorted(_records(engine, BASELINES_TABLE, Baseline), key=lambda b: (b.set_at, b.key))


def _scope(baseline: Baseline) -> tuple[str | None, ...]:
    return baseline.name, baseline.dut_name, baseline.testbed_name, baseline.branch


def record_findings(engine: Engine, findings: Sequence[Finding]) -> None:
    """Add records of findings; one that is there already is not added again."""
    if findings:
        ensure(engine, FINDINGS_TABLE)
        keyed = [replace(finding, key=finding_key(finding)) for finding in findings]
        engine.merge(FINDINGS_TABLE, to_table(keyed, FINDINGS_TABLE.schema))


def standing(records: Iterable[Finding]) -> list[Finding]:
    """Findings as they stand: of records, oldest first, the newest of each id, in the order they were first seen."""
    return list({finding.id: finding for finding in records}.values())


def finding_history(engine: Engine) -> list[Finding]:
    """Every record of a finding, oldest first."""
    return sorted(_records(engine, FINDINGS_TABLE, Finding), key=lambda f: f.at)


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


def ensure(engine: Engine, table: Table) -> None:
    """Make a table, unless it is there."""
    if not engine.exists(table):
        engine.create(table)


def _records(engine: Engine, table: Table, record: type[Record]) -> list[Record]:
    try:
        return from_table(engine.open(table).rows(), record)
    except StoreNotFoundError:
        return []
