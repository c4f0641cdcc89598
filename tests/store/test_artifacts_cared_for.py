from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_db.arrow import to_table
from bench_db.errors import UserError
from bench_db.store import maintain
from bench_db.store.tables import ARTIFACTS_TABLE, BASELINES_TABLE
from tests.store.carriers import publish
from tests.store.test_artifacts import kept_files, put
from tests.strategies import HOSTILE, commit_of

if TYPE_CHECKING:
    from bench_db.store.database import Database


class TestOldStores:
    """A store from before there were artifacts works as it did; the first put makes the table."""

    def test_without_the_table(self, database: Database) -> None:
        publish(database, 1)
        assert database.artifacts(commit="1" * 40) == []
        assert database.verify().problems == ()
        assert "artifacts" not in [table.name for table in database.info().tables]
        with pytest.raises(UserError, match="no artifact"):
            database.get_artifact("abcd", Path(database.uri) / "x")
        put(database)
        assert "artifacts" in [table.name for table in database.info().tables]


class TestFind:
    """Artifacts are found by kind, commit and run, all of which must hold, in the order they were added."""

    @pytest.fixture
    def several(self, database: Database) -> Database:
        for number in (3, 1, 2):
            for kind in ("log", HOSTILE):
                put(database, b"%d" % number, kind=kind, commit=commit_of(number), added_at=number, name=f"{number}")
        return database

    def test_in_order(self, several: Database) -> None:
        assert [a.added_at for a in several.artifacts()] == [1, 1, 2, 2, 3, 3]

    def test_by_kind_and_commit(self, several: Database) -> None:
        assert [a.name for a in several.artifacts(kind="log")] == ["1", "2", "3"]
        assert [a.name for a in several.artifacts(kind=HOSTILE, commit=commit_of(2)[:8])] == ["2"]
        assert several.artifacts(kind="profile") == several.artifacts(commit="' OR '1'='1") == []


class TestVerify:
    """Verifying reads every content, and names what is missing, damaged or left over; repairing invents nothing."""

    def _kinds(self, database: Database) -> dict[str, bool]:
        return {p.kind.partition(";")[0]: p.harmless for p in database.verify().problems}

    def test_sound(self, database: Database) -> None:
        put(database)
        assert self._kinds(database) == {}

    def test_missing(self, database: Database) -> None:
        (Path(database.uri) / put(database).uri).unlink()
        for _ in range(2):
            assert self._kinds(database) == {"artifacts whose file is missing": False}
            database.repair()
        put(database)
        assert self._kinds(database) == {}

    def test_damaged(self, database: Database) -> None:
        (Path(database.uri) / put(database).uri).write_bytes(b"error: it brokf\n")
        for _ in range(2):
            assert self._kinds(database) == {"artifacts whose file differs from its checksum": False}
            database.repair()

    def test_left_over(self, database: Database) -> None:
        put(database)
        directory = Path(database.uri) / "artifacts" / "00"
        directory.mkdir(exist_ok=True)
        (directory / ("0" * 64)).write_bytes(b"")
        (directory / ".1234.part").write_bytes(b"")
        assert self._kinds(database) == {"files of unfinished writes": True, "files without a record": True}
        assert database.verify().sound
        database.repair()
        assert (directory / ("0" * 64)).exists()

    def test_files_before_there_is_a_table(self, database: Database) -> None:
        directory = Path(database.uri) / "artifacts" / "00"
        directory.mkdir(parents=True)
        (directory / ("0" * 64)).write_bytes(b"")
        assert self._kinds(database) == {"files without a record": True}

    def test_records_more_than_once(self, database: Database) -> None:
        artifact = put(database)
        rows = to_table([artifact, artifact], ARTIFACTS_TABLE.schema)
        database._engine.replace_all(ARTIFACTS_TABLE, rows)
        assert self._kinds(database) == {"rows stored more than once": False}


class TestMaintenance:
    """Care of the store keeps artifacts, and makes their table small again."""

    def test_optimize(self, database: Database, tmp_path: Path) -> None:
        publish(database, 1)
        kept = [put(database, b"%d" % number, added_at=number) for number in range(12)]
        before = kept_files(database)
        maintain.optimize(database._engine, kept=timedelta(0))
        dataset = database._engine.open(ARTIFACTS_TABLE).dataset
        assert (len(dataset.get_fragments()), len(dataset.versions())) == (1, 1)
        assert BASELINES_TABLE.name not in [table.name for table in database.info().tables]
        assert (database.artifacts(), kept_files(database)) == (kept, before)
        assert database.verify().problems == ()
        assert put(database, b"3") == kept[3]
        database.get_artifact(kept[5].sha256, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"5"
