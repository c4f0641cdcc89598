"""The records of lance-bench; adding rows publishes them, and adding them again changes nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any
from warnings import warn

from bench_db import model
from bench_db.arrow import RESULTS, from_table, to_table
from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.compat.shim import publish
from bench_db.ingest import Provenance
from bench_db.model import DutBuild, SummaryValues, TestBed, Throughput
from bench_db.store.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from lancedb import DBConnection

__all__ = ["DutBuild", "Result", "SummaryValues", "TestBed", "Throughput", "UnitSystem"]


class UnitSystem(StrEnum):
    """The prefixes of a throughput in reports."""

    DECIMAL = "decimal"
    BINARY = "binary"


class Result(model.Result):
    """A row of lance-bench: its ten fields, and the defaults of the fields that bench_db adds."""

    __slots__ = ()

    @staticmethod
    def to_arrow_table(results: Iterable[model.Result]) -> pa.Table:
        """Return the results as a table for `Results.add`; no results give an empty table."""
        return to_table(list(results), RESULTS)

    @staticmethod
    def open_table(db: DBConnection) -> Results:
        """Open the results of a database; create the database if it is missing."""
        return Results(db)


class Results:
    """The LanceDB table of results, with an idempotent `add`; everything else is that of the table."""

    def __init__(self, db: DBConnection) -> None:
        self._store = connect(db.uri, create=True)
        self._db = db

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db.open_table("results"), name)

    def add(self, rows: pa.Table) -> None:
        """Publish rows as `bench-db publish` does the output that they were made from; name what is skipped in a warning.

        Raises `UserError`, before anything is stored, for rows that cannot be right.
        """
        stated = Provenance(**ci_provenance(), change=ci_change())
        for done in publish(self._store, from_table(rows, model.Result), stated):
            if done.skipped:
                warn("; ".join(done.notes), stacklevel=2)
