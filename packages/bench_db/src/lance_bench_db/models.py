"""The records of lance-bench. Rows added through them are published: once each, however often they are added."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bench_db import model
from bench_db.arrow import RESULTS, from_table, to_table
from bench_db.compat.rows import as_runs
from bench_db.model import DutBuild, SummaryValues, TestBed, Throughput
from bench_db.store.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from lancedb import DBConnection

__all__ = ["DutBuild", "Result", "SummaryValues", "TestBed", "Throughput", "UnitSystem"]


class UnitSystem(StrEnum):
    """How a throughput is scaled for people."""

    DECIMAL = "decimal"
    BINARY = "binary"


class Result(model.Result):
    """A row of lance-bench: its ten fields, and whatever bench_db adds at its default."""

    __slots__ = ()

    @staticmethod
    def to_arrow_table(results: Iterable[model.Result]) -> pa.Table:
        """The results as a table, which `Results.add` publishes; no results give an empty table."""
        return to_table(list(results), RESULTS)

    @staticmethod
    def open_table(db: DBConnection) -> Results:
        """The results of a database, which is made when there is none."""
        return Results(db)


class Results:
    """The LanceDB table of results, with an `add` that never adds a row twice; all else is the table's own."""

    def __init__(self, db: DBConnection) -> None:
        self._store = connect(db.uri, create=True)
        self._db = db

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db.open_table("results"), name)

    def add(self, rows: pa.Table) -> None:
        """Publish rows, those of one device, test bed and second as one run."""
        for run, results in as_runs(from_table(rows, model.Result)):
            self._store.publish(results, run)
