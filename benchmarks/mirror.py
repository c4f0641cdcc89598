"""Rows per second of a mirror in PostgreSQL, beside COPY of the same rows.

python -m benchmarks.mirror ADDRESS [ROWS] builds a store (100,000 rows by default), and makes and drops the schema `bench_db_benchmark`.
COPY has the rows ready in memory, in the form that the mirror sends, and writes them into a table with the same columns as text, without
casts, ledger or indexes.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from adbc_driver_postgresql import dbapi

from bench_db.app.mirror import Mirrored, ready_results
from bench_db.app.mirror import mirror as write
from bench_db.report.text import table
from bench_db.store.database import connect
from benchmarks.generate import ROWS_PER_COMMIT, History
from benchmarks.stores import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from bench_db.store.database import Database

SCHEMA = "bench_db_benchmark"
ROWS = 100_000


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def copy(address: str, rows: pa.Table) -> None:
    """Write rows by COPY into a new table."""
    with closing(dbapi.connect(address)) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("copied", rows, mode="create", db_schema_name=SCHEMA)
        connection.commit()


def run(address: str, *statements: str) -> None:
    """Run statements."""
    with closing(dbapi.connect(address, autocommit=True)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def measure(address: str, store: Database, history: History) -> list[tuple[str, float]]:
    """Return the seconds of each piece of work by its name."""

    def mirror(*, check: bool = False) -> Mirrored:
        return write(store, address, schema=SCHEMA, check=check)

    rows = ready_results(store)
    run(address, f"CREATE SCHEMA {SCHEMA}")
    seconds = [("COPY of the rows in memory", timed(lambda: copy(address, rows)))]
    seconds += [("mirror, new", timed(mirror)), ("mirror, nothing new", timed(mirror))]
    seconds.append(("mirror --check", timed(lambda: mirror(check=True))))
    store.publish(history.results(history.commits), history.run(history.commits))
    seconds.append(("mirror, one run of 200 rows new", timed(mirror)))
    assert mirror(check=True).is_equal
    return seconds


def main() -> None:
    """Measure, and print the table."""
    address, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    history = History(commits=rows // ROWS_PER_COMMIT)
    with TemporaryDirectory() as directory:
        store = connect(Shelf(directory=Path(directory), history=history).store("bench_db"))
        try:
            found = measure(address, store, history)
        finally:
            run(address, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    cells = [(name, f"{seconds:.2f}", f"{rows / seconds:,.0f}") for name, seconds in found]
    print(table(("work", "seconds", "rows/s"), cells, ("seconds", "rows/s")))


if __name__ == "__main__":
    main()
