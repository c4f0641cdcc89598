"""Files of a store beside its tables, written atomically; those of artifacts have the name of their content and are verified on every read."""

from __future__ import annotations

import os
import re
from functools import partial
from hashlib import sha256 as new_digest
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import pyarrow as pa

from bench_db.errors import CorruptStoreError
from bench_db.store import atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from bench_db.errors import BenchDbError
    from bench_db.store.engine import Engine
    from bench_db.store.objects import Objects
    from bench_db.store.s3 import Bucket

DIRECTORY = "artifacts"
# S3 accepts at most 10,000 parts, of 5 MiB or more.
CHUNK_BYTES = 8 << 20
LARGEST_BYTES = 10_000 * CHUNK_BYTES
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    """Return whether a text can be a sha256 in hexadecimal."""
    return bool(_SHA256.fullmatch(text))


def place(sha256: str) -> str:
    """Return the path of a content inside a store; raise `CorruptStoreError` for a text that is not a sha256."""
    if not is_sha256(sha256):
        message = f"{sha256!r} is no sha256; run 'bench-db store verify'"
        raise CorruptStoreError(message)
    return f"{DIRECTORY}/{sha256[:2]}/{sha256}"


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield a local file in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def checked(chunks: Iterable[bytes], sha256: str, otherwise: BenchDbError) -> Iterator[bytes]:
    """Yield the chunks unchanged; raise `otherwise` after the last one if the checksum does not match."""
    digest = new_digest()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise otherwise


def keep(engine: Engine, sha256: str, chunks: Iterable[bytes]) -> None:
    """Write a content to the store and replace a file of its name; an error in the chunks changes nothing."""
    if engine.bucket:
        _objects(engine.bucket, engine.deadlines.write).put(place(sha256), iter(chunks))
        return
    path = Path(engine.location.child(place(sha256)))
    with engine.explaining("writing an artifact"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, chunks)


def read(engine: Engine, sha256: str) -> Iterator[bytes]:
    """Yield a content of the store in chunks; raise `CorruptStoreError` if it is missing or, after the last chunk, damaged."""
    name = place(sha256)
    size = size_of(engine, name)
    if size is None:
        raise lost(engine.location, name, "is missing")
    otherwise = lost(engine.location, name, "is not the content it is named after")
    yield from checked(chunks_in(engine, name, size), sha256, otherwise)


def read_below(directory: Path, sha256: str) -> Iterator[bytes]:
    """Yield a content from another directory with the same layout, in chunks."""
    path = directory / place(sha256)
    if _size_on_disk(path) is None:
        raise lost(directory, place(sha256), "is missing")
    return checked(chunks_of(path), sha256, lost(directory, place(sha256), "is not the content it is named after"))


def lost(where: object, name: str, how: str) -> CorruptStoreError:
    """Return the error for a file that is missing or damaged."""
    return CorruptStoreError(
        f"{where}: the file {name} {how}; put the original again, or restore it from a copy; "
        "'bench-db store verify' finds every such file"
    )


def discard(engine: Engine, sha256: str, is_needed: Callable[[], bool]) -> bool:
    """Delete a content unless it turns out to be needed once it is out of reach; return whether it is gone.

    A writer records a content after writing it, and then looks whether it is still there. So one of the two sees the other.
    """
    name = place(sha256)
    if engine.bucket:
        return _discarded(_objects(engine.bucket, engine.deadlines.write), name, is_needed)
    path = Path(engine.location.child(name))
    with engine.explaining("deleting an artifact"):
        aside = atomic.set_aside(path)
        if aside is None:
            return False
        needed = True
        try:
            needed = is_needed()
        finally:
            if needed:
                aside.replace(path)
            else:
                aside.unlink()
    return not needed


def _discarded(objects: Objects, name: str, is_needed: Callable[[], bool]) -> bool:
    size = objects.size(name)
    if size is None:
        return False
    with TemporaryFile() as copy:
        for chunk in objects.chunks(name, size, CHUNK_BYTES):
            copy.write(chunk)
        objects.delete(name)
        if not is_needed():
            return True
        copy.seek(0)
        objects.put(name, iter(partial(copy.read, CHUNK_BYTES), b""))
    return False


def size_of(engine: Engine, name: str) -> int | None:
    """Return the size in bytes of a file by its path inside the store; None if there is no such file."""
    if engine.bucket:
        return _objects(engine.bucket, engine.deadlines.read).size(name)
    with engine.explaining("reading a file"):
        return _size_on_disk(Path(engine.location.child(name)))


def _size_on_disk(path: Path) -> int | None:
    """Return the size of a regular file; None for anything else."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def chunks_in(engine: Engine, name: str, size: int) -> Iterator[bytes]:
    """Yield a file of a known size in chunks, by its path inside the store."""
    if engine.bucket:
        yield from _objects(engine.bucket, engine.deadlines.read).chunks(name, size, CHUNK_BYTES)
        return
    with engine.explaining("reading a file"):
        yield from chunks_of(Path(engine.location.child(name)))


def sizes(engine: Engine) -> dict[str, int]:
    """Return the size in bytes of every file of an artifact, by its path inside the store."""
    if engine.bucket:
        return _objects(engine.bucket, engine.deadlines.read).sizes(f"{DIRECTORY}/")
    root = Path(engine.location.path)
    with engine.explaining("listing the artifacts"):
        return {f"{DIRECTORY}/{name}": facts.st_size for name, facts in files_below(root / DIRECTORY)}


def files_below(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path of each regular file below a directory, relative to it. What another process removes meanwhile, or may not be listed, is left out.

    A publish lists thousands of files, and a `Path` of each takes twice as long as the rest of it.
    """

    def pass_over(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError)):
            raise error

    start = len(os.path.join(directory, ""))  # noqa: PTH118 with the separator at its end
    for parent, _, names in os.walk(directory, onerror=pass_over):
        for name in names:
            path = f"{parent}{os.sep}{name}"
            try:
                facts = os.stat(path)  # noqa: PTH116 see above
            except (FileNotFoundError, NotADirectoryError):
                continue
            if S_ISREG(facts.st_mode):
                yield path[start:].replace(os.sep, "/"), facts


def read_small(engine: Engine, name: str) -> bytes | None:
    """Return a file by its path inside the store, read at once; None if there is no such file."""
    if engine.bucket:
        return _objects(engine.bucket, engine.deadlines.read).get(name)
    with engine.explaining("reading a file"):
        try:
            return Path(engine.location.child(name)).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def write(engine: Engine, name: str, chunks: Iterator[bytes]) -> None:
    """Write a file by its path inside the store and replace one of its name; an error in the chunks changes nothing."""
    if engine.bucket:
        _objects(engine.bucket, engine.deadlines.write).put(name, chunks)
        return
    path = Path(engine.location.child(name))
    with engine.explaining("writing a file"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, chunks)


class Ranges:
    """A file of the store of which parts are read, each into memory of its own: mapped, one that is cut meanwhile would end the process."""

    def __init__(self, engine: Engine, name: str, size: int) -> None:
        self._engine = engine
        self._name = name
        self._file = None if engine.bucket else self._opened(Path(engine.location.child(name)), size)

    def _opened(self, path: Path, size: int) -> pa.OSFile:
        with self._engine.explaining("opening a file"):
            found = _size_on_disk(path)
            if found != size:
                message = f"{path}: {'missing' if found is None else f'{found} bytes'}, and {size} bytes were written"
                raise CorruptStoreError(message)
            return pa.OSFile(str(path))

    def read(self, start: int, stop: int) -> pa.Buffer:
        """Return the bytes from one offset to another."""
        found: bytes | None = None
        if self._file is not None:
            with self._engine.explaining("reading a file"):
                found = self._file.read_at(stop - start, start)
        elif bucket := self._engine.bucket:
            found = _objects(bucket, self._engine.deadlines.read).get(self._name, start, stop)
        if found is None or len(found) != stop - start:
            message = f"{self._engine.location}: {self._name} is missing or cut"
            raise CorruptStoreError(message)
        return pa.py_buffer(found)


def remove(engine: Engine, name: str) -> None:
    """Remove a file by its path inside the store; one that is missing is no error."""
    if engine.bucket:
        _objects(engine.bucket, engine.deadlines.write).delete(name)
        return
    with engine.explaining("removing a file"):
        Path(engine.location.child(name)).unlink(missing_ok=True)


def remove_old(engine: Engine, directory: str, kept: Collection[str], seconds: float) -> None:
    """Remove the files of a directory of the store that were written so long before its newest one, but for those to keep."""
    if engine.bucket:
        objects = _objects(engine.bucket, engine.deadlines.write)
        times = objects.times(f"{directory}/")
        for name in _old(times, seconds) - set(kept):
            objects.delete(name)
        return
    root = Path(engine.location.path)
    with engine.explaining("removing old files"):
        files = [path for path in (root / directory).glob("*") if path.is_file()]
        times = {path.relative_to(root).as_posix(): time for path in files if (time := _time_of(path)) is not None}
        for name in _old(times, seconds) - set(kept):
            (root / name).unlink(missing_ok=True)


def _time_of(path: Path) -> float | None:
    """Return when a file was written; None if another process has just removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _old(times: Mapping[str, float], seconds: float) -> set[str]:
    """Return the files that are so much older than the newest: the clock is that of the storage."""
    newest = max(times.values(), default=0.0)
    return {name for name, time in times.items() if time < newest - seconds}


def _objects(bucket: Bucket, seconds: float) -> Objects:
    from bench_db.store.objects import Objects  # noqa: PLC0415 as slow to import as boto3

    return Objects(bucket, seconds)
