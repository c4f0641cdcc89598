# ruff: noqa: D102 the protocol documents the methods
"""The same queries for each store, with comparable answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import msgspec
import numpy as np
import polars as pl

from bench_db import Selection
from bench_db.query.series import COLUMNS
from bench_db.store.database import Database, connect
from benchmarks import stores

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_SELECTED = ", ".join(f'"{name}"' for name in COLUMNS)


class Contender(Protocol):
    """An open store. `latest` and `trend` return all columns of a point, as bench_db does; `summary` returns statistics of medians."""

    def __init__(self, place: Path) -> None: ...
    def has(self, commit: str) -> bool: ...
    def trend(self, benchmark: str, test_bed: str, *, values: bool = False) -> Any: ...
    def latest(self) -> Any: ...
    def summary(self) -> Any: ...


class BenchDb:
    """A bench_db store."""

    def __init__(self, place: Path) -> None:
        self.database: Database = connect(place)

    def has(self, commit: str) -> bool:
        return self.database.has(commit).present

    def trend(self, benchmark: str, test_bed: str, *, values: bool = False) -> pl.DataFrame:
        return self.database.trend(benchmark, Selection(test_bed_name=test_bed), values=values)

    def latest(self) -> pl.DataFrame:
        return self.database.latest()

    def summary(self) -> pl.DataFrame:
        return self.database.summary()


class DuckDb:
    """DuckDB on Parquet files, with two threads like all others."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 2")
        self.connection.execute(f"CREATE VIEW results AS SELECT * FROM '{place}/*.parquet'")

    def frame(self, sql: str, parameters: list[str] | None = None) -> pl.DataFrame:
        return pl.DataFrame(self.connection.sql(sql, params=parameters).to_arrow_table())

    def has(self, commit: str) -> bool:
        found = self.connection.execute("SELECT 1 FROM results WHERE commit = ? AND error IS NULL LIMIT 1", [commit])
        return found.fetchone() is not None

    def trend(self, benchmark: str, test_bed: str, *, values: bool = False) -> pl.DataFrame:
        columns = _SELECTED + (', "values"' if values else "")
        asked = f"SELECT {columns} FROM results WHERE benchmark_name = ? AND test_bed_name = ? ORDER BY dut_timestamp"
        return self.frame(asked, [benchmark, test_bed])

    def latest(self) -> pl.DataFrame:
        newest = "SELECT series_key, max(dut_timestamp) AS dut_timestamp FROM results GROUP BY series_key"
        return self.frame(
            f"SELECT {_SELECTED} FROM results JOIN ({newest}) USING (series_key, dut_timestamp) "
            "ORDER BY benchmark_name, test_bed_name"
        )

    def summary(self) -> pl.DataFrame:
        return self.frame(
            "SELECT series_key, any_value(benchmark_name) AS benchmark_name, any_value(test_bed_name) AS test_bed_name, "
            "any_value(units) AS units, arg_max(commit, dut_timestamp) AS commit, count(median) AS n, min(median) AS min, "
            "quantile_cont(median, [0.25, 0.5, 0.75]) AS q, max(median) AS max, avg(median) AS mean, "
            "stddev_samp(median) AS standard_deviation FROM results GROUP BY series_key"
        )


class Sqlite:
    """One SQLite file."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.connection: sqlite3.Connection = stores.open_sqlite(place)

    def has(self, commit: str) -> bool:
        asked = 'SELECT 1 FROM results WHERE "commit" = ? AND error IS NULL LIMIT 1'
        return self.connection.execute(asked, [commit]).fetchone() is not None

    def trend(self, benchmark: str, test_bed: str, *, values: bool = False) -> list[Any]:
        columns = _SELECTED + (', "values"' if values else "")
        asked = f"SELECT {columns} FROM results WHERE benchmark_name = ? AND test_bed_name = ? ORDER BY dut_timestamp"
        rows = self.connection.execute(asked, [benchmark, test_bed]).fetchall()
        return [(*row[:-1], np.frombuffer(row[-1])) for row in rows] if values else rows

    def latest(self) -> list[Any]:
        newest = "SELECT series_key, max(dut_timestamp) AS dut_timestamp FROM results GROUP BY series_key"
        asked = f"SELECT {_SELECTED} FROM ({newest}) JOIN results USING (series_key, dut_timestamp)"
        return self.connection.execute(asked).fetchall()

    def summary(self) -> list[Any]:
        """Return statistics without quantiles, which SQLite lacks."""
        return self.connection.execute(
            "SELECT series_key, count(median), min(median), max(median), avg(median), avg(median * median) "
            "FROM results GROUP BY series_key"
        ).fetchall()


class Row(msgspec.Struct):
    """The fields that the queries need."""

    series_key: int
    benchmark_name: str
    test_bed_name: str
    dut_timestamp: int
    median: float
    values: list[float]


class JsonFiles:
    """One JSON file per run, decoded by msgspec into typed rows."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._decoder = msgspec.json.Decoder(list[Row])

    def _rows(self) -> list[Row]:
        return [row for file in self.place.glob("*/*.json") for row in self._decoder.decode(file.read_bytes())]

    def has(self, commit: str) -> bool:
        return (self.place / commit).is_dir()

    def trend(self, benchmark: str, test_bed: str, *, values: bool = False) -> list[Any]:
        files = self.place.glob(f"*/{test_bed}.json")
        rows = [
            row for file in files for row in self._decoder.decode(file.read_bytes()) if row.benchmark_name == benchmark
        ]
        return sorted((row.dut_timestamp, row.median, row.values if values else None) for row in rows)

    def latest(self) -> dict[int, Any]:
        newest: dict[int, Row] = {}
        for row in self._rows():
            if row.series_key not in newest or newest[row.series_key].dut_timestamp < row.dut_timestamp:
                newest[row.series_key] = row
        return newest

    def summary(self) -> dict[int, Any]:
        medians: dict[int, list[float]] = {}
        for row in self._rows():
            medians.setdefault(row.series_key, []).append(row.median)
        return {
            key: (len(m), *np.quantile(m, [0, 0.25, 0.5, 0.75, 1]), np.mean(m), np.std(m, ddof=1))
            for key, m in medians.items()
        }


CONTENDERS: dict[str, type[Contender]] = {
    "bench_db": BenchDb,
    "duckdb": DuckDb,
    "sqlite": Sqlite,
    "json": JsonFiles,
}
