"""Atomic and idempotent publishing of a run and its results."""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench_db.arrow import to_table
from bench_db.derive import checked, derive, rekeyed
from bench_db.errors import StoreUnavailableError, UserError
from bench_db.model import Published
from bench_db.store import history, known, leftovers, maintain
from bench_db.store.filters import condition
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bench_db.model import RecordedCommit, Result, Run
    from bench_db.store.engine import Engine, Snapshot
    from bench_db.store.known import Known
    from bench_db.store.tables import Table

    # What is known of the commit of a run, or a question for it.
    Commits = Sequence[RecordedCommit] | Callable[[], Sequence[RecordedCommit]]


def ensure_tables(engine: Engine, tables: Iterable[Table] = TABLES, *, single_writer: bool) -> None:
    """Create the missing tables; raise `StoreUnavailableError` for a bucket without conditional writes."""
    if engine.bucket and not single_writer and not engine.bucket.prove_conditional_writes():
        message = (
            f"{engine.location}: the endpoint ignores If-None-Match, so two writers at once would silently lose data; "
            "use another endpoint, or --single-writer when there is only ever one"
        )
        raise StoreUnavailableError(message)
    for table in tables:
        engine.ensure(table)


def publish(  # noqa: PLR0913 all but the first three by keyword
    engine: Engine,
    results: Sequence[Result],
    run: Run,
    *,
    replace: bool,
    keep_leftovers: bool = False,
    commits: Commits = (),
) -> Published:
    """Add a run and its results to existing tables, and first the record of its commit; see `Database.publish`."""
    run, results = _derived(run, results)
    stored = engine.open(RESULTS_TABLE)  # before the look at the runs: see `_settle`
    found = known.find(engine, run, results)
    if not keep_leftovers and (found.same is None or found.rereads):
        run, kept = _without_leftovers(engine, stored, run, results)
        if not kept:
            return _answer(run, found, new=0)
        if len(kept) < len(results):
            run, results = derive(run, kept)
            found = known.find(engine, run, results)
    if found.same is not None and not found.rereads and found.same.run_key != run.run_key:
        run, results = rekeyed(run, results, found.same.run_key)
    if found.same is not None and not replace and (found.rereads or found.rows == len(results)):
        if not callable(commits) and commits:
            history.record_run(engine, run, commits)
        return _answer(run, found, new=0, unchanged=found.rows)
    others = known.neighbours(engine, results) if found.same is None else []
    history.record_run(engine, run, _asked(engine, run, commits))
    done = _write(engine, run, results, found, replace=replace, seen=stored.version)
    maintain.optimize_if_due(engine)
    return dataclasses.replace(done, notes=(*done.notes, *_of_neighbours(others)))


def _asked(engine: Engine, run: Run, commits: Commits) -> Sequence[RecordedCommit]:
    """Return what is known of the commit of a run; a clone is asked only for a commit that is not recorded in full."""
    if not callable(commits):
        return commits
    is_known = run.commit is None or history.knows(engine, run.dut.name, run.commit)
    return () if is_known else commits()


def _of_neighbours(others: Sequence[tuple[str, str]]) -> Iterator[str]:
    if others:
        shown = "; ".join(f"test bed {bed}, suite {suite or '(none)'}" for bed, suite in others[:3])
        yield (
            f"new series begin here, and the same benchmarks exist elsewhere ({shown}); to continue those, publish under the "
            "same names, which bench-db.toml can give"
        )


def _write(  # noqa: PLR0913 all but the run and what is known of it by keyword
    engine: Engine, run: Run, results: Sequence[Result], found: Known, *, replace: bool, seen: int
) -> Published:
    record, rows = _columns(run, results)
    if replace:
        new, replaced = _replace(engine, run, results, record, rows)
        return _answer(run, found, new=new, unchanged=len(results) - new, replaced=replaced)
    # The run first: a crash in between leaves a run without rows, which the next publish completes.
    engine.merge(RUNS_TABLE, record)
    if found.completes is not None:
        replaced = _take_out(engine, run, rows, [found.completes])
        return _answer(run, found, new=len(results), replaced=replaced)
    if found.rows:
        # Some of its rows are missing: one merge on the row id writes all of them, whatever is there.
        engine.merge(RESULTS_TABLE, rows, replacing=condition("run_key", run.run_key))
        return _answer(run, found, new=len(results) - found.rows, unchanged=found.rows)
    merged = engine.merged(RESULTS_TABLE, rows)
    # A record without rows may be one that its writer is taking out, because the same measurements are stored with samples.
    if merged.rows and (found.same is not None or merged.version != seen + 1):
        _settle(engine, run, results, rows)
    return _answer(run, found, new=merged.rows, unchanged=len(results) - merged.rows)


def _settle(engine: Engine, run: Run, results: Sequence[Result], rows: pa.Table) -> None:
    """Look once more for a run with the same measurements, because another writer has changed the results since the look-up.

    Of a file with samples and one with statistics alone, published at once, at least one writer sees the rows of the other.
    """
    engine.look_again()
    found = known.find_twin(engine, run, results)
    if found.completes is not None:
        _take_out(engine, run, rows, [found.completes])
    elif found.same is not None and found.rows:
        _remove(engine, [run.run_key])


def _answer(run: Run, found: Known, **counts: int) -> Published:
    """Return the answer with the notes of the run and, where its measurements are stored already, of what."""
    counts = {"unchanged": 0, **counts}
    notes = (*run.notes, *_notes(found))
    return Published(run_key=run.run_key, skipped=dict(run.skipped), notes=notes, **counts)


def _notes(found: Known) -> Iterator[str]:
    if found.rereads and found.same is not None:
        yield f"the same bytes are stored as run {found.same.run_id} with other results; --replace stores this reading instead"
    if found.elsewhere:
        *more, last = found.elsewhere
        others = f", and {len(more)} more" if more else ""
        yield f"the same measurements are already stored as run {last.run_id} of {_place(last)}{others}"


def _place(run: Run) -> str:
    build = f"commit {run.commit}" if run.commit else f"version {run.dut.version}"
    pull_request = "" if run.pr_number is None else f", pull request {run.pr_number}"
    return f"{run.dut.name} {build} on {run.test_bed.name}{pull_request}"


def _without_leftovers(
    engine: Engine, stored: Snapshot, run: Run, results: Sequence[Result]
) -> tuple[Run, list[Result]]:
    """Return the run without results that are leftovers; they are counted as skipped and named in the notes."""
    earlier = leftovers.find(engine, stored, results)
    if not earlier:
        return run, list(results)
    notes = tuple(
        f"{result.benchmark_name}: a leftover, its samples are those of {earlier[result.id]}; --keep-leftovers stores it"
        for result in results
        if result.id in earlier
    )
    skipped = {**run.skipped, leftovers.REASON: len(notes)}
    kept = [result for result in results if result.id not in earlier]
    return dataclasses.replace(run, skipped=skipped, notes=(*run.notes, *notes)), kept


def _derived(run: Run, results: Sequence[Result]) -> tuple[Run, list[Result]]:
    """Return the derived records; raise `UserError` for a value that no store can have."""
    _refuse_unfinished(results)
    run, results = checked(run, results, time.time())
    with _storable(run):
        return derive(run, results)


def _columns(run: Run, results: Sequence[Result]) -> tuple[pa.Table, pa.Table]:
    with _storable(run):
        return to_table([run], RUNS_TABLE.schema), to_table(results, RESULTS_TABLE.schema)


@contextmanager
def _storable(run: Run) -> Iterator[None]:
    try:
        yield
    except (UnicodeEncodeError, OverflowError, pa.ArrowInvalid) as error:
        message = f"{run.file_name}: something in it cannot be stored: {' '.join(str(error).split())}"
        raise UserError(message) from error


def _replace(engine: Engine, run: Run, results: Sequence[Result], record: pa.Table, rows: pa.Table) -> tuple[int, int]:
    """Replace earlier runs; return the numbers of rows added and removed.

    Of several concurrent replacements the one with the last record remains. The record of a run is added at the end of `runs`,
    so all processes see the same order. A process that finds a later one for the same place removes its own run, as if that
    had been first and replaced. Each looks again after its rows are in, so of two at least one sees the other.
    """
    mine = condition("run_key", run.run_key)
    engine.merge(RUNS_TABLE, record, replacing=mine)
    engine.look_again()
    earlier, later = known.in_place_of(engine, run, results)
    new, before = 0, engine.count(RESULTS_TABLE, condition("run_key", [run.run_key, *earlier]))
    if not later:
        new = engine.merge(RESULTS_TABLE, rows, replacing=condition("run_key", [run.run_key, *earlier]))
        if earlier:
            engine.delete(RUNS_TABLE, condition("run_key", earlier))
        engine.look_again()
        earlier, later = known.in_place_of(engine, run, results)
        if earlier:
            _remove(engine, earlier)
    if later:
        _remove(engine, [run.run_key])
    return new, before


def _take_out(engine: Engine, run: Run, rows: pa.Table, others: list[int]) -> int:
    """Add the rows of a run and take out those of others, in one commit; return how many were taken out."""
    taken_out = engine.count(RESULTS_TABLE, condition("run_key", others))
    engine.merge(RESULTS_TABLE, rows, replacing=condition("run_key", [run.run_key, *others]))
    engine.delete(RUNS_TABLE, condition("run_key", others))
    return taken_out


def _remove(engine: Engine, keys: list[int]) -> None:
    """Remove runs: their rows first, because rows without a record have no provenance."""
    engine.delete(RESULTS_TABLE, condition("run_key", keys))
    engine.delete(RUNS_TABLE, condition("run_key", keys))


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
    stated += dataclasses.astuple(result.summary) if result.summary else ()
    yield [number for number in stated if number is not None]
