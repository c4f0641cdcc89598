from __future__ import annotations

from typing import TYPE_CHECKING

import bench_db as api
from bench_db.app.database import Database

if TYPE_CHECKING:
    from bench_db.store import database as stores


class TestTrend:
    """The answer has the rows of `Database.trend`, and says whose history they are."""

    def test_rows(self, stepped: stores.Database) -> None:
        answer = api.trend(stepped, "f", last=3)
        assert answer.frame().equals(Database(stepped).trend("f", last=3))
        assert answer.history == "the main history (branch main)"

    def test_conditions(self, stepped: stores.Database) -> None:
        assert api.trend(stepped, "*", metric="nothing").frame().is_empty()
        assert api.trend(stepped, "f", branch="x").history == "branch x"
