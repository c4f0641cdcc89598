"""Keeping a store fast and small: few large fragments, indexes that cover them, old versions gone, the rollup fresh."""

from __future__ import annotations

import logging
import math
import shutil
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bench_db.errors import BenchDbError, ConflictError, StoreUnavailableError
from bench_db.model import Maintenance
from bench_db.store import faults, indexes, ledger, leftovers, projection, rollup, salvage
from bench_db.store.history import history
from bench_db.store.tables import RESULTS_TABLE, ROWS_PER_FRAGMENT, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from bench_db.store.engine import Engine, Snapshot

SMALL_FRAGMENTS = 50
_STRIDE = 10
_LOG = logging.getLogger(__name__)
KEPT = timedelta(days=1)
YOUNG = salvage.YOUNG
# Older versions of a table than the newest so many go as soon as they are not young: a manifest lists all fragments.
_MOST_VERSIONS = 100
# Versions that are not young go, too, when the files of a table, and for the results those of the projection on a disk, take so many
# times the bytes of its newest version, and more than a small table may: yesterday's mistake can be undone where there is room.
_MOST_TIMES = 1.5
_SMALL_BYTES = 512 << 10
# What maintenance writes beside rows: manifests, indexes and lists.
_LEAST_ROOM = 1 << 20
# The clocks of this machine and of the store agree when they differ by less.
_CLOCKS_AGREE = timedelta(minutes=1)


def is_due(results: Snapshot, *, stride: int = _STRIDE) -> bool:
    """Return whether enough small fragments have gathered since the last maintenance.

    Each of many concurrent writers sees another count after its publish, so only some of them begin. If all compacted the same
    fragments, each would do the work and only one could commit it.
    """
    small = results.small_fragments()
    return small >= SMALL_FRAGMENTS and small % stride == 0


def optimize(engine: Engine, *, kept: timedelta = KEPT, checked: bool = False) -> Maintenance:
    """Clean, compact, index, and clean again; versions with a tag stay, whatever their age.

    The first cleaning makes space for the rest on a full disk, and nothing is compacted that has no room. Nothing is cleaned when the clocks of this machine and of the
    store disagree, or without the right to delete; the answer says so.

    With `checked` the rollup is made from all results, and the files of the projection are read, and made again where they do not
    match their checksums.
    """
    began = time.monotonic()
    before = len(engine.open(RESULTS_TABLE).fragments())
    cleaning = _Cleaning(engine, kept)
    tables = [table for table in ledger.existing(engine) if not table.derived]
    cleaning.clean(tables)
    _require_room(engine, tables, cleaning)
    earlier = None if checked else engine.open(RESULTS_TABLE)
    for table in tables:
        _care_for(engine, table)
    series = rollup.rebuild(engine, history(engine, math.inf), earlier)
    leftovers.rebuild(engine)
    projection.renew(engine, checked=checked)
    cleaning.clean(ledger.existing(engine))
    done = Maintenance(
        fragments_before=before,
        fragments_after=len(engine.open(RESULTS_TABLE).fragments()),
        versions_removed=cleaning.versions,
        bytes_removed=cleaning.bytes,
        series=series,
        not_cleaned=cleaning.refusal,
    )
    _LOG.info("maintenance took %.3f s: %s", time.monotonic() - began, done)
    return done


def _require_room(engine: Engine, tables: Iterable[Table], cleaning: _Cleaning) -> None:
    """Raise `StoreUnavailableError` where a disk has no room for what compactions write: they would fail half-way and leave files."""
    if engine.bucket:
        return
    wanted = _LEAST_ROOM + sum(engine.open(table).small_bytes() for table in tables)
    free = shutil.disk_usage(engine.location.path).free
    if free < wanted:
        message = (
            f"{engine.location}: no space is left for maintenance, which writes about {wanted:,} bytes, and the disk has {free:,}. "
            f"{cleaning.versions:,} old versions are removed with {cleaning.bytes:,} bytes; versions of the last {YOUNG} stay until readers "
            "cannot use them. Make space on the disk, or repeat 'bench-db store optimize --older-than 10m' in 10 minutes"
        )
        raise StoreUnavailableError(message)


class _Cleaning:
    """The removal of old versions of all tables, what it has removed so far, and why it has stopped."""

    def __init__(self, engine: Engine, kept: timedelta) -> None:
        self._engine = engine
        self._kept = kept
        self.versions = self.bytes = 0
        self.refusal = fault_of_clock(engine)

    def clean(self, tables: Iterable[Table]) -> None:
        """Remove what is old now; of derived tables only once they are made again, because a damaged one cannot be opened."""
        now = 0.0 if self.refusal else self._engine.now()
        for table in tables:
            if not self.refusal:
                self._clean(table, now)
        if not self.refusal:
            self._attempt(partial(projection.clean, self._engine))

    def _clean(self, table: Table, now: float) -> None:
        # A reader of a derived table uses its newest version alone.
        kept = min(self._kept, YOUNG) if table.derived else self._kept

        def clean() -> None:
            least = YOUNG if kept > YOUNG and _is_large(self._engine, table) else kept
            done = self._engine.clean(table, lambda written: outdated(written, now, least))
            self.versions += done.versions
            self.bytes += done.bytes
            if done.failed:
                self._refuse(f"{self._engine.location}: {done.failed} files of {table.name}")

        self._attempt(clean)

    def _attempt(self, clean: Callable[[], None]) -> None:
        try:
            clean()
        except StoreUnavailableError as error:
            if not faults.is_refusal(error):
                raise
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        self.refusal = f"old versions stay, because files cannot be deleted ({why}); grant the right to delete"
        _LOG.warning("%s", self.refusal)


def _is_large(engine: Engine, table: Table) -> bool:
    newest = sum(fragment.bytes for fragment in engine.open_any(table).every_fragment())
    taken = sum(file.on_disk for file in engine.files(table).values())
    taken += projection.listed_bytes(engine) if table is RESULTS_TABLE and not engine.bucket else 0
    return taken > max(_MOST_TIMES * newest, _SMALL_BYTES)


def outdated(written: Mapping[int, float], now: float, kept: timedelta) -> list[int]:
    """Return the versions to remove, from the time of each: those older than `kept`, and those that are too many and not young."""
    beyond = set(sorted(written)[:-_MOST_VERSIONS])
    ages = {version: now - then for version, then in written.items()}
    young, old = YOUNG.total_seconds(), kept.total_seconds()
    return [version for version, age in ages.items() if age >= old or (version in beyond and age >= young)]


def fault_of_clock(engine: Engine) -> str:
    """Return how the clock of this machine differs from that of the store, in words; nothing when they agree."""
    ahead = time.time() - engine.now()
    if abs(ahead) < _CLOCKS_AGREE.total_seconds():
        return ""
    by = timedelta(seconds=round(abs(ahead)))
    fault = (
        f"this machine's clock is {by} {'ahead of' if ahead > 0 else 'behind'} that of the store, so it removes no old versions; "
        "set the clock"
    )
    _LOG.warning("%s: %s", engine.location, fault)
    return fault


def _care_for(engine: Engine, table: Table) -> None:
    began = time.monotonic()
    # A compaction writes the indexes of what it joins anew, from those that there are, and without checksums.
    sound = indexes.sound(engine.open(table))
    engine.compact(table, ROWS_PER_FRAGMENT)
    compacted = time.monotonic()
    _index(engine, table, sound)
    _LOG.info("%s: compaction %.3f s, indexes %.3f s", table.name, compacted - began, time.monotonic() - compacted)


def _index(engine: Engine, table: Table, sound: Collection[str]) -> None:
    """Bring every index up to date; make those that do not exist yet or were not `sound`, which an update would keep."""
    kept = engine.open(table).segments().keys() & sound
    _make_indexes(engine, table, [leaf for leaf, _ in table.indexes if leaf not in kept])
    try:
        engine.update_indexes(table)
    except StoreUnavailableError as error:
        if "No column with name" not in str(error):
            raise
        # Lance cannot update an index of a nested column whose rows were all replaced; it can make it anew.
        _LOG.info("%s: indexes are built anew, an update failed", table.name)
        _make_indexes(engine, table, [leaf for leaf, _ in table.indexes])
    indexes.record(engine.open(table))


def reindex(engine: Engine) -> None:
    """Make every index anew: an update keeps what a damaged index has wrong."""
    for table in ledger.existing(engine):
        if table.indexes:
            _make_indexes(engine, table, [leaf for leaf, _ in table.indexes])
            indexes.record(engine.open(table))


def _make_indexes(engine: Engine, table: Table, leaves: Sequence[str]) -> None:
    for leaf, kind in table.indexes:
        if leaf in leaves:
            engine.make_index(table, leaf, kind)


def optimize_if_due(engine: Engine, *, alone: bool = False) -> Maintenance | None:
    """Maintain the store after a publish, when due, and remove old versions more often. Another process that does the same at once is no failure of the publish.

    With `alone` it is due at any number of small fragments, because nothing asks again soon.
    """
    results = engine.merged_last(RESULTS_TABLE)
    if is_due(results, stride=1 if alone else _STRIDE):
        try:
            return optimize(engine)
        except ConflictError as error:
            _LOG.info("maintenance left to another process: %s", error)
        except StoreUnavailableError as error:
            if not faults.is_full(error):
                raise
            _LOG.warning("the runs are stored, and maintenance was left: %s", error)
    elif not engine.bucket and (small := results.small_fragments()) and small % _STRIDE == 0:
        _thin(engine)
    return None


def _thin(engine: Engine) -> None:
    """Remove versions of large tables that are not young, between two maintenances; what fails here, the next maintenance reports.

    A commit of a small publish writes 37 KB a table, because Lance keeps the keys that it inserts as a bitmap of 32 KB. In a bucket
    the requests cost more than the bytes.
    """
    try:
        large = [table for table in ledger.existing(engine) if not table.derived and _is_large(engine, table)]
        if large:
            _Cleaning(engine, KEPT).clean(large)
    except BenchDbError as error:
        _LOG.info("%s: no versions removed: %s", engine.location, error)
