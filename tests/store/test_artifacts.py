from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db import Artifact
from bench_db.arrow import to_table
from bench_db.errors import CorruptStoreError, StoreNotFoundError, StoreUnavailableError, UserError
from bench_db.store import artifacts, content
from bench_db.store.database import Database, connect
from bench_db.store.engine import Engine
from bench_db.store.tables import ARTIFACTS_TABLE
from tests.store.carriers import files_in, publish
from tests.strategies import HOSTILE, commit_of, publication, texts
from tests.support.campaigns import examples

pytestmark = pytest.mark.few(1)

_LOG = b"error: it broke\n"
_MEMORY = """
import resource, sys
from bench_db.store.database import connect
action, store, path = sys.argv[1:]
opened = connect(store)
opened.artifacts()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if action == "put":
    opened.put_artifact(path, kind="profile", added_at=0)
else:
    opened.get_artifact(opened.artifacts()[0].sha256, path)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def kept_files(database: Database) -> dict[str, bytes]:
    return {name: data for name, data in files_in(Path(database.uri)).items() if name.startswith("artifacts/")}


def put(database: Database, data: bytes = _LOG, **more: object) -> Artifact:
    return database.put_artifact(data, **{"kind": "log", "added_at": 1, **more}).artifact  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "build.log"
    path.write_bytes(_LOG)
    return path


class TestPut:
    """A file is kept once under its content, and recorded once for each that it belongs to."""

    def test_what_is_put_is_what_is_got(self, database: Database, log: Path, tmp_path: Path) -> None:
        done = database.put_artifact(log, kind="log", added_at=7, commit=commit_of(1))
        assert done.new
        assert done.artifact.uri == f"artifacts/{done.artifact.sha256[:2]}/{done.artifact.sha256}"
        assert (done.artifact.name, done.artifact.size_bytes, done.artifact.added_at) == ("build.log", len(_LOG), 7)
        assert database.artifacts() == [done.artifact]
        assert database.get_artifact(done.artifact.sha256, tmp_path / "copy") == done.artifact
        assert (tmp_path / "copy").read_bytes() == _LOG

    def test_twice_adds_nothing(self, database: Database) -> None:
        first = put(database)
        before = files_in(Path(database.uri))
        again = database.put_artifact(_LOG, kind="log", added_at=99)
        assert (again.new, again.artifact) == (False, first)
        assert kept_files(database) == {name: data for name, data in before.items() if name.startswith("artifacts/")}
        assert database.artifacts() == [first]

    def test_one_content_of_several_owners(self, database: Database) -> None:
        for number in (1, 2):
            put(database, commit=commit_of(number))
        put(database, kind="raw output")
        assert len(kept_files(database)) == 1
        assert len(database.artifacts()) == 3
        assert [a.commit for a in database.artifacts(commit=commit_of(2))] == [commit_of(2)]

    @pytest.mark.parametrize("size", [0, 1, content.CHUNK_BYTES, content.CHUNK_BYTES + 1])
    def test_any_size(self, database: Database, tmp_path: Path, size: int) -> None:
        data = os.urandom(1024) * (size // 1024 + 1)
        (tmp_path / "file").write_bytes(data[:size])
        artifact = database.put_artifact(tmp_path / "file", kind="x", added_at=0).artifact
        database.get_artifact(artifact.sha256, tmp_path / "copy")
        assert artifact.size_bytes == size
        assert (tmp_path / "copy").read_bytes() == data[:size]

    def test_of_a_run_and_so_of_its_commit(self, database: Database) -> None:
        run, results = publication(3, place="ci-1")
        key = database.publish(results, run).run_key
        by_id, by_key, by_text = (put(database, run=name) for name in ("ci-1", key, f"{key:016x}"))
        assert by_id == by_key == by_text
        assert (by_id.run_key, by_id.commit) == (key, run.commit)
        assert (
            database.artifacts(run="ci-1")
            == database.artifacts(run=key)
            == database.artifacts(run=f"{key:016x}")
            == [by_id]
        )

    @pytest.mark.parametrize("run", ["ci-2", "0000000000000000", HOSTILE, 5, "ffffffffffffffff"])
    def test_of_no_run(self, database: Database, run: str | int) -> None:
        with pytest.raises(UserError, match="no run is called"):
            put(database, run=run)
        assert (kept_files(database), database.artifacts(), database.artifacts(run=run)) == ({}, [], [])

    def test_of_one_of_several_runs(self, database: Database) -> None:
        keys = []
        for number in (1, 2):
            run, results = publication(number, place="ci")
            keys.append(database.publish(results, run).run_key)
        with pytest.raises(UserError, match=rf"2 runs are called 'ci'.*{keys[0]:016x}"):
            put(database, run="ci")
        put(database, run=keys[0])
        assert len(database.artifacts(run="ci")) == 1

    def test_what_belongs_to_a_run_that_is_gone_is_found_by_its_key(self, database: Database) -> None:
        run, results = publication(1, place="ci")
        key = database.publish(results, run).run_key
        kept = put(database, run=key)
        publish(database, 2, place="ci", replace=True)
        assert database.artifacts(run=f"{key:016x}") == [kept]

    @pytest.mark.parametrize("what", ["absent", "directory", "pipe"])
    def test_what_is_no_file(self, database: Database, tmp_path: Path, what: str) -> None:
        path = tmp_path / "odd"
        if what == "directory":
            path.mkdir()
        if what == "pipe":
            os.mkfifo(path)
        with pytest.raises(UserError, match=r"cannot be read|no file"):
            database.put_artifact(path, kind="log", added_at=0)
        assert database.artifacts() == []

    def test_a_file_that_grows_meanwhile(self, database: Database, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        keep = content.keep

        def later(*arguments: object) -> None:
            log.write_bytes(_LOG + b"more")
            keep(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(content, "keep", later)
        with pytest.raises(UserError, match="changed while it was read"):
            database.put_artifact(log, kind="log", added_at=0)
        assert (kept_files(database), database.artifacts()) == ({}, [])

    def test_into_no_store(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFoundError):
            connect(tmp_path / "none")

    def test_what_cannot_be_recorded_is_not_written(self, database: Database) -> None:
        with pytest.raises(UserError, match="cannot be stored"):
            put(database, name="\ud800")
        assert kept_files(database) == {}

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_file(self, database: Database, tmp_path: Path) -> None:
        with (tmp_path / "large").open("wb") as file:
            file.truncate(400 << 20)
        for action, path in (("put", tmp_path / "large"), ("get", tmp_path / "copy")):
            words = [sys.executable, "-c", _MEMORY, action, database.uri, str(path)]
            said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            assert int(said) < 64 << 10
        assert (tmp_path / "copy").stat().st_size == 400 << 20


class TestGet:
    """What is got is the content that was put, at the path that was given and nowhere else, or an error and no change."""

    @given(name=texts(40) | st.sampled_from(("../../evil", "/etc/passwd", "a/../../b", "..", "x\x1b[2Jy", "a" * 500)))
    @examples("fuzz", 5, full=200)
    def test_no_name_leads_elsewhere(self, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
        directory = tmp_path_factory.mktemp("get")
        database = connect(directory / "store", create=True)
        artifact = put(database, name=name)
        assert artifact.name == name
        before = files_in(directory)
        database.get_artifact(artifact.sha256, directory / "copy")
        assert files_in(directory) == before | {"copy": _LOG}

    def test_a_place_that_was_tampered_with_leads_nowhere(self, database: Database, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        put(database)
        forged = Artifact(key=1, sha256="../../secret", uri="../secret", kind="log", name="", added_at=0)
        database._engine.merge(ARTIFACTS_TABLE, to_table([forged], ARTIFACTS_TABLE.schema))
        with pytest.raises(CorruptStoreError, match="no sha256"):
            database.get_artifact("../../secret", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        [problem] = database.verify().problems
        assert (problem.kind, problem.harmless) == ("artifacts whose record is not as it was written", False)

    def test_an_abbreviation(self, database: Database, tmp_path: Path) -> None:
        artifact = put(database)
        assert database.get_artifact(artifact.sha256[:8].upper(), tmp_path / "copy") == artifact
        for wrong in ("", "abc", "z" * 64, "%%%%", HOSTILE):
            with pytest.raises(UserError):
                database.get_artifact(wrong, tmp_path / "other")
        assert not (tmp_path / "other").exists()

    def test_an_abbreviation_of_several(self, database: Database, tmp_path: Path) -> None:
        stem = "a" * 60
        forged = [
            Artifact(key=i, sha256=f"{stem}{i:04}", uri=f"artifacts/aa/{stem}{i:04}", kind="x", name="", added_at=0)
            for i in range(2)
        ]
        put(database)
        database._engine.merge(ARTIFACTS_TABLE, to_table(forged, ARTIFACTS_TABLE.schema))
        with pytest.raises(UserError, match="2 artifacts"):
            database.get_artifact("aaaa", tmp_path / "copy")

    @pytest.mark.parametrize("damage", [b"", b"error: it brokf\n", _LOG + b" ", None])
    def test_a_damaged_content_is_refused_and_mended_by_the_original(
        self, database: Database, tmp_path: Path, damage: bytes | None
    ) -> None:
        artifact = put(database)
        file = Path(database.uri) / artifact.uri
        file.unlink()
        if damage is not None:
            file.write_bytes(damage)
        (tmp_path / "copy").write_bytes(b"before")
        with pytest.raises(CorruptStoreError, match="put the original again"):
            database.get_artifact(artifact.sha256, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"before"
        assert _names(tmp_path) == {"copy", "store"}
        assert put(database) == artifact
        database.get_artifact(artifact.sha256, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == _LOG

    @pytest.mark.parametrize("where", [".", "none/copy", "file/copy"])
    def test_where_nothing_can_be_written(self, database: Database, tmp_path: Path, where: str) -> None:
        (tmp_path / "file").write_bytes(b"")
        artifact = put(database)
        with pytest.raises(UserError, match=r"directory|cannot be written"):
            database.get_artifact(artifact.sha256, tmp_path / where)
        assert _names(tmp_path) == {"file", "store"}

    def test_a_link_is_replaced_and_not_followed(self, database: Database, tmp_path: Path) -> None:
        artifact = put(database)
        (tmp_path / "precious").write_bytes(b"precious")
        (tmp_path / "copy").symlink_to(tmp_path / "precious")
        database.get_artifact(artifact.sha256, tmp_path / "copy")
        assert (tmp_path / "precious").read_bytes() == b"precious"
        assert (tmp_path / "copy").read_bytes() == _LOG


class TestDelete:
    """Records go first, and a file only when no record names it, whoever writes meanwhile."""

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_files_of_others_stay(self, database: Database, *, dry_run: bool) -> None:
        one, two = put(database, commit="a" * 40), put(database, commit="b" * 40)
        other = put(database, b"other")
        before = kept_files(database)
        done = database.delete_artifacts([one, other], dry_run=dry_run)
        assert (done.artifacts, done.files, done.size_bytes, done.changed) == ((one, other), 1, 5, not dry_run)
        assert {a.key for a in database.artifacts()} == {a.key for a in ((one, two, other) if dry_run else (two,))}
        assert kept_files(database).keys() == (before.keys() if dry_run else {two.uri})
        assert database.verify().problems == ()

    def test_one_that_is_put_before_the_file_is_out_of_reach(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The record is there when the deletion looks again, so the file comes back."""
        gone = put(database)
        discard = content.discard

        def late(*arguments: Any) -> bool:
            put(connect(database.uri), commit="c" * 40)
            return discard(*arguments)

        monkeypatch.setattr(content, "discard", late)
        assert database.delete_artifacts([gone]).files == 0
        assert list(kept_files(database).values()) == [_LOG]
        assert database.verify().problems == ()

    def test_one_that_is_recorded_after_the_file_is_out_of_reach(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The writer looks for its file after its record, so it writes it again."""
        gone = put(database)
        merge = Engine.merge

        def late(engine: Engine, *arguments: Any) -> int:
            monkeypatch.setattr(Engine, "merge", merge)
            assert connect(database.uri).delete_artifacts([gone]).files == 1
            return merge(engine, *arguments)

        monkeypatch.setattr(Engine, "merge", late)
        put(database, commit="c" * 40)
        assert list(kept_files(database).values()) == [_LOG]
        assert database.verify().problems == ()

    def test_without_the_right_to_look_again_the_file_stays(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = put(database)
        monkeypatch.setattr(artifacts, "_is_named", interrupted)
        with pytest.raises(StoreUnavailableError, match="interrupted"):
            database.delete_artifacts([gone])
        assert list(kept_files(database)) == [gone.uri]

    def test_a_lost_file(self, database: Database) -> None:
        gone = put(database)
        (Path(database.uri) / gone.uri).unlink()
        assert database.delete_artifacts([gone]).files == 0
        assert database.artifacts() == []

    def test_none(self, database: Database) -> None:
        assert not database.delete_artifacts([]).changed


def interrupted(*_: object) -> bool:
    message = "interrupted"
    raise OSError(message)


def _names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}
