from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import CorruptStoreError, StoreUnavailableError
from bench_db.store import content as files
from bench_db.store.database import Database, connect
from bench_db.store.engine import Deadlines, Engine, locate
from bench_db.store.s3 import Bucket
from tests.store.carriers import content, everything
from tests.store.conftest import go_to
from tests.support.faults import Fault, FaultProxy, FaultRule
from tests.support.s3_server import s3_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.sample(1)

_PUT = frozenset({"PUT"})
_POST = frozenset({"POST"})
_PARTS = bytes(range(256)) * (3 * files.CHUNK_BYTES // 256) + b"and a rest"


def _put(database: Database, data: bytes) -> str:
    return database.put_artifact(data, kind="log", added_at=1).artifact.sha256


@pytest.fixture
def client(server: S3Server) -> Iterator[S3Client]:
    with closing(server.client()) as built:
        yield built


class TestBucket:
    """A bucket keeps files as a directory does, whatever their size."""

    @pytest.mark.parametrize("data", [b"", b"x", _PARTS[: files.CHUNK_BYTES], _PARTS], ids=len)
    def test_put_and_got(self, bucket_uri: str, tmp_path: Path, data: bytes) -> None:
        database = connect(bucket_uri, create=True)
        (tmp_path / "file").write_bytes(data)
        done, again = (database.put_artifact(tmp_path / "file", kind="log", added_at=1) for _ in range(2))
        assert (done.new, again.new, again.artifact) == (True, False, done.artifact)
        database.get_artifact(done.artifact.sha256, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == data
        assert files.sizes(database._engine) == {done.artifact.uri: len(data)}
        assert database.verify().problems == ()

    def test_deleted_and_needed_again(self, bucket_uri: str) -> None:
        database = connect(bucket_uri, create=True)
        engine = database._engine
        one, two = (database.put_artifact(b"x" * size, kind="log", added_at=1).artifact for size in (9, 0))
        for artifact, needed in ((one, True), (two, True), (one, False), (one, False)):
            present = artifact.uri in files.sizes(engine)
            assert files.discard(engine, artifact.sha256, partial(bool, needed)) is (present and not needed)
        assert files.sizes(engine) == {two.uri: 0}
        assert database.delete_artifacts([one, two]).files == 1
        assert files.sizes(engine) == {}

    def test_missing_and_damaged(self, bucket_uri: str, client: S3Client, tmp_path: Path) -> None:
        database = connect(bucket_uri, create=True)
        artifact = database.put_artifact(content(1), kind="log", added_at=1).artifact
        bucket, prefix = bucket_uri.removeprefix("s3://").split("/", 1)
        key = f"{prefix}/{artifact.uri}"
        client.put_object(Bucket=bucket, Key=key, Body=content(2))
        for told in ("is not the content", "is missing"):
            with pytest.raises(CorruptStoreError, match=told):
                database.get_artifact(artifact.sha256, tmp_path / "copy")
            assert list(tmp_path.iterdir()) == []
            assert [problem.harmless for problem in database.verify().problems] == [False]
            client.delete_object(Bucket=bucket, Key=key)
        _put(database, content(1))
        assert database.verify().problems == ()

    @pytest.mark.slow
    def test_more_files_than_a_listing_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "20")
        with s3_server() as server, closing(server.client()) as client:
            go_to(server, monkeypatch)
            bucket = server.new_bucket()
            database = connect(f"s3://{bucket}/prefix", create=True)
            for number in range(45):
                client.put_object(Bucket=bucket, Key=f"prefix/artifacts/00/{number}", Body=b"x")
            assert len(client.list_objects_v2(Bucket=bucket, Prefix="prefix/artifacts/")["Contents"]) == 20
            assert len(files.sizes(database._engine)) == 45
            [problem] = database.verify().problems
            assert (problem.count, problem.harmless) == (45, True)

    def test_at_the_root_of_a_bucket(self, bucket_uri: str, server: S3Server, tmp_path: Path) -> None:
        database = connect(f"s3://{server.new_bucket()}", create=True)
        database.get_artifact(_put(database, content(1)), tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content(1)
        assert len(files.sizes(database._engine)) == 1
        assert bucket_uri


class TestFaults:
    """Whatever the network does, a file is there whole and recorded once, or an error is told and no record made."""

    @pytest.mark.parametrize(
        "rule",
        [
            FaultRule(fault=Fault.SLOW_DOWN, path="/artifacts/", times=3),
            FaultRule(fault=Fault.RESET, path="/artifacts/", methods=_PUT, times=1),
            FaultRule(fault=Fault.LOSE_ANSWER, path="/artifacts/", methods=_PUT, times=1),
            FaultRule(fault=Fault.LOSE_ANSWER, path="/artifacts/.*uploadId", methods=_POST, times=1),
            FaultRule(fault=Fault.RESET, path="/artifacts/", methods=frozenset({"GET"}), times=1),
            FaultRule(fault=Fault.DELAY, path="/artifacts/", delay_seconds=0.2),
        ],
        ids=lambda rule: f"{rule.fault.name} {sorted(rule.methods)} {rule.path}",
    )
    @pytest.mark.parametrize("data", [content(1), _PARTS], ids=["one part", "many parts"])
    def test_put_and_got(
        self, faulty_uri: str, proxy: FaultProxy, tmp_path: Path, rule: FaultRule, data: bytes
    ) -> None:
        database = connect(faulty_uri, create=True)
        proxy.inject(rule)
        artifact = database.put_artifact(data, kind="log", added_at=1).artifact
        database.get_artifact(artifact.sha256, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == data
        proxy.inject()
        assert database.artifacts() == [artifact]
        assert database.verify().problems == ()

    @pytest.mark.parametrize("data", [content(1), _PARTS], ids=["one part", "many parts"])
    def test_a_put_that_fails_leaves_nothing(
        self, faulty_uri: str, proxy: FaultProxy, client: S3Client, data: bytes
    ) -> None:
        database = connect(faulty_uri, create=True)
        proxy.inject(FaultRule(fault=Fault.RESET, path="/artifacts/", methods=_PUT))
        with pytest.raises(StoreUnavailableError):
            _put(database, data)
        proxy.inject()
        assert (files.sizes(database._engine), database.artifacts()) == ({}, [])
        assert "Uploads" not in client.list_multipart_uploads(Bucket=faulty_uri.split("/")[2])

    def test_a_source_that_changes_leaves_nothing(
        self, faulty_uri: str, client: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = connect(faulty_uri, create=True)
        source, keep = tmp_path / "file", files.keep
        source.write_bytes(_PARTS)

        def later(*arguments: object) -> None:
            source.write_bytes(_PARTS + b"more")
            keep(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(files, "keep", later)
        with pytest.raises(Exception, match="changed while it was read"):
            database.put_artifact(source, kind="log", added_at=1)
        assert (files.sizes(database._engine), database.artifacts()) == ({}, [])
        assert "Uploads" not in client.list_multipart_uploads(Bucket=faulty_uri.split("/")[2])

    def test_an_endpoint_that_cannot_keep_writers_apart(self, faulty_uri: str, proxy: FaultProxy) -> None:
        connect(faulty_uri, create=True)
        proxy.inject(FaultRule(fault=Fault.IGNORE_CONDITION))
        with pytest.raises(StoreUnavailableError, match="--single-writer"):
            _put(connect(faulty_uri), content(1))
        _put(connect(faulty_uri, single_writer=True), content(1))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "ask",
        [
            lambda database, _: _put(database, content(2)),
            lambda database, _: _put(database, _PARTS),
            lambda database, path: database.get_artifact(database.artifacts()[0].sha256, path),
            lambda database, _: database.verify(),
            lambda database, path: database.copy_to(connect(path, create=True)),
            lambda database, path: database.export_to(path),
        ],
        ids=["put", "put-parts", "get", "verify", "copy", "export"],
    )
    def test_silence_costs_seconds(
        self, faulty_uri: str, proxy: FaultProxy, tmp_path: Path, ask: Callable[[Database, Path], object]
    ) -> None:
        location = locate(faulty_uri)
        _put(connect(faulty_uri, create=True), content(1))
        database = Database(Engine(location, Bucket(location), Deadlines(read=1.0, write=1.0, bulk=1.0)))
        assert database.artifacts()
        proxy.inject(FaultRule(fault=Fault.SILENCE, path="/artifacts/|prefix=.*artifacts"))
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            ask(database, tmp_path / "out")
        assert time.monotonic() - started < 20
        proxy.inject()


class TestTransfer:
    """A store goes to a bucket, to another and back, by copy and by export, and is the same."""

    def test_there_and_back(self, filled: Database, tmp_path: Path, bucket_uri: str, server: S3Server) -> None:
        filled.put_artifact(_PARTS, kind="profile", added_at=9)
        here, there, back = bucket_uri, f"s3://{server.new_bucket()}/other", str(tmp_path / "back")
        for source, target in ((filled.uri, here), (here, there), (there, back)):
            done = connect(source).copy_to(connect(target, create=True))
            again = connect(source).copy_to(connect(target))
            assert (done.files, again.files) == (7, 0)
            assert {moved.new for moved in again.tables.values()} == {0}
            assert everything(target) == everything(filled.uri)
        assert connect(there).verify().problems == connect(back).verify().problems == ()
        assert connect(there).export_to(tmp_path / "there") == filled.export_to(tmp_path / "out")
        last = connect(f"s3://{server.new_bucket()}/last", create=True)
        last.import_from(tmp_path / "there")
        assert everything(last.uri) == everything(filled.uri)

    @pytest.mark.parametrize("fault", [Fault.RESET, Fault.LOSE_ANSWER, Fault.SLOW_DOWN])
    def test_on_a_bad_line(self, filled: Database, faulty_uri: str, proxy: FaultProxy, fault: Fault) -> None:
        connect(faulty_uri, create=True)
        proxy.inject(FaultRule(fault=fault, share=0.05, seed=4))
        for _ in range(10):
            try:
                filled.copy_to(connect(faulty_uri))
            except StoreUnavailableError:
                continue
            break
        assert proxy.injected()[fault]
        proxy.inject()
        assert everything(faulty_uri) == everything(filled.uri)
        # a lost connection may leave a file of a write that was tried again
        assert {problem.kind for problem in connect(faulty_uri).verify().problems} <= {"files of unfinished writes"}
