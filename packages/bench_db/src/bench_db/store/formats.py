"""The file formats of an export, with writer and reader. The same rows give the same bytes in any layout of the table."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from bench_db.arrow import conform
from bench_db.errors import SchemaMismatchError, UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bench_db.store.source import Piece
    from bench_db.store.tables import Table

_BATCH_ROWS = 4096
_GROUP_ROWS = 16_384


class Format(Protocol):
    """A writer and a reader of the file of a table."""

    def write(self, path: Path, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Write all rows and return their number."""

    def pieces(self, path: Path, table: Table) -> Iterator[Piece]:
        """Yield the parts of a file; raise `SchemaMismatchError` if its columns are not those of the table."""


def plain(table: Table) -> pa.Schema:
    """Return the columns of a table without the metadata of Lance."""
    return pa.schema([column.remove_metadata() for column in table.schema])


def _mismatch(path: Path, table: Table, what: str) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"{path}: its columns are not those of {table.name} ({what}); export it with the bench-db that is to import it"
    )


class Parquet:
    """Apache Parquet with row groups of equal size."""

    def write(self, path: Path, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Write all rows and return their number."""
        written = 0
        with pq.ParquetWriter(path, plain(table), compression="zstd") as writer:
            for rows in _evenly(batches, plain(table)):
                writer.write_table(rows, row_group_size=_GROUP_ROWS)
                written += rows.num_rows
        return written

    def pieces(self, path: Path, table: Table) -> Iterator[Piece]:
        """Yield one piece per row group."""
        with pq.ParquetFile(path) as file:
            groups, found = file.num_row_groups, file.schema_arrow
        _refuse_other_columns(path, found, table)
        return (partial(self._group, path, table, group) for group in range(groups))

    def _group(self, path: Path, table: Table, group: int, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            known = set(file.schema_arrow.names)
            schema = _chosen(table, columns)
            present = [name for name in schema.names if name in known]
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=present):
                yield conform(batch, schema)


def _chosen(table: Table, columns: Sequence[str] | None) -> pa.Schema:
    """Return the columns of a table, or some of them."""
    schema = plain(table)
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def _refuse_other_columns(path: Path, found: pa.Schema, table: Table) -> None:
    """Raise `SchemaMismatchError` for columns that no release has written so; a younger column may be missing."""
    wanted = plain(table)
    _refuse_other_names(path, found.names, table)
    for name in found.names:
        if not found.field(name).equals(wanted.field(name)):
            raise _mismatch(path, table, f"{name!r} is {found.field(name).type}, not {wanted.field(name).type}")


def _refuse_other_names(path: Path, names: Collection[str], table: Table) -> None:
    known = table.schema.names  # Arrow builds a list at each access
    for name in known:
        if name not in names and name in table.required:
            raise _mismatch(path, table, f"{name!r} is missing")
    for name in names:
        if name not in known:
            raise _mismatch(path, table, f"{name!r} is unknown")


def _evenly(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows in tables of equal size, the last one smaller."""
    held = schema.empty_table()
    for batch in batches:
        rows = conform(pa.Table.from_batches([batch]), schema)
        held = pa.concat_tables([held, rows])
        while held.num_rows >= _GROUP_ROWS:
            yield held.slice(0, _GROUP_ROWS).combine_chunks()
            held = held.slice(_GROUP_ROWS)
    if held.num_rows:
        yield held.combine_chunks()


class JsonLines:
    """One JSON object per line, columns in order; a map is a list of pairs."""

    def write(self, path: Path, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Write all rows and return their number."""
        written = 0
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for batch in batches:
                for row in batch.select(table.schema.names).to_pylist():
                    file.write(_line(row, table))
                    written += 1
        return written

    def pieces(self, path: Path, table: Table) -> Iterator[Piece]:
        """Yield the complete file as one piece."""
        yield partial(self._batches, path, table)

    def _batches(self, path: Path, table: Table, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        maps = [column.name for column in table.schema if pa.types.is_map(column.type)]
        with path.open("rb") as file:
            while lines := list(islice(file, _BATCH_ROWS)):
                rows = [_row(line, path, table, maps) for line in lines]
                try:
                    batch = pa.RecordBatch.from_pylist(rows, plain(table))
                except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                    raise _mismatch(path, table, str(error)) from error
                yield batch.select(_chosen(table, columns).names)


def _line(row: Mapping[str, Any], table: Table) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    except ValueError as error:
        message = f"{table.name} holds a number that JSON cannot, such as NaN; export to Parquet instead"
        raise UserError(message) from error


def _row(line: bytes, path: Path, table: Table, maps: Iterable[str]) -> dict[str, Any]:
    """Return the values of a line by column; the columns of `maps` are lists of pairs in the file."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise _mismatch(path, table, str(error)) from error
    if not isinstance(row, dict):
        raise _mismatch(path, table, "another line")
    _refuse_other_names(path, row, table)
    return row | {name: [tuple(pair) for pair in row[name]] for name in maps if row.get(name) is not None}


FORMATS: dict[str, Format] = {"parquet": Parquet(), "jsonl": JsonLines()}
