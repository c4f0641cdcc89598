"""What a store holds and what shape it is in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.errors import StoreNotFoundError
from bench_db.store import ledger, maintain, rollup
from bench_db.store.tables import RESULTS_TABLE, TABLES, Table

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
    """A store: its tables, its tags with their versions, and whether maintenance is due."""

    uri: str
    tables: tuple[TableInfo, ...]
    tags: dict[str, int]
    maintenance_due: bool


def store_info(engine: Engine) -> StoreInfo:
    """Describe the store as it is now."""
    results = engine.open(RESULTS_TABLE)
    tables = [_table_info(engine, table) for table in (*TABLES, *ledger.existing(engine))]
    with suppress(StoreNotFoundError):  # made by the first maintenance
        tables.append(_table_info(engine, rollup.SERIES_TABLE))
    return StoreInfo(
        uri=str(engine.location),
        tables=tuple(tables),
        tags=engine.tags(RESULTS_TABLE),
        maintenance_due=maintain.is_due(results),
    )


def _table_info(engine: Engine, table: Table) -> TableInfo:
    dataset = engine.open(table)
    indexes = engine.call("listing indexes", dataset.describe_indices)
    fragments = [fragment.metadata for fragment in dataset.get_fragments()]
    return TableInfo(
        name=table.name,
        rows=sum(fragment.num_rows for fragment in fragments),
        fragments=len(fragments),
        bytes=sum(file.file_size_bytes or 0 for fragment in fragments for file in fragment.files),
        version=int(dataset.version),
        indexes=tuple(sorted(".".join(index.field_names) for index in indexes)),
    )
