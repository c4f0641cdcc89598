"""Rows per second of a mirror in PostgreSQL, beside COPY of the same rows, and its restoration after damage.

python -m benchmarks.mirror ADDRESS [ROWS] builds a store (100,000 rows by default), and makes and drops the schema `bench_db_benchmark`.
COPY has the rows ready in memory, in the form that the mirror sends, and writes them into a table with the same columns as text, without
casts, ledger or indexes. Each `--rebuild` must give the rows that were there before. The CPU time is that of this process.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

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


# Statements that damage a mirror, by what they do.
DAMAGE = {
    "dropped": (f"DROP SCHEMA {SCHEMA} CASCADE",),
    "truncated": (f"TRUNCATE {SCHEMA}.results",),
    "altered": (
        f"ALTER TABLE {SCHEMA}.runs DROP COLUMN context",
        f"UPDATE {SCHEMA}.results SET median = -median WHERE abs(hashint8(run_key)) % 10 = 0",
    ),
}


class Timing(NamedTuple):
    """The seconds that some work took, and the CPU seconds of this process."""

    work: str
    seconds: float
    cpu: float


def timed(name: str, work: Callable[[], object]) -> Timing:
    """Measure some work."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Timing(name, time.perf_counter() - began, time.process_time() - cpu)


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


def digest(address: str) -> object:
    """Return the sum of the hashes of all results, as text and so in another form than the mirror's own."""
    with closing(dbapi.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT sum(hashtextextended(r::text, 0))::text FROM {SCHEMA}.results r")
        return cursor.fetchone()


def measure(address: str, store: Database, history: History) -> list[Timing]:
    """Measure each piece of work."""

    def mirror(*, check: bool = False, rebuild: bool = False) -> Mirrored:
        return write(store, address, schema=SCHEMA, check=check, rebuild=rebuild)

    rows = ready_results(store)
    run(address, f"CREATE SCHEMA {SCHEMA}")
    found = [timed("COPY of the rows in memory", lambda: copy(address, rows))]
    found += [timed("mirror, new", mirror), timed("mirror, nothing new", mirror)]
    found.append(timed("mirror --check", lambda: mirror(check=True)))
    whole = digest(address)
    for name, statements in DAMAGE.items():
        run(address, *statements)
        found.append(timed(f"mirror --rebuild, {name}", lambda: mirror(rebuild=True)))
        assert digest(address) == whole
    store.publish(history.results(history.commits), history.run(history.commits))
    found.append(timed("mirror, one run of 200 rows new", mirror))
    assert mirror(check=True).is_equal
    return found


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
    cells = [
        (
            one.work,
            f"{one.seconds:.2f}",
            f"{one.cpu:.2f}",
            f"{rows / one.seconds:,.0f}",
            f"{one.seconds / found[0].seconds:.1f}",
        )
        for one in found
    ]
    numbers = ("seconds", "CPU seconds", "rows/s", "times COPY")
    print(table(("work", *numbers), cells, numbers))


if __name__ == "__main__":
    main()
