"""Recognition of leftovers: results of an earlier commit in the output of a later one, such as a cached `target/criterion`.

A derived table has a sorted 32-bit fingerprint of the samples of every row. It names the data files that it covers, and a
look-up reads only newer ones. Reading all `values_hash` instead takes as long as the rest of a publish at 1 M rows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import xxhash

from bench_db.errors import SchemaMismatchError, StoreNotFoundError
from bench_db.rules import RULES
from bench_db.store import faults, history
from bench_db.store.filters import condition
from bench_db.store.tables import CHECKSUM, FINGERPRINTS_TABLE, RESULTS_TABLE
from bench_db.units import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from bench_db.model import Result
    from bench_db.store.engine import Engine, Fragment, Snapshot

    Fingerprints = np.ndarray[Any, np.dtype[np.uint32]]

REASON = "leftover"
_COVER = b"bench_db:covers"
_BLOCK_BYTES = 1 << 20
# Fingerprints of deleted rows stay until there are this many times as many as rows.
_STALE = 2
# To insert a few fingerprints copies all the others of their block, so that those of newer rows begin another one.
_BLOCK = 1 << 16


class _Known(NamedTuple):
    """The fingerprints of some data files, in sorted blocks."""

    blocks: tuple[Fingerprints, ...] = ()
    covered: frozenset[str] = frozenset()

    def has(self, wanted: Fingerprints) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return for each wanted fingerprint whether it is one of them."""
        found = np.zeros(len(wanted), np.bool_)
        for block in self.blocks:
            found |= _contains(block, wanted)
        return found

    def plus(self, hashes: npt.NDArray[np.int64], files: Iterable[str]) -> _Known:
        """Return them with those of all rows of further files."""
        fresh = _distinct(_fingerprints(hashes))
        fresh = fresh[~self.has(fresh)]
        kept, last = self.blocks, self.blocks[-1:]
        if last and len(last[0]) + len(fresh) <= _BLOCK:
            kept, fresh = kept[:-1], np.sort(np.concatenate([*last, fresh]))
        return _Known((*kept, fresh) if len(fresh) else kept, self.covered.union(files))

    def every(self) -> Fingerprints:
        """Return all of them, sorted."""
        return np.sort(np.concatenate([np.empty(0, np.uint32), *self.blocks]))


# A data file never changes, so what was read of it stays true, and a publish of many files reads each once.
_MEMORY: WeakKeyDictionary[Engine, _Known] = WeakKeyDictionary()


def find(engine: Engine, stored: Snapshot, results: Sequence[Result]) -> dict[str, str]:
    """Return the commit, or the version, of the earlier measurement of each result that is a leftover, by id.

    An excluded run is no earlier measurement: its results may have been published for the wrong commit.
    """
    wanted = candidates(results)
    if not wanted:
        return {}
    suspects = _suspects(engine, stored, [checksum for _, checksum in wanted if checksum is not None])
    if not suspects:
        return {}
    of_suspects = [key for key in wanted if key[1] in suspects]
    where = f"{condition('series_key', [key for key, _ in of_suspects])} AND {condition('values_hash', suspects)}"
    columns = ("run_key", "series_key", "values_hash", "commit", "dut_version", "dut_timestamp")
    rows = list(_tuples(stored.read(columns, where)))
    taken_out = history.excluded_runs(history.exclusions(engine)) if rows else frozenset[int]()
    found: dict[str, str] = {}
    for run_key, series_key, checksum, commit, version, timestamp in rows:
        for result in wanted.get((series_key, checksum), ()):
            if run_key not in taken_out and _is_of_another_commit(result, commit, version, timestamp):
                found.setdefault(result.id, commit or version)
    return found


def candidates(results: Iterable[Result]) -> dict[tuple[int, int | None], list[Result]]:
    """Return the results that can be leftovers, times with enough different samples, by series and checksum."""
    found: dict[tuple[int, int | None], list[Result]] = {}
    least = RULES.leftover_samples
    few = 2 * least
    for result in results:
        is_sampled = result.units == NANOSECONDS.name and len(result.values) >= least
        # The first few are enough for most, and a set of all takes six times as long.
        if is_sampled and (len(set(result.values[:few])) >= least or len(set(result.values)) >= least):
            found.setdefault((result.series_key, result.values_hash), []).append(result)
    return found


def _is_of_another_commit(result: Result, commit: str | None, version: str, timestamp: int) -> bool:
    if result.commit is not None and commit is not None:
        return result.commit != commit
    return (result.dut.version, result.dut.timestamp) != (version, timestamp)


def _tuples(rows: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True)


def _suspects(engine: Engine, stored: Snapshot, checksums: list[int]) -> list[int]:
    """Return the checksums that the store may have."""
    hashes = np.array(sorted(set(checksums)), np.int64)
    suspects: list[int] = hashes[_known(engine, stored).has(_fingerprints(hashes))].tolist()
    return suspects


def rebuild(engine: Engine) -> None:
    """Write the table anew when it does not cover the data files of the current results."""
    stored = engine.open(RESULTS_TABLE)
    present = {fragment.file: fragment.rows for fragment in stored.fragments()}
    if _read(engine)[1] == present.keys():
        return
    fingerprints = _known(engine, stored).every()
    if len(fingerprints) > _STALE * sum(present.values()):
        fingerprints = _merged(_Known(), stored, stored.fragments()).every()
    _MEMORY[engine] = _Known((fingerprints,), frozenset(present))
    text = fingerprints.tobytes()
    blocks = [text[at : at + _BLOCK_BYTES] for at in range(0, len(text), _BLOCK_BYTES)]
    rows = pa.table([pa.array(blocks, pa.large_binary())], schema=FINGERPRINTS_TABLE.schema)
    cover = json.dumps(sorted(present)).encode()
    notes = {_COVER: cover, CHECKSUM: _checksum([cover, *blocks])}
    engine.remake(FINGERPRINTS_TABLE, rows.replace_schema_metadata(notes))


def _known(engine: Engine, stored: Snapshot) -> _Known:
    """Return fingerprints of at least all rows of the results; of files read before from memory."""
    known = _MEMORY.get(engine) or _read(engine)
    fragments = stored.fragments()
    newer = [fragment for fragment in fragments if fragment.file not in known.covered]
    if newer:
        known = _merged(known, stored, newer)
    _MEMORY[engine] = known._replace(covered=frozenset(fragment.file for fragment in fragments))
    return known


def remember(engine: Engine, stored: Snapshot, rows: pa.Table) -> None:
    """Remember the rows that this process has just added to the results, of which `stored` is the version with them.

    To read them back takes longer than to hash them. Where they are not those of the one data file that is new, the next look-up reads it.
    """
    if (known := _MEMORY.get(engine)) is None:
        return
    newer = [fragment for fragment in stored.fragments() if fragment.file not in known.covered]
    if len(newer) == 1 and newer[0].physical_rows == len(rows):
        _MEMORY[engine] = known.plus(rows["values_hash"].drop_null().to_numpy(), [newer[0].file])


def _merged(known: _Known, stored: Snapshot, fragments: list[Fragment]) -> _Known:
    hashes = stored.read(("values_hash",), fragments=fragments)["values_hash"].drop_null().to_numpy()
    return known.plus(hashes, (fragment.file for fragment in fragments))


def _read(engine: Engine) -> _Known:
    """Return the stored fingerprints and the data files that they cover; nothing when the table is missing or damaged."""
    try:
        table = engine.open(FINGERPRINTS_TABLE)
        cover = table.metadata.get(_COVER, b"[]")
        # Of a million rows these are 4 MB, and a copy of them takes as long as all look-ups in them.
        blocks = [value.as_buffer() for value in table.read(("block",))["block"]]
        if table.metadata.get(CHECKSUM) != _checksum([cover, *blocks]):
            return _Known()
        return _Known(tuple(np.frombuffer(block, np.uint32) for block in blocks), frozenset(json.loads(cover)))
    except (StoreNotFoundError, SchemaMismatchError):
        return _Known()
    except faults.damage_errors() as error:
        faults.require_damage(error)
        return _Known()


def _checksum(parts: Iterable[bytes | pa.Buffer]) -> bytes:
    digest = xxhash.xxh3_64()
    for part in parts:
        digest.update(part)
    return digest.hexdigest().encode()


def _fingerprints(hashes: npt.NDArray[np.int64]) -> Fingerprints:
    return (hashes.view(np.uint64) >> np.uint64(32)).astype(np.uint32)


def _distinct(fingerprints: Fingerprints) -> Fingerprints:
    """Return the different fingerprints, sorted. `np.unique` imports numpy.ma for it, which takes 8 ms."""
    ordered = np.sort(fingerprints)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))]


def _contains(known: Fingerprints, wanted: Fingerprints) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return for each wanted fingerprint whether the sorted ones have it."""
    if not len(known):
        return np.zeros(len(wanted), np.bool_)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.equal(known[at], wanted)
