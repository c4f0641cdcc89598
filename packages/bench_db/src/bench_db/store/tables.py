"""The registry of tables: their columns, encodings and indexes, and the flat names that readers use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import pyarrow as pa

from bench_db.arrow import (
    ARTIFACTS,
    BASELINES,
    COMMITS,
    DEFINITIONS,
    EXCLUSIONS,
    FINDINGS,
    MIGRATIONS,
    NOTIFICATIONS,
    PAIRS,
    RESULTS,
    ROW_CHECKSUM,
    RUNS,
    SCANS,
)
from bench_db.query.series import COLUMNS, MACHINE

STORAGE_VERSION: Final = "2.2"
# Larger ones are rewritten whole at every compaction: 11 s against 1.5 s per 50 commits at 1 M rows.
ROWS_PER_FRAGMENT: Final = 131_072

# Repetitive text takes 571 bytes per row, and 961 with the default encoding of a 2 KB JSON.
_TEXT = {
    b"lance-encoding:compression": b"zstd",
    b"lance-encoding:compression-level": b"3",
    b"lance-encoding:structural-encoding": b"miniblock",
}
_FLAT_PREFIX = {"dut": "dut_", "test_bed": "test_bed_", "summary": "", "throughput": "throughput_"}


# How the names of files begin that only show what the storage does.
PROBE: Final = ".bench-db-probe"
# The name of the checksum in the metadata of a derived table, by which a reader validates it.
CHECKSUM: Final = b"bench_db:checksum"


class StoredFile(NamedTuple):
    """Size in bytes of a file, when it was written, by the clock of the store, in unix seconds, its ETag in a bucket, and the bytes of its holes."""

    bytes: int
    written: float
    etag: str = ""
    holes: int = 0

    @property
    def on_disk(self) -> int:
        """The bytes that it takes."""
        return self.bytes - self.holes


IndexKind = Literal["BTREE", "BITMAP", "ZONEMAP"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One Lance dataset of the store: its name, its schema as written, and the scalar index of each indexed leaf.

    `merge_key` is the column that merges match, `row_key` the one that identifies a row, which a replacement
    matches. The merge key is never indexed: an index on it makes concurrent merges write duplicate rows.

    `last_required` names the last column that every release has written; a column after it may be missing from an older table
    and reads as null. Empty: every column is required. `recorded` names the column with the time of a record, in unix seconds,
    of a table that is only ever added to; `--as-of` selects its records by that time, and rows of other tables by version.
    A `derived` table can be rebuilt from the others, and is never copied or exported. A `shared` one is copied whole, also when only
    some runs are.
    """

    name: str
    schema: pa.Schema
    merge_key: str = "run_key"
    row_key: str = "run_key"
    indexes: tuple[tuple[str, IndexKind], ...] = ()
    last_required: str = ""
    recorded: str = ""
    derived: bool = False
    shared: bool = False
    # The path of each leaf by its flat column name, in schema order.
    leaves: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        leaves = dict(leaf for column in self.schema for leaf in _leaves(column))
        object.__setattr__(self, "leaves", leaves)

    @property
    def required(self) -> frozenset[str]:
        """The columns that every release has written."""
        names = self.schema.names
        return frozenset(names[: names.index(self.last_required) + 1] if self.last_required else names)

    @property
    def directory(self) -> str:
        """The directory of the table inside the store."""
        return f"{self.name}.lance"

    @property
    def flat_schema(self) -> pa.Schema:
        """The schema for readers: one flat column per leaf."""
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
    """Return the columns of a record as stored, with an encoding for long texts, and the checksum of the row."""
    columns = [c.with_metadata({**(c.metadata or {}), **_TEXT}) if c.name in texts else c for c in schema]
    return pa.schema([*columns, pa.field(ROW_CHECKSUM, pa.int64())])


def _records(name: str, schema: pa.Schema, *, recorded: str, last_required: str, shared: bool = False) -> Table:
    """Declare a table of records that are only added, each identified by its `key`."""
    return Table(
        name=name,
        schema=_encoded(schema),
        merge_key="key",
        row_key="key",
        recorded=recorded,
        last_required=last_required,
        shared=shared,
    )


RESULTS_TABLE = Table(
    name="results",
    schema=_encoded(RESULTS, "metadata"),
    row_key="id",
    last_required="values_hash",
    indexes=(
        ("series_key", "BTREE"),
        ("commit", "BTREE"),
        ("dut.version", "BTREE"),
        ("benchmark_name", "BITMAP"),
        ("test_bed.name", "BITMAP"),
        ("dut.timestamp", "ZONEMAP"),
    ),
)
RUNS_TABLE = Table(name="runs", schema=_encoded(RUNS, "context"), last_required="schema_version")
BASELINES_TABLE = _records("baselines", BASELINES, recorded="set_at", last_required="set_by")
FINDINGS_TABLE = _records("findings", FINDINGS, recorded="at", last_required="note")
ARTIFACTS_TABLE = _records("artifacts", ARTIFACTS, recorded="added_at", last_required="added_at")
MIGRATIONS_TABLE = _records("migrations", MIGRATIONS, recorded="applied_at", last_required="bench_db_version")
COMMITS_TABLE = _records("commits", COMMITS, recorded="recorded_at", last_required="replaces", shared=True)
DEFINITIONS_TABLE = _records("definitions", DEFINITIONS, recorded="at", last_required="replaces", shared=True)
EXCLUSIONS_TABLE = _records("exclusions", EXCLUSIONS, recorded="at", last_required="replaces")
PAIRS_TABLE = _records("pairs", PAIRS, recorded="at", last_required="note")
NOTIFICATIONS_TABLE = _records("notifications", NOTIFICATIONS, recorded="at", last_required="note")
SCANS_TABLE = _records("scans", SCANS, recorded="at", last_required="at")
ROLLUP_COLUMNS = (*COLUMNS, *MACHINE, "pr_number")
SERIES_TABLE = Table(
    name="series",
    schema=pa.schema([RESULTS_TABLE.flat_schema.field(name) for name in ROLLUP_COLUMNS]),
    last_required="error",
    derived=True,
)
FINGERPRINTS_TABLE = Table(
    name="fingerprints",
    # Hashes cannot be compressed, and an attempt costs ten times the write.
    schema=pa.schema([pa.field("block", pa.large_binary(), metadata={b"lance-encoding:compression": b"none"})]),
    merge_key="block",
    row_key="block",
    derived=True,
)

# Created with the store, and written in this order, so that a run exists before its results.
TABLES = (RUNS_TABLE, RESULTS_TABLE)
# All tables. The others are created on first use.
REGISTRY = (
    *TABLES,
    BASELINES_TABLE,
    FINDINGS_TABLE,
    ARTIFACTS_TABLE,
    MIGRATIONS_TABLE,
    COMMITS_TABLE,
    DEFINITIONS_TABLE,
    EXCLUSIONS_TABLE,
    PAIRS_TABLE,
    NOTIFICATIONS_TABLE,
    SCANS_TABLE,
    SERIES_TABLE,
    FINGERPRINTS_TABLE,
)


def registered() -> tuple[Table, ...]:
    """Return every table of the registry, including derived ones."""
    return REGISTRY


def stored() -> tuple[Table, ...]:
    """Return the tables that are not derived, which copies and exports contain."""
    return tuple(table for table in registered() if not table.derived)
