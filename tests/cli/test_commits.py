from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish, sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestCommits:
    """The verbs print tables, and errors of use end with 2."""

    def test_list(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        answer = bench_db("commits", "list", "--store", database.uri)
        assert (answer.code, answer.out.split()[:2]) == (0, ["position", "commit"])

    def test_sync_without_a_clone(self, database: Database) -> None:
        answer = bench_db("commits", "sync", "--clone", database.uri, "--store", database.uri)
        assert (answer.code, "not a git repository" in answer.err) == (2, True)

    def test_show(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0, "g": 2.0})
        publish(database, 2, {"f": 1.5})
        answer = bench_db("commits", "show", sha(1)[:9], "--store", database.uri)
        assert answer.code == 0
        assert f"commit       {sha(1)}\n" in answer.out
        assert "parents" not in answer.out
        assert answer.out.splitlines()[-1].split()[1:5] == [sha(1)[:9], "ci-1", "main", "2"]
        document = bench_db("commits", "show", sha(1), "--store", database.uri, "--output", "json").document
        assert [record["commit"] for record in document["commits"]] == [sha(1)]
        assert [(run["commit"], run["results"]) for run in document["runs"]] == [(sha(1), 2)]

    def test_show_one_that_is_not_measured(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        answer = bench_db("commits", "show", sha(3), "--store", database.uri)
        assert (answer.code, answer.out, f"no results of {sha(3)}" in answer.err) == (2, "", True)
