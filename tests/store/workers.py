"""What the processes of a race do: publish, replace, exclude, define or maintain, all beginning at the same moment."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import lance
import pyarrow as pa

from bench_db import BenchDbError
from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.model import Definition, Samples
from bench_db.store import migrations
from bench_db.store.database import connect
from bench_db.store.publish import Entry
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import publication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext

    from bench_db.model import Result, Run
    from bench_db.store.database import Database

PROCESSES = 8
_READY: list[Any] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Runs to publish by number into the store at `uri`: at one `place`, as replacements, or `stated` without their samples.

    `many` publishes them with `publish_many`. `excluded` runs are excluded and every second one included again; `defined` adds a
    definition for each name.
    """

    uri: str
    numbers: tuple[int, ...] = ()
    place: str = ""
    rows: int = 10
    replace: bool = False
    stated: bool = False
    many: bool = False
    excluded: tuple[int, ...] = ()
    defined: tuple[str, ...] = ()
    optimize_seconds: float = 0
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How long each publish took, how many rows it says it added, and the errors a caller would have seen."""

    seconds: list[float]
    new: int
    errors: list[str]


def forks() -> ForkServerContext:
    """Return the context of processes that start at once.

    Its server imports everything once and starts no thread of Lance, so that its children are safe to fork.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.carriers", "bench_db.store.database", "bench_db.store.export"])
    return context


def get_ready(barrier: Any) -> None:
    """Keep the starting line of this process's races."""
    _READY.append(barrier)


def run(job: Job) -> Done:
    """Do a job as soon as every process has its own."""
    os.environ.update(job.environment)
    _READY[0].wait(60)
    seconds, new, errors = [], 0, []
    for action in _actions(job):
        started = time.perf_counter()
        try:
            new += action()
        except BenchDbError as error:
            errors.append(f"{type(error).__name__}: {error}")
        seconds.append(time.perf_counter() - started)
    return Done(seconds=seconds, new=new, errors=errors)


def without_samples(run: Run, results: list[Result]) -> tuple[Run, list[Result]]:
    """Return the same run as a file with statistics alone gives it."""
    derived = derive(run, results)[1]
    return replace(run, sha256="f" * 64), [replace(r, values=Samples(), values_hash=None) for r in derived]


class _Worker:
    """The actions of a job on one opened store; opening counts as part of the first."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @cached_property
    def _database(self) -> Database:
        return connect(self._job.uri, create=True)

    def _publication(self, number: int) -> tuple[Run, list[Result]]:
        run, results = publication(number, rows=self._job.rows, place=self._job.place)
        return without_samples(run, results) if self._job.stated else (run, results)

    def publish(self, number: int) -> int:
        run, results = self._publication(number)
        return self._database.publish(results, run, replace=self._job.replace).new

    def publish_many(self) -> int:
        entries = (Entry(*self._publication(number)) for number in self._job.numbers)
        return sum(done.new for done in self._database.publish_many(entries, replace=self._job.replace))

    def exclude(self, number: int, *, lifted: bool) -> int:
        key = derive(*publication(number, rows=self._job.rows))[0].run_key
        self._database.exclude([key], reason="race", lifted=lifted, at=1, by="race")
        return 0

    def define(self, name: str) -> int:
        self._database.define([Definition(kind="join", pattern=name, value=f"{name} renamed", at=1, by="race")])
        return 0

    def optimize(self) -> int:
        self._database.optimize()
        return 0


def _actions(job: Job) -> Iterator[Callable[[], int]]:
    worker = _Worker(job)
    yield from [worker.publish_many] if job.many else [partial(worker.publish, number) for number in job.numbers]
    for number in job.excluded:
        yield partial(worker.exclude, number, lifted=False)
        if number % 2:
            yield partial(worker.exclude, number, lifted=True)
    yield from (partial(worker.define, name) for name in job.defined)
    end = time.monotonic() + job.optimize_seconds
    while time.monotonic() < end:
        yield worker.optimize


def publish_many_until_killed(acknowledge: Connection, uri: str, start: int) -> None:
    """Publish runs from `start` on in streams of five, and say the number of each that is in."""
    database = connect(uri)
    acknowledge.send(-1)
    for first in range(start, start + 1000, 5):
        numbers = range(first, first + 5)
        entries = (Entry(*publication(number, rows=20)) for number in numbers)
        for number, _ in zip(numbers, database.publish_many(entries), strict=True):
            acknowledge.send(number)


def decide_until_killed(acknowledge: Connection, uri: str, start: int) -> None:
    """Exclude the runs of a store at even numbers, include them at odd ones, define a name at each, and say each that is in."""
    database = connect(uri)
    runs = database.runs().collect()["run_key"].to_list()
    database.exclude(runs, reason="begin", lifted=True, at=1, by="test")
    acknowledge.send(-1)
    for number in range(start, start + 1000):
        database.exclude(runs, reason=str(number), lifted=number % 2 == 1, at=number + 1, by="test")
        database.define([Definition(kind="join", pattern=f"{number}", value="other", at=number + 1, by="test")])
        acknowledge.send(number)


def publish_until_killed(acknowledge: Connection, uri: str, start: int, *, maintaining: bool, place: str = "") -> None:
    """Publish runs from `start` on, and say the number of each that is in."""
    database = connect(uri)
    acknowledge.send(-1)
    for number in range(start, start + 1000):
        run, results = publication(number, rows=20, place=place)
        database.publish(results, run, replace=bool(place))
        acknowledge.send(number)
        if maintaining:
            database.optimize()


def migrate_slowly(ready: Connection, uri: str) -> None:
    """Migrate a store in steps of one run, once the other side knows that it begins."""
    migrations._CHUNK_RUNS = 1
    migrations._BATCH_ROWS = 2
    database = connect(uri)
    ready.send(-1)
    database.migrate()


def race(pool: Any, jobs: list[Job]) -> list[Done]:
    """All jobs at once, each in a process of its own."""
    return list(pool.map(run, jobs, chunksize=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening:
    """Runs to write by number, with a column more than the store has; `old` as release 0.1 does, which does not know it."""

    uri: str
    numbers: tuple[int, ...]
    old: bool


def widen(job: Widening) -> list[str]:
    """Write runs as soon as every process has its own; the errors a caller would have seen."""
    _READY[0].wait(60)
    engine = connect(job.uri)._engine
    wide = pa.schema([*RESULTS_TABLE.schema, pa.field("warmups", pa.int32())])
    table = replace(RESULTS_TABLE, schema=wide)
    errors = []
    for number in job.numbers:
        _, results = derive(*publication(number, rows=10))
        rows = to_table(results, RESULTS_TABLE.schema)
        try:
            if job.old:
                merge = lance.dataset(engine.location.child(table.directory)).merge_insert("run_key")
                merge.when_not_matched_insert_all().use_index(False).conflict_retries(30).execute(rows)  # noqa: FBT003
            else:
                engine.merge(table, rows.append_column("warmups", pa.array([3] * len(rows), pa.int32())))
        except (BenchDbError, OSError) as error:
            errors.append(f"{type(error).__name__}: {error}")
    return errors
