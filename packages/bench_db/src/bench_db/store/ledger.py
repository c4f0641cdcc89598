"""Tables of records that are only ever added: baselines and findings, written whole and once by any number of writers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from bench_db.arrow import from_table, to_table
from bench_db.derive import baseline_key, finding_key
from bench_db.errors import StoreNotFoundError
from bench_db.model import Baseline, Finding
from bench_db.store.tables import BASELINES_TABLE, FINDINGS_TABLE, LEDGERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.store.engine import Engine
    from bench_db.store.tables import Table

Record = TypeVar("Record", Baseline, Finding)


def set_baseline(engine: Engine, baseline: Baseline) -> None:
    """Add one setting of a pointer."""
    ensure(engine, BASELINES_TABLE)
    engine.merge(BASELINES_TABLE, to_table([replace(baseline, key=baseline_key(baseline))], BASELINES_TABLE.schema))


def baselines(engine: Engine) -> list[Baseline]:
    """The settings that hold: the newest of each name and scope, cleared ones left out, by name."""
    newest = {(b.name, b.dut_name, b.testbed_name, b.branch): b for b in baseline_history(engine)}
    return sorted((b for b in newest.values() if b.commit is not None), key=lambda b: (b.name, b.key))


def baseline_history(engine: Engine) -> list[Baseline]:
    """Every setting, oldest first."""
    return sorted(_records(engine, BASELINES_TABLE, Baseline), key=lambda b: b.set_at)


def record_findings(engine: Engine, findings: Sequence[Finding]) -> None:
    """Add records of findings; one that is there already is not added again."""
    if findings:
        ensure(engine, FINDINGS_TABLE)
        keyed = [replace(finding, key=finding_key(finding)) for finding in findings]
        engine.merge(FINDINGS_TABLE, to_table(keyed, FINDINGS_TABLE.schema))


def findings(engine: Engine) -> list[Finding]:
    """Every finding as it stands: the newest record of each id, in the order they were first seen."""
    history = sorted(_records(engine, FINDINGS_TABLE, Finding), key=lambda f: f.at)
    return list({finding.id: finding for finding in history}.values())


def existing(engine: Engine) -> list[Table]:
    """The tables made when first used that have been."""
    return [table for table in LEDGERS if _exists(engine, table)]


def _exists(engine: Engine, table: Table) -> bool:
    try:
        engine.open(table)
    except StoreNotFoundError:
        return False
    return True


def ensure(engine: Engine, table: Table) -> None:
    """Make a table, unless it is there."""
    if not _exists(engine, table):
        engine.create(table)


def _records(engine: Engine, table: Table, record: type[Record]) -> list[Record]:
    try:
        dataset = engine.open(table)
    except StoreNotFoundError:
        return []
    return from_table(engine.call(f"reading {table.name}", dataset.to_table), record)
