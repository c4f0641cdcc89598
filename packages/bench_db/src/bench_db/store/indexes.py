"""Checksums of the files of scalar indexes, because Lance has none: a reader scans where an index differs from its own.

In a directory, maintenance writes the checksums beside the files of an index, and a process compares them before it first uses the
index. In a bucket, which has checksums of its objects itself, a reader would read much more than a look-up needs.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from bench_db.errors import DamagedStoreWarning
from bench_db.store import atomic, faults, salvage

if TYPE_CHECKING:
    from bench_db.store.engine import Snapshot

_CHECKSUMS = "bench_db.json"
_LOG = logging.getLogger(__name__)


def are_usable(snapshot: Snapshot, where: str) -> bool:
    """Return whether the indexes of the columns in a filter have their checksums; one by an older release has none."""
    engine = snapshot.engine
    try:
        segments = snapshot.segments()
    except faults.DAMAGE_ERRORS as error:
        faults.require_damage(error)
        return False
    wanted = [names for leaf, names in segments.items() if all(part in where for part in leaf.split("."))]
    for name in (name for names in wanted for name in names):
        if name not in engine.sound_indexes:
            if _recorded(snapshot, name) is None and not _is_lost(snapshot, name):
                return False  # for now: maintenance that has just made the index writes them
            engine.sound_indexes[name] = _is_sound(snapshot, name)
            if not engine.sound_indexes[name]:
                warnings.warn(f"{engine.location}: {salvage.NO_INDEX}", DamagedStoreWarning, stacklevel=2)
    return all(engine.sound_indexes[name] for names in wanted for name in names)


def sound(snapshot: Snapshot) -> set[str]:
    """Return the leaves whose index has its checksums; in a bucket every leaf with an index."""
    segments = snapshot.segments()
    if snapshot.engine.bucket:
        return set(segments)
    return {leaf for leaf, names in segments.items() if all(_is_sound(snapshot, name) for name in names)}


def damaged(snapshot: Snapshot) -> list[str]:
    """Return the leaves whose index is gone or differs from its checksums; one without them is of an older release, and not used."""
    if snapshot.engine.bucket:
        return []
    return [leaf for leaf, names in snapshot.segments().items() if any(_is_damaged(snapshot, name) for name in names)]


def record(snapshot: Snapshot) -> None:
    """Write the checksums of the indexes that have none, as soon as they are made.

    Where they cannot be written, as on a full disk, readers scan until the next maintenance: the results are stored all the same.
    """
    if snapshot.engine.bucket:
        return
    for names in snapshot.segments().values():
        for name in names:
            if _recorded(snapshot, name) is None:
                place = _directory(snapshot, name) / _CHECKSUMS
                try:
                    with atomic.replacing(place) as part:
                        part.write_text(json.dumps(_checksums(snapshot, name)), encoding="utf-8")
                except FileNotFoundError:  # another maintenance has removed the index meanwhile
                    continue
                except OSError as error:
                    message = "%s: the checksums of an index cannot be written, so readers scan in place of it: %s"
                    _LOG.warning(message, place, error)


def _is_damaged(snapshot: Snapshot, name: str) -> bool:
    recorded = _recorded(snapshot, name)
    return _is_lost(snapshot, name) if recorded is None else not _is_sound(snapshot, name)


def _is_lost(snapshot: Snapshot, name: str) -> bool:
    return not _directory(snapshot, name).is_dir()


def _is_sound(snapshot: Snapshot, name: str) -> bool:
    try:
        return bool(json.loads(_recorded(snapshot, name) or b"null") == _checksums(snapshot, name))
    except (OSError, ValueError):
        return False


def _recorded(snapshot: Snapshot, name: str) -> bytes | None:
    try:
        return (_directory(snapshot, name) / _CHECKSUMS).read_bytes()
    except OSError:
        return None


def _checksums(snapshot: Snapshot, name: str) -> dict[str, str]:
    """Return the checksum of each file of an index by its name."""
    files = sorted(path for path in _directory(snapshot, name).iterdir() if path.suffix == ".lance")
    return {path.name: xxhash.xxh3_128_hexdigest(path.read_bytes()) for path in files}


def _directory(snapshot: Snapshot, name: str) -> Path:
    return Path(snapshot.engine.location.child(snapshot.table.directory)) / "_indices" / name
