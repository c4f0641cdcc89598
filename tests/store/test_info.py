from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.store.info import store_info
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import publication

if TYPE_CHECKING:
    from bench_db.model import TableInfo
    from bench_db.store.database import Database


def table(database: Database, name: str) -> TableInfo:
    return {info.name: info for info in store_info(database._engine).tables}[name]


class TestStoreInfo:
    """The description has the numbers of the files and rows that the store has now."""

    def test_rows_fragments_and_version(self, database: Database) -> None:
        for number in range(3):
            run, results = publication(number, rows=2)
            database.publish(results, run)
        results_info = table(database, "results")
        assert (results_info.rows, results_info.fragments) == (6, 3)
        assert results_info.version == database.version
        assert (table(database, "runs").rows, table(database, "runs").fragments) == (3, 3)

    def test_bytes_are_those_of_the_data_files(self, database: Database) -> None:
        run, results = publication(1)
        database.publish(results, run)
        files = (Path(database.uri) / RESULTS_TABLE.directory / "data").iterdir()
        assert table(database, "results").bytes == sum(file.stat().st_size for file in files)
        every = (path for path in (Path(database.uri) / RESULTS_TABLE.directory).rglob("*") if path.is_file())
        facts = [file.stat() for file in every]
        on_disk = table(database, "results").bytes_on_disk
        assert on_disk == sum(min(file.st_size, file.st_blocks * 512) for file in facts)
        assert on_disk < sum(file.st_size for file in facts) - 16_384  # the manifest has a hole

    def test_an_empty_store(self, database: Database) -> None:
        info = store_info(database._engine)
        assert {t.name: (t.rows, t.fragments, t.bytes) for t in info.tables if t.rows or t.bytes} == {}
        assert (info.uri, info.tags, info.maintenance_due, info.pending) == (database.uri, {}, False, ())

    def test_indexes_and_tags_appear_when_they_are_made(self, database: Database) -> None:
        run, results = publication(1)
        database.publish(results, run)
        assert table(database, "results").indexes == ()
        version = database.tag("first")
        database.optimize()
        assert len(table(database, "results").indexes) == len(RESULTS_TABLE.indexes)
        assert store_info(database._engine).tags == {"first": version}

    def test_a_table_made_on_use_appears_with_its_first_record(self, database: Database, filled: Database) -> None:
        assert "baselines" not in {info.name for info in store_info(database._engine).tables}
        assert table(filled, "baselines").rows == 6
