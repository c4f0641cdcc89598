"""A store, opened: publish runs, scan results lazily, ask the common questions."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from functools import partial, reduce, wraps
from hashlib import sha256
from itertools import pairwise
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import polars as pl

from bench_db.arrow import from_table
from bench_db.errors import CorruptStoreError, StoreNotFoundError, StoreUnavailableError, UserError
from bench_db.identity import require_text
from bench_db.model import Artifact, Result, Run
from bench_db.query import availability as days
from bench_db.query import series
from bench_db.query.baseline import holding
from bench_db.query.definitions import with_names
from bench_db.query.derived import NEEDED, Derived, faults, unit_fault
from bench_db.query.history import ORDER, SCOPE, History, Seen
from bench_db.query.selection import RUN, VERSION, Selection, of_commit, of_name
from bench_db.query.series import newest
from bench_db.store import (
    artifacts,
    content,
    history,
    info,
    known,
    lazy,
    ledger,
    maintain,
    migrations,
    presence,
    projection,
    publish,
    recompute,
    rollup,
    transfer,
    twins,
    verify,
    versions,
)
from bench_db.store.engine import Engine, Location, locate
from bench_db.store.faults import needed_for
from bench_db.store.filters import Where, condition, filter_text, lance_filter
from bench_db.store.salvage import find, is_of_reading
from bench_db.store.source import StoreSource, refuse_invalid_times, refuse_underived
from bench_db.store.tables import ARTIFACTS_TABLE, RESULTS_TABLE, RUNS_TABLE, TABLES, Table, stored
from bench_db.store.versions import AsOf, until, version_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    import pyarrow as pa
    from lancedb import DBConnection

    from bench_db.distributed.engine import Engine as Workers
    from bench_db.model import (
        Baseline,
        Definition,
        Deleted,
        Export,
        Finding,
        Maintenance,
        Notification,
        PairRecord,
        PassedOver,
        Presence,
        Published,
        Put,
        RecordedCommit,
        Restored,
        ScanRecord,
        StoreChange,
        StoreInfo,
        Transfer,
        Verification,
    )
    from bench_db.query.formula import DerivedMetric
    from bench_db.store import sql
    from bench_db.store.engine import Snapshot
    from bench_db.store.export import ExportSource
    from bench_db.store.publish import Entry
    from bench_db.store.s3 import Bucket


Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")
# Columns whose values are the same in all points of a series.
_OF_SERIES = frozenset((*series.IDENTITY, *series.MACHINE))
# Columns by which runs are named and counted.
_OF_RUN = frozenset((*SCOPE, "dut_version"))


def _between(low: int | None, high: int | None) -> pl.Expr:
    """Select series by their key: from the lowest to before the highest, None for no end."""
    key = pl.col("series_key")
    terms = [*([key >= low] if low is not None else []), *([key < high] if high is not None else [])]
    return reduce(and_, terms, pl.lit(value=True))


def _as_stored(past: History) -> bool:
    """Return whether definitions neither rename series nor derive metrics."""
    return past.definitions is None or not (past.definitions or past.definitions.derives)


def _silent(_done: int, _all: int) -> None:
    """Report no progress."""


def of_sound_part(
    method: Callable[Concatenate[Database, Arguments], Answer],
) -> Callable[Concatenate[Database, Arguments], Answer]:
    """Make a method of a store answer from what can be read when files are damaged, with a warning that names the lost runs."""

    @wraps(method)
    def answer(self: Database, /, *args: Arguments.args, **options: Arguments.kwargs) -> Answer:
        try:
            return method(self, *args, **options)
        except (CorruptStoreError, StoreUnavailableError) as error:
            if not (is_of_reading(error) and find(self._engine)):
                raise
        return method(self, *args, **options)

    return answer


class Database:
    """A store of benchmark results in a directory or a bucket. Reading methods take `as_of`: a version, a tag or a date."""

    def __init__(self, engine: Engine, *, single_writer: bool = False) -> None:
        self._engine = engine
        self._single_writer = single_writer

    def __repr__(self) -> str:
        return f"Database({self.uri!r})"

    @property
    def uri(self) -> str:
        """Where the store is."""
        return str(self._engine.location)

    @property
    @of_sound_part
    def version(self) -> int:
        """The newest version of the results."""
        return int(self._engine.open(RESULTS_TABLE).version)

    @property
    @of_sound_part
    def state(self) -> str:
        """A digest of the stored rows of all tables but those that are derived; "" for a store that is known to be damaged.

        Stores with one state give the same answers, and every write of rows changes it; so does a compaction.
        """
        present = self._engine.present()
        tables = [table for table in stored() if table.name in present and self._engine.exists(table)]
        parts = [(table.name, [one.signature for one in self._engine.open(table).fragments()]) for table in tables]
        is_damaged = self._engine.unreadable or self._engine.readable
        return "" if is_damaged else sha256(repr(parts).encode()).hexdigest()

    @property
    def single_writer(self) -> bool:
        """Whether it writes to a bucket that cannot keep concurrent writers apart."""
        return self._single_writer

    # -- writing ---------------------------------------------------------------------------------------------------

    def init(self) -> None:
        """Make the tables that do not exist yet. `StoreUnavailableError` on a bucket that cannot keep writers apart."""
        publish.ensure_tables(self._engine, single_writer=self._single_writer)

    def require_writable(self) -> None:
        """Raise what `publish` would raise in a store that a newer release has written, or whose bucket cannot keep writers apart."""
        self.init()
        self._engine.require_writable(RESULTS_TABLE)

    def publish(
        self,
        results: Sequence[Result],
        run: Run,
        *,
        replace: bool = False,
        keep_leftovers: bool = False,
        commits: publish.Commits = (),
    ) -> Published:
        """Add a run and its results, whole or not at all; publishing the same measurements again adds nothing.

        `commits` has what a clone or a forge knows about the commit of the run, or is called to ask for it when the commit is not
        recorded in full; without it the run's own facts are recorded.

        `replace` takes out the earlier run of the same run id and file name, and any earlier reading of the same bytes, if its
        device, commit, test bed and suite are the same, in the commit that adds the new rows. A result whose samples are those
        of an earlier commit is skipped unless `keep_leftovers`. Raises `UserError` for values that are not finite, and
        `CorruptStoreError` when the key belongs to other measurements.
        """
        with self._engine.one_look():
            # Opened before the runs, which `init` opens: what another writer stores in between must not look older than both.
            self._engine.salvaging(lambda: self._engine.exists(RESULTS_TABLE))
            self.init()
            entry = publish.Entry(run, results, commits)
            return publish.publish(self._engine, entry, replace=replace, keep_leftovers=keep_leftovers)

    def publish_many(
        self, entries: Iterable[Entry], *, replace: bool = False, keep_leftovers: bool = False
    ) -> Iterator[Published]:
        """Add runs as `publish` adds each of them, in batches, and yield the answer of each once it is stored.

        A batch has one look-up and one write of each table, and memory does not grow with the number of runs. A process that is
        killed leaves whole runs; publishing the same runs again continues. With `replace` each run has a write of its own.
        Raises as `publish` does; the runs of the batches before are stored.
        """
        with self._engine.one_look():
            self.init()
        yield from publish.publish_many(self._engine, entries, replace=replace, keep_leftovers=keep_leftovers)

    def runs_of_files(self, digests: Collection[str]) -> list[Run]:
        """Return the runs that were read from files with some SHA-256, oldest first: those with an `input_key`, without their context."""
        return known.of_files(self._engine, digests)

    def exclude(self, runs: Sequence[int], *, reason: str, lifted: bool, at: int, by: str) -> None:
        """Take runs out of every answer, or with `lifted` put them back; `at` is unix seconds."""
        history.exclude(self._engine, runs, reason=reason, lifted=lifted, at=at, by=by)
        rollup.rebuild(self._engine, self.history())

    def define(self, definitions: Sequence[Definition]) -> int:
        """Add definitions, and return the number of those that changed something."""
        return history.define(self._engine, definitions)

    @of_sound_part
    def definitions(self, as_of: AsOf | None = None) -> list[Definition]:
        """Return the definitions in force, oldest first."""
        defined = self.history(as_of).definitions
        return [] if defined is None else list(defined.records)

    @of_sound_part
    def exclusion_reasons(self) -> dict[int, str]:
        """Return the reason of each excluded run by its key."""
        return {record.run_key: record.reason for record in history.standing(self._engine)}

    def remove_runs(self, runs: Sequence[int]) -> None:
        """Remove runs and their results. The rows go first: what a crash leaves is a run without rows, and doing it again ends it."""
        for table in (RESULTS_TABLE, RUNS_TABLE):
            self._engine.delete(table, condition("run_key", list(runs)))
        rollup.rebuild(self._engine, self.history())

    @of_sound_part
    def commits(self, as_of: AsOf | None = None) -> list[RecordedCommit]:
        """Return what is known of each recorded commit, device after device, in the order of commits."""
        return history.commits(self._engine, self._end(as_of))

    def record_commits(self, commits: Sequence[RecordedCommit]) -> int:
        """Record commits, and return the number of records that stated something new."""
        written = history.record_commits(self._engine, commits)
        if written:
            rollup.rebuild(self._engine, self.history())
        return written

    def optimize(self, *, older_than: timedelta = maintain.KEPT) -> Maintenance:
        """Compact, index and remove versions `older_than` so long now, whether due or not; tagged versions stay.

        Raises `UserError` for less than 10 minutes: a reader may hold a version for so long.
        """
        if older_than < maintain.YOUNG:
            message = f"`older_than` {older_than}: readers and writers may use versions of the last {maintain.YOUNG}"
            raise UserError(message)
        return maintain.optimize(self._engine, kept=older_than, checked=True)

    def verify(
        self,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
        *,
        workers: Workers | None = None,
        parts: int | None = None,
    ) -> Verification:
        """Read everything and say what is wrong; nothing is changed. Workers of an engine read the results, in `parts` parts."""
        return verify.verify(self._engine, progress, workers=workers, parts=parts)

    def recompute(
        self,
        as_of: AsOf | None = None,
        *,
        differing: bool = False,
        workers: Workers | None = None,
        parts: int | None = None,
    ) -> tuple[int, int, pl.DataFrame]:
        """Return the number of results, of those with all samples, and the statistics of these samples, as `recompute.recompute` does."""
        version = self._open(RESULTS_TABLE, as_of).version
        return recompute.recompute(self._engine, version, differing=differing, workers=workers, parts=parts)

    def verify_quickly(self, seed: int) -> Verification:
        """Check what takes a fraction of a plain read, with a sample of the results chosen by `seed`; nothing is changed."""
        return verify.quick(self._engine, seed)

    def repair(self) -> list[str]:
        """Take out unreadable files, go back to readable versions, and rebuild indexes and the rollup; return what was done, in words.

        A table without any version is made anew from its data files.
        Verify again to see what is left; publishing the files of lost runs again completes them.
        """
        from bench_db.store import remade  # noqa: PLC0415 a sound store needs none

        return [*remade.remake(self._engine), *verify.repair(self._engine)]

    @of_sound_part
    def history(self, as_of: AsOf | None = None) -> History:
        """Return whose results count, and the order of their commits, as the ledgers describe it."""
        return self._engine.asked(f"history as of {as_of!r}", lambda: history.history(self._engine, self._end(as_of)))

    def one_look(self) -> AbstractContextManager[None]:
        """Return a block in which each table is opened once, for several questions; what others write meanwhile is not seen."""
        return self._engine.one_look()

    @of_sound_part
    def points(  # noqa: PLR0913 all but the first three by keyword
        self,
        selection: Selection = Selection(),  # noqa: B008 frozen
        as_of: AsOf | None = None,
        *,
        also: Collection[str] = (),
        beside: pl.Expr | None = None,
        keys: Collection[int] | None = None,
        named_as_in: Database | None = None,
    ) -> series.Points:
        """Return every selected point, in no order, with the columns that the statistics of many series need.

        `also` names further columns. `beside` adds points, by a condition, whatever their branch or pull request. `keys`
        limits the points to some series. The definitions of the store `named_as_in` apply instead of its own.
        """
        results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
        if named_as_in is not None:
            past = dataclasses.replace(past, definitions=named_as_in.history().definitions)
        columns = (*series.HISTORY, *(name for name in also if name not in (*series.HISTORY, *series.IDENTITY)))
        rows = self._points(results, past, ("_rowid", *columns), selection, keys=keys, beside=beside)
        stored = self._with_series(results, self._named_series(results, past), rows, columns)
        derived = self._derived(results, past, columns, selection, keys=keys, beside=beside)
        if derived is None:
            return stored
        named = derived.select(series.IDENTITY).unique("series_key", maintain_order=True)
        return stored.with_points(series.Points(series=named, rows=derived.select(columns)))

    def points_in_parts(self, selection: Selection, points: int) -> Iterator[series.Points]:
        """Yield the selected points as `points` returns them, in parts of whole series with about so many points each.

        Only the projection can be read in parts. Without one, and where definitions give series other names or derive metrics, there is
        one part.
        """
        for low, high in self._parts(points):
            yield self.points(selection) if low is None and high is None else self._part(selection, low, high)

    @of_sound_part
    def _parts(self, points: int) -> list[tuple[int | None, int | None]]:
        """Return ranges of series keys with about so many points each, the last excluded; None for no end."""
        results, past = self._open(RESULTS_TABLE, None), self.history()
        stored = sum(fragment.rows for fragment in results.fragments())
        count = -(-stored // points) if self._projected(results) and _as_stored(past) else 1
        keys = self._named_series(results, past)["series_key"].sort()
        lows = keys.gather_every(-(-len(keys) // count))[1:].to_list() if count > 1 and len(keys) else []
        return list(pairwise((None, *lows, None)))

    @of_sound_part
    def _part(self, selection: Selection, low: int | None, high: int | None) -> series.Points:
        results, past = self._open(RESULTS_TABLE, None), self.history()
        own = self._named_series(results, past).filter(_between(low, high))
        rows = self._points(results, past, ("_rowid", *series.HISTORY), selection, between=(low, high))
        return self._with_series(results, own, rows, series.HISTORY)

    def _named_series(self, results: Snapshot, past: History) -> pl.DataFrame:
        """Return the identity of each series of the newest rows, as definitions name it."""
        names = self._names(results, past)
        known = (self._newest_rows(results, past) if names is None else names).select(series.IDENTITY)
        return known.unique("series_key", keep="last", maintain_order=True)

    def _with_series(
        self, results: Snapshot, known: pl.DataFrame, rows: pl.DataFrame, columns: Sequence[str]
    ) -> series.Points:
        """Return rows as points, with the identity of each series: the known one, else that of a row."""
        unknown = rows.join(known, on="series_key", how="anti").unique("series_key")["_rowid"].to_list()
        if unknown:
            known = pl.concat([known, pl.DataFrame(results.take(unknown, series.IDENTITY))])
        return series.Points(series=known, rows=rows.select(columns))

    @of_sound_part
    def rows(  # noqa: PLR0913 all but the first three by keyword
        self,
        columns: Collection[str],
        selection: Selection,
        as_of: AsOf | None = None,
        *,
        keys: Collection[int] | None = None,
        condition: pl.Expr | None = None,
        beside: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """Return columns of the selected results, in no order; `keys` limits them to some series, `condition` further.

        `beside` is as for `points`.
        """
        results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
        rows = self._points(results, past, columns, selection, keys=keys, condition=condition, beside=beside)
        if keys is None and not _OF_SERIES.intersection(columns):
            return rows
        derived = self._derived(results, past, columns, selection, keys=keys, condition=condition, beside=beside)
        return rows if derived is None else pl.concat([rows, derived.select(rows.columns)])

    @of_sound_part
    def seen(self) -> Seen:
        """Return which results a reader has seen who reads all that count; none where definitions make points of others."""
        past = self.history()
        fragments = sorted(one.signature for one in self._open(RESULTS_TABLE, None).fragments())
        return Seen(scope=past.scope, fragments=fragments) if _as_stored(past) else Seen()

    @of_sound_part
    def rows_beyond(self, seen: Seen, columns: Collection[str], selection: Selection) -> pl.DataFrame | None:
        """Return columns of the selected results that a reader has not seen; None where not all that count are those seen and newer ones."""
        results, past = self._open(RESULTS_TABLE, None), self.history()
        present = {one.signature: one for one in results.fragments()}
        if not _as_stored(past) or past.scope != seen.scope or not present.keys() >= set(seen.fragments):
            return None
        predicate = past.counts(selection) & selection.of_points.predicate() & selection.of_series.predicate()
        needed = {*columns, *predicate.meta.root_names()}
        beyond = [fragment for name, fragment in present.items() if name not in set(seen.fragments)]
        where = lance_filter(predicate, results.leaves)
        rows = results.read(needed, where, fragments=beyond) if beyond else results.read(needed, limit=0)
        return pl.DataFrame(rows).filter(predicate).select(columns)

    @of_sound_part
    def samples(self, rows: list[int], as_of: AsOf | None = None) -> pl.DataFrame:
        """Return the raw samples of rows by their row ids, in their order; a row id is one of the version that `as_of` names."""
        return pl.DataFrame(self._open(RESULTS_TABLE, as_of).take(rows, ("values",)))

    @of_sound_part
    def machines(self, keys: Collection[int], as_of: AsOf | None = None) -> pl.DataFrame:
        """Return the keys of series and the columns of `query.series.MACHINE`, a row a series."""
        columns = ("series_key", *series.MACHINE)
        results, past, every = self._open(RESULTS_TABLE, as_of), self.history(as_of), Selection(everything=True)
        rows = self._points(results, past, columns, every, keys=keys)
        # a derived series of one history may be hidden in another
        derived = self._derived(results, past, columns, every, keys=keys, hides=False)
        return (rows if derived is None else pl.concat([rows, derived.select(columns)])).unique("series_key")

    @of_sound_part
    def runs_of(self, name: str, as_of: AsOf | None = None, selection: Selection = Selection()) -> list[int]:  # noqa: B008 frozen
        """Return the keys of the runs of a commit, or of another name that `query.selection.of_name` takes.

        With a `selection` of a branch or a pull request they are those of it; else those of the main history if it has any, else all.
        Excluded runs are never among them.
        """
        whole = Selection(branch=selection.branch, pr_number=selection.pr_number)

        def found() -> list[int]:
            results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
            own = self._rows(results, ("run_key", *SCOPE), [of_name(name)])
            wanted = (whole, Selection(everything=True)) if whole.is_of_main else (whole,)
            chosen = (own.filter(past.counts(one)) for one in wanted)
            return next((rows["run_key"].unique().to_list() for rows in chosen if len(rows)), [])

        return self._engine.asked(f"runs of {name!r} as of {as_of!r} in {whole}", found)

    def migrate(self, *, dry_run: bool = False) -> list[StoreChange]:
        """Bring the store to what this release writes, and return what was done; with `dry_run` what would be."""
        if dry_run:
            return [*twins.pending(self._engine), *migrations.pending(self._engine)]
        return [*twins.exclude(self._engine), *migrations.migrate(self._engine)]

    @of_sound_part
    def info(self) -> StoreInfo:
        """Return the tables of the store with their sizes, its tags, and whether maintenance is due."""
        return info.store_info(self._engine)

    def tag(self, name: str, version: int | None = None) -> int:
        """Name a version of the results (the newest by default) so that it is kept, with the runs it knows, and can be read for ever."""
        return versions.tag(self._engine, name, version)

    def restore(self, as_of: AsOf, *, dry_run: bool = False) -> Restored:
        """Go back to the runs of a version, tag or date, as a new version, as `versions.restore` does; with `dry_run` only preview it.

        Commits, definitions, exclusions, baselines and findings keep their records. Raises `UserError` for a version that is not kept.
        """
        restored = versions.restore(self._engine, as_of, dry_run=dry_run)
        if restored.changed:
            rollup.rebuild(self._engine, self.history())
        return restored

    # -- reading ---------------------------------------------------------------------------------------------------

    def _open(self, table: Table, as_of: AsOf | None) -> Snapshot:
        version = None if as_of is None else version_at(self._engine, table, as_of)
        return self._engine.open(table, version)

    @of_sound_part
    def scan(
        self,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        as_of: AsOf | None = None,
        *,
        selection: Selection | None = None,
        observe: Callable[[object], None] | None = None,
    ) -> pl.LazyFrame:
        """Return the results lazily, a flat column a leaf (dut_name, median, ...): the selected ones, else every result.

        Only the columns a query uses and the rows its predicates keep are read. `observe` is called with Lance's statistics
        of each scan (`bytes_read`, `iops`).
        """
        results = self._open(RESULTS_TABLE, as_of)
        if selection is None:
            return lazy.scan(results, columns=columns, where=where, observe=observe)
        chosen = self.history(as_of).counts(selection) & selection.predicate()
        rows = lazy.scan(results, where=where, observe=observe).filter(chosen)
        return rows if columns is None else rows.select(columns)

    @of_sound_part
    def runs(self, as_of: AsOf | None = None, selection: Selection | None = None) -> pl.LazyFrame:
        """Return the published files lazily, a flat column a leaf; with a selection those that have a selected result, else all."""
        runs = lazy.scan(self._open(RUNS_TABLE, as_of))
        if selection is None:
            return runs
        if selection == dataclasses.replace(selection.of_points, since=None, until=None):
            return runs.filter(self.history(as_of).counts(selection))
        results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
        keys = self._points(results, past, ("run_key",), selection)["run_key"]
        return runs.filter(pl.col("run_key").is_in(keys.unique().implode()))

    @of_sound_part
    def has(
        self,
        commit: str,
        suites: Sequence[str] = (),
        test_bed_name: str | None = None,
        *,
        pr_number: int | None = None,
    ) -> Presence:
        """Return whether a commit is measured; without `suites`, whether it has any result.

        Failed results and excluded runs do not count. Runs of a pull request count for `pr_number` alone.
        """
        return presence.presence(self._engine, commit, suites, test_bed_name, pr_number)

    @of_sound_part
    def measured_commit(self, text: str, as_of: AsOf | None = None) -> str:
        """Return the one measured commit that a text abbreviates, or another name of `query.selection.of_name` with results.

        Raises `UserError` for none or several.
        """
        if text.startswith((VERSION, RUN)) and self.runs_of(text, as_of):
            return text
        named = self._rows(self._open(RESULTS_TABLE, as_of), ("commit",), [of_commit(text)])["commit"]
        return presence.measured_commit(self._engine, text, named.unique().to_list())

    @of_sound_part
    def latest(self, selection: Selection = Selection(), as_of: AsOf | None = None) -> pl.DataFrame:  # noqa: B008 frozen
        """Return the newest selected result of each series, a row a series by name; columns of `query.series.COLUMNS` and `commit_order`."""
        with self.one_look():
            return self._latest(selection, as_of)

    def _latest(self, selection: Selection, as_of: AsOf | None) -> pl.DataFrame:
        results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
        if selection.is_of_series:
            rows = self._of_rollup(results, past, selection).filter(selection.predicate())
        else:
            rows = self._points(results, past, (*series.COLUMNS, "commit_order"), selection)
        columns = (*series.COLUMNS, "commit_order")
        found = newest(rows).select(columns)
        derived = self._newest_derived(results, past, selection)
        return (found if derived is None else pl.concat([found, derived.select(columns)])).sort(series.SERIES_ORDER)

    @of_sound_part
    def trend(  # noqa: PLR0913 all but the first three by keyword
        self,
        benchmark: str,
        selection: Selection = Selection(),  # noqa: B008 frozen
        *,
        last: int | None = None,
        values: bool = False,
        as_of: AsOf | None = None,
        with_pr: int | None = None,
    ) -> pl.DataFrame:
        """Return the points of a benchmark, oldest commit first, series after series when several have the name.

        `last` returns the newest points of each series; `values` adds the raw samples, per iteration. The computed columns are
        those of `query.series.with_changes` (over the whole series) and `with_change_since_first` (over the returned points).
        `with_pr` adds the points of a pull request, as `query.series.with_pull` does.
        """
        if with_pr is not None:
            if not selection.is_of_main:
                message = "`with_pr` adds a pull request to the main history: leave out the branch, the pull request and `everything`"
                raise UserError(message)
            with self.one_look():
                of_main = self.trend(benchmark, selection, last=last, values=values, as_of=as_of)
                of_pull = dataclasses.replace(selection, pr_number=with_pr)
                pulled = self.trend(benchmark, of_pull, values=values, as_of=as_of)
            return series.with_pull(of_main, pulled, with_pr)
        named = dataclasses.replace(selection, benchmark=benchmark)
        with self.one_look():
            results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
            projected = self._projected(results)
            # The projection has the names of each point; from the results they are read once a series, and samples with the points.
            named_points = bool(projected)
            columns = (*series.POINT, "commit_order", *(("values",) if values and not named_points else ()))
            own = series.IDENTITY if named_points else ("series_key",)
            points = self._points(results, past, ("_rowid", *own, *columns), named, projected=projected)
            newest_rows = points.sort("_rowid").unique("series_key", keep="last", maintain_order=True)
            identity = newest_rows.select(own) if named_points else self._identity(results, past, newest_rows["_rowid"])
            if values and named_points:
                points = points.hstack(pl.DataFrame(results.take(points["_rowid"].to_list(), ("values",))))
                columns = (*columns, "values")
            rows = identity.join(points.select("series_key", *columns), on="series_key")
            derived = self._derived(results, past, rows.columns, named)
            rows = rows if derived is None else pl.concat([rows, derived.select(rows.columns)])
        ordered = series.with_changes(series.oldest_first(rows.lazy()))
        shown = ordered if last is None else series.last_points(ordered, last)
        return series.with_change_since_first(shown).collect()

    @of_sound_part
    def summary(
        self,
        selection: Selection = Selection(),  # noqa: B008 frozen
        *,
        last: int | None = None,
        as_of: AsOf | None = None,
        summarise: Callable[[pl.Series, pa.ListArray], pl.DataFrame] | None = None,
    ) -> pl.DataFrame:
        """Statistics of each series over its history, or its newest `last` points; see `query.series.statistics`."""
        with self.one_look():
            results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
            if last is None and selection.is_empty:
                medians = self._points(results, past, ("series_key", "median"), selection)
                newest_rows = newest(self._of_rollup(results, past, selection))
            else:
                points = self._points(
                    results, past, ("series_key", "median", "_rowid", *series.COMMIT_ORDER), selection
                )
                medians = points if last is None else series.newest_points(points.lazy(), last).collect()
                names, newest_rows = self._names(results, past), rollup.newest_of(results, medians)
                newest_rows = newest_rows if names is None else with_names(newest_rows, names)
            shown, counted = (*series.IDENTITY, "commit", "dut_version", "dut_timestamp"), ("series_key", "median")
            derived = self._derived(results, past, (*shown, *counted, *series.COMMIT_ORDER), selection)
        if derived is not None:
            of_derived = derived if last is None else series.newest_points(derived.lazy(), last).collect()
            medians = pl.concat([medians.select(counted), of_derived.select(counted)])
            newest_rows = pl.concat([newest_rows.select(shown), newest(derived).select(shown)])
        return series.statistics(medians, newest_rows, summarise).sort(series.SERIES_ORDER)

    @of_sound_part
    def availability(
        self,
        selection: Selection = Selection(),  # noqa: B008 frozen
        as_of: AsOf | None = None,
    ) -> pl.DataFrame:
        """Return the days with stored results of each device, test bed and suite, as `query.availability.by_day` does."""
        with self.one_look():
            results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
            points = self._points(results, past, days.COLUMNS, selection)
            names = self._names(results, past)
            known = self._newest_rows(results, past) if names is None else names
        return days.by_day(points, known.select("series_key", *days.OF).unique("series_key"))

    def _identity(self, results: Snapshot, past: History, rows: pl.Series) -> pl.DataFrame:
        """Return what identifies the series of some rows, with the names of definitions."""
        identity, names = pl.DataFrame(results.take(rows.to_list(), series.IDENTITY)), self._names(results, past)
        return identity if names is None else with_names(identity, names)

    def _points(  # noqa: PLR0913 all but the first four by keyword
        self,
        results: Snapshot,
        past: History,
        columns: Collection[str],
        selection: Selection,
        *,
        keys: Collection[int] | None = None,
        condition: pl.Expr | None = None,
        beside: pl.Expr | None = None,
        projected: projection.Projection | None = None,
        between: tuple[int | None, int | None] | None = None,
    ) -> pl.DataFrame:
        """Return columns of the points that a selection of a history keeps; `commit_order` is computed.

        `condition` and `beside` are over stored columns, the names and keys of series as definitions give them. `projected` is the
        projection for these results, when it is known. `between` is a range of keys of stored series, the last excluded.
        """
        terms, names = past.terms(selection, beside=beside), self._names(results, past)
        terms = [*terms, *([] if condition is None else [condition]), selection.of_points.predicate()]
        if names is None:
            of_series = selection.of_series.predicate()
            if keys is not None:
                of_series &= pl.col("series_key").is_in(list(keys))
            if between is not None:
                of_series &= _between(*between)
        else:
            kept = names.filter(selection.of_series.predicate())
            kept = kept if keys is None else kept.filter(pl.col("series_key").is_in(list(keys)))
            of_series = pl.col("series_key").is_in(kept["stored_key"].to_list())
        stored = [name for name in dict.fromkeys(("series_key", *columns, *ORDER)) if name != "commit_order"]
        wanted = stored if "commit_order" in columns or names is not None else columns
        if (
            condition is not None and keys is None
        ):  # an index finds the few rows of a condition such as one on the commit
            rows = self._rows(results, wanted, [*terms, of_series])
        else:
            projected = self._projected(results) if projected is None else projected
            rows = self._rows(results, wanted, terms, projected, of_series)
        rows = past.ordered(rows) if "commit_order" in columns else rows
        return (rows if names is None else with_names(rows, names)).select(columns)

    def _names(self, results: Snapshot, past: History) -> pl.DataFrame | None:
        """Return the names that definitions give each series; None where they give none another name."""
        if not past.definitions:
            return None
        newest_rows = self._newest_rows(results, past)

        def of_main() -> set[int]:
            return set(newest_rows.filter(past.counts(Selection()))["series_key"])

        return past.definitions.renamed(newest_rows.unique("series_key"), of_main)

    def _newest_rows(self, results: Snapshot, past: History) -> pl.DataFrame:
        """Return the newest rows of every series, as `rollup.latest` does; of one look they are read once."""
        question = f"newest rows of version {results.version} in history {id(past)}"
        return self._engine.asked(question, lambda: rollup.latest(self._engine, results, past))

    @of_sound_part
    def stored_metrics(self, dut_name: str | None = None) -> set[str]:
        """Return the metrics, as definitions name them, of the stored results of the main history, of all devices or of one."""
        with self.one_look():
            rows = self._of_rollup(self._open(RESULTS_TABLE, None), self.history(), Selection())
        of = rows if dut_name is None else rows.filter(pl.col("dut_name") == dut_name)
        return set(of["metric"])

    @of_sound_part
    def metric_faults(self, as_of: AsOf | None = None) -> list[str]:
        """Describe the derived metrics that have no series, or none of some benchmarks, each with the reason."""
        with self.one_look():
            results, past = self._open(RESULTS_TABLE, as_of), self.history(as_of)
            if past.definitions is None:
                return []
            stored = self._identities(results, past)
            made = self._newest_derived(results, past, Selection(everything=True))
        return faults(past.definitions, stored, stored.clear() if made is None else made)

    def unit_fault(self, metric: DerivedMetric, dut_name: str | None = None) -> str | None:
        """Return why the unit of a derived metric, of all devices or of one, fits no stored result; None where it fits one."""
        with self.one_look():
            stored = self._identities(self._open(RESULTS_TABLE, None), self.history())
        return unit_fault(metric, stored, dut_name)

    def _identities(self, results: Snapshot, past: History) -> pl.DataFrame:
        """Return the identity of each stored series, as definitions name it."""
        names = self._names(results, past)
        known = self._newest_rows(results, past) if names is None else names
        return known.select(series.IDENTITY).unique("series_key")

    def _operands(  # noqa: PLR0913 `_derived` passes them on
        self,
        results: Snapshot,
        past: History,
        selection: Selection,
        keys: Collection[int] | None = None,
        beside: pl.Expr | None = None,
        *,
        hides: bool = True,
    ) -> Derived | None:
        """Return the derived metrics that a selection, or some keys of series, can have; None without one.

        With `hides` they are without those for which the selected history has stored results of their name.
        """
        if past.definitions is None or not past.definitions.derives:
            return None
        names = self._names(results, past)
        known = self._newest_rows(results, past) if names is None else names
        metrics = set(known["metric"].unique())
        if not any(metrics.issuperset(one.metrics) for _, one in past.definitions.derived):
            return None
        if names is None:
            known = known.unique("series_key", keep="last", maintain_order=True)
        around = dataclasses.replace(selection.of_series, metric=None, series_key=None).predicate()
        joined = known.with_columns(joined=pl.len().over("series_key"))
        named = joined.select(*series.IDENTITY, *series.MACHINE, "joined")
        named = named.unique("series_key", keep="last", maintain_order=True)
        of_name = pl.col("metric").is_in([one.name for _, one in past.definitions.derived])
        if keys is not None and named.filter(~of_name)["series_key"].is_in(list(keys)).sum() == len(set(keys)):
            return None
        shown = named.filter(of_name)["series_key"].to_list() if hides else []
        if shown:
            history = Selection(branch=selection.branch, pr_number=selection.pr_number, everything=selection.everything)
            points = self._points(results, past, ("series_key",), history, keys=shown, beside=beside)
            shown = points["series_key"].unique().to_list()
        return Derived(past.definitions, named, around, selection.metric, shown) or None

    def _derived(  # noqa: PLR0913 all but the first four by keyword
        self,
        results: Snapshot,
        past: History,
        columns: Collection[str],
        selection: Selection,
        *,
        keys: Collection[int] | None = None,
        condition: pl.Expr | None = None,
        beside: pl.Expr | None = None,
        hides: bool = True,
    ) -> pl.DataFrame | None:
        """Return the selected points of derived metrics, with `columns`, `query.series.IDENTITY` and `MACHINE`; None without any."""
        operands = self._operands(results, past, selection, keys, beside, hides=hides)
        if operands is None:
            return None
        around = dataclasses.replace(selection, metric=None, series_key=None)
        own = [name for name in dict.fromkeys((*NEEDED, *columns)) if name not in _OF_SERIES or name == "series_key"]
        rows = self._points(results, past, own, around, keys=operands.keys, condition=condition, beside=beside)
        points = operands.points(rows).filter(selection.of_series.predicate())
        return points if keys is None else points.filter(pl.col("series_key").is_in(list(keys)))

    def _newest_derived(self, results: Snapshot, past: History, selection: Selection) -> pl.DataFrame | None:
        """Return the newest selected point of each derived series; None without any."""
        operands = self._operands(results, past, selection)
        if operands is None:
            return None
        around = dataclasses.replace(selection, metric=None, series_key=None)
        columns = (*(name for name in series.COLUMNS if name not in _OF_SERIES), "series_key", "commit_order")

        def points_of(keys: Sequence[int]) -> pl.DataFrame:
            return self._points(results, past, columns, around, keys=keys)

        if selection.is_of_series:
            known = newest(self._of_rollup(results, past, around)).select(columns)
            rows = known.filter(pl.col("series_key").is_in(operands.keys))
            found = operands.newest(rows, points_of)
        else:
            found = newest(operands.points(points_of(operands.keys)))
        return found.filter(selection.of_series.predicate())

    @of_sound_part
    def series_names(self) -> pl.DataFrame | None:
        """Return the names and keys that definitions give each series, and its stored key as `stored_key`; None where they give none another name."""
        return self._names(self._open(RESULTS_TABLE, None), self.history())

    @of_sound_part
    def records(self, table: Table) -> pl.DataFrame:
        """Return the records of a table in the order in which they were written; none before anything was written to it."""
        return self._frame(table, None, iter).collect()

    def _of_rollup(self, results: Snapshot, past: History, selection: Selection) -> pl.DataFrame:
        """Return the newest rows of the selected history, with the names of definitions."""
        rows, names = (
            self._newest_rows(results, past).filter(past.counts(selection)),
            self._names(results, past),
        )
        return rows if names is None else with_names(rows, names)

    def _projected(self, results: Snapshot) -> projection.Projection | None:
        """Return the projection for a version of the results; None when the store has none, as before its first maintenance."""
        has_one = projection.DIRECTORY in self._engine.directories()
        return projection.Projection(self._engine, results) if has_one else None

    def _rows(
        self,
        results: Snapshot,
        columns: Iterable[str],
        terms: Sequence[pl.Expr],
        projected: projection.Projection | None = None,
        of_series: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """Return narrow columns of the rows that meet all conditions, from the projection as far as it has them.

        `of_series` is a condition on columns of series, none by default.
        """
        is_of_all = of_series is not None and not of_series.meta.root_names()
        of_series = pl.lit(value=True) if of_series is None else of_series
        predicate, columns = reduce(and_, terms, of_series), list(dict.fromkeys(columns))
        needed = list(dict.fromkeys((*columns, *predicate.meta.root_names())))
        known, rest = list[pl.DataFrame](), None
        if projected and projection.COLUMNS.issuperset(needed):
            known, rest = [projected.read(columns, of_series, terms)], projected.rest
        if rest is None or rest:
            # The first filter of a process takes 13 MB of Lance's code: of few rows all are read where it would not save more than 3 ms.
            is_read_whole = is_of_all or _OF_RUN.issuperset(needed)
            without_filter = is_read_whole and projection.is_small(self._engine, results)
            where = None if without_filter else lance_filter(predicate, results.leaves)
            rows = results.read(needed, where, fragments=rest)
            known.append(pl.DataFrame(rows).filter(predicate).select(columns))
        return pl.concat(known)

    @of_sound_part
    def elsewhere(self, as_of: AsOf | None = None) -> list[str]:
        """Return the branches and pull requests that have results, in words."""
        found = self.rows(("branch", "pr_number"), Selection(everything=True), as_of).unique()
        return [
            f"branch {branch or '(none)'}" if number is None else f"pull request {number}"
            for branch, number in found.iter_rows()
        ]

    @of_sound_part
    def results(self, where: Where | None = None, as_of: AsOf | None = None) -> list[Result]:
        """Whole results as records, in the order they were published."""
        results = self._open(RESULTS_TABLE, as_of)
        return from_table(results.rows(filter_text(where, RESULTS_TABLE.leaves, results.absent)), Result)

    def results_of(self, run: Run) -> list[Result]:
        """Return the results of a stored run as records, in the order they were published. An index finds those of its commit.

        Run keys have no index: to look for one alone reads that column of all results.
        """
        own = {"run_key": run.run_key}
        found = [] if run.commit is None else self.results({"commit": run.commit, **own})
        return found if len(found) == run.results else self.results(own)

    @of_sound_part
    def run_record(self, key: int) -> Run:
        """Return the record of a run. Raises `UserError` when there is none with this key."""
        runs = self._open(RUNS_TABLE, None)
        found = from_table(runs.rows(filter_text({"run_key": key}, RUNS_TABLE.leaves, runs.absent)), Run)
        if not found:
            message = f"there is no run {key:016x} in {self.uri}; it may have been removed a moment ago"
            raise UserError(message)
        return found[0]

    @of_sound_part
    def query(
        self,
        text: str,
        as_of: AsOf | None = None,
        *,
        everything: bool = False,
        timeout: float | None = None,
        limit_rows: int | None = None,
    ) -> pl.DataFrame:
        """Return the answer to one SELECT over `sql_tables`, as `sql.run` does; `UserError` when it cannot be run."""
        from bench_db.store import sql  # noqa: PLC0415 only queries need DuckDB

        tables = self.sql_tables(as_of, everything=everything)
        return sql.run(text, tables, timeout=timeout, limit_rows=limit_rows)

    def sql_tables(
        self,
        as_of: AsOf | None = None,
        *,
        everything: bool = False,
        named: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda table: table,
        also: Mapping[str, Callable[[], pl.DataFrame]] | None = None,
    ) -> sql.Tables:
        """Return the tables that a query sees, for `sql.run`.

        `results` and `runs` have the main history, with `everything` all results but the excluded ones. A table that nothing has
        been written to yet is empty. `named` gives the columns of a table other names, and `also` has further tables.
        """

        def rows_of(table: Table, reading: sql.Reading) -> pl.LazyFrame:
            rows = self._frame(table, as_of, reading.each)
            counts = self.history(as_of).counts(Selection(everything=everything)) if table in TABLES else None
            return named(rows if counts is None else rows.filter(counts))

        def made(make: Callable[[], pl.DataFrame], _: sql.Reading) -> pl.LazyFrame:
            return make().lazy()

        return {
            **{table.name: partial(rows_of, table) for table in stored()},
            **{name: partial(made, make) for name, make in (also or {}).items()},
        }

    @of_sound_part
    def _frame(
        self,
        table: Table,
        as_of: AsOf | None,
        around: Callable[[Iterator[pl.DataFrame]], Iterator[pl.DataFrame]],
    ) -> pl.LazyFrame:
        """Return a table, lazily; of one that is read by time, the records until then."""
        if not table.recorded:
            return lazy.scan(self._open(table, as_of), around=around)
        try:
            records = lazy.scan(self._engine.open(table), around=around)
        except StoreNotFoundError:
            return pl.LazyFrame(pl.DataFrame(table.flat_schema.empty_table()))
        end = None if as_of is None else versions.until(self._engine, as_of)
        return records if end is None else records.filter(pl.col(table.recorded) <= int(end.timestamp()))

    def lancedb(self) -> DBConnection:
        """Return a LanceDB connection to the store."""
        return self._engine.lancedb()

    # -- baselines and findings --------------------------------------------------------------------------------------

    def set_baseline(self, baseline: Baseline) -> Baseline:
        """Point a name at a commit, which must have results, or clear it with None; return the setting that applies now.

        Earlier settings stay in the history. A setting with `replaces` has no effect when another one came between.
        """
        commit = baseline.commit and self.measured_commit(baseline.commit)
        if commit and not self.has(commit).present:
            message = f"{self._why_absent(commit)}; a baseline needs at least one successful result of a branch"
            raise UserError(message)
        return ledger.set_baseline(self._engine, dataclasses.replace(baseline, commit=commit))

    def _why_absent(self, commit: str) -> str:
        """Return why a commit that has results is not measured."""
        rows = self.rows(("pr_number", "error"), Selection(everything=True), condition=of_name(commit))
        pulls = sorted(rows.filter(pl.col("error").is_null())["pr_number"].drop_nulls().unique())
        if rows.is_empty():
            return f"every run of {commit} is excluded"
        if not pulls:
            return f"{commit} has only failed results"
        named = " and ".join(map(str, pulls))
        return f"{commit} has results of pull request{'s' if len(pulls) > 1 else ''} {named} alone"

    def baseline(
        self, name: str, *, dut_name: str | None = None, test_bed_name: str | None = None, branch: str | None = None
    ) -> Baseline | None:
        """Return the setting of a name that applies to a scope: the narrowest of those that include it."""
        named = [pointer for pointer in self.baselines() if pointer.name == name]
        return holding(named, (dut_name, test_bed_name), {branch} if branch else ())

    @of_sound_part
    def baselines(self, *, history: bool = False, as_of: AsOf | None = None) -> list[Baseline]:
        """Return the current baselines by name; with `history` every setting there was, oldest first.

        With `as_of` those that applied then: on a date, or when the version of the results that it names was last the newest.
        """
        end = self._end(as_of)
        settings = [setting for setting in ledger.baseline_history(self._engine) if setting.set_at <= end]
        return settings if history else ledger.held(settings)

    def record_findings(self, findings: Sequence[Finding]) -> None:
        """Record findings, whatever is recorded of them."""
        ledger.record_findings(self._engine, findings)

    def update_findings(self, findings: Sequence[Finding]) -> bool:
        """Record findings that were made from known ones; a record has no effect when what it `replaces` has changed meanwhile.

        Return whether all of them apply. Otherwise read the findings again and repeat.
        """
        return ledger.update_findings(self._engine, findings)

    def record_pairs(self, verdicts: Sequence[PairRecord]) -> None:
        """Add verdicts of pairs, each once; `query` reads them in the table `pairs`."""
        ledger.record_pairs(self._engine, verdicts)

    def record_notifications(self, records: Sequence[Notification]) -> None:
        """Add records of messages, each once. A claim applies only if `notifications` has it with the `claim` of its writer."""
        ledger.record_notifications(self._engine, records)

    def record_scans(self, records: Sequence[ScanRecord]) -> None:
        """Add records of scans, each once."""
        ledger.record_scans(self._engine, records)

    @of_sound_part
    def scans(self, as_of: AsOf | None = None) -> list[ScanRecord]:
        """Return the records of scans in the order in which they were written, or of those that were made at that time or before."""
        end = self._end(as_of)
        return [record for record in ledger.scans(self._engine) if record.at <= end]

    @of_sound_part
    def notifications(self) -> list[Notification]:
        """Return every record of a message in the order in which they were written."""
        return ledger.notifications(self._engine)

    @of_sound_part
    def finding_history(self) -> list[Finding]:
        """Return every record of a finding that applied, oldest first."""
        return ledger.finding_history(self._engine)

    @of_sound_part
    def pairs(self) -> list[PairRecord]:
        """Return the stored verdicts of pairs, in the order in which they were written."""
        return ledger.pair_verdicts(self._engine)

    @of_sound_part
    def findings(self, as_of: AsOf | None = None, *, every: bool = False) -> list[Finding]:
        """Return the findings in their newest state, or in their state at that time.

        Those at a commit that the main history no longer has (excluded, taken away by a force push) are left out unless `every`.
        """
        end = self._end(as_of)
        found = ledger.standing(record for record in ledger.finding_history(self._engine) if record.at <= end)
        commits = sorted({finding.commit for finding in found if finding.commit is not None})
        if every or not commits:
            return found
        there = self.rows(("commit",), Selection(), as_of, condition=pl.col("commit").is_in(commits))["commit"]
        present = set(there.unique().to_list())
        return [finding for finding in found if finding.commit is None or finding.commit in present]

    def _end(self, as_of: AsOf | None) -> float:
        """Until when, in unix seconds, the store was as it was; infinity for a state that still holds."""
        end = None if as_of is None else until(self._engine, as_of)
        return math.inf if end is None else end.timestamp()

    # -- artifacts and transfer --------------------------------------------------------------------------------------

    def put_artifact(  # noqa: PLR0913 all but the first by keyword
        self,
        source: str | Path | bytes,
        *,
        kind: str,
        added_at: int,
        name: str = "",
        run: int | str | None = None,
        commit: str | None = None,
    ) -> Put:
        """Keep a file or a content with a run (its key, or its run id or key in hexadecimal) or a commit; doing it again adds nothing.

        It is read in chunks, and its name is that of the file unless given. Raises `UserError` for a file that cannot be read or
        changes meanwhile, and for a run that is not exactly one of the store's.
        """
        for argument, text in (("name", name), ("kind", kind)):
            require_text(argument, text)
        given = source if isinstance(source, bytes) else Path(source)
        label = name or ("" if isinstance(given, bytes) else _storable(given.name))
        publish.ensure_tables(self._engine, (ARTIFACTS_TABLE,), single_writer=self._single_writer)
        record = Artifact(kind=kind, name=label, commit=commit, added_at=added_at)
        return artifacts.put(self._engine, given, record, run)

    def get_artifact(self, sha256: str, path: str | Path) -> Artifact:
        """Write the artifact whose sha256 is, or begins with, the given text to a path, whole or not at all, and nowhere else.

        Raises `UserError` when it is not exactly one, and `CorruptStoreError` when the store does not hold that content any more.
        """
        return artifacts.get(self._engine, sha256, Path(path))

    def require_artifact(self, sha256: str) -> None:
        """Raise `UserError` when the store has no content with a checksum, and `CorruptStoreError` when it has lost it."""
        artifacts.require(self._engine, sha256)

    def read_artifact(self, sha256: str) -> bytes:
        """Return a content by its whole checksum. Raises `CorruptStoreError` when it is missing or damaged."""
        return b"".join(content.read(self._engine, sha256))

    def delete_artifacts(self, records: Sequence[Artifact], *, dry_run: bool = False) -> Deleted:
        """Delete records of artifacts, and the files that no other record names; with `dry_run` only say which."""
        return artifacts.delete(self._engine, records, dry_run=dry_run)

    @of_sound_part
    def artifacts(
        self, *, kind: str | None = None, commit: str | None = None, run: int | str | None = None
    ) -> list[Artifact]:
        """Artifacts of a kind, a commit (an abbreviation will do) and a run, or of any, in the order they were added."""
        return artifacts.find(self._engine, kind=kind, commit=commit, run=run)

    def copy_to(  # noqa: PLR0913 all but the first by keyword
        self,
        target: Database,
        *,
        runs: Collection[int | str] = (),
        replace: bool = False,
        artifacts: bool = True,
        salvage: bool = False,
        as_of: AsOf | None = None,
        progress: Callable[[int, int], None] = _silent,
    ) -> Transfer:
        """Merge everything into another store, and compare at the end; doing it again adds nothing.

        With `runs`, each a key or a name as for `artifacts`, only these go, with their artifacts. With `replace`, runs that both
        hold with other rows become this store's. With `salvage`, a damaged store gives what is sound of it, and `passed_over` is
        the rest. `as_of` holds for runs and results.
        """
        source, passed_over = self._source(as_of, runs, salvage=salvage)
        publish.ensure_tables(target._engine, single_writer=target._single_writer)
        done = transfer.bring(source, target._engine, replace=replace, artifacts=artifacts, progress=progress)
        return dataclasses.replace(done, passed_over=passed_over)

    def _source(
        self, as_of: AsOf | None, runs: Collection[int | str], *, salvage: bool
    ) -> tuple[StoreSource, tuple[PassedOver, ...]]:
        """Return the source of a copy, and what a salvage leaves out of it."""
        if not salvage:
            return StoreSource(self._engine, as_of, runs), ()
        from bench_db.store.sound_part import SoundPart  # noqa: PLC0415 a sound store needs none

        source = SoundPart(self._engine, as_of, runs)
        return source, source.passed_over

    def export_to(  # noqa: PLR0913 all but the first by keyword
        self,
        directory: str | Path,
        *,
        runs: Collection[int | str] = (),
        format_name: str = "parquet",
        artifacts: bool = True,
        salvage: bool = False,
        as_of: AsOf | None = None,
        progress: Callable[[int, int], None] = _silent,
    ) -> Export:
        """Write everything, or what belongs to some runs, into a directory: a file a table, the artifacts, and a manifest.

        The format is "parquet" or "jsonl". An earlier export there is replaced; the same rows in the same order give the same
        files. With `salvage`, a damaged store gives what is sound of it, and `passed_over` is the rest. `as_of` holds for runs
        and results.
        """
        from bench_db.store import export  # noqa: PLC0415 a look-up needs no Parquet

        source, passed_over = self._source(as_of, runs, salvage=salvage)
        done = export.export(source, Path(directory), format_name=format_name, artifacts=artifacts, progress=progress)
        return dataclasses.replace(done, passed_over=passed_over)

    def import_from(
        self,
        exported: str | Path | ExportSource,
        *,
        replace: bool = False,
        progress: Callable[[int, int], None] = _silent,
    ) -> Transfer:
        """Merge an export, or the directory it is in, into this store, and compare at the end; doing it again adds nothing.

        `UnreadableOutputError` for a file that is not the one exported, `SchemaMismatchError` for other columns, and
        `UserError` for a time that is not valid, and `CorruptStoreError` for rows that do not follow from what was measured, before
        anything is written.
        """
        from bench_db.store import export  # noqa: PLC0415 a look-up needs no Parquet

        source = exported if isinstance(exported, export.ExportSource) else export.ExportSource(Path(exported))
        refuse_invalid_times(source, time.time())
        refuse_underived(source)
        publish.ensure_tables(self._engine, single_writer=self._single_writer)
        return transfer.bring(source, self._engine, replace=replace, artifacts=source.has_artifacts, progress=progress)


def connect(uri: str | Path, create: bool = False, *, single_writer: bool = False) -> Database:  # noqa: FBT001, FBT002 as lancedb
    """Open the store at a directory, `file:///path` or `s3://bucket/prefix`; `create` makes it when there is none.

    Raises `StoreNotFoundError` when there is no store and it was not to be made.
    """
    engine = engine_at(uri)
    database = Database(engine, single_writer=single_writer)
    if create:
        database.init()
    else:
        try:
            engine.keep_open(RESULTS_TABLE)
        except StoreNotFoundError as error:
            raise _not_found(engine, error) from error.__cause__
        except (CorruptStoreError, StoreUnavailableError) as error:
            if not is_of_reading(error):  # of a damaged table the first question finds what can be read
                raise
    return database


def _not_found(engine: Engine, error: StoreNotFoundError) -> StoreNotFoundError:
    """Return the error, or for a directory that has stores below it one that says so: nobody should make a store there."""
    location = engine.location
    # in a bucket each directory is a request
    names = engine.stores_below() if not location.is_s3 and Path(location.path).is_dir() else []
    if not names:
        return error
    return StoreNotFoundError(
        f"{location}: no store, but a collection of {len(names)}, such as {location.below(names[0])}: name one of them, which "
        "'bench-db store list' shows, or ask all with --collection"
    )


def unopened(uri: str | Path) -> Database:
    """Return the store at an address without opening it, so that a damaged one can be verified and repaired.

    Raises `StoreNotFoundError` when there is no table at all.
    """
    engine = engine_at(uri)
    if not engine.present():
        engine.open(RESULTS_TABLE)
    return Database(engine)


def engine_at(uri: str | Path) -> Engine:
    """Return the engine of the store at an address; nothing is opened or created. `StoreUnavailableError` for a link to nothing."""
    location = locate(uri)
    if not location.is_s3:
        _refuse_broken_link(location)
    return Engine(location, bucket_at(location) if location.is_s3 else None)


def _refuse_broken_link(location: Location) -> None:
    """Raise for a path that is or is below a symbolic link to nothing: no store can be found or made there."""
    path = Path(location.path)
    if os.path.exists(path):  # noqa: PTH110 `Path.exists` raises where a directory denies access
        return
    links = (one for one in (path, *path.parents) if os.path.islink(one))  # noqa: PTH114 as above
    link = next((one for one in links if not os.path.exists(one)), None)  # noqa: PTH110 as above
    if link is not None:
        message = (
            f"no store at {location}: {link} is a symbolic link to {link.readlink()}, which does not exist; make that directory "
            "(is a volume not mounted?), or correct the link"
        )
        raise StoreUnavailableError(message)


def bucket_at(location: Location) -> Bucket:
    """Return the bucket of an address. Raises `MissingExtraError` without boto3."""
    with needed_for(str(location)):
        from bench_db.store.s3 import Bucket  # noqa: PLC0415 boto3 takes a third of a look-up's time

    return Bucket(location)


def lancedb_connection(uri: str | Path) -> DBConnection:
    """Return a LanceDB connection to an address, whether or not there is a store."""
    return engine_at(uri).lancedb()


def _storable(name: str) -> str:
    """Return the name of a file with undecodable bytes escaped."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
