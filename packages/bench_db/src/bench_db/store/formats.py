"""The file formats of an export, with writer and reader. The same rows give the same bytes in any layout of the table."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench_db.arrow import conform
from bench_db.errors import SchemaMismatchError, UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from bench_db.store.source import Piece
    from bench_db.store.tables import Table

_BATCH_ROWS = 4096
_GROUP_ROWS = 16_384
_BATCH_BYTES = 32 << 20
# A character takes up to four bytes, and the tool's own record is the longest text that a parsed result has.
_LONGEST_BYTES = 4 * RULES.metadata_length


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
        # A dictionary has each different text once, however often the rows repeat it: a small file can hold gigabytes of text.
        texts = _text_leaves(path)
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            known = set(file.schema_arrow.names)
            schema = _chosen(table, columns)
            present = [name for name in schema.names if name in known]
            first = sum(file.metadata.row_group(before).num_rows for before in range(group))
            for batch in file.iter_batches(_rows_at_once(file, group), row_groups=[group], columns=present):
                sizes = np.zeros(len(batch), np.int64)
                for name in present:
                    sizes += _text_bytes(path, table, name, batch.column(name), first)
                for start, end in _in_parts(sizes, len(batch)):
                    yield conform(_plain_texts(batch.slice(start, end - start), table), schema)
                first += len(batch)


def _text_leaves(path: Path) -> list[str]:
    with pq.ParquetFile(path) as file:
        leaves = (file.schema.column(number) for number in range(len(file.schema)))
        return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


def _rows_at_once(file: pq.ParquetFile, group: int) -> int:
    """Return how many rows of a group take about `_BATCH_BYTES`, most of them samples."""
    known = file.metadata.row_group(group)
    rows = _BATCH_BYTES * int(known.num_rows) // max(1, int(known.total_byte_size))
    return max(1, min(_BATCH_ROWS, rows))


def _text_bytes(path: Path, table: Table, name: str, column: pa.Array, first: int) -> npt.NDArray[np.int64]:
    """Return the bytes of the texts of a column in each row; raise `UserError` for a text that is too long.

    `first` is the number of the first row in the file.
    """
    sizes = np.zeros(len(column), np.int64)
    for part, rows in _texts(column, np.arange(len(column))):
        lengths = np.asarray(_lengths(part))
        if (lengths > _LONGEST_BYTES).any():
            at = int(np.argmax(lengths > _LONGEST_BYTES))
            raise _too_long(path, table, name, first + int(rows[at]), int(lengths[at]))
        np.add.at(sizes, rows, lengths)
    return sizes


def _lengths(texts: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(texts.type):
        known = pc.binary_length(texts.dictionary)
        return known.take(texts.indices).fill_null(0)
    return pc.binary_length(texts).fill_null(0)


def _texts(column: pa.Array, rows: npt.NDArray[np.int64]) -> Iterator[tuple[pa.Array, npt.NDArray[np.int64]]]:
    """Yield the arrays of texts in a column, and for each of their values the row that it is in."""
    if pa.types.is_struct(column.type):
        for number in range(column.type.num_fields):
            yield from _texts(column.field(number), rows)
    elif pa.types.is_map(column.type) or pa.types.is_list(column.type):
        # pyarrow 26 crashes in list_parent_indices of a map of dictionaries.
        offsets = np.asarray(column.offsets)
        inner = np.repeat(rows, np.diff(offsets))
        for values in (column.keys, column.items) if pa.types.is_map(column.type) else (column.values,):
            yield from _texts(values.slice(offsets[0], len(inner)), inner)
    elif pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        yield column, rows


def _too_long(path: Path, table: Table, name: str, row: int, size: int) -> UserError:
    return UserError(
        f"{path}: row {row + 1:,} of {table.name} has a text of {size:,} bytes in {name!r}; an import takes {_LONGEST_BYTES:,} at most, so "
        "that a small file cannot fill the memory, and nothing was imported. 'bench-db store copy' has no such limit"
    )


def _in_parts(sizes: npt.NDArray[np.int64], rows: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows with texts of about `_BATCH_BYTES` together, at least a row each."""
    start = 0
    ends = np.cumsum(sizes)
    while start < rows:
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _BATCH_BYTES, side="right")))
        yield start, end
        start = end


def _plain_texts(batch: pa.RecordBatch, table: Table) -> pa.RecordBatch:
    """Return a batch with texts in place of dictionaries of texts."""
    types = plain(table)
    return pa.RecordBatch.from_arrays(
        [batch.column(name).cast(types.field(name).type) for name in batch.schema.names], names=batch.schema.names
    )


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
        first = 0
        with path.open("rb") as file:
            for lines in _lines(file):
                rows = [_row(line, path, table, maps) for line in lines]
                try:
                    batch = pa.RecordBatch.from_pylist(rows, plain(table))
                except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                    raise _mismatch(path, table, str(error)) from error
                for name in batch.schema.names:
                    _text_bytes(path, table, name, batch.column(name), first)
                yield batch.select(_chosen(table, columns).names)
                first += len(lines)


def _lines(file: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield lines in lists of `_BATCH_ROWS`, or of fewer that have about `_BATCH_BYTES`."""
    lines: list[bytes] = []
    size = 0
    for line in file:
        lines.append(line)
        size += len(line)
        if len(lines) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


def _line(row: Mapping[str, object], table: Table) -> str:
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
