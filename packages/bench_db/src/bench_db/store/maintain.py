"""Keeping a store fast: few large fragments, indexes that cover them, old versions gone, the rollup fresh."""

from __future__ import annotations

import logging
import math
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from bench_db.errors import ConflictError, StoreUnavailableError
from bench_db.model import Maintenance
from bench_db.store import ledger, leftovers, rollup
from bench_db.store.history import history
from bench_db.store.tables import RESULTS_TABLE, ROWS_PER_FRAGMENT, Table, registered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.store.engine import Engine, Snapshot

SMALL_FRAGMENTS = 50
_STRIDE = 10
_LOG = logging.getLogger(__name__)
KEPT = timedelta(days=1)


def is_due(results: Snapshot, *, stride: int = _STRIDE) -> bool:
    """Return whether enough small fragments have gathered since the last maintenance.

    Each of many concurrent writers sees another count after its publish, so only some of them begin. If all compacted the same
    fragments, each would do the work and only one could commit it.
    """
    small = results.small_fragments()
    return small >= SMALL_FRAGMENTS and small % stride == 0


def optimize(engine: Engine, *, kept: timedelta = KEPT) -> Maintenance:
    """Compact, then index, then remove versions older than `kept`; versions with a tag stay, whatever their age."""
    began = time.monotonic()
    before = len(engine.open(RESULTS_TABLE).fragments())
    removed = [_care_for(engine, table, kept) for table in ledger.existing(engine) if not table.derived]
    series = rollup.rebuild(engine, history(engine, math.inf))
    leftovers.rebuild(engine)
    removed += [engine.clean(table, kept) for table in registered() if table.derived and engine.exists(table)]
    done = Maintenance(
        fragments_before=before,
        fragments_after=len(engine.open(RESULTS_TABLE).fragments()),
        versions_removed=sum(versions for versions, _ in removed),
        bytes_removed=sum(size for _, size in removed),
        series=series,
    )
    _LOG.info("maintenance took %.3f s: %s", time.monotonic() - began, done)
    return done


def _care_for(engine: Engine, table: Table, kept: timedelta) -> tuple[int, int]:
    began = time.monotonic()
    engine.compact(table, ROWS_PER_FRAGMENT)
    compacted = time.monotonic()
    _index(engine, table)
    indexed = time.monotonic()
    removed = engine.clean(table, kept)
    _LOG.info(
        "%s: compaction %.3f s, indexes %.3f s, cleanup %.3f s (%d versions removed)",
        table.name,
        compacted - began,
        indexed - compacted,
        time.monotonic() - indexed,
        removed[0],
    )
    return removed


def _index(engine: Engine, table: Table) -> None:
    """Bring every index up to date, making those that do not exist yet."""
    existing = engine.open(table).indexed()
    _make_indexes(engine, table, [leaf for leaf, _ in table.indexes if leaf not in existing])
    try:
        engine.update_indexes(table)
    except StoreUnavailableError as error:
        if "No column with name" not in str(error):
            raise
        # Lance cannot update an index of a nested column whose rows were all replaced; it can make it anew.
        _LOG.info("%s: indexes are built anew, an update failed", table.name)
        _make_indexes(engine, table, [leaf for leaf, _ in table.indexes])


def reindex(engine: Engine) -> None:
    """Make every index anew: an update keeps what a damaged index has wrong."""
    for table in ledger.existing(engine):
        _make_indexes(engine, table, [leaf for leaf, _ in table.indexes])


def _make_indexes(engine: Engine, table: Table, leaves: Sequence[str]) -> None:
    for leaf, kind in table.indexes:
        if leaf in leaves:
            engine.make_index(table, leaf, kind)


def optimize_if_due(engine: Engine, *, alone: bool = False) -> Maintenance | None:
    """Maintain the store after a publish, when due. Another process that does the same at once is no failure of the publish.

    With `alone` it is due at any number of small fragments, because nothing asks again soon.
    """
    if not is_due(engine.open(RESULTS_TABLE), stride=1 if alone else _STRIDE):
        return None
    try:
        return optimize(engine)
    except ConflictError as error:
        _LOG.info("maintenance left to another process: %s", error)
        return None
