from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.errors import StoreUnavailableError
from bench_db.store.engine import locate
from bench_db.store.objects import Objects
from bench_db.store.s3 import Bucket
from tests.support.faults import Fault, FaultRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faults import FaultProxy

pytestmark = pytest.mark.few(1)

PART = 5 << 20  # the smallest part of S3 that is not the last one


@pytest.fixture
def objects(bucket_uri: str) -> Objects:
    return Objects(Bucket(locate(bucket_uri)), 20.0)


def content_of(objects: Objects, name: str, chunk: int) -> list[bytes]:
    size = objects.size(name)
    assert size is not None
    return list(objects.chunks(name, size, chunk))


class TestPut:
    """A file in a bucket is the chunks that were put, and is replaced completely or not at all."""

    @pytest.mark.parametrize("chunks", [[], [b""], [b"one"], [b"a" * PART, b"end"], [b"a" * PART, b"b" * PART, b"c"]])
    def test_round_trip(self, chunks: list[bytes], objects: Objects) -> None:
        objects.put("a/file", iter(chunks))
        data = b"".join(chunks)
        assert objects.size("a/file") == len(data)
        assert b"".join(content_of(objects, "a/file", 3 << 20)) == data

    @pytest.mark.slow
    def test_it_is_replaced(self, objects: Objects) -> None:
        for data in (b"a longer content", b"short"):
            objects.put("file", iter([data]))
            assert content_of(objects, "file", 100) == [data]

    @pytest.mark.slow
    @pytest.mark.parametrize("before", [0, 1, 2])
    def test_an_error_in_the_chunks_changes_nothing(self, before: int, objects: Objects) -> None:
        def interrupted() -> Iterator[bytes]:
            yield from [b"a" * PART] * before
            message = "the source is gone"
            raise OSError(message)

        objects.put("file", iter([b"old"]))
        with pytest.raises(OSError, match="the source is gone"):
            objects.put("file", interrupted())
        assert content_of(objects, "file", 100) == [b"old"]
        assert (
            objects._bucket.client.list_multipart_uploads(Bucket=objects._bucket.location.bucket).get("Uploads", [])
            == []
        )


class TestRead:
    """Chunks are consecutive ranges of the file, none longer than asked; a missing file has no size."""

    @pytest.mark.slow
    def test_ranges(self, objects: Objects) -> None:
        objects.put("file", iter([b"0123456789"]))
        assert content_of(objects, "file", 4) == [b"0123", b"4567", b"89"]
        assert content_of(objects, "file", 5) == [b"01234", b"56789"]

    def test_a_missing_file(self, objects: Objects) -> None:
        objects.put("file", iter([b"x"]))
        assert objects.size("fil") is None

    @pytest.mark.slow
    def test_sizes_below_a_prefix(self, objects: Objects) -> None:
        for name, data in (("a/1", b"x"), ("a/b/2", b"xy"), ("ab/3", b"xyz")):
            objects.put(name, iter([data]))
        assert objects.sizes("a/") == {"a/1": 1, "a/b/2": 2}
        assert objects.sizes("no/") == {}


@pytest.mark.slow
class TestDeadline:
    """A server that does not answer ends in an error after the deadline of a part."""

    def test_no_answer(self, faulty_uri: str, proxy: FaultProxy) -> None:
        objects = Objects(Bucket(locate(faulty_uri)), 1.0)
        objects.put("file", iter([b"x"]))
        proxy.inject(FaultRule(fault=Fault.SILENCE))
        with pytest.raises(StoreUnavailableError):
            list(objects.chunks("file", 1, 1))


@pytest.mark.slow
class TestRanges:
    """A file in a bucket is read at once or in a range, has a time, and can be removed twice."""

    def test_round_trip(self, objects: Objects) -> None:
        objects.put("a/file", iter([b"abcdefg"]))
        assert [objects.get("a/file"), objects.get("a/file", 2, 5), objects.get("a/none")] == [b"abcdefg", b"cde", None]
        assert objects.times("a/").keys() == {"a/file"}
        for _ in range(2):
            objects.delete("a/file")
        assert objects.times("a/") == {}
