"""What the store holds: the tables, how their columns are encoded and indexed, and the flat names readers use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

from bench_db.arrow import ARTIFACTS, BASELINES, FINDINGS, RESULTS, RUNS

STORAGE_VERSION: Final = "2.2"

# Repetitive text: 571 bytes a row against 961 for the default encoding of a 2 KB JSON.
_TEXT = {
    b"lance-encoding:compression": b"zstd",
    b"lance-encoding:compression-level": b"3",
    b"lance-encoding:structural-encoding": b"miniblock",
}
_FLAT_PREFIX = {"dut": "dut_", "test_bed": "test_bed_", "summary": "", "throughput": "throughput_"}


IndexKind = Literal["BTREE", "BITMAP", "ZONEMAP"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One Lance dataset of the store: its name, its schema as written, and the scalar index of each indexed leaf.

    `merge_key` is the column that keeps merges apart, `row_key` the one that tells one row from another, which a replacement is
    matched by. The key of merges is never indexed: an index on it makes concurrent merges write rows twice.
    """

    name: str
    schema: pa.Schema
    merge_key: str = "run_key"
    row_key: str = "run_key"
    indexes: tuple[tuple[str, IndexKind], ...] = ()

    @property
    def directory(self) -> str:
        """The table's place inside the store."""
        return f"{self.name}.lance"

    @property
    def leaves(self) -> dict[str, str]:
        """Flat column name to the path of the leaf it reads, in schema order."""
        return dict(_leaf for column in self.schema for _leaf in _leaves(column))

    @property
    def flat_schema(self) -> pa.Schema:
        """The schema readers see: one flat column a leaf."""
        types = {name: dtype for column in self.schema for name, dtype in _flat_types(column)}
        return pa.schema([pa.field(name, types[name]) for name in self.leaves])


def _leaves(column: pa.Field) -> list[tuple[str, str]]:
    if not pa.types.is_struct(column.type):
        return [(column.name, column.name)]
    prefix = _FLAT_PREFIX[column.name]
    return [(f"{prefix}{leaf.name}", f"{column.name}.{leaf.name}") for leaf in column.type]


def _flat_types(column: pa.Field) -> list[tuple[str, pa.DataType]]:
    if not pa.types.is_struct(column.type):
        return [(column.name, column.type)]
    return [(f"{_FLAT_PREFIX[column.name]}{leaf.name}", leaf.type) for leaf in column.type]


def _encoded(schema: pa.Schema, *texts: str) -> pa.Schema:
    return pa.schema([c.with_metadata({**(c.metadata or {}), **_TEXT}) if c.name in texts else c for c in schema])


RESULTS_TABLE = Table(
    name="results",
    schema=_encoded(RESULTS, "metadata"),
    row_key="id",
    indexes=(
        ("series_key", "BTREE"),
        ("commit", "BTREE"),
        ("dut.version", "BTREE"),
        ("benchmark_name", "BITMAP"),
        ("test_bed.name", "BITMAP"),
        ("dut.timestamp", "ZONEMAP"),
    ),
)
RUNS_TABLE = Table(name="runs", schema=_encoded(RUNS, "context"))
TABLES = (RUNS_TABLE, RESULTS_TABLE)
# Made when first used, and only ever added to; of baselines and findings the newest record of a name or id holds.
BASELINES_TABLE = Table(name="baselines", schema=BASELINES, merge_key="key", row_key="key")
FINDINGS_TABLE = Table(name="findings", schema=FINDINGS, merge_key="key", row_key="key")
ARTIFACTS_TABLE = Table(name="artifacts", schema=ARTIFACTS, merge_key="key", row_key="key")
LEDGERS = (BASELINES_TABLE, FINDINGS_TABLE, ARTIFACTS_TABLE)
EVERY_TABLE = (*TABLES, *LEDGERS)
