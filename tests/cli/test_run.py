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


class TestRun:
    """A preview says that nothing changed."""

    def test_list_show_and_preview(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        listed = bench_db("run", "list", "--store", database.uri).out
        key = listed.splitlines()[-1].split()[0]
        assert "test bed" in listed
        assert f"run   {' ' * 0}" in bench_db("run", "show", key, "--store", database.uri).out
        previewed = bench_db("run", "remove", key, "--store", database.uri).out
        assert previewed.startswith("nothing changed; these would be removed:")
        assert bench_db("run", "remove", key, "--yes", "--store", database.uri).out.startswith("removed: 1 runs")
        assert bench_db("run", "list", "--store", database.uri).out.strip() == "no runs"
