"""Commands as processes, compared with processes that do the same work with a rival."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.fresh import BIN, in_fresh_process, process_wall
from benchmarks.generate import History, commit_sha
from benchmarks.stores import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.side_by_side import SideBySide

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


_WIDE = 3000
# Compare the candidate with mean and deviation of the 20 runs before it: less work than bench_db does, on the same rows.
_DUCKDB_COMPARE = '''
import sys, duckdb
print(duckdb.sql(f"""
  WITH ranked AS (
    SELECT series_key, median, commit = '{sys.argv[2]}' AS candidate,
      row_number() OVER (PARTITION BY series_key, commit = '{sys.argv[2]}' ORDER BY dut_timestamp DESC) AS age
    FROM '{sys.argv[1]}/*.parquet')
  SELECT series_key, avg(median) FILTER (candidate), avg(median) FILTER (NOT candidate), stddev_samp(median) FILTER (NOT candidate)
  FROM ranked WHERE age <= 20 GROUP BY series_key""").fetchall()[-1])
'''


@pytest.mark.parametrize(("line", "baseline"), [("compare", ()), ("compare-last", ("--baseline", "last:20"))])
def test_compare(side_by_side: SideBySide, cache: Path, rows: int, line: str, baseline: tuple[str, ...]) -> None:
    history = History(commits=rows // _WIDE, benchmarks=_WIDE, beds=1)
    shelf, commit = Shelf(directory=cache, history=history), commit_sha(history.commits - 1)
    ours, parquet = str(shelf.store("bench_db")), str(shelf.store("duckdb"))
    works = {
        "bench_db": lambda: process_wall(COMMAND, "compare", commit, *baseline, "--store", ours),
        "duckdb": lambda: process_wall(sys.executable, "-c", _DUCKDB_COMPARE, parquet, commit),
    }
    assert set(side_by_side.race(line, works, rounds=7).values()) == {0}
    if not baseline:
        side_by_side.read("compare-memory", in_fresh_process("compare", commit, ours).peak)


def test_first_verdict(side_by_side: SideBySide, cache: Path, tmp_path: Path) -> None:
    history = History(commits=100, benchmarks=100, beds=1)
    shelf, commit = Shelf(directory=cache, history=history), commit_sha(history.commits - 1)
    ours, parquet = str(shelf.store("bench_db")), str(shelf.store("duckdb"))
    new = ("env", "NUMBA_CPU_NAME=generic", f"NUMBA_CACHE_DIR={tmp_path}")
    works = {
        "bench_db": lambda: process_wall(*new, COMMAND, "compare", commit, "--store", ours),
        "duckdb": lambda: process_wall(sys.executable, "-c", _DUCKDB_COMPARE, parquet, commit),
        "python": lambda: process_wall(sys.executable, "-c", ""),
    }
    assert set(side_by_side.race("first-verdict", works, rounds=5).values()) == {0}
    assert not list(tmp_path.iterdir())
