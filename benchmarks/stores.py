"""The compared stores, each built once from the same history in a cache directory."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench_db.arrow import RESULTS, ROW_CHECKSUM, RUNS, conform, row_checksums
from bench_db.store.database import connect
from bench_db.store.engine import Engine, locate
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from benchmarks.generate import BENCHMARKS, VERSION, History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARQUET_FILES = 10
_HOUR = 3_600
# Rivals store tags as canonical text, no iteration counts and no checksums, so they store less and never more.
_FLAT = {name: leaf for name, leaf in RESULTS_TABLE.leaves.items() if name not in {"tags", "iterations", ROW_CHECKSUM}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The cache of built stores; a store is built in a temporary directory and renamed when complete."""

    directory: Path
    history: History

    def store(self, kind: str) -> Path:
        """Return the store of a kind of `BUILDERS`; build it if it is missing."""
        layout = sha256(f"{RESULTS}{RUNS}".encode()).hexdigest()[:8]
        samples = "" if self.history.samples else "-narrow"
        shape = "" if self.history.benchmarks == BENCHMARKS else f"-{self.history.benchmarks}x{self.history.beds}"
        size = f"{self.history.rows}{samples}{shape}"
        place = self.directory / f"v{VERSION}-{layout}-seed{self.history.seed}" / size / kind
        if not place.exists():
            unfinished = place.with_name(f"{kind}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            BUILDERS[kind](self.history, unfinished)
            unfinished.rename(place)
        return place


def copy(store: Path, place: Path) -> Path:
    """Copy a store for writing, with hard links for files that never change."""
    changing = any(store.glob("*.sqlite"))
    return Path(shutil.copytree(store, place, copy_function=shutil.copy2 if changing else os.link))


def bytes_on_disk(store: Path) -> int:
    """Return the total bytes of all files in a store."""
    return sum(file.stat().st_size for file in store.rglob("*") if file.is_file())


def age(store: Path, seconds: float) -> None:
    """Make every file of a store older: the age of a version is by the clock of its file system."""
    for file in store.rglob("*"):
        if file.is_file():
            known = file.stat()
            os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns - int(seconds * 1e9)))


def settle(store: Path) -> None:
    """Compact a store and remove all versions but the newest, as maintenance does when nobody writes for an hour."""
    for _ in range(2):  # the second time removes the versions that the first has replaced
        age(store, _HOUR)
        connect(store).optimize()


def flat(rows: pa.RecordBatch | pa.Table) -> pa.Table:
    """Return rows with one flat column per leaf, as the rivals store them."""
    paths = {name: leaf.split(".") for name, leaf in _FLAT.items()}
    return pa.table(
        {name: pa.compute.struct_field(rows[p[0]], p[1]) if len(p) > 1 else rows[p[0]] for name, p in paths.items()}
    )


def build_bench_db(history: History, place: Path) -> None:
    """Write the tables of bench_db in bulk and run maintenance, for the state that publishes leave."""
    engine = Engine(locate(place), None)
    reader = pa.RecordBatchReader.from_batches(
        RESULTS_TABLE.schema, (_stored(batch, RESULTS_TABLE.schema) for batch in history.batches())
    )
    engine.replace_all(RUNS_TABLE, _stored(history.runs(), RUNS_TABLE.schema))
    engine.replace_all(RESULTS_TABLE, reader)
    connect(place).optimize()


def _stored(rows: Any, schema: pa.Schema) -> Any:
    """Return rows of records as they are stored, with their checksums."""
    return conform(rows.append_column(ROW_CHECKSUM, row_checksums(rows)), schema)


def build_parquet(history: History, place: Path) -> None:
    """Write ten files of zstd Parquet in order of arrival."""
    writer, written = None, 0
    for batch in history.batches():
        part = flat(batch)
        if writer is None or written >= history.rows // PARQUET_FILES:
            if writer:
                writer.close()
            name = f"{len(list(place.iterdir())):03}.parquet"
            writer, written = pq.ParquetWriter(place / name, part.schema, compression="zstd"), 0
        writer.write_table(part)
        written += part.num_rows
    if writer:
        writer.close()


SQLITE_COLUMNS = tuple(_FLAT)
SQLITE_INSERT = f"INSERT OR IGNORE INTO results VALUES ({', '.join('?' * len(SQLITE_COLUMNS))})"
# The index on id makes publishing idempotent; (series, time, median) covers trend, latest and summary.
_SQLITE_INDEXES = """
CREATE UNIQUE INDEX by_id ON results (id);
CREATE INDEX by_commit ON results ("commit");
CREATE INDEX by_series ON results (series_key, dut_timestamp, median);
CREATE INDEX by_name ON results (benchmark_name, test_bed_name, dut_timestamp);
ANALYZE;
"""


def sqlite_rows(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield rows for SQLite, with samples as one blob."""
    blobs = [item.values.to_numpy().tobytes() for chunk in rows["values"].chunks for item in chunk]
    columns = [blobs if name == "values" else rows[name].to_pylist() for name in SQLITE_COLUMNS]
    return zip(*columns, strict=True)


def open_sqlite(place: Path) -> sqlite3.Connection:
    """Open a connection that waits for other writers."""
    database = sqlite3.connect(place / "results.sqlite", timeout=60)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;")
    return database


def create_sqlite(place: Path, *, indexes: bool = True) -> sqlite3.Connection:
    """Create one wide table, in WAL mode, and open a connection to it."""
    database = open_sqlite(place)
    columns = ", ".join(f'"{name}"' for name in SQLITE_COLUMNS)
    database.execute(f"CREATE TABLE results ({columns})")
    if indexes:
        database.executescript(_SQLITE_INDEXES)
    return database


def build_sqlite(history: History, place: Path) -> None:
    """Write the table in bulk, and then its indexes."""
    database = create_sqlite(place, indexes=False)
    with database:
        for batch in history.batches():
            database.executemany(SQLITE_INSERT, sqlite_rows(flat(batch)))
    database.executescript(_SQLITE_INDEXES)
    database.close()


def json_path(place: Path, run: pa.Table) -> Path:
    """Return the file of a run: one directory per commit, one file per test bed."""
    commit, bed = (str(run[name][0].as_py()) for name in ("commit", "test_bed_name"))
    return place / commit / f"{bed}.json"


def build_json(history: History, place: Path) -> None:
    """Write one file per run."""
    for batch in history.batches():
        rows = flat(batch)
        for first in range(0, rows.num_rows, history.benchmarks):
            run = rows.slice(first, history.benchmarks)
            file = json_path(place, run)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(msgspec.json.encode(run.to_pylist()))


BUILDERS: dict[str, Callable[[History, Path], None]] = {
    "bench_db": build_bench_db,
    "duckdb": build_parquet,
    "sqlite": build_sqlite,
    "json": build_json,
}
