from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import lance
import pytest

from bench_db.errors import BenchDbError, DamagedStoreWarning
from bench_db.store import atomic, indexes, maintain
from bench_db.store.database import connect
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import commit_of, publication
from tests.support import damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_s3 import S3Client

    from bench_db.store.database import Database
    from bench_db.store.engine import Snapshot
    from tests.support.s3_server import S3Server

_BY_COMMIT = f"`commit` = '{commit_of(2)}'"
_RECORD = "bench_db.json"

# test_salvage has the test of the warning
pytestmark = [pytest.mark.few(1), pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")]


@pytest.fixture
def store(undamaged: Path, tmp_path: Path) -> Path:
    return damage.copied(undamaged, tmp_path / "store")


def results(store: Path | str) -> Snapshot:
    return connect(store)._engine.open(RESULTS_TABLE)


def files_of(store: Path, leaf: str, name: str = "page_data.lance") -> list[Path]:
    snapshot = results(store)
    return [store / RESULTS_TABLE.directory / "_indices" / part / name for part in snapshot.segments()[leaf]]


def miss(store: Path, leaf: str = "commit", value: str = commit_of(2)) -> None:
    """Let the index of a leaf have another value in place of one, so that it has every row and misses some."""
    wrong = 0
    for path in files_of(store, leaf):
        content = path.read_bytes()
        wrong += content.count(value.encode())
        path.write_bytes(content.replace(value.encode(), value[:-1].encode() + b"Z"))
    assert wrong


class TestReaders:
    """A reader uses an index with the checksums that it was made with, and scans in place of any other."""

    def test_a_sound_index_is_used(self, store: Path) -> None:
        assert indexes.are_usable(results(store), _BY_COMMIT)
        assert indexes.sound(results(store)) == {leaf for leaf, _ in RESULTS_TABLE.indexes}

    def test_a_row_that_the_index_misses(self, store: Path, undamaged: Path) -> None:
        miss(store)
        missed = lance.dataset(store / RESULTS_TABLE.directory).count_rows(filter=_BY_COMMIT)
        assert missed < damage.ROWS  # or the damage is none
        assert connect(store).has(commit_of(2)) == connect(undamaged).has(commit_of(2))
        assert connect(store)._engine.count(RESULTS_TABLE, _BY_COMMIT) == damage.ROWS
        assert connect(store).scan(where={"commit": commit_of(2)}).collect().height == damage.ROWS
        assert len(connect(store).results({"commit": commit_of(2)})) == damage.ROWS

    def test_seeded_flips(self, store: Path, undamaged: Path) -> None:
        """Of 12 flips in the pages of two indexes each, some give an answer that is wrong, and no reader gives it."""
        truth = {name: damage.READINGS[name](connect(undamaged)) for name in ("has", "summary")}
        random, wrong = Random(7), 0
        for leaf in ("commit", "series_key"):
            [path] = files_of(store, leaf)
            content = path.read_bytes()
            for _ in range(12):
                bit = random.randrange(8 * len(content) // 2)
                path.write_bytes(_flipped(content, bit))
                assert not indexes.are_usable(results(store), f"`{leaf}` = 1")
                assert {name: damage.READINGS[name](connect(store)) for name in truth} == truth, bit
                wrong += _answers_of_lance(store) != _answers_of_lance(undamaged)
            path.write_bytes(content)
        assert wrong

    def test_another_index_is_not_compared(self, store: Path) -> None:
        miss(store)
        assert indexes.are_usable(results(store), "`benchmark_name` = 'bench 1'")
        assert not indexes.are_usable(results(store), _BY_COMMIT)

    @pytest.mark.parametrize("how", damage.BROKEN)
    def test_a_lost_or_cut_file(self, store: Path, undamaged: Path, how: str) -> None:
        damage.spoil(files_of(store, "commit")[0], how)
        assert connect(store).has(commit_of(2)) == connect(undamaged).has(commit_of(2))

    @pytest.mark.slow
    @pytest.mark.parametrize("lost", ["_indices", "_indices/{}"])
    def test_a_lost_directory(self, store: Path, undamaged: Path, lost: str) -> None:
        """A backup or a repository may leave the indexes out: each answer is that of a scan, verify says so, and maintenance makes them."""
        [name] = results(store).segments()["commit"]
        shutil.rmtree(store / RESULTS_TABLE.directory / lost.format(name))
        with pytest.warns(DamagedStoreWarning, match="an index is damaged"):
            assert connect(store).has(commit_of(2)) == connect(undamaged).has(commit_of(2))
        assert damage.answers(store) == damage.answers(undamaged)
        for found in (connect(store).verify(), connect(store).verify_quickly(1)):
            assert found.sound
            assert [problem.table for problem in found.problems] == [RESULTS_TABLE.name]
        connect(store).optimize()
        assert indexes.are_usable(results(store), _BY_COMMIT)
        assert connect(store).verify().problems == ()

    @pytest.mark.parametrize("content", [b"", b"{}", b"null", b"\xff", b"[1]"])
    def test_a_damaged_record_of_checksums(self, store: Path, content: bytes) -> None:
        files_of(store, "commit", _RECORD)[0].write_bytes(content)
        assert not indexes.are_usable(results(store), _BY_COMMIT)
        assert connect(store).has(commit_of(2)).present

    def test_an_index_of_an_older_release_is_not_used_and_no_damage(self, store: Path) -> None:
        files_of(store, "commit", _RECORD)[0].unlink()
        assert not indexes.are_usable(results(store), _BY_COMMIT)
        assert indexes.damaged(results(store)) == []
        assert connect(store).verify().problems == ()

    def test_a_process_compares_once(self, store: Path) -> None:
        opened = results(store)
        assert indexes.are_usable(opened, _BY_COMMIT)
        miss(store)
        assert indexes.are_usable(opened, _BY_COMMIT)

    def test_a_process_compares_the_same_files_once(self, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that is connected anew compares an index again only if a file of it was written, whatever its time says."""
        compared = list[str]()
        checksums = indexes._Files._checksums

        def noted(self: indexes._Files, name: str, *args: Any) -> dict[str, str]:
            compared.append(name)
            return checksums(self, name, *args)

        monkeypatch.setattr(indexes._Files, "_checksums", noted)
        for _ in range(2):
            connect(store).has(commit_of(1))
        assert len(compared) == 1
        (path,) = files_of(store, "commit")
        before = path.stat()
        miss(store)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert connect(store).has(commit_of(2)).present
        assert len(compared) == 2

    def test_an_index_is_used_as_soon_as_it_has_checksums(self, store: Path) -> None:
        """A reader may look at an index between its making and its checksums."""
        [record] = files_of(store, "commit", _RECORD)
        content = record.read_bytes()
        record.unlink()
        opened = results(store)
        assert not indexes.are_usable(opened, _BY_COMMIT)
        record.write_bytes(content)
        assert indexes.are_usable(opened, _BY_COMMIT)

    def test_an_error_that_is_no_damage_leaves_the_indexes_in_use(self, store: Path) -> None:
        database = connect(store)
        with pytest.raises(BenchDbError):
            database.samples([2**40])
        assert database.has(commit_of(2)).present
        assert database._engine.open(RESULTS_TABLE)._can_use_indexes(_BY_COMMIT)

    def test_an_index_that_was_sound_is_compared_again(self, store: Path, undamaged: Path) -> None:
        database = connect(store)
        assert database._engine.open(RESULTS_TABLE)._can_use_indexes(_BY_COMMIT)
        for path in files_of(store, "commit"):
            path.write_bytes(b"")
        assert database.has(commit_of(2)) == connect(undamaged).has(commit_of(2))


@pytest.mark.slow
class TestBuckets:
    """In a bucket a reader compares sizes and ETags by one listing, and the content where these differ from the record."""

    @pytest.fixture
    def bucket(self, server: S3Server, bucket_uri: str) -> Iterator[_Bucket]:
        with closing(server.client()) as client:
            yield _Bucket(client, bucket_uri)

    @pytest.fixture
    def uri(self, bucket_uri: str) -> str:
        database = connect(bucket_uri, create=True)
        for number in range(4):
            run, rows = publication(number)
            database.publish(rows, run)
        database.optimize()
        return bucket_uri

    def test_a_sound_index_is_used_after_one_listing(self, uri: str, server: S3Server) -> None:
        opened = results(uri)
        assert indexes.sound(opened) == {leaf for leaf, _ in RESULTS_TABLE.indexes}
        server.reset_requests()
        assert indexes.are_usable(opened, _BY_COMMIT)
        assert [request.method for request in server.request_log()] == ["GET"]
        server.reset_requests()
        assert indexes.are_usable(opened, _BY_COMMIT)
        assert server.request_log() == []

    def test_seeded_flips(self, uri: str, bucket: _Bucket) -> None:
        truth = {name: damage.READINGS[name](connect(uri)) for name in ("has", "summary", "trend")}
        random = Random(7)
        for leaf in ("commit", "series_key"):
            [key] = bucket.keys(leaf, "page_data.lance")
            whole = bucket.get(key)
            for _ in range(6):
                bucket.put(key, _flipped(whole, random.randrange(8 * len(whole) // 2)))
                assert not indexes.are_usable(results(uri), f"`{leaf}` = 1")
                assert {name: damage.READINGS[name](connect(uri)) for name in truth} == truth
            [problem] = connect(uri).verify().problems
            assert (problem.table, problem.harmless, problem.example) == ("results", True, leaf)
            bucket.put(key, whole)
        assert connect(uri).verify().problems == ()

    def test_a_change_that_keeps_the_etag_is_found_by_verify(
        self, uri: str, bucket: _Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A bit that flips below the server leaves the ETag; a server compares the content with checksums of its own."""
        [key] = bucket.keys("commit", "page_data.lance")
        bucket.put(key, _flipped(bucket.get(key), 99))
        monkeypatch.setattr(indexes, "_record_name", lambda files: indexes._records(files)[0])
        assert indexes.are_usable(results(uri), _BY_COMMIT)
        assert indexes.damaged(results(uri)) == ["commit"]

    @pytest.mark.parametrize("record", ["bench_db.json", "bench_db-of-other-etags.json"])
    def test_files_that_came_with_other_etags_are_read_once(
        self, store: Path, bucket_uri: str, bucket: _Bucket, record: str
    ) -> None:
        """A sync of a directory brings the record of a directory, and one between buckets may upload in other parts."""
        bucket.sync(store, record)
        assert indexes.are_usable(results(bucket_uri), _BY_COMMIT)
        [key] = bucket.keys("commit", "page_data.lance")
        bucket.put(key, _flipped(bucket.get(key), 99))
        assert not indexes.are_usable(results(bucket_uri), _BY_COMMIT)

    def test_of_files_that_came_with_other_etags_maintenance_records_theirs(
        self, store: Path, bucket_uri: str, bucket: _Bucket, server: S3Server
    ) -> None:
        connect(store).optimize()  # which leaves nothing to join or to index
        bucket.sync(store)
        connect(bucket_uri).optimize()
        opened = results(bucket_uri)
        server.reset_requests()
        assert indexes.sound(opened) == {leaf for leaf, _ in RESULTS_TABLE.indexes}
        assert [request.method for request in server.request_log()] == ["GET"]

    def test_an_index_of_an_older_release_is_not_used_until_it_has_a_record(self, uri: str, bucket: _Bucket) -> None:
        for leaf, _ in RESULTS_TABLE.indexes:
            for key in bucket.keys(leaf, ".json"):
                bucket.delete(key)
        assert not indexes.are_usable(results(uri), _BY_COMMIT)
        assert connect(uri).verify().problems == ()
        connect(uri).optimize()
        assert indexes.are_usable(results(uri), _BY_COMMIT)

    def test_what_is_cleaned_leaves_no_record(self, uri: str) -> None:
        database = connect(uri)
        run, rows = publication(9)
        database.publish(rows, run)
        maintain.optimize(database._engine, kept=timedelta(0))
        live = {part for parts in results(uri).segments().values() for part in parts}
        listed = database._engine.files(RESULTS_TABLE, "_indices/")
        assert {Path(name).parent.name for name in listed if name.endswith(".json")} == live

    def test_a_bucket_that_is_synced_to_a_directory(self, uri: str, bucket: _Bucket, tmp_path: Path) -> None:
        for table in connect(uri)._engine.present():
            for name in bucket.below(f"{table}.lance/"):
                path = tmp_path / "synced" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(bucket.get(f"some/prefix/{name}"))
        assert indexes.are_usable(results(tmp_path / "synced"), _BY_COMMIT)


class _Bucket:
    """The objects of a store in a bucket."""

    def __init__(self, client: S3Client, uri: str) -> None:
        self._client = client
        self._uri = uri
        self._bucket = {"Bucket": uri.split("/")[2]}

    def get(self, key: str) -> bytes:
        return self._client.get_object(**self._bucket, Key=key)["Body"].read()  # type: ignore[arg-type]

    def sync(self, store: Path, record: str = _RECORD) -> None:
        """Upload the files of a store in a directory, with the records of its indexes under a name."""
        for path in (path for path in store.rglob("*") if path.is_file()):
            self.put(f"some/prefix/{path.relative_to(store)}".replace(_RECORD, record), path.read_bytes())

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(**self._bucket, Key=key, Body=content)  # type: ignore[arg-type]

    def delete(self, key: str) -> None:
        self._client.delete_object(**self._bucket, Key=key)  # type: ignore[arg-type]

    def below(self, prefix: str) -> list[str]:
        listed = self._client.list_objects_v2(**self._bucket, Prefix=f"some/prefix/{prefix}")  # type: ignore[arg-type]
        return [item["Key"].removeprefix("some/prefix/") for item in listed["Contents"]]

    def keys(self, leaf: str, end: str) -> list[str]:
        """Return the keys of the files of the index of a leaf whose names have this end."""
        parts = results(self._uri).segments()[leaf]
        names = self.below(f"{RESULTS_TABLE.directory}/_indices/")
        return [f"some/prefix/{name}" for name in names if name.endswith(end) and name.split("/")[2] in parts]


class TestMaintenance:
    """Maintenance makes a damaged index anew, and records the checksums of each part that it makes."""

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
    def test_checksums_that_cannot_be_written(
        self, store: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Readers scan then, and the next maintenance makes the index anew."""

        write = atomic.write

        def refused(path: Path, chunks: Iterable[bytes]) -> None:
            if path.name == _RECORD:
                raise OSError(code, os.strerror(code), str(path))
            write(path, chunks)

        for path in files_of(store, "commit", _RECORD):
            path.unlink()
        with monkeypatch.context() as patched, caplog.at_level("WARNING"):
            patched.setattr(atomic, "write", refused)
            connect(store).optimize()
        assert "the checksums of an index cannot be written, so readers scan in place of it" in caplog.text
        assert not indexes.are_usable(results(store), _BY_COMMIT)
        assert connect(store).has(commit_of(2)).present
        connect(store).optimize()
        assert indexes.are_usable(results(store), _BY_COMMIT)

    def test_a_damaged_index_is_made_anew(self, store: Path) -> None:
        miss(store)
        assert indexes.damaged(results(store)) == ["commit"]
        connect(store).optimize()
        assert indexes.damaged(results(store)) == []
        assert lance.dataset(store / RESULTS_TABLE.directory).count_rows(filter=_BY_COMMIT) == damage.ROWS
        assert indexes.are_usable(results(store), _BY_COMMIT)

    def test_an_index_of_an_older_release_gets_checksums(self, store: Path) -> None:
        for leaf, _ in RESULTS_TABLE.indexes:
            files_of(store, leaf, _RECORD)[0].unlink()
        connect(store).optimize()
        assert indexes.are_usable(results(store), _BY_COMMIT)

    def test_parts_that_are_added_have_theirs(self, database: Database) -> None:
        for number in range(3):
            run, rows = publication(number)
            database.publish(rows, run)
            database.optimize()
            assert indexes.sound(results(database.uri)) == {leaf for leaf, _ in RESULTS_TABLE.indexes}

    def test_what_is_cleaned_leaves_no_record(self, database: Database) -> None:
        for number in range(3):
            run, rows = publication(number)
            database.publish(rows, run)
            maintain.optimize(database._engine, kept=timedelta(0))
        live = {part for parts in results(database.uri).segments().values() for part in parts}
        kept = {path.parent.name for path in Path(database.uri).rglob(_RECORD)}
        assert kept == live

    def test_verify_names_it(self, store: Path) -> None:
        miss(store)
        for found in (connect(store).verify(), connect(store).verify_quickly(1)):
            [problem] = found.problems
            assert (problem.table, problem.harmless, problem.example) == ("results", True, "commit")
            assert problem.kind.startswith("indexes differ from their checksums, and readers scan")
        connect(store).repair()
        assert connect(store).verify().problems == ()
        assert indexes.are_usable(results(store), _BY_COMMIT)

    def test_a_store_that_is_copied_as_files_has_them(self, store: Path, tmp_path: Path) -> None:
        shutil.copytree(store, tmp_path / "elsewhere")
        assert indexes.are_usable(results(tmp_path / "elsewhere"), _BY_COMMIT)


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _answers_of_lance(store: Path) -> list[object]:
    """Return what Lance answers by these indexes alone."""
    dataset = lance.dataset(store / RESULTS_TABLE.directory)
    keys = dataset.to_table(columns=["series_key"])["series_key"].unique().to_pylist()
    try:
        return [dataset.count_rows(filter=f"series_key = {key}") for key in keys] + [
            sorted(dataset.to_table(columns=["id"], filter=_BY_COMMIT)["id"].to_pylist())
        ]
    except (OSError, ValueError, RuntimeError) as error:
        return [type(error)]
