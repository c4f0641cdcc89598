"""Checksums of the files of scalar indexes, because Lance has none: a reader scans where an index differs from its own.

Maintenance writes the checksums beside the files of an index, and a process compares them before it first uses the index. In a
bucket to read all of an index costs more than a look-up, so there the name of the record has a checksum of sizes and ETags, which
one listing shows. An index that was copied may have other ETags: then its content is compared, until maintenance records these.
"""

from __future__ import annotations

import json
import logging
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

import xxhash

from bench_db.errors import BenchDbError, DamagedStoreWarning
from bench_db.store import content, faults, salvage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench_db.store.engine import Snapshot
    from bench_db.store.tables import StoredFile

_RECORD, _RECORD_END = "bench_db", ".json"
_DATA_END = ".lance"
_LOG = logging.getLogger(__name__)
# The marks of the files of each index on a disk that this process has found to have its checksums, by its directory.
_SOUND: dict[str, tuple[object, ...]] = {}
_MOST_SOUND = 256


class _Files:
    """The files of the indexes of a table. In a bucket all are listed at once, because a listing is a request."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.engine = snapshot.engine
        self.table = snapshot.table

        self._found: dict[str, dict[str, StoredFile]] = {}

    @cached_property
    def _listed(self) -> dict[str, StoredFile]:
        return self.engine.files(self.table, "_indices/")

    def of(self, name: str) -> dict[str, StoredFile]:
        """Return the files of an index by their names, listed once."""
        under = f"_indices/{name}/"
        if name not in self._found:
            listed = self._listed if self.engine.bucket else self.engine.files(self.table, under)
            self._found[name] = {
                path.removeprefix(under): file for path, file in listed.items() if path.startswith(under)
            }
        return self._found[name]

    def place(self, name: str, file: str) -> str:
        """Return the path of a file of an index inside the store."""
        return f"{self.table.directory}/_indices/{name}/{file}"

    def is_recorded(self, name: str) -> bool:
        """Return whether an index has a record of its checksums; one by an older release has none."""
        return bool(_records(self.of(name)))

    def is_shown_by_etags(self, name: str) -> bool:
        """Return whether an index in a bucket has a record for the sizes and ETags of its files."""
        files = self.of(name)
        return bool(self.engine.bucket) and _record_name(files) in _records(files)

    def is_lost(self, name: str) -> bool:
        """Return whether an index has no file at all."""
        return not self.of(name)

    def is_sound(self, name: str, *, whole: bool = False) -> bool:
        """Return whether an index has its checksums.

        `whole` reads it also where its ETags are as recorded, and where no file on a disk has changed since this process has read it.
        """
        files = self.of(name)
        records = _records(files)
        if not whole and self.is_shown_by_etags(name):
            return True
        place = self.engine.location.child(self.place(name, ""))
        marks = () if self.engine.bucket else self.engine.marks(self.place(name, file) for file in sorted(files))
        if not whole and marks and _SOUND.get(place) == marks:
            return True
        try:
            recorded = [content.read_small(self.engine, self.place(name, record)) for record in records]
            now = self._checksums(name, files) if recorded else {}
            found = any(now == json.loads(text or b"null") for text in recorded)
        except ValueError:  # a damaged record
            return False
        except BenchDbError as error:
            faults.require_damage(error)
            return False
        if found:
            if len(_SOUND) >= _MOST_SOUND:
                _SOUND.clear()
            _SOUND[place] = marks
        return found

    def record(self, name: str) -> None:
        """Write the checksums of an index."""
        files = self.of(name)
        if not files:  # another maintenance has removed the index meanwhile
            return
        place = self.place(name, _record_name(files) if self.engine.bucket else f"{_RECORD}{_RECORD_END}")
        try:
            text = json.dumps(self._checksums(name, files))
            content.write(self.engine, place, iter([text.encode()]))
        except BenchDbError as error:
            message = "%s: the checksums of an index cannot be written, so readers scan in place of it: %s"
            _LOG.warning(message, place, error)

    def _checksums(self, name: str, files: Mapping[str, StoredFile]) -> dict[str, str]:
        """Return the checksum of each file of an index by its name."""
        return {
            file: _checksum(content.chunks_in(self.engine, self.place(name, file), known.bytes))
            for file, known in sorted(files.items())
            if file.endswith(_DATA_END)
        }


def are_usable(snapshot: Snapshot, where: str) -> bool:
    """Return whether the indexes of the columns in a filter have their checksums; one by an older release has none."""
    engine = snapshot.engine
    try:
        segments = snapshot.segments()
    except faults.damage_errors() as error:
        faults.require_damage(error)
        return False
    wanted = [
        name for leaf, names in segments.items() if all(part in where for part in leaf.split(".")) for name in names
    ]
    files = _Files(snapshot)
    for name in wanted:
        if name not in engine.sound_indexes:
            if not files.is_recorded(name) and not files.is_lost(name):
                return False  # for now: maintenance that has just made the index writes them
            engine.sound_indexes[name] = files.is_sound(name)
            if not engine.sound_indexes[name]:
                warnings.warn(f"{engine.location}: {salvage.NO_INDEX}", DamagedStoreWarning, stacklevel=2)
    return all(engine.sound_indexes[name] for name in wanted)


def sound(snapshot: Snapshot) -> set[str]:
    """Return the leaves whose index has its checksums."""
    files = _Files(snapshot)
    return {leaf for leaf, names in snapshot.segments().items() if all(files.is_sound(name) for name in names)}


def damaged(snapshot: Snapshot) -> list[str]:
    """Return the leaves whose index is gone or differs from its checksums; one without them is of an older release, and not used."""
    files = _Files(snapshot)

    def is_damaged(name: str) -> bool:
        return not files.is_sound(name, whole=True) if files.is_recorded(name) else files.is_lost(name)

    return [leaf for leaf, names in snapshot.segments().items() if any(map(is_damaged, names))]


def record(snapshot: Snapshot) -> None:
    """Write the checksums of the indexes that have none, as soon as they are made, and of those that came into a bucket with other ETags.

    Where they cannot be written, as on a full disk, readers scan until the next maintenance: the results are stored all the same.
    """
    files = _Files(snapshot)
    for names in snapshot.segments().values():
        for name in names:
            came = bool(files.engine.bucket) and not files.is_shown_by_etags(name)
            if not files.is_recorded(name) or (came and files.is_sound(name)):
                files.record(name)


def _records(files: Mapping[str, StoredFile]) -> list[str]:
    return [name for name in files if name.startswith(_RECORD) and name.endswith(_RECORD_END)]


def _record_name(files: Mapping[str, StoredFile]) -> str:
    """Return the name of the record of an index in a bucket, with a checksum of the sizes and ETags of its files."""
    known = sorted((name, file.bytes, file.etag) for name, file in files.items() if name.endswith(_DATA_END))
    return f"{_RECORD}-{xxhash.xxh3_128_hexdigest(json.dumps(known).encode())}{_RECORD_END}"


def _checksum(chunks: Iterable[bytes]) -> str:
    digest = xxhash.xxh3_128()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
