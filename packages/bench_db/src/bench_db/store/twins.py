"""Runs that a release without `runs.content_key` has stored a second time, because it does not recognise measurements."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from bench_db import derive
from bench_db.model import StoreChange
from bench_db.store import history, rollup
from bench_db.store.filters import condition, filter_text
from bench_db.store.known import excluded_of, records_of
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench_db.model import Run
    from bench_db.store.engine import Engine


def twins(engine: Engine) -> dict[int, int]:
    """Return each run without a content key that repeats the measurements of a run with one at its place, and the key of that one.

    Excluded runs are left out, and so is a run with fewer or more rows than it was published with.
    """
    runs = engine.open(RUNS_TABLE)
    without = filter_text({"content_key": None}, RUNS_TABLE.leaves, runs.absent)
    if not runs.read(("run_key",), without).num_rows:
        return {}
    excluded = excluded_of(engine)
    records = [record for record in records_of(runs, "true") if record.run_key not in excluded]
    keyed: defaultdict[tuple[object, ...], list[Run]] = defaultdict(list)
    for record in records:
        if record.content_key is not None:
            keyed[_about(record)].append(record)
    open_runs = {r.run_key: r for r in records if r.content_key is None and _about(r) in keyed}
    contents = _contents(engine, open_runs)
    return {
        key: one.run_key
        for key, content in contents.items()
        for one in keyed[_about(open_runs[key])]
        if one.content_key == content
    }


def _about(run: Run) -> tuple[object, ...]:
    return (*derive.place_of(run), run.results)


def _contents(engine: Engine, runs: Mapping[int, Run]) -> dict[int, int]:
    """Return the content key of each of some runs that has all its rows."""
    if not runs:
        return {}
    stored: defaultdict[int, list[derive.Measured]] = defaultdict(list)
    for batch in engine.open(RESULTS_TABLE).batches(derive.MEASURED, condition("run_key", list(runs))):
        for key, name, row in derive.rows_in(batch):
            stored[key].append(derive.Measured(name, row.fact))
    return {key: derive.content_key(rows) for key, rows in stored.items() if len(rows) == runs[key].results}


def pending(engine: Engine) -> list[StoreChange]:
    """Return the change that `exclude` makes, as a migration does."""
    return _change(twins(engine))


def exclude(engine: Engine) -> list[StoreChange]:
    """Exclude these runs from every answer, before a migration gives them the key by which they are found. A repetition is safe."""
    found = twins(engine)
    if found:
        engine.require_writable(RESULTS_TABLE)
        for key, first in found.items():
            reason = f"has the measurements of run {first:016x}, which an older release did not recognise"
            history.exclude(engine, [key], reason=reason, lifted=False, at=int(time.time()), by="bench-db")
        rollup.rebuild(engine, history.history(engine, math.inf))
    return _change(found)


def _change(found: Mapping[int, int]) -> list[StoreChange]:
    what = "exclude runs that an older release has stored a second time; 'bench-db run list' shows them"
    return [StoreChange(name="exclusions", description=what, rows=len(found))] if found else []
