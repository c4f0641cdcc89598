"""Atomic and idempotent publishing of a run and its results."""

from __future__ import annotations

import time
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.errors import CorruptStoreError, StoreUnavailableError, UserError
from bench_db.model import Published
from bench_db.store import maintain
from bench_db.store.engine import ROW_ID
from bench_db.store.filters import Where, condition, filter_text
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, TABLES
from bench_db.validity import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench_db.model import Result, Run
    from bench_db.store.engine import Engine
    from bench_db.store.tables import Table


def ensure_tables(engine: Engine, tables: Iterable[Table] = TABLES, *, single_writer: bool) -> None:
    """Create the missing tables; raise `StoreUnavailableError` for a bucket without conditional writes."""
    if engine.bucket and not single_writer and not engine.bucket.prove_conditional_writes():
        message = (
            f"{engine.location}: the endpoint ignores If-None-Match, so two writers at once would silently lose data; "
            "use another endpoint, or --single-writer when there is only ever one"
        )
        raise StoreUnavailableError(message)
    for table in tables:
        if not engine.exists(table):
            engine.create(table)


def publish(engine: Engine, results: Sequence[Result], run: Run, *, replace: bool) -> Published:
    """Add a run and its results to existing tables; see `Database.publish`."""
    run, results, record, rows = _storable(run, results)
    if _is_complete(engine, run, len(results)) and not replace:
        return Published(run_key=run.run_key, new=0, unchanged=len(results))
    if replace:
        done = _replace(engine, run, record, rows)
    else:
        # The run first: a crash in between leaves a run without rows, which the next publish completes.
        engine.merge(RUNS_TABLE, record)
        new = engine.merge(RESULTS_TABLE, rows)
        done = Published(run_key=run.run_key, new=new, unchanged=len(results) - new)
    maintain.optimize_if_due(engine)
    return done


def _storable(run: Run, results: Sequence[Result]) -> tuple[Run, list[Result], pa.Table, pa.Table]:
    """Return the derived records and their columns; raise `UserError` for a value that no column can store."""
    _refuse_unfinished(results)
    run, results = checked(run, results, time.time())
    try:
        run, results = derive(run, results)
        record, rows = to_table([run], RUNS_TABLE.schema), to_table(results, RESULTS_TABLE.schema)
    except (UnicodeEncodeError, OverflowError, pa.ArrowInvalid) as error:
        message = f"{run.file_name}: something in it cannot be stored: {' '.join(str(error).split())}"
        raise UserError(message) from error
    return run, results, record, rows


def _is_complete(engine: Engine, run: Run, rows: int) -> bool:
    """Return whether the run and all its rows exist; False for a run without rows after a crash."""
    mine = condition("run_key", run.run_key)
    known = engine.open(RUNS_TABLE).read(("sha256",), mine)["sha256"].to_pylist()
    if any(sha256 != run.sha256 for sha256 in known):
        message = f"{engine.location}: run key {run.run_key} belongs to other content; nothing was written"
        raise CorruptStoreError(message)
    return bool(known) and engine.count(RESULTS_TABLE, mine) == rows


def _replace(engine: Engine, run: Run, record: pa.Table, rows: pa.Table) -> Published:
    """Replace earlier runs. Of several concurrent replacements the one with the last record remains.

    The record of a run is added at the end of `runs`, so all processes see the same order. A process that finds a later
    record for the same file removes its own run, as if that had been first and replaced.
    """
    mine = condition("run_key", run.run_key)
    engine.merge(RUNS_TABLE, record, replacing=mine)
    earlier, later = _in_place_of(engine, run)
    taken_out = condition("run_key", [run.run_key, *earlier])
    before = engine.count(RESULTS_TABLE, taken_out)
    new = 0
    if not later:
        new = engine.merge(RESULTS_TABLE, rows, replacing=taken_out)
        if earlier:
            engine.delete(RUNS_TABLE, condition("run_key", earlier))
        later = _in_place_of(engine, run)[1]
    if later:
        engine.delete(RESULTS_TABLE, mine)
        engine.delete(RUNS_TABLE, mine)
    return Published(run_key=run.run_key, new=new, unchanged=rows.num_rows - new, replaced=before)


def _in_place_of(engine: Engine, run: Run) -> tuple[list[int], list[int]]:
    """Return the keys of other runs with this run id and file name: all before this record, and those after it with rows.

    A later run without rows may be the result of a crash, or will remove this one itself.
    """
    same_place: Where = {"run_id": run.run_id, "file_name": run.file_name}
    found = engine.open(RUNS_TABLE).read(("run_key", ROW_ID), filter_text(same_place, RUNS_TABLE.leaves))
    keys = found.sort_by(ROW_ID)["run_key"].to_pylist()
    # If another replacement has removed this record already, all remaining ones are later.
    at = keys.index(run.run_key) if run.run_key in keys else -1
    later = keys[at + 1 :]
    return keys[: max(at, 0)], [key for key in later if engine.count(RESULTS_TABLE, condition("run_key", key))]


def _refuse_unfinished(results: Sequence[Result]) -> None:
    if not results:
        message = "a run needs at least one result"
        raise UserError(message)
    for result in results:
        if not all(np.isfinite(number).all() for number in _numbers(result)):
            message = f"{result.benchmark_name!r}: every number must be finite"
            raise UserError(message)
        has_values = bool(len(result.values)) or result.summary is not None
        if has_values == (result.error is not None):
            message = f"{result.benchmark_name!r}: a result has either values or an error"
            raise UserError(message)


def _numbers(result: Result) -> Iterator[Any]:
    yield np.frombuffer(result.values) if len(result.values) else ()
    stated = [result.lower, result.upper, result.throughput and result.throughput.multiplier]
    stated += astuple(result.summary) if result.summary else ()
    yield [number for number in stated if number is not None]
