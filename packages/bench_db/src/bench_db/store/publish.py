"""Atomic and idempotent publishing of a run and its results."""

from __future__ import annotations

import dataclasses
import gc
import math
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from bench_db.arrow import to_table
from bench_db.derive import checked, derive, place_of, rekeyed, row_of
from bench_db.errors import StoreUnavailableError, UserError
from bench_db.model import Published
from bench_db.store import history, known, leftovers, maintain
from bench_db.store.filters import condition
from bench_db.store.tables import ARTIFACTS_TABLE, RESULTS_TABLE, RUNS_TABLE, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from bench_db.derive import Row
    from bench_db.model import RecordedCommit, Result, Run
    from bench_db.store.engine import Engine, Merged, Snapshot
    from bench_db.store.known import Known
    from bench_db.store.tables import Table

    Derived = tuple[Run, list[Result]]

    # What is known of the commit of a run, or a question for it.
    Commits = Sequence[RecordedCommit] | Callable[[], Sequence[RecordedCommit]]

# A batch has no more runs, rows or samples than this, beyond those of its last run; it takes up to 150 MB.
_BATCH_RUNS = 64
_BATCH_ROWS = 32_768
_BATCH_SAMPLES = 1 << 22
_OBJECTS_A_SEARCH = 50_000


@contextmanager
def rarely_searched() -> Iterator[None]:
    """Let Python search for reference cycles, of which records have none, only after 50,000 new objects until the end of the block.

    By default it searches after 700, which takes a fifth of a publish of many files. A process that searches less often is left alone.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < _OBJECTS_A_SEARCH:
        yield
        return
    gc.set_threshold(_OBJECTS_A_SEARCH)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def ensure_tables(engine: Engine, tables: Iterable[Table] = TABLES, *, single_writer: bool) -> None:
    """Create the missing tables; raise `StoreUnavailableError` for a bucket without conditional writes."""
    if engine.bucket and not single_writer and not engine.bucket.prove_conditional_writes():
        message = (
            f"{engine.location}: the endpoint ignores If-None-Match, so two writers at once would silently lose data; "
            "use another endpoint, or --single-writer when there is only ever one"
        )
        raise StoreUnavailableError(message)
    for table in tables:
        engine.salvaging(partial(engine.ensure, table))


class Entry(NamedTuple):
    """A run to publish with its results, and what is known of its commit.

    With `parse` the run is the record of a stored one and has no results here; `parse` returns run and results, for a store that
    no longer has all of it.
    """

    run: Run
    results: Sequence[Result]
    commits: Commits = ()
    parse: Callable[[], tuple[Run, Sequence[Result]]] | None = None


def publish(engine: Engine, entry: Entry, *, replace: bool, keep_leftovers: bool = False) -> Published:
    """Add a run and its results to existing tables, and before the results the record of its commit; see `Database.publish`."""
    (done,) = engine.salvaging(
        lambda: _Batch(engine, replace=replace, keep_leftovers=keep_leftovers).published([entry])
    )
    maintain.optimize_if_due(engine)
    return done


def publish_many(
    engine: Engine, entries: Iterable[Entry], *, replace: bool, keep_leftovers: bool = False
) -> Iterator[Published]:
    """Add runs to existing tables, many with each write, and yield the answer of each once it is stored.

    See `Database.publish_many`.
    """
    begun, own = set[int](), set[int]()
    batches = 0
    for batches, entries_of_batch in enumerate(_bounded(entries), 1):  # noqa: B007 used below
        with engine.one_look():
            done = engine.salvaging(
                lambda part=entries_of_batch: _Batch(  # type: ignore[misc]
                    engine, replace=replace, keep_leftovers=keep_leftovers, begun=begun, own=own
                ).published(part),
            )
        yield from done
    with engine.one_look():
        maintain.optimize_if_due(engine, alone=batches > 1)


def _bounded(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries in lists of bounded size, so that memory does not grow with the number of runs."""
    batch: list[Entry] = []
    rows = samples = 0
    for entry in entries:
        batch.append(entry)
        rows += len(entry.results)
        samples += sum(len(result.values) for result in entry.results)
        if len(batch) >= _BATCH_RUNS or rows >= _BATCH_ROWS or samples >= _BATCH_SAMPLES:
            yield batch
            batch, rows, samples = [], 0, 0
    if batch:
        yield batch


class _Fresh(NamedTuple):
    """A run that waits for the next write of its batch: its number in the batch, and what its answer says."""

    number: int
    run: Run
    results: Sequence[Result]
    commits: Commits
    found: Known
    notes: tuple[str, ...]


class _Batch:
    """Runs that are published with one look-up and, as far as possible, with one write of each table.

    The outcome is that of publishing them one by one. A run with measurements of an earlier run of the batch is looked up again
    after that is stored, and a run that changes stored rows is stored by a write of its own.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        replace: bool,
        keep_leftovers: bool,
        begun: set[int] | None = None,
        own: set[int] | None = None,
    ) -> None:
        self._engine = engine
        self._replace = replace
        self._keep_leftovers = keep_leftovers
        self._begun = set() if begun is None else begun  # series of runs that were published before
        self._own = set() if own is None else own  # runs that this call has stored as replacements
        self._version = engine.open(RESULTS_TABLE).version  # before the look at the runs: see `_settle`
        self._written = _Written(keep_leftovers=keep_leftovers)
        self._changed = False  # whether stored rows were changed
        self._removed = set[int]()  # runs that others took the place of
        self._fresh: list[_Fresh] = []
        self._answers: dict[int, Published] = {}

    @rarely_searched()
    def published(self, entries: Sequence[Entry]) -> list[Published]:
        """Publish the runs and return the answer of each. A run that is not valid raises before any is stored."""
        derived = [_derived(entry.run, entry.results) if entry.parse is None else (entry.run, []) for entry in entries]
        stored = self._engine.open(RESULTS_TABLE)
        founds = known.find_each(self._engine, derived)
        for number, (entry, found) in enumerate(zip(entries, founds, strict=True)):
            if entry.parse is not None and not _is_whole(found, entry.run):
                derived[number] = _derived(*entry.parse())
                founds[number] = known.find(self._engine, *derived[number])
        earlier = self._earlier(stored, derived, founds)
        for number, (entry, pair, found) in enumerate(zip(entries, derived, founds, strict=True)):
            is_record = not pair[1]
            if self._changed if is_record else self._written.decide(*pair):
                self._store()
                self._add_again(number, entry, pair)
                continue
            elsewhere = (*found.elsewhere, *self._written.elsewhere(pair[0]))
            beside = (*found.beside, *self._written.beside(*pair))
            now = dataclasses.replace(found, elsewhere=elsewhere, beside=beside)
            if is_record:
                self._answers[number] = _answer(pair[0], now, new=0, unchanged=now.rows)
            else:
                self._add(number, entry.commits, *pair, now, earlier)
        self._store()
        return [self._answers[number] for number in range(len(entries))]

    def _add_again(self, number: int, entry: Entry, pair: Derived) -> None:
        """Look a run up once more, because the runs before it in the batch were stored or changed others, and add it."""
        found = known.find(self._engine, *pair)
        if not pair[1] and entry.parse is not None:
            if _is_whole(found, pair[0]):
                self._answers[number] = _answer(pair[0], found, new=0, unchanged=found.rows)
                return
            pair = _derived(*entry.parse())
            found = known.find(self._engine, *pair)
        self._add(number, entry.commits, *pair, found, self._earlier(self._engine.open(RESULTS_TABLE), [pair], [found]))

    def _earlier(self, stored: Snapshot, runs: Sequence[Derived], founds: Sequence[Known]) -> Mapping[str, str]:
        """Return the earlier measurement of each result that is a leftover; those of runs that are stored are not looked up."""
        if self._keep_leftovers:
            return {}
        new = [results for (_, results), found in zip(runs, founds, strict=True) if found.same is None or found.rereads]
        return leftovers.find(self._engine, stored, [result for results in new for result in results])

    def _add(  # noqa: PLR0913, PLR0917 what is known of one run
        self,
        number: int,
        commits: Commits,
        run: Run,
        results: Sequence[Result],
        found: Known,
        earlier: Mapping[str, str],
    ) -> None:
        if found.same is None or found.rereads:
            run, kept = _without_leftovers(run, results, earlier)
            if not kept:
                self._answers[number] = _answer(run, found, new=0)
                return
            if len(kept) < len(results):
                self._store()  # one of these runs may have what remains of this one
                run, results = derive(run, kept)
                found = known.find(self._engine, run, results)
        if found.same is not None and not found.rereads and not (self._replace and _restates(found.same, run)):
            run, results = rekeyed(run, results, found.same.run_key)
        if found.same is not None and not self._replace and (found.rereads or found.rows == len(results)):
            if (not callable(commits) and commits) or found.same.branch != run.branch:
                self._record_commits([_Fresh(number, run, results, commits, found, ())])
            self._answers[number] = _answer(run, found, new=0, unchanged=found.rows)
            return
        found = self._without_removed(found)
        notes = () if found.same is not None else tuple(_of_neighbours(results, self._neighbours(results)))
        self._begun.update(result.series_key for result in results)
        self._written.add(run, results)
        fresh = _Fresh(number, run, results, commits, found, notes)
        if self._replace or found.completes is not None or found.rows:
            self._store()
            self._store_alone(fresh)
        else:
            self._fresh.append(fresh)

    def _without_removed(self, found: Known) -> Known:
        beside = tuple(one for one in found.beside if one.run.run_key not in self._removed)
        return dataclasses.replace(found, beside=beside)

    def _neighbours(self, results: Sequence[Result]) -> list[tuple[str, str]]:
        first = results[: known.NEIGHBOURS]
        if any(result.series_key in self._begun for result in first):
            return []
        named = {(result.dut.name, result.benchmark_name) for result in first}
        if any((one.dut.name, one.benchmark_name) in named for fresh in self._fresh for one in fresh.results):
            self._store()  # what is not stored yet is not found
        return known.neighbours(self._engine, results, partial(history.defined, self._engine))

    def _store_alone(self, fresh: _Fresh) -> None:
        """Replace, or complete, stored rows by those of a run."""
        engine, run, results, found = self._engine, fresh.run, fresh.results, fresh.found
        self._changed = True
        self._record_commits([fresh])
        record, rows = _columns(run, results)
        counts, gone = {"unchanged": 0}, set[int]()
        if self._replace:
            restated = found.same.run_key if found.same is not None and not found.rereads else found.completes
            same = [] if restated in {None, run.run_key} else [restated]
            new, counts["replaced"], gone = _replace(engine, run, results, record, rows, same, self._own)
            self._removed.update(gone)
            found = self._without_removed(found)
            self._own.add(run.run_key)
            counts["unchanged"] = len(results) - new
        else:
            engine.merge(RUNS_TABLE, record)
            new = len(results) - found.rows
            if found.completes is not None:
                counts["replaced"] = _take_out(engine, run, rows, [found.completes])
                gone = {found.completes}
                self._removed.update(gone)
            else:
                # Some of its rows are missing: one merge on the row id writes all of them, whatever is there.
                engine.merge(RESULTS_TABLE, rows, replacing=condition("run_key", run.run_key))
                counts["unchanged"] = found.rows
        notes = (*fresh.notes, *_of_artifacts(engine, gone))
        self._answers[fresh.number] = _answer(run, found, notes, new=new, **counts)

    def _store(self) -> None:
        """Store the runs that wait for it, all with one write of each table."""
        waiting, self._fresh = self._fresh, []
        if not waiting:
            return
        records, rows = _columns_of(waiting)
        # The runs and their commits first: a crash in between leaves runs without rows, which the next publish completes.
        with self._engine.beside(partial(self._record_commits, waiting)):
            self._engine.merge(RUNS_TABLE, records)
        merged = self._engine.merged(RESULTS_TABLE, rows)
        counts = _added(self._engine, merged, waiting)
        alone = merged.version == self._version + 1
        if alone:
            self._version = merged.version
            if merged.rows == len(rows) and not self._keep_leftovers:
                leftovers.remember(self._engine, self._engine.merged_last(RESULTS_TABLE), rows)
        # The look-up compares a run that has a record with no other, even while another process has yet to add its rows.
        removed = set[int]()
        if not alone or any(fresh.found.same is not None for fresh in waiting):
            mine = [(fresh, part) for fresh, part in _parts(waiting, rows) if counts[fresh.run.run_key]]
            removed = self._settle(mine, merged.version)
        for fresh in waiting:
            new = 0 if fresh.run.run_key in removed else counts[fresh.run.run_key]
            answer = _answer(fresh.run, fresh.found, fresh.notes, new=new, unchanged=len(fresh.results) - new)
            self._answers[fresh.number] = answer

    def _record_commits(self, waiting: Sequence[_Fresh]) -> None:
        """Record the commits of runs. A clone is asked once for a commit, and only when that is not recorded in full."""
        questions = [fresh.run for fresh in waiting if callable(fresh.commits)]
        asked = history.known_in_full(self._engine, questions)
        records: list[tuple[Run, Sequence[RecordedCommit]]] = []
        for fresh in waiting:
            place = fresh.run.dut.name, fresh.run.commit
            details = fresh.commits
            if callable(details):
                details = () if fresh.run.commit is None or place in asked else details()
                asked.add(place)
            records.append((fresh.run, details))
        history.record_runs(self._engine, records)

    def _settle(self, added: Sequence[tuple[_Fresh, pa.Table]], version: int) -> set[int]:
        """Look once more for runs with the same measurements, because another writer has changed the results since the look-up.

        `added` are the runs whose rows this process added with a version of the results. Of two writers that add the same
        measurements at once, the second sees the rows of the first, and removes its own unless only they have samples. Returns
        the keys of the runs that were removed.
        """
        self._engine.look_again()
        self._changed = True
        removed = set[int]()
        twins = known.find_each(self._engine, [(fresh.run, fresh.results) for fresh, _ in added], but_own=True)
        for (fresh, rows), found in zip(added, twins, strict=True):
            if found.completes is not None:
                _take_out(self._engine, fresh.run, rows, [found.completes])
            elif found.same is not None and found.rows and self._had(version - 1, found.same.run_key):
                _remove(self._engine, [fresh.run.run_key])
                removed.add(fresh.run.run_key)
        return removed

    def _had(self, version: int, run_key: int) -> bool:
        rows = self._engine.open(RESULTS_TABLE, version).read(("run_key",), condition("run_key", run_key))
        return bool(rows.num_rows)


class _Written:
    """The runs that a batch has written or will write. What only another run needs is computed when there is one."""

    def __init__(self, *, keep_leftovers: bool) -> None:
        self._keep_leftovers = keep_leftovers
        self._contents: dict[int | None, list[Run]] = {}
        self._samples: set[tuple[int, int | None]] = set()
        self._unsampled: list[Sequence[Result]] = []
        self._places: dict[tuple[str, ...], dict[int, tuple[Run, Sequence[Result]]]] = {}
        self._runtimes: dict[int, known.Runtime | None] = {}
        self._rows: dict[int, dict[int, Row]] = {}

    def add(self, run: Run, results: Sequence[Result]) -> None:
        """Add a run that is written."""
        self._contents.setdefault(run.content_key, []).append(run)
        self._places.setdefault(place_of(run), {})[run.run_key] = run, results
        self._runtimes.pop(run.run_key, None)
        self._rows.pop(run.run_key, None)
        if not self._keep_leftovers:
            self._unsampled.append(results)

    def _has_samples_of(self, results: Sequence[Result]) -> bool:
        waiting, self._unsampled = self._unsampled, []
        self._samples.update(*map(leftovers.candidates, waiting))
        return bool(self._samples) and not self._samples.isdisjoint(leftovers.candidates(results))

    def elsewhere(self, run: Run) -> list[Run]:
        """Return the written runs of another commit, device, test bed or pull request with the measurements of a run."""
        return [one for one in self._contents.get(run.content_key, ()) if place_of(one) != place_of(run)]

    def beside(self, run: Run, results: Sequence[Result]) -> list[known.Beside]:
        """Return the written runs of the same place that share a series with a run, and that another runtime measured."""
        written = self._places.get(place_of(run), {})
        own = known.runtime_of(run.context) if written else None
        if own is None:
            return []
        for key in written.keys() - self._runtimes.keys():
            self._runtimes[key] = known.runtime_of(written[key][0].context)
        its = {result.series_key for result in results}
        return [
            known.Beside(one, runtime)
            for key, (one, rows) in written.items()
            if (runtime := self._runtimes[key]) and runtime.tag != own.tag
            if any(row.series_key in its for row in rows)
        ]

    def decide(self, run: Run, results: Sequence[Result]) -> bool:
        """Return whether the written runs must be stored before a run is looked up.

        They must when one of them has its measurements at the same place, or its samples for another commit.
        """
        if not self._contents:
            return False
        if self._has_samples_of(results):
            return True
        here = {key: its for key, its in self._places.get(place_of(run), {}).items() if known.is_like(its[0], run)}
        if any(one.content_key == run.content_key for one, _ in here.values()):
            return True
        for key, (_, its) in here.items():
            if key not in self._rows:
                self._rows[key] = {found.name: row for found, row in map(row_of, its)}
        rows = {key: self._rows[key] for key in here}
        found = known.match([one for one, _ in here.values()], rows, run, results)
        return found.same is not None or found.completes is not None


def _is_whole(found: Known, record: Run) -> bool:
    """Return whether a store has the run of a record with all its rows."""
    return found.same is not None and found.same.run_key == record.run_key and found.rows == record.results


def _added(engine: Engine, merged: Merged, waiting: Sequence[_Fresh]) -> Mapping[int, int]:
    """Return the number of rows of each run that a merge inserted; none of a run that another writer stored first."""
    expected = {fresh.run.run_key: len(fresh.results) for fresh in waiting}
    if merged.rows == sum(expected.values()):
        return expected
    if not merged.rows or len(waiting) == 1:
        return Counter({waiting[0].run.run_key: merged.rows})
    before, after = (engine.open(RESULTS_TABLE, version) for version in (merged.version - 1, merged.version))
    older = {fragment.file for fragment in before.fragments()}
    fragments = [fragment for fragment in after.fragments() if fragment.file not in older]
    return Counter(after.read(("run_key",), fragments=fragments)["run_key"].to_pylist())


def _of_neighbours(results: Sequence[Result], others: Sequence[tuple[str, str]]) -> Iterator[str]:
    own = {(result.test_bed.name, result.suite) for result in results}
    elsewhere = [place for place in others if place not in own]
    if elsewhere:
        shown = "; ".join(f"test bed {bed}, suite {suite or '(none)'}" for bed, suite in elsewhere[:3])
        yield (
            f"new series begin here, and the same benchmarks exist elsewhere ({shown}); to continue those, publish under the "
            "same names, which bench-db.toml can give"
        )
    elif others:
        yield (
            "new series begin here, beside others of the same benchmarks with another tag, metric, unit or machine;"
            " H100 and h100 are two tags"
        )


def _answer(run: Run, found: Known, more: Sequence[str] = (), **counts: int) -> Published:
    """Return the answer with the notes of the run and, where its measurements are stored already, of what."""
    counts = {"unchanged": 0, **counts}
    notes = (*run.notes, *_notes(found), *_of_runtimes(run, found), *more)
    return Published(run_key=run.run_key, skipped=dict(run.skipped), notes=notes, **counts)


def _of_artifacts(engine: Engine, gone: Collection[int]) -> Iterator[str]:
    """Yield a note for each replaced run whose artifacts stay, because a publish deletes no file."""
    if not gone or not engine.exists(ARTIFACTS_TABLE):
        return
    for key in sorted(gone):
        if count := engine.count(ARTIFACTS_TABLE, condition("run_key", key)):
            run = f"{key:016x}"
            yield f"artifacts of the replaced run {run} stay ({count}); 'bench-db artifact delete --run {run}' shows and deletes them"


def _notes(found: Known) -> Iterator[str]:
    if found.rereads and found.same is not None:
        yield f"the same bytes are stored as run {found.same.run_id} with other results; --replace stores this reading instead"
    if found.elsewhere:
        *more, last = found.elsewhere
        others = f", and {len(more)} more" if more else ""
        yield f"the same measurements are already stored as run {last.run_id} of {_place(last)}{others}"


def _of_runtimes(run: Run, found: Known) -> Iterator[str]:
    """Yield what to do when series get results of two interpreters at one commit, as the jobs of a matrix measure them."""
    own = known.runtime_of(run.context) if found.beside else None
    if own is None:
        return
    for other, stored in sorted({one.runtime: one.run for one in found.beside if one.runtime}.items()):
        yield (
            f"{other.name} measured the same benchmarks of {_place(run)} as run {stored.run_id}, and this run is by {own.name}: a series of both "
            f"has two levels, and changes are not seen in it; give each its own series, by --tag {own.tag} here and --tag {other.tag} "
            "there, or another test bed name"
        )


def _place(run: Run) -> str:
    build = f"commit {run.commit}" if run.commit else f"version {run.dut.version}"
    pull_request = "" if run.pr_number is None else f", pull request {run.pr_number}"
    return f"{run.dut.name} {build} on {run.test_bed.name}{pull_request}"


def _without_leftovers(run: Run, results: Sequence[Result], earlier: Mapping[str, str]) -> tuple[Run, list[Result]]:
    """Return the run without results that are leftovers; they are counted as skipped and named in the notes."""
    if not any(result.id in earlier for result in results):
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


def _columns_of(waiting: Sequence[_Fresh]) -> tuple[pa.Table, pa.Table]:
    """Return the records and the rows of all runs: one table of many rows takes half the time of many tables."""
    rows = [result for fresh in waiting for result in fresh.results]
    try:
        return to_table([fresh.run for fresh in waiting], RUNS_TABLE.schema), to_table(rows, RESULTS_TABLE.schema)
    except _UNSTORABLE:
        for fresh in waiting:  # raises for the run that it is
            _columns(fresh.run, fresh.results)
        raise


def _parts(waiting: Sequence[_Fresh], rows: pa.Table) -> Iterator[tuple[_Fresh, pa.Table]]:
    """Yield each run with its rows of the table of all."""
    at = 0
    for fresh in waiting:
        yield fresh, rows.slice(at, len(fresh.results))
        at += len(fresh.results)


_UNSTORABLE = (UnicodeEncodeError, OverflowError, pa.ArrowInvalid)


@contextmanager
def _storable(run: Run) -> Iterator[None]:
    try:
        yield
    except _UNSTORABLE as error:
        message = f"{run.file_name}: something in it cannot be stored: {' '.join(str(error).split())}"
        raise UserError(message) from error


def _restates(same: Run, run: Run) -> bool:
    """Return whether a run has the measurements of a stored one with samples in place of statistics, or the reverse."""
    return same.content_key not in {None, run.content_key}


def _replace(  # noqa: PLR0913, PLR0917 one run in both its forms
    engine: Engine,
    run: Run,
    results: Sequence[Result],
    record: pa.Table,
    rows: pa.Table,
    same: Sequence[int],
    own: Collection[int],
) -> tuple[int, int, set[int]]:
    """Replace earlier runs but `own` ones, and those with the keys `same`; return the numbers of rows added and removed, and the runs removed.

    Files of one call may have the same name in different directories, so a run of the same call is an earlier one only
    when it has a series of this run.

    Of several concurrent replacements the one with the last record remains. The record of a run is added at the end of `runs`,
    so all processes see the same order. A process that finds a later one for the same place removes its own run, as if that
    had been first and replaced. Each looks again after its rows are in, so of two at least one sees the other.
    """
    mine = condition("run_key", run.run_key)
    engine.merge(RUNS_TABLE, record, replacing=mine)
    engine.look_again()
    earlier, later = known.in_place_of(engine, run, results, but=own)
    earlier = [*earlier, *(key for key in same if key not in earlier)]
    removed = set(earlier)
    new, before = 0, engine.count(RESULTS_TABLE, condition("run_key", [run.run_key, *earlier]))
    if not later:
        new = engine.merge(RESULTS_TABLE, rows, replacing=condition("run_key", [run.run_key, *earlier]))
        if earlier:
            engine.delete(RUNS_TABLE, condition("run_key", earlier))
        engine.look_again()
        earlier, later = known.in_place_of(engine, run, results, but=own)
        if earlier:
            _remove(engine, earlier)
            removed.update(earlier)
    if later:
        _remove(engine, [run.run_key])
    return new, before, removed


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
    # One check of all samples: a call for each row takes longer than the rest of the checks.
    if not np.isfinite(np.frombuffer(b"".join(memoryview(result.values) for result in results))).all():
        wrong = next(result for result in results if not all(map(math.isfinite, result.values)))
        raise UserError(_not_finite(wrong))
    for result in results:
        if not all(number is None or math.isfinite(number) for number in _stated(result)):
            raise UserError(_not_finite(result))
        has_values = bool(len(result.values)) or result.summary is not None
        if has_values == (result.error is not None):
            message = f"{result.benchmark_name!r}: a result has either values or an error"
            raise UserError(message)


def _not_finite(result: Result) -> str:
    return f"{result.benchmark_name!r}: every number must be finite"


def _stated(result: Result) -> tuple[float | None, ...]:
    rate, s = result.throughput, result.summary
    own = (result.lower, result.upper, None if rate is None else rate.multiplier)
    return own if s is None else (*own, s.min, s.q1, s.median, s.q3, s.max, s.mean, s.standard_deviation)
