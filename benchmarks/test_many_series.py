"""A scan and a site of many series. Only with --many-series: building their stores takes minutes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import connect
from benchmarks import stores
from benchmarks.fresh import Spent, in_fresh_process
from benchmarks.generate import History
from benchmarks.stores import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.side_by_side import SideBySide

# Series and runs of the budget; smaller ones by --many-series SERIES,RUNS.
SCAN, SITE = (100_000, 200), (10_000, 300)
_PUBLISHED = 200


@pytest.fixture
def sizes(request: pytest.FixtureRequest) -> tuple[int, int] | None:
    stated = request.config.getoption("--many-series")
    if stated is None:
        pytest.skip("needs --many-series")
    return None if stated == "all" else tuple(map(int, stated.split(",")))  # type: ignore[return-value]


@pytest.fixture
def directory(cache: Path) -> Iterator[Path]:
    (cache / "written").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache / "written") as made:
        yield Path(made)


def narrow(series: int, runs: int) -> History:
    return History(commits=runs, benchmarks=series, beds=1, samples=False)


def test_scan(side_by_side: SideBySide, cache: Path, sizes: tuple[int, int] | None) -> None:
    series, runs = sizes or SCAN
    place = Shelf(directory=cache, history=narrow(series, runs)).store("bench_db")
    small = Shelf(directory=cache, history=narrow(10, runs)).store("bench_db")
    spent: list[Spent] = []
    side_by_side.rows = series * runs
    side_by_side.turns(lambda: spent.append(in_fresh_process("scan", "", str(place))), {}, rounds=2)
    fixed = in_fresh_process("scan", "", str(small)).peak
    side_by_side.read("scan", median(one.cpu for one in spent))
    side_by_side.read("scan-memory", (median(one.peak for one in spent) - fixed) * 1e6 / (series * runs))


def test_site(side_by_side: SideBySide, cache: Path, sizes: tuple[int, int] | None, directory: Path) -> None:
    series, runs = sizes or SITE
    history = narrow(series, runs)
    place = stores.copy(Shelf(directory=cache, history=history).store("bench_db"), directory / "store")
    out = directory / "site"
    built: list[Spent] = []
    after: list[Spent] = []
    side_by_side.rows = series * runs
    built.append(in_fresh_process("site", str(out), str(place)))

    def publish_and_build() -> None:
        number = history.commits + len(after)
        published = connect(place).publish(history.results(number)[:_PUBLISHED], history.run(number))
        assert published.new == min(_PUBLISHED, series)
        after.append(in_fresh_process("site", str(out), str(place)))

    side_by_side.turns(publish_and_build, {}, rounds=3)
    side_by_side.read("site-build", built[0].cpu)
    side_by_side.read("site-after", median(one.cpu for one in after))
    side_by_side.read("site-page", bytes_of_page(out) / 1e3)


def bytes_of_page(out: Path) -> float:
    """Return the bytes that the page of a benchmark loads: itself, what it names, and a shard with its samples, of median size."""
    page = (out / "benchmark.html").read_text("utf-8")
    named = [file for file in out.rglob("*") if file.is_file() and file.relative_to(out).as_posix() in page]
    shards = [
        median(file.stat().st_size for file in some)
        for some in (shard_files(out, "data"), shard_files(out, "samples"))
        if some
    ]
    return (out / "benchmark.html").stat().st_size + sum(file.stat().st_size for file in named) + sum(shards)


def shard_files(out: Path, folder: str) -> list[Path]:
    return [file for file in (out / folder).glob("*-*-*.js") if "series-" not in file.name and "rows-" not in file.name]
