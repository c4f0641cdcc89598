"""Sources of a copy: the tables of another store at a fixed version, or anything that yields rows in the same way."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from bench_db.arrow import from_table
from bench_db.derive import is_as_derived, time_fault
from bench_db.errors import CorruptStoreError, SchemaMismatchError, UserError
from bench_db.model import Result
from bench_db.store import content, ledger, named, salvage
from bench_db.store.filters import Between, condition
from bench_db.store.tables import ARTIFACTS_TABLE, RESULTS_TABLE, RUNS_TABLE, Table, stored
from bench_db.store.verify import changed_rows
from bench_db.store.versions import AsOf, until, version_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from bench_db.store.engine import Engine, Fragment, Snapshot

    # Part of a table: its rows in order, with all or the named columns.
    Piece = Callable[[Sequence[str] | None], Iterator[pa.RecordBatch]]

_BATCH_ROWS = 4096
# With more rows in one merge, the threads of Lance change the order.
_GROUP_ROWS = 8192
_GROUP_BYTES = 64 << 20
_PINS = 5
# The measured content of a row. Time and author of a publish may differ between stores with the same contents.
_MEASURED = {
    RESULTS_TABLE.name: ("id", "values_hash", "n", "summary", "lower", "upper", "direction", "error"),
    RUNS_TABLE.name: ("sha256",),
}


class Source(Protocol):
    """Tables in pieces, and the files of artifacts."""

    @property
    def name(self) -> str:
        """The address."""

    def has(self, table: Table) -> bool:
        """Return whether the table exists; it may be empty."""

    def pieces(self, table: Table) -> Iterable[Piece]:
        """Yield the parts of a table in order; none for a missing table."""

    def file(self, sha256: str) -> Iterator[bytes]:
        """Yield the content of an artifact, verified; raise `CorruptStoreError` if it is missing."""


class StoreSource:
    """The tables of a store, all at one point in time; or only some runs and their artifacts.

    Raises `UserError` for a missing run.
    """

    def __init__(self, engine: Engine, as_of: AsOf | None = None, runs: Collection[int | str] = ()) -> None:
        self._engine = engine
        self._only = condition("run_key", _keys(engine, runs)) if runs else None
        end = None if as_of is None else until(engine, as_of)
        self._until = None if end is None else int(end.timestamp())
        self._tables = {table.name: self._open(table, None) for table in self._existing()}
        for _ in range(_PINS):
            # The results first, because the record of a run is written before its rows.
            self._tables |= {table.name: self._open(table, as_of) for table in (RESULTS_TABLE, RUNS_TABLE)}
            if self._open(RESULTS_TABLE, as_of).version == self._tables[RESULTS_TABLE.name].version:
                break  # or a run may be replaced in between, with its rows pinned and its record deleted

    def _existing(self) -> list[Table]:
        tables = [table for table in ledger.existing(self._engine) if not table.derived]
        for table in (table for table in stored() if table not in tables and table.name in self._engine.present()):
            if salvage.has_lost_all(self._engine, table):
                message = (
                    f"{self.name}: {table.name} has lost every version; restore it from a copy, or do without it: "
                    "'bench-db store verify --repair'"
                )
                raise CorruptStoreError(message)
        return tables

    def _version(self, table: Table, as_of: AsOf | None) -> int | str | None:
        """Return the version to read; None for the newest."""
        return None if as_of is None else version_at(self._engine, table, as_of)

    def _open(self, table: Table, as_of: AsOf | None) -> Snapshot:
        snapshot = self._engine.open(table, self._version(table, as_of))
        if snapshot.newer:
            message = (
                f"{self.name}: a newer bench_db has written this store ({snapshot.newer}), which a copy by this one would lose; "
                "upgrade bench_db"
            )
            raise SchemaMismatchError(message)
        return snapshot

    @property
    def name(self) -> str:
        """The address of the store."""
        return str(self._engine.location)

    def has(self, table: Table) -> bool:
        """Return whether the store has the table."""
        return table.name in self._tables

    def pieces(self, table: Table) -> Iterator[Piece]:
        """Yield the fragments of a table."""
        snapshot = self._tables.get(table.name)
        if snapshot is None or not self._selects(table):
            return
        for fragment in snapshot.fragments():
            yield partial(self._fragment, snapshot, fragment)

    def _selects(self, table: Table) -> bool:
        """Return whether rows of the table are copied, where only some runs are."""
        return not self._only or "run_key" in table.schema.names or table.shared

    def _fragment(
        self, snapshot: Snapshot, fragment: Fragment, columns: Sequence[str] | None
    ) -> Iterator[pa.RecordBatch]:
        return snapshot.row_batches(
            columns,
            self._filter(snapshot.table),
            fragment=fragment,
            batch_size=_BATCH_ROWS,
            batch_readahead=2,
            io_buffer_size=_GROUP_BYTES,
        )

    def _filter(self, table: Table) -> str | None:
        """Return the filter for the selected runs, and for a table that is read by time the one for earlier records."""
        until_then = self._until is not None and table.recorded
        only = self._only if "run_key" in table.schema.names else None
        texts = [only, condition(table.recorded, Between(high=self._until)) if until_then else None]
        return " AND ".join(f"({text})" for text in texts if text) or None

    def file(self, sha256: str) -> Iterator[bytes]:
        """Yield the content of an artifact, verified."""
        return content.read(self._engine, sha256)


def _keys(engine: Engine, runs: Collection[int | str]) -> list[int]:
    found = {run: named.runs(engine, run) for run in runs}
    absent = [run for run, keys in found.items() if not keys]
    if absent:
        message = f"no run is called {absent[0]!r} in {engine.location}"
        raise UserError(message)
    return sorted({key for keys in found.values() for key in keys})


def contents(source: Source, table: Table) -> pl.DataFrame:
    """Return the contents of a source: `key`, `rows`, and `print`, which is equal in two sources if the rows of a key are."""
    measured = _MEASURED.get(table.name, (table.row_key,))
    columns = tuple({table.merge_key: None, **dict.fromkeys(measured)})
    parts = [
        pl.DataFrame(batch)
        .select(key=table.merge_key, print=pl.struct(measured).hash())
        .group_by("key", maintain_order=True)
        .agg(rows=pl.len(), print=pl.col("print").bitwise_xor())
        for piece in source.pieces(table)
        for batch in piece(columns)
    ]
    schema = {"key": pl.Int64, "rows": pl.UInt32, "print": pl.UInt64}
    every = pl.concat([pl.DataFrame(schema=schema), *parts])
    return every.group_by("key", maintain_order=True).agg(pl.col("rows").sum(), pl.col("print").bitwise_xor())


def refuse_strays(source: Source, runs: pl.DataFrame, results: pl.DataFrame) -> None:
    """Raise `CorruptStoreError` for results from `contents` that belong to no run and so have no provenance."""
    strays = results.join(runs, on="key", how="anti")
    if len(strays):
        message = f"{source.name}: {len(strays)} runs have rows and no record of their own; see 'bench-db store verify'"
        raise CorruptStoreError(message)


def refuse_incomplete(source: Source, results: pl.DataFrame) -> None:
    """Raise `CorruptStoreError` for a run from `contents` with more or fewer rows than its record says, and for an id of two rows.

    A run without rows passes: its publish has not ended, and publishing it again completes it.
    """
    rows = dict(zip(results["key"], results["rows"], strict=True))
    for batch in (batch for piece in source.pieces(RUNS_TABLE) for batch in piece(("run_key", "results"))):
        for key, expected in zip(batch["run_key"].to_pylist(), batch["results"].to_pylist(), strict=True):
            if key in rows and rows[key] != expected:
                message = (
                    f"{source.name}: the run {key:016x} has {rows[key]} rows and was published with {expected}; nothing was written. "
                    "Publish its file again there, and see 'bench-db store verify'"
                )
                raise CorruptStoreError(message)
    hashes = [pl.Series(batch["id"]).hash() for piece in source.pieces(RESULTS_TABLE) for batch in piece(("id",))]
    if hashes and (every := pl.concat(hashes)).n_unique() != len(every):
        message = (
            f"{source.name}: two rows of results have one id; nothing was written. See 'bench-db store verify' there"
        )
        raise CorruptStoreError(message)


def refuse_underived(source: Source) -> None:
    """Raise `CorruptStoreError` for a row with a wrong checksum, or a result whose derived fields are not those of its others.

    A checksum shows damage, and whoever changes a row can compute it anew; what is derived again cannot be made up.
    """
    for table in (table for table in stored() if source.has(table)):
        for piece in source.pieces(table):
            for batch in sound(source, table, piece):
                if table is RESULTS_TABLE:
                    _refuse_underived(source, from_table(pa.Table.from_batches([batch]), Result))


def _refuse_underived(source: Source, results: Iterable[Result]) -> None:
    for result in results:
        if not is_as_derived(result):
            message = (
                f"{source.name}: the id, the keys or the statistics of the result {result.id} do not follow from its other fields; "
                "nothing was imported. Export it again from the store, and see 'bench-db store verify' there"
            )
            raise CorruptStoreError(message)


def refuse_invalid_times(source: Source, now: float) -> None:
    """Raise `UserError` for a run or a result with a time that is not between 1970 and a year from now."""
    for table, names in ((RUNS_TABLE, ("run_time", "ingested_at")), (RESULTS_TABLE, ("run_time", "timestamp"))):
        for batch in (batch for piece in source.pieces(table) for batch in piece(("dut", *names))):
            columns = {"dut.timestamp": pc.struct_field(batch["dut"], "timestamp")}
            columns |= {name: batch[name] for name in names}
            ends = {name: pc.min_max(column).as_py().values() for name, column in columns.items()}
            for name, seconds in ((name, end) for name, both in ends.items() for end in both if end):
                if fault := time_fault(seconds, now):
                    message = (
                        f"{source.name}: {table.name}.{name} has {seconds}: {fault}; nothing was imported. Take that run out of "
                        "the store that was exported, and export it again"
                    )
                    raise UserError(message)


def sound(source: Source, table: Table, piece: Piece) -> Iterator[pa.RecordBatch]:
    """Yield the complete rows of a piece; raise `CorruptStoreError` for a row with a wrong checksum, so that damage does not spread."""
    for batch in piece(None):
        changed = changed_rows(batch, table.row_key)
        if changed:
            message = (
                f"{source.name}: row {changed[0][1]} of {table.name} does not match its checksum, so it is not copied; "
                "'bench-db store verify' finds every such row, and 'store copy --salvage' takes the others"
            )
            raise CorruptStoreError(message)
        yield batch


def groups(source: Source, table: Table, wanted: pl.DataFrame) -> Iterator[pa.Table]:
    """Yield the rows of some keys from `contents` in order, in tables small enough for a merge to preserve the order.

    All rows of a key are in one table, because a merge treats an existing key as complete.
    """
    missing = Counter(dict(zip(wanted["key"].to_list(), wanted["rows"].to_list(), strict=True)))
    begun = whole = table.schema.empty_table()
    for rows in _rows(source, table, pa.array(wanted["key"].to_list(), pa.int64())):
        present = Counter(rows[table.merge_key].to_pylist())
        missing.subtract(present)
        ended = pa.array([key for key in present if missing[key] <= 0], pa.int64())
        begun = pa.concat_tables([begun, rows])
        if not len(ended):
            continue
        has_ended = pc.is_in(begun[table.merge_key], ended)
        whole = pa.concat_tables([whole, begun.filter(has_ended)])
        begun = begun.filter(pc.invert(has_ended))
        while whole.num_rows > _GROUP_ROWS or whole.nbytes > _GROUP_BYTES:
            first = pc.is_in(whole[table.merge_key], _first_keys(whole[table.merge_key].to_pylist()))
            yield whole.filter(first).combine_chunks()
            whole = whole.filter(pc.invert(first))
    if whole.num_rows:
        yield whole.combine_chunks()
    if begun.num_rows:
        message = f"{source.name}: {table.name} ended before all the rows it had; run 'bench-db store verify'"
        raise CorruptStoreError(message)


def _first_keys(keys: list[int]) -> pa.Array:
    """Return the first keys that together fit into a group, or the first alone."""
    counts = Counter(keys)
    ends = accumulate(counts.values())
    return pa.array(
        [key for number, (key, end) in enumerate(zip(counts, ends, strict=True)) if not number or end <= _GROUP_ROWS]
    )


def _rows(source: Source, table: Table, keys: pa.Array) -> Iterator[pa.Table]:
    """Yield the rows of some keys; skip parts of the table without any of them."""
    for piece in source.pieces(table):
        if any(pc.any(pc.is_in(batch[table.merge_key], keys)).as_py() for batch in piece((table.merge_key,))):
            for batch in sound(source, table, piece):
                rows = pa.Table.from_arrays(batch.select(table.schema.names).columns, schema=table.schema)
                yield rows.filter(pc.is_in(rows[table.merge_key], keys))


def artifacts_named(source: Source) -> Iterator[tuple[int, str, int]]:
    """Yield key, sha256 and size in bytes of every record of an artifact."""
    columns = ("key", "sha256", "size_bytes")
    for piece in source.pieces(ARTIFACTS_TABLE):
        for batch in piece(columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
