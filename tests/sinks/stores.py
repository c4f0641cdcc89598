"""Stores to mirror, and what a mirror has."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench_db.model import Definition, RecordedCommit, Samples
from bench_db.store.database import connect
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench_db.store.database import Database
    from tests.support.postgres_server import Postgres

TABLES = (
    "runs",
    "results",
    "commits",
    "findings",
    "baselines",
    "definitions",
    "exclusions",
    "artifacts",
    "migrations",
    "pairs",
    "notifications",
    "scans",
)


def publish(database: Database, number: int, **changes: Any) -> int:
    """Publish the plain run of a number with some fields changed, in the run and its results; its key."""
    run, results = publication(number, rows=4)
    return database.publish([replace(result, **changes) for result in results], replace(run, **changes)).run_key


def several_histories(directory: Path) -> Database:
    """Return a store with a main branch, a branch, a pull request, failures, ties, late measurements, and definitions."""
    database = connect(directory, create=True)
    for number in (3, 1, 4, 2, 9, 6, 5):
        publish(database, number, branch="main", run_time=1_700_000_500 - number)
    publish(database, 7, branch="feature")
    publish(database, 8, branch="main", pr_number=12)
    publish(database, 11)
    _publish_failures(database)
    _publish_an_old_name(database)
    database.define(
        [
            Definition(kind="join", field="", pattern="bench old", value="bench 2", at=1),
            Definition(kind="better", field="", pattern="time", value="higher", at=1),
            Definition(kind="alias", field="test_bed", pattern="be*", value="machine", at=1),
            Definition(kind="ignore", field="", pattern="bench 0", value="", at=1),
        ]
    )
    database.record_commits(
        [
            RecordedCommit(
                dut_name="engine", commit=commit_of(number), time=1_700_000_000 + number, position=place, recorded_at=2
            )
            for place, number in enumerate((2, 1, 3, 4))
        ]
    )
    return database


def _publish_failures(database: Database) -> None:
    """Publish a run whose first series has a zero, whose second failed, and with a series of failures alone."""
    run, results = publication(10, rows=4)
    zeros, nothing = Samples([0.0, 0.0]), Samples()
    given = [
        replace(results[0], values=zeros),
        replace(results[1], values=nothing, error="crashed"),
        replace(results[2], values=zeros),
        replace(results[3], values=nothing, error="crashed", benchmark_name="always broken"),
    ]
    database.publish(given, run)


def _publish_an_old_name(database: Database) -> None:
    run, [result] = publication(12, rows=1)
    database.publish([replace(result, benchmark_name="bench old")], run)


def dump(
    postgres: Postgres, schema: str, tables: Iterable[str] = TABLES, *, database: str = "postgres"
) -> dict[str, list[str]]:
    """Return every row of the tables of a mirror as text, sorted."""
    return {
        name: [
            row["line"]
            for row in postgres.rows(f'SELECT t::text AS line FROM "{schema}"."{name}" t ORDER BY 1', database=database)
        ]
        for name in tables
    }


_KILLED = """
import sys, time
from bench_db.app.mirror import mirror

class Stop:
    def __call__(self, done, total, doing=""):
        if doing == "results":
            print("half way", flush=True)
            time.sleep(60)

    def say(self, line):
        pass

store, address, *schema = sys.argv[1:]
mirror(store, address, **({"schema": schema[0]} if schema else {}), progress=Stop())
"""


def kill_half_way(database: Database, address: str, *schema: str) -> None:
    """Begin a mirror in another process, and kill it when it comes to the results."""
    command = [sys.executable, "-c", _KILLED, database.uri, address, *schema]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half way\n"
        child.kill()
