"""What the processes of a race or of a kill do with whole stores and with files: put, copy, import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bench_db.model import Baseline, Finding, State
from bench_db.store import source
from bench_db.store.database import connect
from bench_db.store.tables import stored
from tests.store import workers
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from bench_db.store.database import Database

SMALL_GROUP = 20


def publish(database: Database, number: int, *, rows: int = 3, place: str = "", replace: bool = False) -> int:
    """Publish the plain run of a number; its key."""
    run, results = publication(number, rows=rows, place=place)
    return database.publish(results, run, replace=replace).run_key


def content(number: int, size: int = 1000) -> bytes:
    """A content of its own for every number."""
    return (f"{number}\n" * size).encode()


def fill(database: Database, numbers: range = range(6)) -> None:
    """Something in every table."""
    for number in numbers:
        run, results = publication(number, rows=4)
        key = database.publish(results, run).run_key
        database.put_artifact(content(number), kind="log", name=f"{number}.log", run=key, added_at=number)
        database.set_baseline(Baseline(name="main", commit=commit_of(number), set_at=number))
        database.record_findings([_finding(number)])


def _finding(number: int) -> Finding:
    return Finding(
        id=f"{number % 2}",
        series_key=1,
        commit=commit_of(number),
        index=3,
        effect=0.1,
        low=None,
        high=None,
        p_value=0.01,
        provisional=False,
        state=State.OPEN,
        at=number,
    )


def rows_of(database: Database) -> dict[str, int]:
    """Return the number of rows of each table that is not derived."""
    kept = {table.name for table in stored()}
    return {table.name: table.rows for table in database.info().tables if table.name in kept}


def put(job: tuple[str, tuple[int, ...], dict[str, str]]) -> int:
    """Put contents by number as soon as every process has its own; how many were new."""
    uri, numbers, environment = job
    os.environ.update(environment)
    workers._READY[0].wait(60)
    store = connect(uri)
    return sum(store.put_artifact(content(n), kind="log", name=f"{n}.log", added_at=n).new for n in numbers)


def put_until_killed(ready: Connection, uri: str) -> None:
    """Put contents, and say the number of each that is in."""
    store = connect(uri)
    ready.send(-1)
    for number in range(10_000):
        store.put_artifact(content(number, 100_000), kind="log", name=f"{number}.log", added_at=number)
        ready.send(number)


def copy(ready: Connection, origin: str, target: str) -> None:
    """Copy a store in many small steps, and say how far it is after each."""
    source._GROUP_ROWS = SMALL_GROUP
    held = connect(origin)
    ready.send(-1)
    held.copy_to(connect(target, create=True), progress=lambda done, _: ready.send(done))


def bring_in(ready: Connection, exported: Path, target: str) -> None:
    """Import an export in many small steps, and say how far it is after each."""
    source._GROUP_ROWS = SMALL_GROUP
    store = connect(target, create=True)
    ready.send(-1)
    store.import_from(exported, progress=lambda done, _: ready.send(done))


def export(ready: Connection, origin: str, directory: Path) -> None:
    """Export a store over and over."""
    held = connect(origin)
    ready.send(-1)
    while True:
        held.export_to(directory)


def everything(uri: str | Path) -> dict[str, list[str]]:
    """Every row a store holds, by table, in their order."""
    store: Any = connect(uri)
    return {
        "results": [repr(result) for result in store.results()],
        "runs": [repr(row) for row in store.runs().collect().rows()],
        "baselines": [repr(record) for record in store.baselines()],
        "findings": [repr(record) for record in store.findings()],
        "artifacts": [repr(record) for record in store.artifacts()],
    }


def files_in(directory: Path) -> dict[str, bytes]:
    """Every file below a directory by its place there."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
