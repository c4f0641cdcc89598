"""A description of a store and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.model import StoreInfo, TableInfo
from bench_db.store import ledger, maintain, migrations, projection, twins
from bench_db.store.tables import RESULTS_TABLE, Table

if TYPE_CHECKING:
    from bench_db.store.engine import Engine


def store_info(engine: Engine) -> StoreInfo:
    """Describe the current state of the store."""
    results = engine.open(RESULTS_TABLE)
    return StoreInfo(
        uri=str(engine.location),
        tables=tuple(_table_info(engine, table) for table in ledger.existing(engine)),
        tags=engine.tags(RESULTS_TABLE),
        maintenance_due=maintain.is_due(results),
        migrations=tuple(migrations.marked(results.metadata)),
        pending=tuple(step.name for step in (*twins.pending(engine), *migrations.pending(engine))),
        projection=projection.info(engine, results),
    )


def _table_info(engine: Engine, table: Table) -> TableInfo:
    snapshot = engine.open_any(table)
    fragments = snapshot.fragments()
    return TableInfo(
        name=table.name,
        rows=sum(fragment.rows for fragment in fragments),
        fragments=len(fragments),
        bytes=sum(fragment.bytes for fragment in fragments),
        bytes_on_disk=sum(file.on_disk for file in engine.files(table).values()),
        version=snapshot.version,
        indexes=tuple(snapshot.indexed()),
    )
