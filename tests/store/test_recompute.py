"""Statistics that are computed again from all samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.summary import STATISTICS, summarise_column
from tests.support.engines import store_of_nine

if TYPE_CHECKING:
    from bench_db.model import Result
    from bench_db.store.database import Database


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return store_of_nine(tmp_path_factory.mktemp("nine") / "store")


class TestRecompute:
    """Each result with all its samples has the statistics of these; one that is stored otherwise differs."""

    def test_statistics(self, nine: Database) -> None:
        results, computed, rows = nine.recompute()
        assert (results, computed, len(rows)) == (45, 27, 27)
        stored = {record.id: record for record in nine.results()}
        assert {stored[one].benchmark_name for one in rows["id"]} == {"bench 0", "bench 1", "bench 2"}
        for row in rows.iter_rows(named=True):
            record: Result = stored[row["id"]]
            assert row["n"] == len(record.values) == record.n
            assert row["differs"] == (record.summary is not None and record.summary.max == 0.0)
            if not row["differs"]:
                assert [row[name] for name in STATISTICS] == [getattr(record.summary, name) for name in STATISTICS]
        assert rows["differs"].sum() == 1
        assert rows.columns == ["id", *summarise_column([]).columns, "differs"]

    def test_only_those_that_differ(self, nine: Database) -> None:
        results, computed, rows = nine.recompute(differing=True)
        assert (results, computed, rows["differs"].to_list()) == (45, 27, [True])

    def test_the_past(self, nine: Database) -> None:
        results, computed, rows = nine.recompute(nine.version - 1)
        assert (results, computed, rows["differs"].any()) == (45, 27, False)

    def test_nothing_is_stored(self, database: Database) -> None:
        results, computed, rows = database.recompute()
        assert (results, computed, len(rows), rows.columns[0]) == (0, 0, 0, "id")
