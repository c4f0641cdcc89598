"""Reads; every answer is compared with those of the rivals before it is timed."""

from __future__ import annotations

import shutil
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from bench_db.store.database import connect
from bench_db.store.engine import Engine, locate
from bench_db.store.tables import RESULTS_TABLE, SERIES_TABLE
from benchmarks.contenders import CONTENDERS, BenchDb, Contender
from benchmarks.fresh import in_fresh_process
from benchmarks.generate import BENCHMARKS, TEST_BEDS, benchmark_name, commit_sha, nth_test_bed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.generate import History
    from benchmarks.side_by_side import SideBySide
    from benchmarks.stores import Shelf

SERIES = BENCHMARKS * TEST_BEDS
NAME, BED = benchmark_name(17), nth_test_bed(2).name
Opened = dict[str, Contender]


def kinds(rows: int) -> list[str]:
    """Return the stores to compare at a size; JSON only when small, because reading a million rows takes most of a minute."""
    return [kind for kind in CONTENDERS if kind != "json" or rows <= 100_000]


@pytest.fixture
def opened(shelf: Shelf, rows: int) -> Opened:
    return {kind: CONTENDERS[kind](shelf.store(kind)) for kind in kinds(rows)}


def asked(opened: Opened, question: Callable[[Contender], Any]) -> dict[str, Callable[[], Any]]:
    return {kind: partial(question, contender) for kind, contender in opened.items()}


def look_up(kind: str, place: Path, commit: str) -> bool:
    """Open a store and look up a commit."""
    return CONTENDERS[kind](place).has(commit)


def test_look_up_with_open(side_by_side: SideBySide, shelf: Shelf, history: History, rows: int) -> None:
    commit = commit_sha(history.commits // 2)
    places = {kind: shelf.store(kind) for kind in kinds(rows)}
    work = {kind: partial(look_up, kind, place, commit) for kind, place in places.items()}
    assert all(side_by_side.race("has", work, rounds=31).values())


def test_look_up(side_by_side: SideBySide, opened: Opened, history: History) -> None:
    commit = commit_sha(history.commits // 2)
    assert all(side_by_side.race("has-warm", asked(opened, lambda c: c.has(commit)), rounds=31).values())


@pytest.mark.parametrize("values", [False, True], ids=["points", "values"])
def test_trend(side_by_side: SideBySide, opened: Opened, history: History, *, values: bool) -> None:
    line = "trend-values" if values else "trend"
    answers = side_by_side.race(line, asked(opened, lambda c: c.trend(NAME, BED, values=values)), rounds=21)
    assert {len(points) for points in answers.values()} == {history.commits}


def test_latest(side_by_side: SideBySide, opened: Opened, shelf: Shelf) -> None:
    answers = side_by_side.race("latest", asked(opened, lambda c: c.latest()))
    assert {len(rows) for rows in answers.values()} == {SERIES}
    assert answers["bench_db"]["median"].sort().equals(answers["duckdb"]["median"].sort())
    read_memory(side_by_side, shelf, "latest")


def test_latest_without_the_rollup(side_by_side: SideBySide, opened: Opened, writable: Callable[[str], Path]) -> None:
    place = writable("bench_db")
    shutil.rmtree(place / SERIES_TABLE.directory)
    works = {"bench_db": BenchDb(place).latest, "duckdb": opened["duckdb"].latest}
    answers = side_by_side.race("latest-scan", works, rounds=5)
    assert {len(rows) for rows in answers.values()} == {SERIES}


def test_summary(side_by_side: SideBySide, opened: Opened, shelf: Shelf) -> None:
    answers = side_by_side.race("summary", asked(opened, lambda c: c.summary()))
    assert {len(rows) for rows in answers.values()} == {SERIES}
    ours, theirs = answers["bench_db"].sort("series_key"), answers["duckdb"].sort("series_key")
    quartiles = theirs["q"].to_list()
    for index, name in enumerate(("q1", "median", "q3")):
        expected = pl.Series([quartile[index] for quartile in quartiles])
        assert ((ours[name] - expected).abs() <= expected * 1e-12).all()
    read_memory(side_by_side, shelf, "summary")


def read_memory(side_by_side: SideBySide, shelf: Shelf, question: str) -> None:
    """Record the peak memory of three fresh processes per store."""
    peaks = {
        kind: median(in_fresh_process(question, kind, str(shelf.store(kind))).peak for _ in range(3))
        for kind in ("bench_db", "duckdb")
    }
    side_by_side.read_all(f"{question}-memory", peaks)


def test_statistics_of_all_samples(side_by_side: SideBySide, shelf: Shelf) -> None:
    places = {"bench_db": shelf.store("bench_db"), "duckdb": shelf.store("duckdb"), "polars": shelf.store("duckdb")}
    works = {kind: partial(in_fresh_process, "recompute", kind, str(place)) for kind, place in places.items()}
    spent = side_by_side.contest(works, rounds=3)
    side_by_side.read_all("recompute", {k: median(s.milliseconds for s in known) for k, known in spent.items()})
    side_by_side.read_all("recompute-memory", {k: median(s.peak for s in known) for k, known in spent.items()})


def test_verify(side_by_side: SideBySide, shelf: Shelf) -> None:
    """Measure CPU time: a shared machine tells little by the clock."""
    store = connect(shelf.store("bench_db"))
    works = {
        "bench_db": partial(spent, store.verify),
        "quick": partial(spent, partial(store.verify_quickly, 1)),
        "plain": partial(spent, partial(read_plainly, shelf.store("bench_db"))),
    }
    seconds = {name: median(known) for name, known in side_by_side.contest(works, rounds=3).items()}
    side_by_side.read("verify-cpu", seconds["bench_db"] / seconds["plain"])
    side_by_side.read("verify-quick-cpu", seconds["quick"] / seconds["plain"])
    assert store.verify().problems == store.verify_quickly(1).problems == ()


def spent(work: Callable[[], Any]) -> float:
    """Return the CPU time of a call in seconds, of all its threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def read_plainly(place: Path) -> int:
    """Read every column of every result, and return the number of rows."""
    results = Engine(locate(place), None).open(RESULTS_TABLE)
    return sum(len(batch) for part in results.every_fragment() for batch in results.row_batches(fragment=part))
