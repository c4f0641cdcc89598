from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import CorruptStoreError, SchemaMismatchError
from bench_db.store import remade
from bench_db.store.database import connect, unopened
from bench_db.store.tables import SCANS_TABLE, stored
from tests.support import damage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3_server import S3Server

_OLD = 3600.0
_SAID = "every version is lost, so it was made anew from "
_TABLES = [table.name for table in stored() if table.name != "migrations"]

pytestmark = pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")


def lose(store: Path, *tables: str) -> Path:
    """Remove all versions of tables whose data files are an hour old, each a second older than the next."""
    for table in tables:
        directory = store / f"{table}.lance"
        shutil.rmtree(directory / "_versions")
        files = sorted((directory / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for at, path in enumerate(files):
            os.utime(path, times=(time.time() - _OLD + at,) * 2)
    return store


class TestRemake:
    """A table without any version is made anew from its data files, and answers as before."""

    @pytest.mark.few(1)
    @pytest.mark.parametrize("table", _TABLES)
    def test_one_table(self, undamaged: Path, truth: dict[str, Any], tmp_path: Path, table: str) -> None:
        store = lose(damage.copied(undamaged, tmp_path / "store"), table)
        for found in (unopened(store).verify(), unopened(store).verify_quickly(1)):
            assert (table, False) in [(problem.table, problem.harmless) for problem in found.problems]
        done = unopened(store).repair()
        assert [what for what in done if what.startswith(f"{table}: {_SAID}")], done
        assert damage.answers(store) == truth
        assert [problem for problem in connect(store).verify().problems if not problem.harmless] == []
        for run, results in damage.publications():
            assert connect(store).publish(results, run).new == 0

    def test_runs_and_results(self, undamaged: Path, truth: dict[str, Any], tmp_path: Path) -> None:
        """The run that was replaced is back, because only both tables together said that it was."""
        store = lose(damage.copied(undamaged, tmp_path / "store"), "runs", "results")
        unopened(store).repair()
        rows = damage.answers(store)["rows"]
        assert set(truth["rows"]) < set(rows)
        assert len(rows) == len(set(rows)) == damage.ROWS * (damage.RUNS + 1)
        assert connect(store).verify().sound

    @pytest.mark.slow
    def test_torn_manifests_alone(self, undamaged: Path, truth: dict[str, Any], tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        for manifest in (store / "results.lance" / "_versions").glob("*.manifest"):
            manifest.write_bytes(manifest.read_bytes()[:20])
        assert [what for what in unopened(store).repair() if _SAID in what]
        assert damage.answers(store) == truth

    def test_a_row_that_differs_from_its_checksum_is_left_out(
        self, undamaged: Path, truth: dict[str, Any], tmp_path: Path
    ) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        # in every file that has the name, because one of them may have only rows of the replaced run
        contents = {path: path.read_bytes() for path in damage.live_files(store, "results")}
        lose(store, "results")
        for path, content in contents.items():
            path.write_bytes(content.replace(b"bench 7", b"bench 6"))
        unopened(store).repair()
        found = connect(store).verify()
        assert [problem.kind.partition(";")[0] for problem in found.problems if not problem.harmless] == [
            "runs with more or fewer rows than published"
        ]
        for run, results in damage.publications():
            connect(store).publish(results, run)
        assert damage.answers(store)["rows"] == truth["rows"]

    def test_a_tag(self, undamaged: Path, truth: dict[str, Any], tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        connect(store).tag("release")
        unopened(lose(store, "results")).repair()
        assert damage.answers(store) == truth
        connect(store).optimize()

    def test_a_table_that_is_being_made_is_left(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        shutil.rmtree(store / "findings.lance" / "_versions")
        for path in (store / "findings.lance").rglob("*.*"):
            os.utime(path)
        with pytest.raises(CorruptStoreError, match="so a process may be making it; repair it later"):
            connect(store).repair()

    def test_readers_name_the_way_out(self, undamaged: Path, tmp_path: Path) -> None:
        store = lose(damage.copied(undamaged, tmp_path / "store"), "results")
        with pytest.raises(
            CorruptStoreError, match="make the table anew from its data files with 'bench-db store verify"
        ):
            connect(store)

    @pytest.mark.slow
    def test_in_a_bucket(
        self, undamaged: Path, truth: dict[str, Any], bucket_uri: str, server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for path in (
            path for path in undamaged.rglob("*") if path.is_file() and "results.lance/_versions" not in str(path)
        ):
            server.put(bucket_uri.split("/")[2], f"some/prefix/{path.relative_to(undamaged)}", path.read_bytes())
        database = unopened(bucket_uri)
        now = database._engine.now()
        with monkeypatch.context() as patched:
            patched.setattr(type(database._engine), "now", lambda _: now + _OLD)
            done = database.repair()
        assert [what for what in done if what.startswith(f"results: {_SAID}")], done
        rows = damage.answers(bucket_uri)["rows"]
        assert sorted(rows) == sorted(truth["rows"])

    def test_a_newer_release(self, undamaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = lose(damage.copied(undamaged, tmp_path / "store"), "scans")
        fewer = SCANS_TABLE.schema.remove(SCANS_TABLE.schema.get_field_index("profile"))
        monkeypatch.setattr(remade, "stored", lambda: (replace(SCANS_TABLE, schema=fewer),))
        with pytest.raises(SchemaMismatchError, match="a newer bench_db has written scans"):
            connect(store).repair()
