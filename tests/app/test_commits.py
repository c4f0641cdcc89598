from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db.errors import UserError
from bench_db.store.database import connect
from tests.cli.kinds import publish
from tests.support.histories import DAY, FIRST, History

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestCommits:
    """A sync completes what is recorded, and leaves other repositories alone."""

    def test_completed_by_a_clone(self, database: Database, tmp_path: Path) -> None:
        clone = History(tmp_path / "clone")
        shas = [clone.commit(f"change {number}") for number in range(3)]
        for number, sha in reversed(list(enumerate(shas))):
            publish(database, number, {"f": 1.0 + number}, commit=sha)
        publish(database, 9, {"f": 1.0}, dut_name="other", commit="f" * 40)
        assert [record.subject for record in api.commits(database, dut_name="d").commits] == ["", "", ""]

        done = api.sync_commits(database, clone=clone.path, at=FIRST + 9 * DAY)
        assert (done.sync.changed, done.sync.unreachable, done.sync.not_in_clone) == (3, (), 0)
        found = api.commits(database, dut_name="d")
        assert [(record.position, record.subject) for record in found.commits] == [
            (number + 1, f"change {number}") for number in range(3)
        ]
        assert found.frame()["commit"].to_list() == shas
        assert len(json.loads(json.dumps(found.document))["commits"]) == 3
        assert api.sync_commits(database, clone=clone.path).sync.changed == 0

    def test_another_repository(self, database: Database, tmp_path: Path) -> None:
        publish(database, 1, {"f": 1.0})
        clone = History(tmp_path / "clone")
        clone.commit()
        with pytest.raises(UserError, match="is it a clone of another repository"):
            api.sync_commits(database, clone=clone.path)

    def test_an_unknown_main_branch(self, database: Database, tmp_path: Path) -> None:
        clone = History(tmp_path / "clone")
        publish(database, 1, {"f": 1.0}, commit=clone.commit())
        with pytest.raises(UserError, match=r"main branch \(trunk\) is not in this clone"):
            api.sync_commits(database, clone=clone.path, branch="trunk")

    def test_results_of_an_older_release_have_no_records(self, database: Database, tmp_path: Path) -> None:
        clone = History(tmp_path / "clone")
        shas = [clone.commit() for _ in range(2)]
        for number, sha in enumerate(shas):
            publish(database, number, {"f": 1.0}, commit=sha)
        database.lancedb().drop_table("commits")
        assert api.commits(database).commits == []
        assert api.sync_commits(database, clone=clone.path).sync.changed == 2
        assert api.commits(database).frame()["commit"].to_list() == shas

    def test_one(self, database: Database, tmp_path: Path) -> None:
        clone = History(tmp_path / "clone")
        shas = [clone.commit(f"change {number}") for number in range(2)]
        for number, sha in enumerate(shas):
            publish(database, number, {"f": 1.0 + number}, commit=sha)
        api.exclude_runs(database, "a broken fan", commit=shas[1])
        found = api.commit(database, "HEAD", clone=clone.path)
        assert [record.commit for record in found.commits] == [shas[1]]
        assert found.frame().select("commit", "excluded").rows() == [(shas[1], "a broken fan")]
        assert len(json.loads(json.dumps(found.document))["runs"]) == 1
        with pytest.raises(UserError, match="no results of ffff"):
            api.commit(database, "f" * 40)
