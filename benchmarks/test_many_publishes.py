"""Many publishes: the files of a history at once, and a day of CI. Only with --many-publishes: it takes minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import connect
from benchmarks import imports, stores
from benchmarks.generate import History

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.side_by_side import SideBySide

_FEW = 200
_DAY = 86_400
# Results of a publish in the day.
_BENCHMARKS = 20


@pytest.fixture
def number(request: pytest.FixtureRequest) -> int:
    stated: int | None = request.config.getoption("--many-publishes")
    if stated is None:
        pytest.skip("needs --many-publishes")
    return stated


def test_files_at_once(side_by_side: SideBySide, number: int) -> None:
    """The CPU time a file, with parsing, must not grow with the number of files."""
    few = imports.in_fresh_process(min(_FEW, number))
    found: list[dict[str, float]] = []
    side_by_side.turns(lambda: found.append(imports.in_fresh_process(number)), {}, rounds=1)
    [many] = found
    side_by_side.rows = int(many["rows"])
    seconds = {name: many[name] * number / 1e3 for name in ("publish", "duckdb", "sqlite")}
    side_by_side.read("bulk", seconds.pop("publish"), seconds)
    side_by_side.read("bulk-memory", many["memory"])
    side_by_side.read("bulk-disk", many["disk"] / many["disk, settled"])
    side_by_side.read("bulk-flat", many["publish"] / few["publish"])
    side_by_side.read("bulk-again", many["again"] / many["publish"])


def test_disk_in_a_day(side_by_side: SideBySide, number: int, tmp_path: Path) -> None:
    """The bytes on disk after each publish of a day, over those that its results take in the settled store at the end."""
    history = History(commits=0, benchmarks=_BENCHMARKS, beds=1)
    database, taken = connect(tmp_path / "store", create=True), list[int]()

    def publish() -> None:
        commit = len(taken)
        assert database.publish(history.results(commit), history.run(commit)).new == _BENCHMARKS
        taken.append(stores.bytes_on_disk(tmp_path / "store"))
        stores.age(tmp_path / "store", _DAY / number)

    side_by_side.turns(publish, {}, rounds=number)
    stores.settle(tmp_path / "store")
    settled = stores.bytes_on_disk(tmp_path / "store")
    first = number // 10  # the fixed part of an almost empty store is larger than its rows
    side_by_side.rows = number * _BENCHMARKS
    side_by_side.read("day-disk", max(at / (settled * (n + 1) / number) for n, at in enumerate(taken) if n >= first))
