# ruff: noqa: D102 the protocol documents the methods
"""Atomic and idempotent publishing of one run into each store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench_db.arrow import RESULTS, to_table
from bench_db.derive import derive
from bench_db.model import Result, Run
from bench_db.store.database import connect
from benchmarks import stores

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One run with its results, as records and as a flat table for the rivals."""

    run: Run
    results: Sequence[Result]

    def table(self) -> pa.Table:
        """Return the rows with every derived field; this is part of the measurement, as it is for bench_db."""
        return stores.flat(to_table(derive(self.run, self.results)[1], RESULTS))


class Writer(Protocol):
    """A writer of runs; `publish` returns the number of new rows."""

    def __init__(self, place: Path) -> None: ...
    def publish(self, batch: Batch) -> int: ...
    def rows(self) -> int: ...


class BenchDbWriter:
    """The publish of bench_db."""

    def __init__(self, place: Path) -> None:
        self.database = connect(place)

    def publish(self, batch: Batch) -> int:
        return self.database.publish(batch.results, batch.run).new

    def rows(self) -> int:
        return self.database.scan(["run_key"]).collect().height


class SqliteWriter:
    """INSERT OR IGNORE with a unique index, in one transaction."""

    def __init__(self, place: Path) -> None:
        self.connection = stores.open_sqlite(place)

    def publish(self, batch: Batch) -> int:
        with self.connection:
            return self.connection.executemany(stores.SQLITE_INSERT, stores.sqlite_rows(batch.table())).rowcount

    def rows(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM results").fetchone()[0])


class DuckDbWriter:
    """A look-up of the key, then a new Parquet file; two concurrent writers would both add the run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 2")

    def publish(self, batch: Batch) -> int:
        table = batch.table()
        key = table["run_key"][0].as_py()
        asked = f"SELECT 1 FROM '{self.place}/*.parquet' WHERE run_key = ? LIMIT 1"
        if self.connection.execute(asked, [key]).fetchone():
            return 0
        pq.write_table(table, self.place / f"run-{key}.parquet", compression="zstd")
        return int(table.num_rows)

    def rows(self) -> int:
        found = self.connection.execute(f"SELECT count(*) FROM '{self.place}/*.parquet'").fetchone()
        return int(found[0]) if found else 0


class JsonWriter:
    """One file per run, written under a temporary name and published by a hard link, which succeeds for one writer only."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def publish(self, batch: Batch) -> int:
        table = batch.table()
        file = stores.json_path(self.place, table)
        file.parent.mkdir(exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(msgspec.json.encode(table.to_pylist()))
        try:
            file.hardlink_to(unfinished)
        except FileExistsError:
            return 0
        finally:
            unfinished.unlink()
        return int(table.num_rows)

    def rows(self) -> int:
        return sum(len(msgspec.json.decode(file.read_bytes())) for file in self.place.glob("*/*.json"))


WRITERS: dict[str, type[Writer]] = {
    "bench_db": BenchDbWriter,
    "duckdb": DuckDbWriter,
    "sqlite": SqliteWriter,
    "json": JsonWriter,
}
