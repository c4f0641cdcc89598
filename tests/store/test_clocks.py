"""Machines with different clocks share a store: live processes whose clock is wrong, and files with the times of the store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db import State
from bench_db.store.database import connect
from tests.cli.asking import wobble
from tests.cli.kinds import publish, sha
from tests.support.campaigns import rounds
from tests.support.shifted import DAY, HOUR, YEAR, environment, library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.store.database import Database

_SCAN = "import sys, bench_db; bench_db.scan(bench_db.connect(sys.argv[1]))"
# Waits between the reading of the findings and the writing, the first time.
_SLOW_SCAN = """
import sys
import bench_db
from bench_db.app import scan

update, waits = scan.updated, ["once"]

def slow(*given, **options):
    records = update(*given, **options)
    if waits:
        waits.clear()
        print("read", flush=True)
        sys.stdin.readline()
    return records

scan.updated = slow
bench_db.scan(bench_db.connect(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library(tmp_path_factory.mktemp("shift"))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series with a step at commit 15."""
    made = connect(tmp_path_factory.mktemp("stepped") / "store", create=True)
    for number in range(24):
        publish(made, number, {"f": wobble(number, 100.0 if number < 15 else 130.0)})
    return Path(made.uri)


@pytest.fixture
def stepped(once: Path, tmp_path: Path) -> Database:
    return connect(shutil.copytree(once, tmp_path / "store"))


def run(code: str, *arguments: str, env: dict[str, str]) -> str:
    words = [sys.executable, "-c", code, *arguments]
    return subprocess.run(words, env=env, check=True, text=True, stdout=subprocess.PIPE).stdout


def without_step(store: Database) -> list[int]:
    """Exclude the runs after the step, and return them."""
    after = [key for number in range(15, 24) for key in store.runs_of(sha(number))]
    store.exclude(after, reason="test", lifted=False, at=1, by="")
    return after


def states(store: Database) -> list[State]:
    return [finding.state for finding in store.findings(every=True)]


@contextmanager
def waiting_scan(store: Database, env: dict[str, str]) -> Iterator[None]:
    """Run a scan in another process; the block runs between its reading and its writing."""
    words = [sys.executable, "-c", _SLOW_SCAN, store.uri]
    with subprocess.Popen(words, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as scan:
        assert scan.stdout
        assert scan.stdin
        assert scan.stdout.readline() == "read\n"
        yield
        scan.stdin.write("\n")
        scan.stdin.close()
        assert scan.wait() == 0


@pytest.mark.campaign("clocks")
class TestFindings:
    """Findings are ordered by their commits, and an update of what has changed meanwhile is made again."""

    @pytest.mark.parametrize("seconds", [HOUR, *rounds("clocks", (), full=(-8 * DAY, 2 * DAY, 8 * DAY, 10 * YEAR))])
    def test_a_scan_by_another_clock_freezes_nothing(self, stepped: Database, shift: Path, seconds: int) -> None:
        run(_SCAN, stepped.uri, env=environment(shift, seconds))
        assert states(stepped) == [State.OPEN]
        without_step(stepped)
        api.scan(stepped)
        assert states(stepped) == [State.FIXED]

    @pytest.mark.parametrize("seconds", [HOUR, *rounds("clocks", (), full=(0, -HOUR))])
    def test_a_decision_during_a_scan_is_not_lost(self, stepped: Database, shift: Path, seconds: int) -> None:
        api.scan(stepped)
        (found,) = stepped.findings()
        excluded = without_step(stepped)
        with waiting_scan(stepped, environment(shift, seconds)):
            stepped.exclude(excluded, reason="test", lifted=True, at=2, by="")
            api.bless_finding(stepped, found.id, by="me")
        assert states(stepped) == [State.BLESSED]

    def test_a_decision_about_what_two_scans_find_at_once_is_not_lost(self, stepped: Database, shift: Path) -> None:
        with waiting_scan(stepped, environment(shift, 60)):
            api.scan(stepped)
            api.bless_finding(stepped, stepped.findings()[0].id, by="me")
        assert states(stepped) == [State.BLESSED]
