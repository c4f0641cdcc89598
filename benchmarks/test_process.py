"""The command as a whole process, beside processes that do as much with a rival."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.fresh import BIN, process_wall
from benchmarks.generate import commit_sha

if TYPE_CHECKING:
    from benchmarks.generate import History
    from benchmarks.side_by_side import SideBySide
    from benchmarks.stores import Shelf

COMMAND = str(BIN / "bench-db")
_DUCKDB = "import sys, duckdb; print(duckdb.sql(f\"SELECT count(*) FROM '{sys.argv[1]}/*.parquet' WHERE commit = '{sys.argv[2]}'\"))"
_SQLITE = (
    "import sys, sqlite3; c = sqlite3.connect(sys.argv[1] + '/results.sqlite');"
    "print(c.execute('SELECT count(*) FROM results WHERE \"commit\" = ?', sys.argv[2:]).fetchone())"
)


def test_help(side_by_side: SideBySide) -> None:
    works = {
        "bench_db": lambda: process_wall(COMMAND, "--help"),
        "python": lambda: process_wall(sys.executable, "-c", ""),
        "pytest": lambda: process_wall(str(BIN / "pytest"), "--version"),
    }
    answers = side_by_side.race("help", works, rounds=15)
    assert set(answers.values()) == {0}


def test_has(side_by_side: SideBySide, shelf: Shelf, history: History) -> None:
    commit = commit_sha(history.commits // 2)
    parquet, sqlite = str(shelf.store("duckdb")), str(shelf.store("sqlite"))
    ours = str(shelf.store("bench_db"))
    answers = side_by_side.race(
        "has-process",
        {
            "bench_db": lambda: process_wall(COMMAND, "has", commit, "--store", ours),
            "duckdb": lambda: process_wall(sys.executable, "-c", _DUCKDB, parquet, commit),
            "sqlite": lambda: process_wall(sys.executable, "-c", _SQLITE, sqlite, commit),
        },
        rounds=9,
    )
    assert set(answers.values()) == {0}
