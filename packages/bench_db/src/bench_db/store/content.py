"""Files of a store that are named after their content: written whole or not at all, and checked when they are read."""

from __future__ import annotations

import re
from hashlib import sha256 as new_digest
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from bench_db.errors import CorruptStoreError
from bench_db.store import atomic, faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench_db.errors import BenchDbError
    from bench_db.store.engine import Engine
    from bench_db.store.objects import Objects
    from bench_db.store.s3 import Bucket

DIRECTORY = "artifacts"
# S3 takes parts of 5 MiB or more, and 10,000 of them.
CHUNK_BYTES = 8 << 20
LARGEST_BYTES = 10_000 * CHUNK_BYTES
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    """Whether a text can be a sha256 in hexadecimal."""
    return bool(_SHA256.fullmatch(text))


def place(sha256: str) -> str:
    """Where in a store the file of a content is; `CorruptStoreError` for what is no sha256."""
    if not is_sha256(sha256):
        message = f"{sha256!r} is no sha256; run 'bench-db store verify'"
        raise CorruptStoreError(message)
    return f"{DIRECTORY}/{sha256[:2]}/{sha256}"


def chunks_of(path: Path) -> Iterator[bytes]:
    """A local file, chunk by chunk."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def checked(chunks: Iterable[bytes], sha256: str, otherwise: BenchDbError) -> Iterator[bytes]:
    """The chunks unchanged; `otherwise` is raised after the last when together they are not that content."""
    digest = new_digest()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise otherwise


def keep(engine: Engine, sha256: str, chunks: Iterable[bytes]) -> None:
    """A content in the store, in place of any other file of its name. An error among the chunks leaves what was there."""
    if engine.bucket:
        _objects(engine.bucket, engine.deadlines.write).put(place(sha256), iter(chunks))
        return
    path = Path(engine.location.child(place(sha256)))
    with faults.told_plainly("writing an artifact", str(engine.location)):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, chunks)


def read(engine: Engine, sha256: str) -> Iterator[bytes]:
    """A content of the store, chunk by chunk; `CorruptStoreError`, after the last too, when the store does not have it."""
    name = place(sha256)
    size = _size(engine, name)
    if size is None:
        raise _lost(engine.location, name, "is missing")
    otherwise = _lost(engine.location, name, "is not the content it is named after")
    yield from checked(_chunks(engine, name, size), sha256, otherwise)


def read_below(directory: Path, sha256: str) -> Iterator[bytes]:
    """The same from a directory that is no store but keeps its files alike."""
    path = directory / place(sha256)
    if _size_on_disk(path) is None:
        raise _lost(directory, place(sha256), "is missing")
    return checked(chunks_of(path), sha256, _lost(directory, place(sha256), "is not the content it is named after"))


def _lost(where: object, name: str, how: str) -> CorruptStoreError:
    return CorruptStoreError(
        f"{where}: the file {name} {how}; put the original again, or restore it from a copy; "
        "'bench-db store verify' finds every such file"
    )


def _size(engine: Engine, name: str) -> int | None:
    if engine.bucket:
        return _objects(engine.bucket, engine.deadlines.read).size(name)
    with faults.told_plainly("reading an artifact", str(engine.location)):
        return _size_on_disk(Path(engine.location.child(name)))


def _size_on_disk(path: Path) -> int | None:
    """The size of a regular file; None for anything else."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def _chunks(engine: Engine, name: str, size: int) -> Iterator[bytes]:
    if engine.bucket:
        yield from _objects(engine.bucket, engine.deadlines.read).chunks(name, size, CHUNK_BYTES)
        return
    with faults.told_plainly("reading an artifact", str(engine.location)):
        yield from chunks_of(Path(engine.location.child(name)))


def sizes(engine: Engine) -> dict[str, int]:
    """Size in bytes of every file among the artifacts, by its place in the store."""
    if engine.bucket:
        return _objects(engine.bucket, engine.deadlines.read).sizes(f"{DIRECTORY}/")
    root = Path(engine.location.path)
    with faults.told_plainly("listing the artifacts", str(engine.location)):
        found = {path: _size_on_disk(path) for path in (root / DIRECTORY).rglob("*")}
        return {path.relative_to(root).as_posix(): size for path, size in found.items() if size is not None}


def _objects(bucket: Bucket, seconds: float) -> Objects:
    from bench_db.store.objects import Objects  # noqa: PLC0415 as slow to import as boto3

    return Objects(bucket, seconds)
