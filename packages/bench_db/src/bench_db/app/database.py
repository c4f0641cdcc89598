"""The public database: questions with their conditions as keyword arguments, answers as Polars frames."""

from __future__ import annotations

from datetime import timedelta
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias, TypeVar

import polars as pl
import pyarrow as pa

from bench_db.app import reading
from bench_db.app.arguments import with_guarded_methods
from bench_db.app.commit_names import sha_of
from bench_db.app.engines import summarising, workers_of
from bench_db.clock import CALENDAR_SECONDS
from bench_db.identity import tags_of_key
from bench_db.query.selection import Selection, selection_of
from bench_db.query.series import COLUMNS
from bench_db.store import database as stores
from bench_db.store.publish import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Unpack

    from lancedb import DBConnection

    from bench_db.app.places import Place
    from bench_db.app.recording import Recording, Stated
    from bench_db.app.runs import RunConditions, StoredRun
    from bench_db.distributed import Engine
    from bench_db.model import (
        Artifact,
        Deleted,
        Export,
        Maintenance,
        Presence,
        Published,
        Put,
        Restored,
        Result,
        Run,
        StoreChange,
        StoreInfo,
        Transfer,
        Verification,
    )
    from bench_db.query.selection import Conditions, SeriesConditions
    from bench_db.store import sql
    from bench_db.store.filters import Where
    from bench_db.store.versions import AsOf

Frame = TypeVar("Frame", "pl.DataFrame", "pl.LazyFrame")
Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")

# Stored column -> its public name; all of these are unix seconds in the store and datetimes in an answer.
TIMES = {
    **{
        name: name
        for name in ("added_at", "applied_at", "at", "author_time", "measured_at", "recorded_at", "set_at", "time")
    },
    "dut_timestamp": "commit_time",
    "run_time": "run_time",
    "timestamp": "published_at",
    "ingested_at": "published_at",
    "test_bed_created_at": "test_bed_created_at",
}


@with_guarded_methods
class Database:
    """A store of benchmark results, opened with `bench_db.connect`.

    Reading methods take `as_of`, a version, a tag or a date, and as conditions `benchmark` (with the wildcards `*` and `?`),
    `test_bed_name`, `dut_name`, `branch`, `suite`, `metric`, `tags`, `since` and `until` (of the commit time). Times in frames
    are datetimes in UTC. It pickles by its address.
    """

    def __init__(self, store: stores.Database) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"Database({self.uri!r})"

    def __reduce__(self) -> tuple[Callable[..., Database], tuple[str, bool]]:
        return _reconnect, (self.uri, self.store.single_writer)

    @property
    def uri(self) -> str:
        """The address of the store."""
        return self.store.uri

    @property
    def version(self) -> int:
        """The newest version of the results."""
        return self.store.version

    # -- publish -----------------------------------------------------------------------------------------------------

    def publish(
        self, results: Sequence[Result], run: Run, *, replace: bool = False, keep_leftovers: bool = False
    ) -> Published:
        """Store a run and its results, whole or not at all; publishing the same measurements again adds nothing.

        `replace` removes the earlier run of the same run id and file name, and any earlier reading of the same bytes, if its
        device, commit, test bed and suite are the same, in the commit that adds the new rows. A result whose samples are those
        of an earlier commit is skipped unless `keep_leftovers`. Raises `UserError` for numbers that are not finite, and
        `CorruptStoreError` when the key belongs to other measurements.
        """
        return self.store.publish(results, run, replace=replace, keep_leftovers=keep_leftovers)

    def publish_many(
        self, runs: Iterable[tuple[Run, Sequence[Result]]], *, replace: bool = False, keep_leftovers: bool = False
    ) -> list[Published]:
        """Store runs as `publish` stores each of them, many written together, and return the answers in order.

        The runs may be a generator, such as `pair for file in files for pair in parse_each(file)`: it is read as the runs are
        stored, and memory does not grow with their number. When the process is killed, publishing the same runs again continues.
        Raises as `publish` does; runs before the batch of the invalid one are stored.
        """
        entries = (Entry(run, results) for run, results in runs)
        return list(self.store.publish_many(entries, replace=replace, keep_leftovers=keep_leftovers))

    def record(self, dut: str | None = None, **stated: Unpack[Stated]) -> AbstractContextManager[Recording]:
        """Return a block whose results become one run, as in `with database.record(dut="flax", commit="1a2b3c4") as run: ...`.

        They are published when the block ends, whole or not at all; the same results again add nothing, and a block that raises
        stores nothing. `dut` names what is measured; what is not stated is that of the checkout around the working directory.
        Raises `UserError` before the block when the build is not known.
        """
        from bench_db.app.recording import record  # noqa: PLC0415 a look-up needs no ingest

        return record(self.store, dut, **stated)

    # -- read --------------------------------------------------------------------------------------------------------

    def latest(
        self,
        *,
        last: int | None = None,
        as_of: AsOf | None = None,
        selection: Selection | None = None,
        **conditions: Unpack[Conditions],
    ) -> pl.DataFrame:
        """Return the newest result of each series, a row a series by name.

        `stale` says that another series of the device, test bed and suite has a newer commit. `run` is the run, as `run` takes it.
        `last` returns only that many series, those with the newest commits.
        """
        chosen = selection_of(selection, conditions)
        return with_run(public(reading.latest(self.store, chosen, last=last, as_of=as_of)))

    def trend(
        self,
        benchmark: str,
        *,
        last: int | None = None,
        values: bool = False,
        with_pr: int | None = None,
        as_of: AsOf | None = None,
        selection: Selection | None = None,
        **conditions: Unpack[SeriesConditions],
    ) -> pl.DataFrame:
        """Return the history of a benchmark, oldest commit first, series after series when several match.

        `run` is the run of a point, as `run` takes it. `index` counts the points of a series from 0; `change` is relative to the point before (0.08 is +8 %),
        `change_since_first` to the oldest point returned. `last` returns the newest points of each series. `values` adds the raw
        samples, per iteration. `with_pr` adds the points of a pull request after those of the main history, with its number in the
        column `pr_number`, which is null in others; their changes are relative to the newest and the oldest point of main.
        """
        chosen = selection_of(selection, conditions)
        rows = self.store.trend(benchmark, chosen, last=last, values=values, as_of=as_of, with_pr=with_pr)
        return with_run(public(rows))

    def summary(
        self,
        *,
        last: int | None = None,
        as_of: AsOf | None = None,
        engine: str | Engine | None = None,
        selection: Selection | None = None,
        **conditions: Unpack[Conditions],
    ) -> pl.DataFrame:
        """Return statistics of each series over its history, or its newest `last` points; each point counts once, by its median.

        `spread` is the standard deviation relative to the mean. A series of failures alone has n = 0 and null statistics. `engine`
        computes them on other processes or machines, as for `scan`.
        """
        with summarising(engine) as summarise:
            chosen = selection_of(selection, conditions)
            return public(self.store.summary(chosen, last=last, as_of=as_of, summarise=summarise))

    def scan(
        self,
        columns: Sequence[str] | None = None,
        *,
        as_of: AsOf | None = None,
        selection: Selection | None = None,
        **conditions: Unpack[Conditions],
    ) -> pl.LazyFrame:
        """Return the results lazily, a flat column a leaf; only the columns and rows that a query uses are read.

        Conditions are read from the indexes of the store; those on other columns belong in a `.filter()` of the frame.
        """
        chosen = selection_of(selection, conditions)
        rows = public(self.store.scan(as_of=as_of, selection=chosen))
        return rows if columns is None else rows.select(columns)

    def to_dataframe(
        self,
        *,
        as_of: AsOf | None = None,
        selection: Selection | None = None,
        **conditions: Unpack[Conditions],
    ) -> pl.DataFrame:
        """Return all results, a row each in the order of commits, with a column `tag_NAME` for each tag: null where a result lacks it.

        Conditions are those of `latest`; without them the rows are those of the main history. `pandas.DataFrame` takes the answer by
        its method `to_pandas`, where pandas is installed.
        """
        rows = self.scan(as_of=as_of, selection=selection, **conditions).collect()
        names = rows.select(pl.col("tags").map.keys().explode().drop_nulls().unique().sort()).to_series()
        tags = [pl.col("tags").map.get(name).alias(f"tag_{name}") for name in names]
        return rows.with_columns(tags).drop("tags", "tags_key").sort("commit_time", "run_time", maintain_order=True)

    def runs(
        self,
        *,
        as_of: AsOf | None = None,
        selection: Selection | None = None,
        **conditions: Unpack[Conditions],
    ) -> pl.LazyFrame:
        """Return the published files lazily; with conditions those that have a result that satisfies them."""
        chosen = selection_of(selection, conditions)
        return public(self.store.runs(as_of, chosen))

    def list_runs(self, **conditions: Unpack[RunConditions]) -> pl.DataFrame:
        """Return the published runs, newest measurement first, of any branch; `excluded` has the reason of an excluded one.

        Conditions are `runs`, `commit`, `branch`, `test_bed_name`, `since` and `until` (of the measurement), `file` and `tags`, which
        one result of a run must all have. The tag `scenario` finds the suite, too.
        """
        from bench_db.app.runs import newest_first, runs  # noqa: PLC0415 imports this module

        return newest_first(runs(self, **conditions).frame())

    def run(self, run: str) -> StoredRun:
        """Return one run with its results and artifacts, by its key, the beginning of it, or its run id.

        Raises `UserError` for none or several.
        """
        from bench_db.app.runs import stored_run  # noqa: PLC0415 imports this module

        return stored_run(self, run)

    def query(
        self,
        sql: str,
        *,
        as_of: AsOf | None = None,
        everything: bool = False,
        timeout: float | None = None,
        limit_rows: int | None = None,
    ) -> pl.DataFrame:
        """Return the answer to one SELECT over the tables of the store, in the SQL of DuckDB; docs/sql.md lists the tables.

        `results`, `runs`, `latest`, `series` and `points` have the main history, with `everything` other branches and pull requests too.
        Raises `UserError` for anything that could read or write something else, for a query that cannot be run, and after
        `timeout` seconds. `limit_rows` returns only that many rows.
        """
        return query(self.store, sql, as_of, everything=everything, timeout=timeout, limit_rows=limit_rows)

    def results(self, where: Where | None = None, *, as_of: AsOf | None = None) -> list[Result]:
        """Return whole results as records, in the order they were published; `where` maps columns to values."""
        return self.store.results(where, as_of)

    def has(
        self,
        commit: str,
        suites: Sequence[str] = (),
        *,
        test_bed_name: str | None = None,
        pr_number: int | None = None,
    ) -> Presence:
        """Return whether a commit is measured, suite by suite; results that failed do not count.

        Runs of a pull request count for its `pr_number` alone.

        Without `suites` one result of any suite is enough.
        """
        return self.store.has(sha_of(commit), suites, test_bed_name, pr_number=pr_number)

    # -- artifacts ---------------------------------------------------------------------------------------------------

    def put_artifact(
        self,
        source: str | Path | bytes,
        *,
        kind: str,
        added_at: int,
        name: str = "",
        run: int | str | None = None,
        commit: str | None = None,
    ) -> Put:
        """Store a file or bytes for a run or a commit; doing it again adds nothing.

        `run` is a run key, a run id, or a key in hexadecimal. The name is that of the file by default. Raises `UserError` for a
        file that cannot be read or changes meanwhile, and for a run that is not exactly one of the store's.
        """
        return self.store.put_artifact(
            source, kind=kind, added_at=added_at, name=name, run=run, commit=commit and sha_of(commit)
        )

    def get_artifact(self, sha256: str, path: str | Path) -> Artifact:
        """Write the artifact whose sha256 begins with a text to a path, whole or not at all.

        Raises `UserError` when it is not exactly one, and `CorruptStoreError` when its stored content is damaged or missing.
        """
        return self.store.get_artifact(sha256, path)

    def artifacts(
        self, *, kind: str | None = None, commit: str | None = None, run: int | str | None = None
    ) -> list[Artifact]:
        """Return the artifacts of a kind, a commit and a run, or of any, in the order they were added."""
        return self.store.artifacts(kind=kind, commit=commit and sha_of(commit), run=run)

    def delete_artifacts(self, artifacts: Sequence[Artifact], *, dry_run: bool = False) -> Deleted:
        """Delete artifacts for good, and their files where no other artifact has the same content; `dry_run` only says which."""
        return self.store.delete_artifacts(artifacts, dry_run=dry_run)

    def put(self, value: object, *, name: str = "", run: int | str | None = None, commit: str | None = None) -> str:
        """Keep a value as an artifact of a run, of a commit or of nobody, and return its address.

        The value is bytes, a text, a NumPy array, an Arrow table, a Polars frame, or what JSON can say; nothing is pickled. Equal
        values are stored once. Raises `UserError` for any other value, and for one that is too large.
        """
        from bench_db.app import values  # noqa: PLC0415 as for `record`

        return values.put(self.store, value, name=name, run=run, commit=commit and sha_of(commit))

    def put_values(
        self, named: Mapping[str, object], *, name: str = "", run: int | str | None = None, commit: str | None = None
    ) -> str:
        """Keep several values in one file, and return its address; `get` reads it once and decodes each value when it is asked for."""
        from bench_db.app import values  # noqa: PLC0415 as for `record`

        return values.put_values(self.store, named, name=name, run=run, commit=commit and sha_of(commit))

    def get(self, address: str) -> Any:
        """Return the value at an address of `put`, or a mapping for one of `put_values`.

        Raises `UserError` for an address that the store does not have, and `CorruptStoreError` for damaged content.
        """
        from bench_db.app import values  # noqa: PLC0415 as for `record`

        return values.get(self.store, address)

    # -- care --------------------------------------------------------------------------------------------------------

    def info(self) -> StoreInfo:
        """Return the tables of the store with their sizes and indexes, its tags, and whether maintenance is due."""
        return self.store.info()

    def tag(self, name: str, version: int | None = None) -> int:
        """Name a version of the results, the newest by default, so that it is never cleaned; return its number."""
        return self.store.tag(name, version)

    def migrate(self, *, dry_run: bool = False) -> list[StoreChange]:
        """Bring a store of an older release to what this one writes; return the changes, with `dry_run` without making them."""
        return self.store.migrate(dry_run=dry_run)

    def restore(self, as_of: AsOf, *, dry_run: bool = False) -> Restored:
        """Go back to the runs of a version, tag or date, as a new version; with `dry_run` only say what would change.

        Commits, definitions, exclusions, baselines and findings keep their records. Raises `UserError` for a version that is not kept.
        """
        return self.store.restore(as_of, dry_run=dry_run)

    def optimize(self, *, older_than: timedelta = timedelta(days=1)) -> Maintenance:
        """Compact, index and remove versions `older_than` so long now, whether due or not; tagged versions stay."""
        return self.store.optimize(older_than=older_than)

    def verify(self, *, quick_seed: int | None = None, engine: str | Engine | None = None) -> Verification:
        """Read everything and compare it with its checksums; nothing is changed.

        With `quick_seed`, check what takes a fraction of that: files and their sizes, the runs and the ledgers, ids and numbers of rows,
        and a sample of the results chosen by the seed. `unchecked` of the answer is the rest. `engine` reads the results on other
        processes or machines, as for `scan`; the workers open the store themselves.
        """
        from bench_db.app.verification import verified  # noqa: PLC0415 imports this module

        return verified(self.store, quick_seed=quick_seed, engine=engine)

    def recompute(self, *, as_of: AsOf | None = None, engine: str | Engine | None = None) -> pl.DataFrame:
        """Return the statistics of the samples of every result, computed anew, with its id and whether the stored ones differ.

        A result without samples, or with fewer than its tool measured, has the statistics of the tool and is left out. `lower` and
        `upper` are the interval of the mean, +- 1.96 standard errors. `engine` computes them on other processes or machines, as for
        `verify`.
        """
        with workers_of(engine) as workers:
            _, _, found = self.store.recompute(as_of, workers=workers)
        return found

    def repair(self) -> list[str]:
        """Take out unreadable files, go back to readable versions, and rebuild indexes and the rollup; return what was done, in words."""
        return self.store.repair()

    def copy_to(
        self,
        target: Source,
        *,
        runs: Collection[int | str] = (),
        replace: bool = False,
        artifacts: bool = True,
        salvage: bool = False,
        as_of: AsOf | None = None,
    ) -> Transfer:
        """Merge everything, or some runs and their artifacts, into another store, or the one at an address; doing it again adds nothing.

        With `replace`, a run that both stores have with other rows becomes that of this store. With `salvage`, a damaged store
        gives the runs and records that are sound, and the answer names what was passed over.
        """
        return self.store.copy_to(
            opened(target), runs=runs, replace=replace, artifacts=artifacts, salvage=salvage, as_of=as_of
        )

    def export_to(
        self,
        directory: str | Path,
        *,
        runs: Collection[int | str] = (),
        format_name: str = "parquet",
        artifacts: bool = True,
        salvage: bool = False,
        as_of: AsOf | None = None,
    ) -> Export:
        """Write everything, or some runs and their artifacts, into a directory, as "parquet" or "jsonl".

        An earlier export there is replaced. The same rows in the same order give the same files. `salvage` is that of `copy_to`. As
        "calibrax" it is a store of calibrax, as "asv" a directory of results of asv, as "mlflow" a file store of MLflow, and as any other
        name what an exporter of an installed package writes, with the runs that are not excluded and without artifacts; these take neither `salvage` nor `as_of`.
        """
        if format_name == "calibrax":
            from bench_db.app.calibrax import export_calibrax  # noqa: PLC0415 imports this module

            return export_calibrax(self, Path(directory), runs=runs, salvage=salvage, as_of=as_of)
        if format_name not in ("parquet", "jsonl"):
            from bench_db.app.exporters import export, refuse_of_past  # noqa: PLC0415 imports this module

            refuse_of_past(format_name, salvage=salvage, as_of=as_of)
            return export(self, Path(directory), format_name, runs=runs)
        return self.store.export_to(
            directory, runs=runs, format_name=format_name, artifacts=artifacts, salvage=salvage, as_of=as_of
        )

    def import_from(self, directory: str | Path, *, replace: bool = False) -> Transfer:
        """Merge an export into this store; doing it again adds nothing.

        Raises `UnreadableOutputError` for a file that is not the one exported, and `SchemaMismatchError` for other columns,
        before anything is written.
        """
        return self.store.import_from(directory, replace=replace)

    def lancedb(self) -> DBConnection:
        """Return a LanceDB connection to the store."""
        return self.store.lancedb()


# What a use case takes for a store.
Source: TypeAlias = "Database | stores.Database | Place | str | Path"


def connect(uri: str | Path | Place, create: bool = False, *, single_writer: bool = False) -> Database:  # noqa: FBT001, FBT002 as lancedb
    """Open the store at a directory, `file:///path`, `s3://bucket/prefix` or a place; `create` makes it when there is none.

    `single_writer` accepts a bucket that cannot keep concurrent writers apart. Raises `StoreNotFoundError` when there is no
    store and `create` is not given.
    """
    return Database(stores.connect(str(uri), create, single_writer=single_writer))


def _reconnect(uri: str, single_writer: bool) -> Database:  # noqa: FBT001 pickle passes arguments by position
    return connect(uri, single_writer=single_writer)


def opened(source: Source) -> stores.Database:
    """Return the store of a database, or the one at an address."""
    if isinstance(source, Database):
        return source.store
    return source if isinstance(source, stores.Database) else stores.connect(str(source))


def on_database(
    use_case: Callable[Concatenate[stores.Database, Arguments], Answer],
) -> Callable[Concatenate[Source, Arguments], Answer]:
    """Let a use case of a store be called with a `Database`, or with the address of a store, too."""

    @wraps(use_case)
    def call(store: Source, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        return use_case(opened(store), *arguments, **named)

    return call


def public(rows: Frame) -> Frame:
    """Return rows with the public names of their columns, and times as datetimes; an unknown time (null, 0 or in no calendar) is null."""
    return _with_times(rows).drop("commit_order", *(TIMES.keys() - TIMES.values()), strict=False)


def with_run(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with `run`, the key of the run of each as text, by which `Database.run` and baselines name it."""
    keys = rows["run_key"].drop_nulls().unique()
    names = pl.Series([f"{key:016x}" for key in keys], dtype=pl.String)
    return rows.with_columns(run=pl.col("run_key").replace_strict(keys, names, default=None, return_dtype=pl.String))


def _with_times(rows: Frame) -> Frame:
    columns = rows.collect_schema()
    return rows.with_columns(_time(name) for name in TIMES if name in columns)


@cache
def _time(name: str) -> pl.Expr:
    known = pl.when((pl.col(name) != 0) & pl.col(name).is_between(*CALENDAR_SECONDS)).then(name)
    return pl.from_epoch(known, "s").dt.replace_time_zone("UTC").alias(TIMES[name])


def _with_tags(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with `tags` behind the text of them, as a map, which `results` has."""
    keys = rows["tags_key"].unique()
    tags = pa.array([list(tags_of_key(key or "").items()) for key in keys], pa.map_(pa.string(), pa.string()))
    maps = pl.DataFrame({"tags_key": keys, "tags": pl.Series(tags)})
    at = rows.columns.index("tags_key") + 1
    joined = rows.join(maps, on="tags_key", how="left", maintain_order="left", nulls_equal=True)
    return joined.select(*rows.columns[:at], "tags", *rows.columns[at:])


def query(
    store: stores.Database,
    text: str,
    as_of: AsOf | None = None,
    *,
    everything: bool = False,
    timeout: float | None = None,
    limit_rows: int | None = None,
) -> pl.DataFrame:
    """Return the answer to one SELECT, as `Database.query` does.

    Deprecated and gone in the next release: the columns `dut_timestamp`, `timestamp` and `ingested_at`, in unix seconds.
    """
    from bench_db.store import sql  # noqa: PLC0415 only queries need DuckDB

    return sql.run(text, tables_of(store, as_of, everything=everything), timeout=timeout, limit_rows=limit_rows)


def tables_of(store: stores.Database, as_of: AsOf | None = None, *, everything: bool = False) -> sql.Tables:
    """Return the tables that a query sees, with the public names of their columns."""
    chosen = Selection(everything=everything)
    derived = {
        "latest": lambda: _with_tags(with_run(public(reading.latest(store, chosen, as_of=as_of)))),
        "series": lambda: _with_tags(public(store.summary(chosen, as_of=as_of))),
        "points": lambda: _with_tags(public(store.rows((*COLUMNS, "commit_order"), chosen, as_of))),
    }
    return store.sql_tables(as_of, everything=everything, named=_with_times, also=derived)
