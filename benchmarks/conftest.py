"""Options, stores and the timing fixture of the benchmarks."""

from __future__ import annotations

import os
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import stores
from benchmarks.generate import ROWS_PER_COMMIT, History
from benchmarks.side_by_side import SideBySide
from benchmarks.stores import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

_SIZES = "100000,1000000"
collect_ignore = ["core"]  # a separate suite with its own options


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bench_db")
    default = os.environ.get("BENCH_DB_BENCH_CACHE") or str(Path(tempfile.gettempdir()) / "bench-db-benchmarks")
    group.addoption(
        "--bench-cache", default=default, help="Cache directory of the built stores [env: BENCH_DB_BENCH_CACHE]."
    )
    group.addoption("--bench-rows", default=_SIZES, help=f"Sizes of the stores, separated by commas ({_SIZES}).")
    group.addoption("--bench-seed", type=int, default=7, help="Seed of the generated history (7).")
    group.addoption(
        "--ten-million", action="store_true", help="Also measure 10 M rows: takes minutes to build and about 2 GB."
    )
    group.addoption(
        "--many-publishes",
        nargs="?",
        type=int,
        const=2_000,
        help="Also measure 2,000 files published at once, and as many publishes in a day; or another number, without budgets.",
    )
    group.addoption(
        "--many-series",
        nargs="?",
        const="all",
        help="Also measure a scan of 100,000 series and a site of 10,000; or SERIES,RUNS of both, without budgets.",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rows" in metafunc.fixturenames:
        sizes = [int(size) for size in metafunc.config.getoption("--bench-rows").split(",")]
        metafunc.parametrize("rows", sizes, scope="session", ids=[f"{size // 1000}k" for size in sizes])


@pytest.fixture(scope="session")
def cache(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("--bench-cache"))


@pytest.fixture
def history(request: pytest.FixtureRequest, rows: int) -> History:
    return History(commits=rows // ROWS_PER_COMMIT, seed=request.config.getoption("--bench-seed"))


@pytest.fixture
def shelf(cache: Path, history: History) -> Shelf:
    return Shelf(directory=cache, history=history)


@pytest.fixture
def side_by_side(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> SideBySide:
    rows = request.getfixturevalue("rows") if "rows" in request.fixturenames else None
    return SideBySide(benchmark, rows)


@pytest.fixture
def writable(shelf: Shelf, cache: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that copies a store for writing, beside the cache so that files can be hard links."""
    (cache / "written").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache / "written") as directory:
        numbers = count()
        yield lambda kind: stores.copy(shelf.store(kind), Path(directory) / f"{kind}-{next(numbers)}")
