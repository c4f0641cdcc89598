from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db.errors import UserError
from bench_db.store.database import connect
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestDefine:
    """A definition is in force until it is ended; the same one again changes nothing."""

    def test_and_end(self, database: Database) -> None:
        publish(database, 1, {"old": 1.0})
        publish(database, 2, {"new": 2.0})
        first = api.define(database, "join", "old", "new", by="me", at=1)
        assert (first.changed, api.define(database, "join", "old", "new").changed) == (1, 0)
        assert database.trend("new")["median"].to_list() == [1.0, 2.0]
        assert api.definitions(database).frame()["value"].to_list() == ["new"]
        assert json.loads(json.dumps(first.document))["definitions"][0]["pattern"] == "old"
        assert api.define(database, "join", "old", lifted=True).changed == 1
        assert database.trend("new")["median"].to_list() == [2.0]

    @pytest.mark.parametrize(
        ("kind", "more", "said"),
        [
            ("rename", {}, "is no kind of definition"),
            ("alias", {"field": "cpu"}, "cannot have an alias"),
            ("alias", {"field": "dut", "value": "*"}, "means any suite, and no dut"),
            ("better", {"value": "more"}, "is no direction"),
            ("join", {"value": "x"}, "is no new name"),
        ],
    )
    def test_refused(self, database: Database, kind: str, more: dict[str, str], said: str) -> None:
        with pytest.raises(UserError, match=said):
            api.define(database, kind, "x", **more)  # type: ignore[arg-type]
