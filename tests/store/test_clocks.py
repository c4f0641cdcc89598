"""Machines with different clocks share a store: live processes whose clock is wrong, and files with the times of the store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import lance
import pytest
from lance.fragment import write_fragments

import bench_db as api
from bench_db import State
from bench_db.store.database import connect
from tests.cli.asking import wobble
from tests.cli.kinds import entry, publish_all, sha
from tests.strategies import publication
from tests.support.campaigns import rounds
from tests.support.shifted import DAY, HOUR, YEAR, environment, library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.store.database import Database

ROOT = Path(__file__).parents[2]
_OPTIMIZE = "import sys, bench_db; print(bench_db.connect(sys.argv[1]).optimize())"
_PUBLISH = """
import sys
from bench_db.store.database import connect
from tests.strategies import publication

for number in range(int(sys.argv[2]), int(sys.argv[3])):
    run, results = publication(number, rows=5)
    connect(sys.argv[1]).publish(results, run)
"""
# Reads until its input ends, and checks that no answer is an error, misses a run that was there before, or warns of damage.
_READ = """
import select, sys, warnings
import bench_db

warnings.simplefilter("error")
seen, reads = set(), 0
while not (reads and select.select([sys.stdin], [], [], 0.2)[0]):
    store = bench_db.connect(sys.argv[1])
    rows = store.scan(["run_key", "commit"]).collect()
    runs = rows["run_key"].value_counts()
    assert set(runs["count"]) <= {5}, runs
    assert seen <= set(runs["run_key"])
    seen = set(runs["run_key"])
    assert store.latest().height in ({5} if seen else {0, 5})
    assert not seen or store.has(rows["commit"][0]).present
    reads += 1
print(reads)
"""
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
    levels = [wobble(number, 100.0 if number < 15 else 130.0) for number in range(24)]
    publish_all(made, [entry(number, {"f": level}) for number, level in enumerate(levels)])
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
    """A record is later than what it follows, whatever the clock, and an update of what has changed meanwhile is made again."""

    @pytest.mark.slow
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

    @pytest.mark.slow
    def test_a_decision_about_what_two_scans_find_at_once_is_not_lost(self, stepped: Database, shift: Path) -> None:
        with waiting_scan(stepped, environment(shift, 60)):
            api.scan(stepped)
            api.bless_finding(stepped, stepped.findings()[0].id, by="me")
        assert states(stepped) == [State.BLESSED]


def published(store: Database, count: int) -> None:
    for number in range(count):
        entry, results = publication(number, rows=5)
        store.publish(results, entry)


@pytest.mark.campaign("clocks")
class TestMaintenance:
    """Ages are those of the store's clock, and a machine with another clock cleans nothing."""

    @pytest.mark.parametrize("seconds", [8 * DAY, *rounds("clocks", (), full=(10 * YEAR, 2 * DAY, -8 * DAY))])
    def test_a_write_in_progress_survives(self, database: Database, shift: Path, seconds: int) -> None:
        published(database, 3)
        table = f"{database.uri}/results.lance"
        rows = lance.dataset(table).to_table(limit=2)
        unfinished = write_fragments(rows, table, mode="append")
        done = run(_OPTIMIZE, database.uri, env=environment(shift, seconds))
        assert "versions_removed=0" in done
        assert "this machine's clock is" in done
        operation = lance.LanceOperation.Append(unfinished)
        lance.LanceDataset.commit(table, operation, read_version=lance.dataset(table).version)
        assert len(database.results()) == 17

    @pytest.mark.slow
    def test_versions_of_a_slow_clock_are_as_old_as_the_store_says(self, database: Database, shift: Path) -> None:
        run(_PUBLISH, database.uri, "0", "3", env={**environment(shift, -8 * DAY), "PYTHONPATH": str(ROOT)})
        assert database.optimize().versions_removed == 0
        assert len(database.results()) == 15

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("role", "seconds"),
        rounds(
            "clocks",
            [("maintainer", 8 * DAY), ("reader", 8 * DAY)],
            full=list(product(["writer", "reader", "maintainer"], [-8 * DAY, 2 * DAY, 8 * DAY, 10 * YEAR])),
        ),
    )
    def test_live_processes(self, database: Database, shift: Path, seconds: int, role: str) -> None:
        right, wrong = ({**environment(shift, by), "PYTHONPATH": str(ROOT)} for by in (0, seconds))
        many = rounds("clocks", 4, full=40)
        loop = f"for _ in range({rounds('clocks', 2, full=12)}):\n    {_OPTIMIZE}"
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _PUBLISH, database.uri, str(start), str(start + many)],
                env=wrong if role == "writer" and not start else right,
            )
            for start in (0, many)
        ]
        with subprocess.Popen(
            [sys.executable, "-c", _READ, database.uri],
            env=wrong if role == "reader" else right,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as reader:
            maintainer = [sys.executable, "-c", loop, database.uri]
            env = wrong if role == "maintainer" else right
            subprocess.run(maintainer, env=env, check=True, stdout=subprocess.DEVNULL)
            assert [writer.wait() for writer in writers] == [0, 0]
            assert int(reader.communicate()[0])
            assert reader.returncode == 0
        assert len(database.results()) == 2 * many * 5
        # of two processes that make a table at once, one leaves the file that it wrote for it
        assert {problem.kind for problem in database.verify().problems} <= {"files of unfinished writes"}
