"""Temporary histories with a fast script as benchmark, and backfills of them in a process."""

import subprocess
from pathlib import Path
from typing import Any

from tests.cli.commands import COMMAND, bench_db, document, environment
from tests.support.histories import History

SCRIPT = """
import json, sys, timeit
from work import work
work()
values = [1e9 * min(timeit.repeat(work, number=1, repeat=3)) for _ in range(5)]
json.dump({"results": [{"benchmark_name": "sum", "values_ns": values}]}, sys.stdout)
"""
WORK = "def work():\n    return sum(range(1_000))\n"


def config(*suites: str, script: str = "bench.py") -> str:
    """Return a configuration with a suite `work` and further text."""
    work = f"""
[suite.work]
benchmark = "{{python}} {script}"
stdout = "results.json"
format = "values-ns"
"""
    return '[project]\nname = "p"\ntest_bed = "here"\n[schedule]\nmax_commits = 100\n' + "".join([work, *suites])


def grow(directory: Path, commits: int = 3) -> tuple[History, list[str]]:
    """Create a history in `clone` below a directory with a configuration; return the shas, oldest first."""
    history = History(directory / "clone")
    shas = [history.commit(f"change {i}", n=str(i), work__py=WORK, bench__py=SCRIPT) for i in range(commits)]
    (directory / "bench-db.toml").write_text(config())
    return history, shas


ARGUMENTS = ("backfill", "--clone", "clone", "--store", "store")


def backfill(directory: Path, *arguments: str, code: int = 0) -> Any:
    """Run `bench-db backfill` and return its JSON."""
    return document(bench_db(*ARGUMENTS, "--output", "json", *arguments, cwd=directory), code)


def started(directory: Path, *arguments: str, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """Start a backfill in the background; `before` are words before the command."""
    return subprocess.Popen(
        [*before, *COMMAND, *ARGUMENTS, *arguments],
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
