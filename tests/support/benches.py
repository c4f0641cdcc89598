"""Measuring the commits of a temporary history with commands in Python."""

import os
import signal
import sys
import time
from pathlib import Path

from bench_db.clock import Clock
from bench_db.measure import git, runner
from bench_db.measure.runner import Bench, Measured
from bench_db.model import Reason, Step, Target
from bench_db.schedule.config import Suite
from tests.support.histories import History

# Loading the plugins that no benchmark uses takes as long as the rest of a small run.
WITHOUT_PLUGINS = "-p no:cacheprovider -p no:anyio -p no:hypothesispytest -p no:xdist"
# `python3 -m venv DIR` and the pip in it, without a package index: the environment of the tests has all packages.
WITHOUT_INDEX = f"""#!/bin/sh
if [ "$1 $2" = '-m venv' ]; then
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
elif [ "$1 $2 $3" = '-m pip install' ]; then
    echo "$@" >> {{installed}}
else
    exec '{sys.executable}' "$@"
fi
"""
PYTEST = f"'{sys.executable}' -m pytest -qs {WITHOUT_PLUGINS}"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def bench(history: History, environment: dict[str, str] | None = None, **suites: Suite) -> Bench:
    return Bench(
        repository=history.path,
        home=history.path.parent / "home",
        root=history.path.parent,
        suites=suites,
        environment=os.environ if environment is None else environment,
        clock=Clock(),
    )


def steps(history: History, *shas: str) -> list[Step]:
    found = [git.commit_of(history.path, sha) for sha in shas]
    return [Step(commit=commit, targets=(Target(),), reason=Reason.NOT_MEASURED) for commit in found]


def measured(history: History, where: Bench, *shas: str) -> list[tuple[Measured, list[str]]]:
    """Return the delivered results, with the content of the output files."""
    found: list[tuple[Measured, list[str]]] = []
    with git.alone(where.repository, where.home, where.clock) as locks:
        planned = steps(history, *shas)
        runner.run(planned, where, locks, lambda m: found.append((m, [path.read_text() for path in m.written.outputs])))
    return found


def gone(pid: int) -> bool:
    """Return whether a process ends within a short time."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            status = Path(f"/proc/{pid}/stat")
            if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return False
