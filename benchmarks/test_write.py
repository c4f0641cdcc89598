"""Writes of the same new runs into copies of the built stores."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count, cycle
from statistics import median
from typing import TYPE_CHECKING

import pytest

from bench_db.store import maintain
from bench_db.store.engine import Engine, locate
from bench_db.store.tables import RESULTS_TABLE
from benchmarks.generate import BENCHMARKS
from benchmarks.race import Outcome, race
from benchmarks.writers import WRITERS, Batch, BenchDbWriter, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.generate import History
    from benchmarks.side_by_side import SideBySide

ROUNDS = 15


def history_batch(history: History, number: int) -> Batch:
    """Return a run that no store contains."""
    commit = history.commits + number
    return Batch(run=history.run(commit), results=history.results(commit))


def publish_next(writer: Writer, feed: Iterator[Batch]) -> int:
    """Publish the next run of a feed."""
    return writer.publish(next(feed))


def kinds(rows: int) -> list[str]:
    return [kind for kind in WRITERS if kind != "json" or rows <= 100_000]


@pytest.mark.parametrize("again", [False, True], ids=["new", "again"])
def test_publish(
    side_by_side: SideBySide, writable: Callable[[str], Path], history: History, rows: int, *, again: bool
) -> None:
    writers = {kind: WRITERS[kind](writable(kind)) for kind in kinds(rows)}
    race_publishes(side_by_side, "publish-again" if again else "publish", writers, history, again=again)


def race_publishes(
    side_by_side: SideBySide, line: str, writers: dict[str, Writer], history: History, *, again: bool
) -> None:
    """Time publishes of runs that no store contains, or of one run that all contain."""
    batches = [history_batch(history, number) for number in range(1 if again else ROUNDS + 2)]
    if again:
        assert {writer.publish(batches[0]) for writer in writers.values()} == {BENCHMARKS}
    feeds = {kind: cycle(batches) for kind in writers}
    works = {kind: partial(publish_next, writer, feeds[kind]) for kind, writer in writers.items()}
    answers = side_by_side.race(line, works, rounds=ROUNDS)
    assert set(answers.values()) == {0 if again else BENCHMARKS}


def test_publish_in_other_bytes(side_by_side: SideBySide, writable: Callable[[str], Path], history: History) -> None:
    publish_in_other_bytes(side_by_side, "publish-content", BenchDbWriter(writable("bench_db")), history)


def publish_in_other_bytes(side_by_side: SideBySide, line: str, writer: BenchDbWriter, history: History) -> None:
    """Time publishes of measurements that are known, and are recognised by their content: the bytes of their file are others."""
    batch, numbers = history_batch(history, 0), count()
    assert writer.publish(batch) == BENCHMARKS

    def publish_other_bytes() -> int:
        other = replace(batch.run, sha256=f"{next(numbers):064x}")
        return writer.publish(Batch(run=other, results=batch.results))

    assert side_by_side.race(line, {"bench_db": publish_other_bytes}, rounds=ROUNDS) == {"bench_db": 0}


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
def test_race(side_by_side: SideBySide, writable: Callable[[str], Path], history: History, *, same: bool) -> None:
    line = "race-same" if same else "race-different"
    places = {kind: writable(kind) for kind in ("bench_db", "sqlite")}
    firsts = {kind: count(history.commits, 1000) for kind in places}

    def run(kind: str) -> Outcome:
        return race(kind, places[kind], next(firsts[kind]), same=same)

    outcomes = side_by_side.contest({kind: partial(run, kind) for kind in places}, rounds=3)
    side_by_side.read_all(line, {kind: median(o.p95 for o in known) for kind, known in outcomes.items()})
    for what in ("failed", "wrong"):
        side_by_side.read_all(
            f"{line}-{what}", {k: sum(float(getattr(o, what)) for o in n) for k, n in outcomes.items()}
        )


def test_maintenance(side_by_side: SideBySide, writable: Callable[[str], Path], history: History) -> None:
    race_maintenance(side_by_side, "maintenance", writable("bench_db"), history)


def race_maintenance(side_by_side: SideBySide, line: str, place: Path, history: History) -> None:
    """Time the maintenance that a publish begins, each time after as many publishes as make it due."""
    writer = BenchDbWriter(place)
    engine, numbers = Engine(locate(place), None), count()

    def publish_until_due() -> None:
        while not maintain.is_due(engine.open(RESULTS_TABLE)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(maintain, "optimize_if_due", lambda _engine: None)
                writer.publish(history_batch(history, next(numbers)))

    side_by_side.race(line, {"bench_db": partial(maintain.optimize, engine)}, rounds=4, before=publish_until_due)
