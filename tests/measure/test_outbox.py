"""What is measured is published once and not measured again, wherever between the two a backfill ends."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_db import connect
from bench_db.measure.journal import Outbox, Pending
from bench_db.measure.runner import Written
from tests.cli.commands import bench_db, environment, journal
from tests.cli.measured_histories import ARGUMENTS, SCRIPT, backfill, config, grow
from tests.store import releases

if TYPE_CHECKING:
    from collections.abc import Callable

KILL = """
import os
from bench_db.measure.journal import Outbox
from bench_db.measure.journal import Journal
from bench_db.store.engine import Engine

def killed(owner, name, when, after=False):
    original = getattr(owner, name)
    def call(self, *arguments, **named):
        if after and when(*arguments):
            original(self, *arguments, **named)
        if when(*arguments):
            os.kill(os.getpid(), 9)
        return original(self, *arguments, **named)
    setattr(owner, name, call)
"""
POINTS = {
    "as it is kept": 'killed(Outbox, "put", lambda *_: True, after=True)',
    "before its record": 'killed(Engine, "merge", lambda table, *_: table.name == "runs")',
    "between its record and its rows": 'killed(Engine, "merged", lambda table, *_: table.name == "results")',
    "after its rows": 'killed(Engine, "merged", lambda table, *_: table.name == "results", after=True)',
    "before it is no longer pending": 'killed(Outbox, "remove", lambda *_: True)',
}
COUNTED = """
import os
with open(os.path.join(os.environ["BENCH_DB_CACHE"], "count"), "a") as file:
    file.write(os.environ["BENCH_DB_COMMIT"] + "\\n")
"""


def counted(directory: Path) -> list[str]:
    """The commits whose benchmark ran, as often as it did."""
    return (directory / ".bench-db" / "cache" / "count").read_text().split()


@pytest.mark.slow
class TestOnce:
    """Each commit is measured once and published once."""

    @pytest.mark.parametrize("point", POINTS)
    def test_killed(self, point: str, tmp_path: Path) -> None:
        history, shas = grow(tmp_path, 1)
        shas.append(history.commit("counted", bench__py=COUNTED + SCRIPT))
        code = f"{KILL}\n{POINTS[point]}\nfrom bench_db.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", code, *ARGUMENTS], cwd=tmp_path, env=environment(), check=False)
        assert done.returncode == -9
        rest = backfill(tmp_path)
        assert [entry["commit"] for entry in rest["ended"]] == shas[::-1]
        assert [step["commit"] for step in rest["steps"]] == [shas[0]]
        assert counted(tmp_path) == [shas[1]]
        store = connect(tmp_path / "store")
        assert sorted(store.runs().collect()["commit"]) == sorted(shas)
        assert store.verify().problems == ()
        assert {entry["attempt"] for entry in journal(tmp_path) if "attempt" in entry} <= {1}
        assert not list((tmp_path / ".bench-db" / "measured").iterdir())

    def test_a_store_that_is_away(self, tmp_path: Path) -> None:
        """It ends at once, with the code for that; and what it measured goes to that store and no other."""
        away = "import os; os.rename('../../../store', '../../../away'); open('../../../store', 'w')"
        history, shas = grow(tmp_path, 1)
        assert backfill(tmp_path)["ended"][0]["state"] == "succeeded"
        shas.append(history.commit("takes the store away", bench__py=COUNTED + away + SCRIPT))
        assert bench_db(*ARGUMENTS, cwd=tmp_path).returncode == 3
        (tmp_path / "store").unlink()
        (tmp_path / "away").rename(tmp_path / "store")
        there = bench_db("backfill", "--clone", "clone", "--store", "other", "--range", shas[0], cwd=tmp_path)
        assert there.stdout.startswith("1 measured"), there
        assert [entry["commit"] for entry in backfill(tmp_path)["ended"]] == [shas[1]]
        assert counted(tmp_path) == [shas[1]]
        assert sorted(connect(tmp_path / "store").runs().collect()["commit"]) == sorted(shas)

    def test_several_files_of_one_name(self, tmp_path: Path) -> None:
        writes = (
            "import os, shutil, subprocess, sys\nfor d in 'ab':\n    os.mkdir(d)\n    out = open(f'{d}/r.json', 'w')\n"
        )
        writes += "    subprocess.run([sys.executable, 'bench.py'], stdout=out, check=True)"
        history, _ = grow(tmp_path, 1)
        history.commit("several", several__py=writes)
        several = config(script="several.py").replace('stdout = "results.json"', 'outputs = ["*/r.json"]')
        (tmp_path / "bench-db.toml").write_text(several)
        ended = backfill(tmp_path, "--range", "HEAD")["ended"]
        assert [entry["state"] for entry in ended] == ["succeeded"], ended
        assert connect(tmp_path / "store").runs().collect()["file_name"].to_list() == ["r.json"] * 2


class TestOutbox:
    """A pending suite is there as a whole or not at all."""

    PENDING = Pending(
        key="1-a-b",
        store="s",
        commit="a",
        suite="b",
        format="auto",
        attempt=1,
        began=1,
        seconds=1.0,
        log="l",
        provenance={},
    )

    def test_kept_and_removed(self, tmp_path: Path) -> None:
        outbox = Outbox(tmp_path / "outbox")
        assert outbox.is_empty
        (tmp_path / "raw" / "deep").mkdir(parents=True)
        (tmp_path / "raw" / "deep" / "x").write_text("1")
        (tmp_path / "raw" / "deep" / "older").write_text("2")
        written = Written((tmp_path / "raw",), frozenset({tmp_path / "raw/deep/older"}))
        pending = outbox.put(self.PENDING, written)
        kept = outbox.directory / pending.outputs[0] / "deep"
        assert [(file.name, file.read_text()) for file in kept.iterdir()] == [("x", "1")]
        assert (outbox.of_store("s"), outbox.of_store("other")) == ([pending], [])
        outbox.remove(pending)
        assert outbox.is_empty

    def test_what_was_not_finished_does_not_count(self, tmp_path: Path) -> None:
        outbox = Outbox(tmp_path)
        spoils: list[Callable[[Path], object]] = [
            lambda path: path.rename(f"{path}.unfinished"),
            lambda path: (path / "measured.json").write_bytes(b"{"),
            lambda path: (path / "measured.json").unlink(),
        ]
        for spoil in spoils:
            spoil(tmp_path / outbox.put(self.PENDING, Written()).key)
            assert (outbox.of_store("s"), outbox.is_empty) == ([], True)
            outbox.tidy()
            assert not list(tmp_path.iterdir())
        outbox.put(self.PENDING, Written())
        outbox.tidy()
        assert [pending.key for pending in outbox.of_store("s")] == [self.PENDING.key]


class TestRelease:
    """What a killed backfill of an earlier release left in its journal and outbox is taken up by the present one."""

    def test_taken_up(self, tmp_path: Path) -> None:
        answers = releases.expected("0.1")
        store, work = releases.unpacked("0.1", tmp_path), tmp_path / ".bench-db"
        left = releases.RELEASES / "0.1"
        shutil.copytree(left / "backfill", work)
        for path in (work / "local.jsonl", *work.glob("measured/*/measured.json")):
            path.write_text(path.read_text().replace("@STORE@", str(store)).replace("@WORK@", str(work)))
        shutil.copyfile(left / "bench-db.toml", tmp_path / "bench-db.toml")
        subprocess.run(
            ["git", "clone", "--quiet", "--branch", "main", left / "history.bundle", "clone"], cwd=tmp_path, check=True
        )
        [pending] = Outbox(work / "measured").of_store(str(store))
        assert [[entry["commit"], entry["state"]] for entry in journal(tmp_path)] == answers["ended"]
        ended = backfill(tmp_path)["ended"]
        assert (ended[0]["commit"], ended[0]["state"]) == (pending.commit, "succeeded")
        assert Outbox(work / "measured").is_empty
        database = connect(store)
        assert database.verify().problems == ()
        measured = [commit for commit, _ in answers["ended"]] + [entry["commit"] for entry in ended]
        runs = database.runs().collect()["commit"].to_list()
        # The commit that failed is tried again and fails again with the same error, which is the same run.
        assert {commit: runs.count(commit) for commit in measured} == dict.fromkeys(measured, 1)
        assert len(set(measured)) == 4
