"""Mirror a store into a PostgreSQL database or Delta tables, by difference of runs, for tools that read these."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from bench_db.app.database import on_database, public
from bench_db.app.progress import SILENT
from bench_db.arrow import BASELINES, COMMITS, DEFINITIONS, FINDINGS, ROW_CHECKSUM, row_checksums, to_table
from bench_db.clock import Moment, bounds
from bench_db.errors import ConflictError, StoreUnavailableError, UserError
from bench_db.identity import hash63, tags_of_key
from bench_db.query.definitions import with_names
from bench_db.query.history import ORDER, SCOPE
from bench_db.query.selection import Selection
from bench_db.rules import RULES
from bench_db.sinks import delta, postgres
from bench_db.sinks.address import Address
from bench_db.sinks.json_text import storable, without_nul
from bench_db.sinks.sink import Column, Contents, Table
from bench_db.store.database import bucket_at
from bench_db.store.engine import locate
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.app.progress import Progress
    from bench_db.query.history import History
    from bench_db.sinks.sink import Kind, Sink
    from bench_db.store.database import Database
    from bench_db.store.tables import Table as StoredTable

SCHEMA = "bench_db"
# Part of every checksum: another number writes every row again.
_FORMAT = 2
_CHUNK_ROWS = 16_384
# How often a table is compared again because another mirror wrote to it.
_ATTEMPTS = 10
_ALL = Selection(everything=True)
_JSON = frozenset({"metadata", "context", "tags", "skipped"})
_NOT_MIRRORED = frozenset({ROW_CHECKSUM, "values_hash"})
_KINDS: Mapping[pl.DataType | type[pl.DataType], Kind] = {
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Int16: "int16",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.Float64: "float64",
    pl.List(pl.String): "texts",
    pl.List(pl.Int64): "int64s",
    pl.List(pl.Float64): "float64s",
}
_OF_TABLE = {
    "results": "One row is a result: one benchmark, metric and set of tags of one run. Names are those that definitions give.",
    "runs": "One row is a published file. Names are those that were published.",
    "commits": "One row is a commit of a device, with everything that is known of it.",
    "findings": "One row is a change of a series that a scan found, in its present state.",
    "baselines": "One row is a named baseline and the commit that it points at.",
    "definitions": "One row is a definition in force; results have it applied.",
    "exclusions": "One row is a run that is in no answer, and the reason. Its results are not mirrored.",
    "artifacts": "One row is a file stored beside the results. Its content is in the store.",
    "migrations": "One row is a migration of the store.",
    "pairs": "One row is a measurement of two commits in alternation.",
    "notifications": "One row is a claim on a change of a finding for a receiver of messages, or the outcome of a message.",
    "scans": "One row is a scan of the main history of a device: what it read, and how many series it judged.",
}
_ABOUT = {
    "run_key": "The run; to_hex(run_key) is the text that bench-db shows.",
    "series_key": "The series: results with the same key are one history.",
    "main_history": "Whether it is of the main branch and of no pull request; false for what latest, trend and series leave out.",
    "commit_order": "Sorts commits from old to new; it counts nothing.",
    "dut_name": "The device under test: the software that is measured.",
    "dut_version": "The version of the build.",
    "test_bed_name": "The machine on which it was measured.",
    "commit_time": "The time of the commit; null when unknown.",
    "run_time": "When it was measured; null when unknown.",
    "published_at": "When it was stored.",
    "units": "What the numbers count: nanoseconds, bytes, or another base unit.",
    "direction": "What is better: lower, higher, or info for neither.",
    "values": "The samples, per iteration.",
    "median": "The median of the samples; null for a failed benchmark.",
    "n": "The number of samples behind the statistics.",
    "error": "Why the benchmark failed or was skipped; null for a measurement.",
    "tags": "Names and texts that distinguish results of one benchmark.",
    "tags_key": "The tags as one text.",
    "metadata": "What the tool itself recorded of the result.",
    "context": "What the tool itself recorded of the run and its machine.",
    "effect": "The relative change: 0.08 is +8 %.",
    "state": "open, blessed, fixed or ignored.",
    "position": "The number of commits on the line of first parents that ends with the commit.",
    "ancestors": "The number of commits that the commit contains, itself included.",
    "tree": "git's id of the content of the commit; commits with the same one have the same files.",
}
_INDEXES = {
    "results": (("run_key",), ("series_key", "commit_order"), ("benchmark_name",), ("commit_time",)),
    "runs": (("run_key",), ("commit",)),
    "commits": (("commit",),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredTable:
    """What a mirror did to one table, by its keys: the runs of results and runs, the records of the others.

    `rows` is the number of rows of the store that belong into the mirror. Keys are `new`, `changed` (their rows differed), `removed`
    (the store no longer has them, or they were excluded) or `same`.
    """

    rows: int = 0
    new: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether nothing differed."""
        return not (self.new or self.changed or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What a mirror changed in a schema of a database or a directory, or with `checked` what it would change.

    `faults` are missing or altered tables, columns and views, in words; a mirror that was written has none.
    """

    target: str
    schema: str
    checked: bool
    tables: Mapping[str, MirroredTable]
    faults: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether the mirror was equal to the store before."""
        return not self.faults and all(table.is_equal for table in self.tables.values())

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {**asdict(self), "equal": self.is_equal}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One table as the mirror must have it: its contents by key, and the rows of some keys."""

    table: Table
    contents: Mapping[int, Contents]
    rows: Callable[[Collection[int]], Iterator[pa.RecordBatch]]


@on_database
def mirror(
    store: Database,
    address: str,
    *,
    schema: str = SCHEMA,
    since: Moment | None = None,
    rebuild: bool = False,
    check: bool = False,
    deadline_seconds: float = RULES.server_seconds,
    progress: Progress = SILENT,
) -> Mirrored:
    """Make a schema of a PostgreSQL database, or Delta tables, equal to a store, and return what differed; nothing is read back.

    `address` is such as `postgresql://user@host/database`; PGPASSWORD, ~/.pgpass and service files work. Only runs that differ
    are sent, in one transaction, and several mirrors at once wait for each other. With `since`, runs of earlier commits stay as they are.
    `rebuild` compares every row and restores dropped, altered and truncated tables, and takes over the mirror of another store.
    `check` compares every row and changes nothing. The address `delta:DIRECTORY` or `delta:s3://BUCKET/PREFIX` writes the Delta tables
    DIRECTORY/SCHEMA/TABLE instead, each of which changes in one commit.

    Raises `StoreUnavailableError` for a server that does not answer within `deadline_seconds`, or keeps the mirror locked for so long,
    and `ConflictError` when other mirrors write to the same Delta table all the time.
    """
    if rebuild and check:
        message = "`rebuild` writes and `check` does not: give one of them"
        raise UserError(message)
    first, _ = bounds(since, None)
    at = None if first is None else datetime.fromtimestamp(first, UTC)
    exact = check or rebuild
    with _connected(address, schema, deadline_seconds, writing=not check) as (target, sink), store.one_look():
        source = _Source(store, first)
        wanted = source.wanted()
        tables = [each.table for each in wanted]
        faults = sink.faults(tables) if exact else []
        if not check:
            sink.prepare(tables, store.uri, rebuild=rebuild)
        done = {}
        for each in wanted:
            if check:
                found = {} if sink.is_broken(each.table) else sink.have(each.table, since=at, exact=True)
                done[each.table.name] = _difference(each.contents, found)
            else:
                done[each.table.name] = _bring(sink, each, at, progress, exact=exact)
        if not check:
            now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
            about = {"source": store.uri, "bench_db_version": metadata.version("bench-db"), "mirrored_at": now}
            sink.finish([table for table in tables if not done[table.name].is_equal], about)
    return Mirrored(target=target, schema=schema, checked=check, tables=done, faults=tuple(faults))


@contextmanager
def _connected(address: str, schema: str, seconds: float, *, writing: bool) -> Iterator[tuple[str, Sink]]:
    """Yield an address without a password, and the sink there."""
    if address.startswith(delta.PREFIX):
        with _lake(address, schema, writing=writing) as tables:
            yield address, tables
        return
    target = Address(address)
    with postgres.connected(target, schema, seconds=seconds, writing=writing) as server:
        yield str(target), server


@contextmanager
def _lake(address: str, schema: str, *, writing: bool) -> Iterator[Sink]:
    """Yield the Delta tables of an address; of a bucket after it has proved that two commits at once are kept apart."""
    if not delta.bucket_of(address):
        with delta.connected(address, schema) as tables:
            yield tables
        return
    location = locate(delta.bucket_of(address))
    bucket = bucket_at(location)
    if not writing:
        bucket.has_objects(location.path)  # so that a bucket that does not answer is named as one
    elif not bucket.prove_conditional_writes():
        message = f"{location}: the endpoint ignores If-None-Match, so of two mirrors at once one would be lost; use another endpoint or a directory"
        raise StoreUnavailableError(message)
    with delta.connected(address, schema, bucket, location.path) as tables:
        yield tables


def ready_results(store: Database) -> pa.Table:
    """Return all results in the form in which they are sent."""
    results = next(each for each in _Source(store, None).wanted() if each.table.name == RESULTS_TABLE.name)
    return pa.Table.from_batches(results.rows(results.contents.keys()))


def _difference(wanted: Mapping[int, Contents], recorded: Mapping[int, Contents]) -> MirroredTable:
    found = {key: one for key, one in recorded.items() if one.rows}
    both = wanted.keys() & found.keys()
    same = sum(wanted[key] == found[key] for key in both)
    return MirroredTable(
        rows=sum(one.rows for one in wanted.values()),
        new=len(wanted.keys() - found.keys()),
        changed=len(both) - same,
        removed=len(found.keys() - wanted.keys()),
        same=same,
    )


def _bring(sink: Sink, wanted: _Wanted, since: datetime | None, progress: Progress, *, exact: bool) -> MirroredTable:
    """Send the rows of the keys that differ, remove those that the store does not have, and return what differed.

    Raises `ConflictError` when other mirrors write to the table each time.
    """
    for _ in range(_ATTEMPTS):
        found = sink.have(wanted.table, since=since, exact=exact)
        difference = _difference(wanted.contents, found)
        missing = {key: one for key, one in wanted.contents.items() if found.get(key) != one}
        gone = missing.keys() | (found.keys() - wanted.contents.keys())
        total = sum(one.rows for one in missing.values())
        rows = _counted(_ahead(wanted.rows(missing.keys())), total, wanted.table.name, progress)
        if difference.is_equal or sink.replace(wanted.table, gone, missing, rows):
            return difference
    message = f"{wanted.table.name}: another mirror wrote to it {_ATTEMPTS} times in between; nothing of it was changed, mirror again"
    raise ConflictError(message)


def _ahead(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
    """Yield batches, and make each in a thread while the one before is sent: two thirds of our work for it run beside the server's."""
    with ThreadPoolExecutor(1, thread_name_prefix="bench-db-mirror") as pool:
        following = pool.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, batches, None)
            yield batch


def _counted(batches: Iterable[pa.RecordBatch], total: int, name: str, progress: Progress) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        progress(done, total, name)


class _Source:
    """The tables of a store as a mirror shows them: without excluded runs, with definitions applied."""

    def __init__(self, store: Database, since: int | None) -> None:
        self._store = store
        self._since = since
        self._history: History = store.history()
        self._names = store.series_names()

    def wanted(self) -> list[_Wanted]:
        """Return every table, the runs and results first."""
        return [
            self._results() if table is RESULTS_TABLE else self._records(table, self._frame(table))
            for table in stored()
        ]

    # -- results -----------------------------------------------------------------------------------------------------

    def _results(self) -> _Wanted:
        empty = pl.DataFrame(RESULTS_TABLE.flat_schema.empty_table())
        contents = {key: Contents(rows, checksum) for key, rows, checksum in self._result_contents().iter_rows()}

        def rows_of(keys: Collection[int]) -> Iterator[pa.RecordBatch]:
            """Yield the rows of runs in the order of the store, some runs at a time."""
            chunk, rows = list[int](), 0
            for key in (key for key in contents if key in keys):
                chunk, rows = [*chunk, key], rows + contents[key].rows
                if rows >= _CHUNK_ROWS:
                    yield from self._batches(chunk)
                    chunk, rows = [], 0
            yield from self._batches(chunk)

        return _Wanted(table=_table(RESULTS_TABLE, self._shown(empty)), contents=contents, rows=rows_of)

    def _result_contents(self) -> pl.DataFrame:
        """Return key, number of rows and checksum of each run, in the order of the store."""
        columns = ("run_key", "series_key", ROW_CHECKSUM, "values_hash", *SCOPE, *ORDER)
        rows = self._scanned(columns).collect()
        if rows[ROW_CHECKSUM].null_count():  # rows of a release without it
            rows = self._scanned((*columns, "id")).collect()
        rows = self._of_history(rows)
        if self._names is not None:
            names = self._names.with_columns(name_digest=pl.Series(_checksums(self._names.drop("stored_key"))))
            rows = rows.join(
                names.select(pl.col("stored_key").alias("series_key"), "name_digest"),
                on="series_key",
                maintain_order="left",
            )
        summed = {"id", ROW_CHECKSUM, "values_hash", "main_history", "commit_order", "name_digest"}
        deciding = rows.select([name for name in rows.columns if name in summed]).with_columns(
            mirror_format=pl.lit(_FORMAT)
        )
        digests = pl.Series("checksum", _checksums(deciding), pl.Int64)
        return (
            rows.select("run_key")
            .with_columns(digests)
            .group_by("run_key", maintain_order=True)
            .agg(rows=pl.len(), checksum=pl.col("checksum").sum())
        )

    def _scanned(self, columns: Collection[str]) -> pl.LazyFrame:
        rows = self._store.scan(selection=_ALL)
        rows = rows if self._since is None else rows.filter(pl.col("dut_timestamp") >= self._since)
        return rows.select(*dict.fromkeys(columns))

    def _of_history(self, rows: pl.DataFrame) -> pl.DataFrame:
        counts = self._history.counts(Selection()).fill_null(value=False)
        return self._history.ordered(rows.with_columns(main_history=counts))

    def _batches(self, keys: list[int]) -> Iterator[pa.RecordBatch]:
        if keys:
            rows = self._store.scan(where={"run_key": keys}).collect()
            yield from _arrow(_as_stored(self._shown(rows))).to_batches()

    def _shown(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = self._of_history(rows)
        return _public(rows if self._names is None else with_names(rows, self._names))

    # -- other tables ------------------------------------------------------------------------------------------------

    def _frame(self, table: StoredTable) -> pl.DataFrame:
        """Return the records of a table as they are in force."""
        made: dict[str, Callable[[], pl.DataFrame]] = {
            "runs": self._runs,
            "commits": self._commits,
            "findings": lambda: _frame_of(self._store.findings(), FINDINGS),
            "baselines": lambda: _frame_of(self._store.baselines(), BASELINES),
            "definitions": lambda: _frame_of(self._store.definitions(), DEFINITIONS),
            "exclusions": lambda: _in_force(self._store.records(table)),
        }
        return _public(made.get(table.name, lambda: self._store.records(table))())

    def _runs(self) -> pl.DataFrame:
        rows = self._store.runs(selection=_ALL).collect()
        return self._of_history(rows if self._since is None else rows.filter(pl.col("dut_timestamp") >= self._since))

    def _commits(self) -> pl.DataFrame:
        """Return what is known of each commit of a device; the key is that of the commit, not of its newest record."""
        known = _frame_of(self._store.commits(), COMMITS)
        keys = [hash63(pair) for pair in known.select("dut_name", "commit").iter_rows()]
        orders = [self._history.orders.get(commit) for commit in known["commit"]]
        return known.with_columns(
            pl.Series("key", keys, pl.Int64),
            pl.Series("commit_order", orders, pl.Int64),
        )

    def _records(self, table: StoredTable, rows: pl.DataFrame) -> _Wanted:
        """Return a table that is small enough for memory."""
        described = _table(table, rows)
        ready = _arrow(_as_stored(rows))
        numbered = ready.append_column("mirror_format", pa.array([_FORMAT] * len(ready), pa.int64()))
        keys, sums = rows[table.row_key].to_list(), row_checksums(_summable(numbered)).to_pylist()
        contents = {key: Contents(1, checksum) for key, checksum in zip(keys, sums, strict=True)}

        def rows_of(chosen: Collection[int]) -> Iterator[pa.RecordBatch]:
            yield from ready.filter(pa.array([key in chosen for key in keys], pa.bool_())).to_batches()

        return _Wanted(table=described, contents=contents, rows=rows_of)


def _frame_of(records: Collection[object], schema: pa.Schema) -> pl.DataFrame:
    return pl.DataFrame(to_table(list(records), schema))


def _in_force(exclusions: pl.DataFrame) -> pl.DataFrame:
    newest = exclusions.unique("run_key", keep="last", maintain_order=True)
    return newest.filter(~pl.col("lifted"))


def _public(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with public names and times, and with their order."""
    kept = [rows["commit_order"]] if "commit_order" in rows.columns else []
    return public(rows).drop(_NOT_MIRRORED, strict=False).with_columns(kept)


def _table(table: StoredTable, rows: pl.DataFrame) -> Table:
    """Describe a table of the mirror whose rows have the columns of a frame."""
    columns = tuple(
        Column(name=name, kind=_kind(name, dtype), about=_ABOUT.get(name, "")) for name, dtype in rows.schema.items()
    )
    return Table(
        name=table.name,
        key=table.merge_key,
        columns=columns,
        about=_OF_TABLE.get(table.name, f"One row is a record of {table.name}."),
        time="commit_time" if table in (RESULTS_TABLE, RUNS_TABLE) else "",
        indexes=_INDEXES.get(table.name, ()),
    )


def _kind(name: str, dtype: pl.DataType) -> Kind:
    if name in _JSON:
        return "json"
    return "time" if isinstance(dtype, pl.Datetime) else _KINDS[dtype]


def _as_stored(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows whose texts a database takes: JSON as text, and no NUL."""
    texts = [name for name, dtype in rows.schema.items() if dtype == pl.String and name not in _JSON]
    lists = [name for name, dtype in rows.schema.items() if dtype == pl.List(pl.String)]
    clean = rows.with_columns(
        *(without_nul(pl.col(name)) for name in texts),
        *(pl.col(name).list.eval(without_nul(pl.element())) for name in lists),
    )
    if "tags" in rows.columns:  # the same few for many rows
        keys = rows["tags_key"].drop_nulls().unique()
        texts_of = [json.dumps(tags_of_key(key), ensure_ascii=False) for key in keys]
        tags = storable(pl.Series(texts_of, dtype=pl.String))
        of_rows = rows["tags_key"].replace_strict(keys, tags, default=None, return_dtype=pl.String)
        clean = clean.with_columns(of_rows.alias("tags"))
    if "skipped" in rows.columns:
        counts = rows["skipped"].to_list()
        skipped = [None if one is None else json.dumps(dict(one), ensure_ascii=False) for one in counts]
        clean = clean.with_columns(pl.Series("skipped", skipped, pl.String))
    return clean.with_columns(storable(clean[name]) for name in rows.columns if name in _JSON - {"tags"})


def _arrow(rows: pl.DataFrame) -> pa.Table:
    """Return a frame in the Arrow types that drivers and checksums know."""
    table = rows.to_arrow()
    return table.cast(pa.schema([pa.field(field.name, _plain(field.type)) for field in table.schema]))


def _plain(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_large_list(dtype) or pa.types.is_list(dtype):
        return pa.list_(_plain(dtype.value_type))
    return pa.string() if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype) else dtype


def _summable(table: pa.Table) -> pa.Table:
    """Return a table with times as integers, which checksums know."""
    types = [pa.int64() if pa.types.is_timestamp(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema([pa.field(name, dtype) for name, dtype in zip(table.schema.names, types, strict=True)]))


def _checksums(rows: pl.DataFrame) -> pa.Array:
    return row_checksums(_summable(_arrow(rows)))
