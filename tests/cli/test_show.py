from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from bench_db.app.schemas import schemas
from bench_db.store.database import connect
from tests.cli import commands
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish, publish_all, sha
from tests.cli.measured_histories import SCRIPT, WORK, config
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path


class TestShow:
    """The verb prints one commit, and ends with 2 for one that it does not know."""

    def test_document(self, tmp_path: Path) -> None:
        database = connect(tmp_path / "store", create=True)
        publish(database, 1, {"f": 1.0})
        document = bench_db("show", sha(1)[:9], "--store", database.uri, "--output", "json").document
        assert document.keys() == schemas()["show"]["properties"].keys()
        assert (document["commit"], document["before"], document["counts"]) == (sha(1), None, {"new": 1})
        answer = bench_db("show", sha(3), "--store", database.uri)
        assert (answer.code, answer.out, f"no results of {sha(3)}" in answer.err) == (2, "", True)

    @pytest.mark.parametrize("words", [(), ("latest",)])
    def test_the_newest_commit(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        database = connect(tmp_path / "store", create=True)
        assert bench_db("show", *words, "--store", database.uri).code == 2
        publish(database, 1, {"f": 1.0})
        publish(database, 2, {"f": 1.0})
        document = bench_db("show", *words, "--store", database.uri, "--output", "json").document
        assert (document["commit"], document["before"]) == (sha(2), sha(1))

    @pytest.mark.slow
    def test_the_command_finds_the_commit(self, tmp_path: Path) -> None:
        """The first commit measured after a change is named; the change is earlier in the range."""
        clone = History(tmp_path / "clone")
        slow = WORK.replace("1_000", "100_000")
        shas = [
            clone.commit(f"change {i}", n=str(i), work__py=slow if i >= 7 else WORK, bench__py=SCRIPT)
            for i in range(10)
        ]
        (tmp_path / "bench-db.toml").write_text(config())
        database = connect(tmp_path / "store", create=True)
        publish_all(
            database,
            [
                entry(number, {"sum": 9e5 if number == 9 else 9e3 + number}, commit=shas[number], suite="work")
                for number in (*range(6), 9)
            ],
        )
        shown = commands.bench_db("show", shas[9][:9], "--store", "store", "--clone", "clone", cwd=tmp_path).stdout
        assert "4 commits since" in shown
        command = next(line.strip() for line in shown.splitlines() if line.strip().startswith("bench-db bisect"))
        found = commands.bench_db(*shlex.split(command)[1:], "--clone", "clone", cwd=tmp_path)
        assert (found.returncode, shas[7][:9] in found.stdout.splitlines()[-1] + found.stdout.splitlines()[0]) == (
            0,
            True,
        )
