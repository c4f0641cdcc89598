from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish

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
