"""Publishing: a run and its results, whole or not at all, once however often it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.errors import CorruptStoreError, StoreNotFoundError, StoreUnavailableError, UserError
from bench_db.store import maintain
from bench_db.store.filters import Where, condition, filter_text
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Result, Run
    from bench_db.store.engine import Engine

_RUN_KEY = {"run_key": "run_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing one run did: rows added, rows that were there already, rows of an earlier run taken out."""

    run_key: int
    new: int
    unchanged: int
    replaced: int = 0


def ensure_tables(engine: Engine, *, single_writer: bool) -> None:
    """Make the tables that do not exist yet. `StoreUnavailableError` on a bucket that cannot keep writers apart."""
    if engine.bucket and not single_writer and not engine.bucket.prove_conditional_writes():
        message = (
            f"{engine.location}: the endpoint ignores If-None-Match, so two writers at once would silently lose data; "
            "use another endpoint, or --single-writer when there is only ever one"
        )
        raise StoreUnavailableError(message)
    for table in TABLES:
        try:
            engine.open(table)
        except StoreNotFoundError:
            engine.create(table)


def publish(engine: Engine, results: Sequence[Result], run: Run, *, replace: bool) -> Published:
    """Add a run and its results to existing tables; see `Database.publish`."""
    run, results = derive(run, results)
    _refuse_unfinished(results)
    old = _earlier_runs(engine, run) if replace else []
    if run.run_key not in old and _is_complete(engine, run, len(results)):
        return Published(run_key=run.run_key, new=0, unchanged=len(results))
    record, rows = to_table([run], RUNS_TABLE.schema), to_table(results, RESULTS_TABLE.schema)
    # The run first: a process killed in between leaves a run without rows, which the next publish completes.
    engine.merge(RUNS_TABLE, record)
    if not old:
        new = engine.merge(RESULTS_TABLE, rows)
        done = Published(run_key=run.run_key, new=new, unchanged=len(results) - new)
    else:
        taken_out = condition("run_key", old)
        before = engine.open(RESULTS_TABLE).count_rows(filter=taken_out)
        new = engine.merge(RESULTS_TABLE, rows, replacing=taken_out)
        engine.merge(RUNS_TABLE, record, replacing=taken_out)
        done = Published(run_key=run.run_key, new=new, unchanged=len(results) - new, replaced=before)
    maintain.optimize_if_due(engine)
    return done


def _is_complete(engine: Engine, run: Run, rows: int) -> bool:
    """Whether the run and all its rows are there; a run that a killed process left without rows is not."""
    mine = condition("run_key", run.run_key)
    known = engine.read(engine.open(RUNS_TABLE), {"sha256": "sha256"}, mine)["sha256"].to_pylist()
    if any(sha256 != run.sha256 for sha256 in known):
        message = f"{engine.location}: run key {run.run_key} belongs to other content; nothing was written"
        raise CorruptStoreError(message)
    return bool(known) and engine.open(RESULTS_TABLE).count_rows(filter=mine) == rows


def _earlier_runs(engine: Engine, run: Run) -> list[int]:
    """Keys of the runs a replacement takes out: same run id and file name, or the same content read before."""
    runs = engine.open(RUNS_TABLE)
    same_place: Where = {"run_id": run.run_id, "file_name": run.file_name}
    found = engine.read(runs, _RUN_KEY, filter_text(same_place, RUNS_TABLE.leaves))
    same = engine.read(runs, _RUN_KEY, condition("run_key", run.run_key))
    return sorted({*found["run_key"].to_pylist(), *same["run_key"].to_pylist()})


def _refuse_unfinished(results: Sequence[Result]) -> None:
    if not results:
        message = "a run needs at least one result"
        raise UserError(message)
    for result in results:
        if len(result.values) and not np.isfinite(np.frombuffer(result.values)).all():
            message = f"{result.benchmark_name}: values must be finite numbers"
            raise UserError(message)
        if (result.summary is None) == (result.error is None):
            message = f"{result.benchmark_name}: a result has either statistics or an error"
            raise UserError(message)
