"""A mirror in Delta tables below a directory or a prefix of a bucket: DIRECTORY/SCHEMA/TABLE, each of which changes in one commit.

A row has the checksum of its key, as the store has it, and one of its own columns, by which changed rows are found. Commits of
mirrors exclude each other: each has the same application transaction, and Delta refuses one beside another of it.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl
import pyarrow as pa

from bench_db.arrow import row_checksums
from bench_db.errors import MissingExtraError, StoreUnavailableError, UserError
from bench_db.masking import redacted
from bench_db.sinks.sink import MARK, STATE, Column, Contents, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import ModuleType

PREFIX = "delta:"
CHECKSUM, ROW = "bench_db_checksum", "bench_db_row"
_TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "boolean": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "time": pa.timestamp("us", "UTC"),
    "texts": pa.list_(pa.string()),
    "int64s": pa.list_(pa.int64()),
    "float64s": pa.list_(pa.float64()),
}
_OWN = (
    Column(name=CHECKSUM, kind="int64", about="What bench_db compares to find runs that differ."),
    Column(name=ROW, kind="int64", about="What bench_db compares to find rows that were changed."),
)
_LOG = "_delta_log"
_SCHEMA = re.compile(r"[^/\\\0.][^/\\\0]{0,62}")
# What deltalake reads as another path or ends at, also in the address of a file: it takes a path for a URL.
_MISREAD = re.compile(r"%[0-9a-fA-F]{2}|[\x00-\x1f\x7f\[\\\]^|]")
# In the address of a bucket it cuts the name at ? and #, decodes %XX, resolves `..`, and panics at some others.
_MISREAD_IN_A_BUCKET = re.compile(r"[^\w .,:=+@~/-]|//|(?:^|(?<=/))\.\.?(?=/|$)")
# What colours and draws the causes of an error of deltalake.
_DECORATION = re.compile("\x1b\\[[0-9;]*m|\u21b3")


class Bucket(Protocol):
    """The bucket of a mirror, as the store reads it."""

    def storage_options(self) -> dict[str, str]:
        """Return region, endpoint and the credentials as they are now, by their names in object_store."""

    def files(self, prefix: str) -> Mapping[str, object]:
        """Return the objects under a prefix, by the rest of their names."""


def bucket_of(address: str) -> str:
    """Return the address s3://BUCKET/PREFIX of a mirror in a bucket; nothing for another."""
    root = _root(address)
    return root if root.lower().startswith("s3://") else ""


def _root(address: str) -> str:
    return address.removeprefix(PREFIX).removeprefix("//")


@contextmanager
def connected(address: str, schema: str, bucket: Bucket | None = None, prefix: str = "") -> Iterator[DeltaSink]:
    """Yield the mirror in a directory of `delta:DIRECTORY`, or below a prefix of a bucket that has conditional writes.

    Each table that is changed is committed on its own.
    """
    if not _SCHEMA.fullmatch(schema):
        message = f"`schema`: {schema!r} is no name of a directory of 1 to 63 characters without / \\ and a dot at its beginning"
        raise UserError(message)
    root = _root(address)
    lake: _Directory | _Prefix
    if bucket is not None:
        lake = _Prefix(bucket, bucket_of(address), f"{prefix}/{schema}".lstrip("/"))
    elif root and "://" not in root:
        lake = _Directory(Path(root) / schema)
    else:
        message = f"`address`: no directory or bucket is named, such as {PREFIX}./lake or {PREFIX}s3://bucket/lake"
        raise UserError(message)  # without the address, which may have a password
    try:
        import deltalake  # noqa: PLC0415 an extra, which only these mirrors need
    except ImportError as error:
        raise MissingExtraError.of(what="a mirror of Delta tables", package="deltalake", extra="delta") from error
    try:
        yield DeltaSink(deltalake, lake)
    except (OSError, deltalake.exceptions.DeltaError) as error:
        told = getattr(error, "strerror", None) or " ".join(_DECORATION.sub("", str(error)).split())
        reason = redacted(told)
        message = f"{PREFIX}{root}: cannot be read or written: {reason}; no table is changed in part, mirror again"
        raise StoreUnavailableError(message) from error


def _refuse_misread(where: str, misread: re.Pattern[str]) -> None:
    """Raise `UserError` for a directory or prefix that deltalake cannot use."""
    found = misread.search(where)
    if found is not None:
        message = f"`address`: Delta tables cannot be written to {where!r}: deltalake misreads {found[0]!r} in a path; choose another directory"
        raise UserError(message)


class _Directory:
    """The tables in directories of this machine."""

    def __init__(self, path: Path) -> None:
        # deltalake follows links before it reads the path. `resolve` raises RuntimeError at links that form a loop.
        _refuse_misread(Path(os.path.realpath(path)).as_posix(), _MISREAD)
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def of(self, name: str) -> str:
        return str(self._path / name)

    def options(self) -> dict[str, str] | None:
        return None

    def has_log(self, name: str) -> bool:
        return (self._path / name / _LOG).is_dir()

    def has_others(self, name: str) -> bool:
        """Return whether something is there that is no log, which another mirror may be creating."""
        path = self._path / name
        return path.is_file() or (path.exists() and any(one.name != _LOG for one in path.iterdir()))


class _Prefix:
    """The tables below a prefix of a bucket."""

    def __init__(self, bucket: Bucket, address: str, prefix: str) -> None:
        _refuse_misread(prefix, _MISREAD_IN_A_BUCKET)
        self._bucket, self._prefix = bucket, prefix
        self._address = f"s3://{address[len('s3://') :].partition('/')[0]}/{prefix}"

    def __str__(self) -> str:
        return self._address

    def of(self, name: str) -> str:
        return f"{self._address}/{name}"

    def options(self) -> dict[str, str] | None:
        # Whatever the environment says: with a rename, of two commits at once one is lost.
        return {**self._bucket.storage_options(), "conditional_put": "etag", "AWS_S3_ALLOW_UNSAFE_RENAME": "false"}

    def has_log(self, name: str) -> bool:
        return bool(self._bucket.files(f"{self._prefix}/{name}/{_LOG}/"))

    def has_others(self, name: str) -> bool:
        """Return whether something is there that is no log, which another mirror may be creating."""
        return any(not one.startswith(f"{_LOG}/") for one in self._bucket.files(f"{self._prefix}/{name}/"))


class DeltaSink:
    """The tables of a mirror in one directory, or below one prefix."""

    def __init__(self, deltalake: ModuleType, lake: _Directory | _Prefix) -> None:
        self._delta = deltalake
        self._lake = lake
        self._tables: dict[str, Any] = {}
        self._keys: dict[str, set[int]] = {}

    def _opened(self, table: Table) -> Any:
        """Return the newest version of a table; None without one."""
        path, options = self._lake.of(table.name), self._lake.options()
        made = self._lake.has_log(table.name) and self._delta.DeltaTable.is_deltatable(path, storage_options=options)
        return self._delta.DeltaTable(path, storage_options=options) if made else None

    # -- structure ---------------------------------------------------------------------------------------------------

    def prepare(self, tables: Sequence[Table], source: str, *, rebuild: bool) -> None:
        """Create what is missing, as `Sink.prepare` does."""
        self._refuse_strangers(tables)
        other = self.state().get("source", source)
        if other != source and not rebuild:
            message = f"{self._lake} is the mirror of {other}, not of {source}; choose another `schema`, or replace it with `rebuild`"
            raise UserError(message)
        altered = self._altered(tables)
        if altered and not rebuild:
            message = f"{self._lake}: {next(iter(altered.values()))}; nothing was changed. Restore it with `rebuild`"
            raise UserError(message)
        for table in (STATE, *tables):
            if self._opened(table) is None:
                self._create(table, mode="ignore")
            elif table.name in altered:
                self._create(table, mode="overwrite")
        self.finish((), {"source": source})

    def faults(self, tables: Sequence[Table]) -> list[str]:
        """Return what is missing or altered among the tables, in words."""
        missing = [f"{table.name} is missing" for table in (STATE, *tables) if self._opened(table) is None]
        return [*missing, *self._altered(tables).values()]

    def is_broken(self, table: Table) -> bool:
        """Return whether the table is missing or altered, so that its rows cannot be compared."""
        return self._opened(table) is None or bool(self._altered([table]))

    def _refuse_strangers(self, tables: Sequence[Table]) -> None:
        for table in (STATE, *tables):
            opened = self._opened(table)
            if opened is None:
                strange = self._lake.has_others(table.name)
            else:
                strange = not (opened.metadata().description or "").startswith(MARK)
            if strange:
                message = f"{self._lake} has {table.name!r}, which no mirror has made; choose another `schema`"
                raise UserError(message)

    def _altered(self, tables: Sequence[Table]) -> dict[str, str]:
        """Return the tables that lack a column or have one of another type, with the reason."""
        altered = {}
        for table in (STATE, *tables):
            opened = self._opened(table)
            if opened is None:
                continue
            types = {field.name: field.type for field in pa.schema(opened.schema().to_arrow())}
            for field in _schema(table):
                if not _same(types.get(field.name), field.type):
                    found = types.get(field.name, "missing")
                    altered[table.name] = f"the column {field.name} of {table.name} is {found}, not {field.type}"
        return altered

    def _create(self, table: Table, *, mode: str) -> None:
        described = {"description": MARK + table.about, "commit_properties": self._commit()}
        to = {"table_uri": self._lake.of(table.name), "storage_options": self._lake.options()}
        try:
            self._delta.DeltaTable.create(schema=_schema(table), mode=mode, **to, **described)
        except self._delta.exceptions.DeltaError:
            if mode != "ignore" or self._opened(table) is None:
                raise  # otherwise another mirror has created it

    def _commit(self) -> Any:
        """Return what makes Delta refuse a commit beside another mirror's."""
        return self._delta.CommitProperties(app_transactions=[self._delta.Transaction("bench_db mirror", 1)])

    def state(self) -> dict[str, str]:
        """Return what the mirror says of itself; nothing before it is made."""
        opened = self._opened(STATE)
        return {} if opened is None else {row["name"]: row["value"] for row in opened.to_pyarrow_table().to_pylist()}

    def finish(self, tables: Sequence[Table], values: Mapping[str, str]) -> None:  # noqa: ARG002 Delta has no indexes
        """Record what the mirror says of itself."""
        opened = self._opened(STATE)
        known = self.state()
        noted = {**known, **values}
        if noted == known:
            return
        pairs = [{"name": name, "value": value} for name, value in noted.items()]
        self._write(opened, pa.Table.from_pylist(pairs, _schema(STATE)), mode="overwrite")

    def _write(self, opened: object, rows: pa.Table, **how: object) -> bool:
        """Commit rows on top of the version that was opened; return whether no other mirror committed since."""
        try:
            self._delta.write_deltalake(opened, rows, commit_properties=self._commit(), **how)
        except self._delta.exceptions.CommitFailedError:
            return False
        return True

    # -- rows --------------------------------------------------------------------------------------------------------

    def have(self, table: Table, *, since: datetime | None = None, exact: bool = False) -> dict[int, Contents]:
        """Return the contents of each key, as `Sink.have` does."""
        opened = self._tables[table.name] = self._opened(table)
        needed = {table.key, CHECKSUM, ROW, *([table.time] if table.time else [])}
        read = _schema(table).names if exact else [name for name in _schema(table).names if name in needed]
        batches = opened.to_pyarrow_dataset().to_batches(columns=read)
        parts = [_compared(batch, table, exact=exact) for batch in batches if len(batch)]
        rows = pl.concat(parts) if parts else _compared(_schema(table).empty_table(), table, exact=False)
        whole = pl.col("same").all() & (pl.col(CHECKSUM).n_unique() == 1) & (pl.col(ROW).n_unique() == pl.len())
        newest = pl.col(table.time).max() if table.time else pl.lit(None, pl.Datetime("us", "UTC"))
        keys = rows.group_by(table.key).agg(
            pl.len().alias("rows"),
            pl.when(whole).then(pl.col(CHECKSUM).first()).first().alias("checksum"),
            newest.alias("newest"),
        )
        self._keys[table.name] = set(keys[table.key])
        if since is not None and table.time:
            keys = keys.filter(pl.col("newest") >= since)
        return {key: Contents(n, checksum) for key, n, checksum in keys.drop("newest").iter_rows()}

    def replace(
        self, table: Table, gone: Collection[int], contents: Mapping[int, Contents], rows: Iterable[pa.RecordBatch]
    ) -> bool:
        """Remove and add the rows of keys, as `Sink.replace` does: in one commit, after `have`."""
        opened, known = self._tables[table.name], self._keys[table.name]
        present = known & set(gone)
        if not present and not contents:
            return True
        # Not a reader: deltalake would call it in a thread of its own runtime, where Lance cannot read and errors lose their types.
        added = pa.Table.from_batches([_stored(batch, table, contents) for batch in rows], _schema(table))
        if not present:
            return self._write(opened, added, mode="append")
        if present == known:
            return self._write(opened, added, mode="overwrite")
        touched = ", ".join(map(str, sorted(present | contents.keys())))
        return self._write(opened, added, mode="overwrite", predicate=f"{table.key} IN ({touched})")


def _schema(table: Table) -> pa.Schema:
    own = () if table is STATE else _OWN
    return pa.schema(
        pa.field(column.name, _TYPES[column.kind], metadata={"comment": column.about} if column.about else None)
        for column in (*table.columns, *own)
    )


def _same(found: pa.DataType | None, wanted: pa.DataType) -> bool:
    """Return whether a type of a column is the wanted one, whatever the elements of a list are called."""
    if found is not None and pa.types.is_list(found) and pa.types.is_list(wanted):
        return bool(found.value_type == wanted.value_type)
    return bool(found == wanted)


def _stored(batch: pa.RecordBatch, table: Table, contents: Mapping[int, Contents]) -> pa.RecordBatch:
    """Return a batch in the types of the table, with both checksums of each row."""
    schema = _schema(table)
    plain = pa.schema([schema.field(column.name) for column in table.columns])
    ready = pa.Table.from_batches([batch]).select(plain.names).cast(plain)
    of_keys = pa.array([contents[key].checksum for key in ready[table.key].to_pylist()], pa.int64())
    whole = ready.append_column(CHECKSUM, of_keys).append_column(ROW, _sums(ready))
    [one] = whole.cast(schema).combine_chunks().to_batches()
    return one


def _compared(batch: pa.RecordBatch | pa.Table, table: Table, *, exact: bool) -> pl.DataFrame:
    """Return the key, time and checksums of rows, and whether each is as it was written, which only `exact` computes."""
    read = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
    kept = [table.key, *([table.time] if table.time else []), CHECKSUM, ROW]
    rows = pl.DataFrame(read.select(list(dict.fromkeys(kept))))
    if not exact:
        return rows.with_columns(same=pl.lit(value=True))
    plain = pa.schema([field for field in _schema(table) if field.name not in (CHECKSUM, ROW)])
    sums = pl.Series("sums", _sums(read.select(plain.names).cast(plain)))
    return rows.with_columns(same=(pl.col(ROW) == sums).fill_null(value=False))


def _sums(rows: pa.Table) -> pa.Array:
    """Return a checksum of each row; times are summed as integers."""
    types = [pa.int64() if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    return row_checksums(rows.cast(pa.schema(list(zip(rows.schema.names, types, strict=True)))))
