"""Ten million rows without samples, the size of years of results. Only with --ten-million."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import stores
from benchmarks.contenders import CONTENDERS, BenchDb, DuckDb
from benchmarks.generate import BENCHMARKS, TEST_BEDS, History, benchmark_name, nth_test_bed
from benchmarks.stores import Shelf
from benchmarks.test_write import publish_in_other_bytes, race_maintenance, race_publishes
from benchmarks.writers import WRITERS, Batch, BenchDbWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.side_by_side import SideBySide

_HISTORY = History(commits=10_000, samples=False)
_NEWER = 45


@pytest.fixture
def large(request: pytest.FixtureRequest, cache: Path) -> Shelf:
    if not request.config.getoption("--ten-million"):
        pytest.skip("needs --ten-million")
    return Shelf(directory=cache, history=_HISTORY)


def test_latest(side_by_side: SideBySide, large: Shelf) -> None:
    ours, duckdb = BenchDb(large.store("bench_db")), DuckDb(large.store("duckdb"))
    answers = side_by_side.race("latest-ten-million", {"bench_db": ours.latest, "duckdb": duckdb.latest}, rounds=5)
    assert {len(rows) for rows in answers.values()} == {BENCHMARKS * TEST_BEDS}


def test_trend(side_by_side: SideBySide, large: Shelf) -> None:
    name, bed = benchmark_name(17), nth_test_bed(2).name
    places = {"bench_db": large.store("bench_db"), "duckdb": large.store("duckdb")}
    works = {kind: partial(trend, kind, place, name, bed) for kind, place in places.items()}
    answers = side_by_side.race("trend-ten-million", works, rounds=5)
    assert {len(points) for points in answers.values()} == {_HISTORY.commits}


def trend(kind: str, place: Path, name: str, bed: str) -> Any:
    """Open a store and return a trend."""
    return CONTENDERS[kind](place).trend(name, bed)


def test_summary(side_by_side: SideBySide, large: Shelf) -> None:
    ours, duckdb = BenchDb(large.store("bench_db")), DuckDb(large.store("duckdb"))
    answers = side_by_side.race("summary-ten-million", {"bench_db": ours.summary, "duckdb": duckdb.summary}, rounds=5)
    assert {len(rows) for rows in answers.values()} == {BENCHMARKS * TEST_BEDS}


def test_latest_with_newer_fragments(side_by_side: SideBySide, large: Shelf) -> None:
    with TemporaryDirectory(dir=large.directory) as directory:
        place = stores.copy(large.store("bench_db"), Path(directory) / "bench_db")
        writer = BenchDbWriter(place)
        for commit in range(_HISTORY.commits, _HISTORY.commits + _NEWER):
            assert writer.publish(Batch(run=_HISTORY.run(commit), results=_HISTORY.results(commit))) == BENCHMARKS
        side_by_side.race("latest-ten-million-newer", {"bench_db": BenchDb(place).latest}, rounds=5)


@pytest.fixture
def copied(large: Shelf) -> Iterator[Callable[[str], Path]]:
    """Return a function that copies a store for writing."""
    with TemporaryDirectory(dir=large.directory) as directory:
        yield lambda kind: stores.copy(large.store(kind), Path(directory) / kind)


@pytest.mark.parametrize("again", [False, True], ids=["new", "again"])
def test_publish(side_by_side: SideBySide, copied: Callable[[str], Path], *, again: bool) -> None:
    writers = {kind: WRITERS[kind](copied(kind)) for kind in ("bench_db", "duckdb")}
    line = "publish-again-ten-million" if again else "publish-ten-million"
    race_publishes(side_by_side, line, writers, _HISTORY, again=again)


def test_publish_in_other_bytes(side_by_side: SideBySide, copied: Callable[[str], Path]) -> None:
    publish_in_other_bytes(side_by_side, "publish-content-ten-million", BenchDbWriter(copied("bench_db")), _HISTORY)


def test_maintenance(side_by_side: SideBySide, copied: Callable[[str], Path]) -> None:
    race_maintenance(side_by_side, "maintenance-ten-million", copied("bench_db"), _HISTORY)
