"""A description of a store and its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.store import ledger, maintain, migrations
from bench_db.store.tables import RESULTS_TABLE, Table

if TYPE_CHECKING:
    from bench_db.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """One table: rows, fragments, bytes of data files, newest version, and the indexed columns."""

    name: str
    rows: int
    fragments: int
    bytes: int
    version: int
    indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """A store: its tables, its tags with their versions, whether maintenance is due, and its migrations.

    `migrations` are the names of the applied ones; `pending` are the changes that `store migrate` makes.
    """

    uri: str
    tables: tuple[TableInfo, ...]
    tags: dict[str, int]
    maintenance_due: bool
    migrations: tuple[str, ...]
    pending: tuple[str, ...]


def store_info(engine: Engine) -> StoreInfo:
    """Describe the current state of the store."""
    results = engine.open(RESULTS_TABLE)
    return StoreInfo(
        uri=str(engine.location),
        tables=tuple(_table_info(engine, table) for table in ledger.existing(engine)),
        tags=engine.tags(RESULTS_TABLE),
        maintenance_due=maintain.is_due(results),
        migrations=tuple(migrations.marked(results.metadata)),
        pending=tuple(step.name for step in migrations.pending(engine)),
    )


def _table_info(engine: Engine, table: Table) -> TableInfo:
    snapshot = engine.open_any(table)
    fragments = snapshot.fragments()
    return TableInfo(
        name=table.name,
        rows=sum(fragment.rows for fragment in fragments),
        fragments=len(fragments),
        bytes=sum(fragment.bytes for fragment in fragments),
        version=snapshot.version,
        indexes=tuple(snapshot.indexed()),
    )
