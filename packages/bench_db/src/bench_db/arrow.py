"""Arrow schemas derived from the records, and a lossless conversion of records to Arrow tables and back."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from bench_db.model import (
    AppliedMigration,
    Artifact,
    Baseline,
    Definition,
    Exclusion,
    Finding,
    Notification,
    PairRecord,
    RecordedCommit,
    Result,
    Run,
    Samples,
    ScanRecord,
    Storage,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")
Read = TypeVar("Read")
Built = TypeVar("Built")

# Field metadata that names, to Lance, the column a merge keeps unique.
PRIMARY_KEY = {b"lance-schema:unenforced-primary-key": b"true"}

# The column with the checksum of a row. It is null in a row of a release that did not write it.
ROW_CHECKSUM = "row_checksum"
# The last bits of a checksum are the number of its scheme.
_SCHEME, _SCHEME_BITS = np.uint64(1), np.uint64(7)
# `values` has a checksum of its own, `values_hash`, which is part of that of the row.
_UNSUMMED = frozenset({ROW_CHECKSUM, "values"})
# From so many rows on, finding the different texts first is faster than hashing each.
_MANY = 1024

# A null in a column of these reads as a collection without members.
_COLLECTIONS = frozenset({Mapping, tuple})

_Hashes = npt.NDArray[np.uint64]
_PLAIN: dict[object, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    Samples: pa.list_(pa.float64()),
}


def schema_of(record: type, primary_key: str = "") -> pa.Schema:
    """Return the Arrow schema of a record: one column per field, in field order.

    `primary_key` names the column that merges keep unique.
    """
    columns = _columns(record)
    return pa.schema([c.with_metadata(PRIMARY_KEY) if c.name == primary_key else c for c in columns])


def _columns(record: type[DataclassInstance]) -> list[pa.Field]:
    return [_field(name, hint) for name, hint in _hints(record, include_extras=True).items()]


@cache  # to evaluate the annotations takes 1 ms, twice in each publish
def _hints(record: type[DataclassInstance], *, include_extras: bool = False) -> dict[str, Any]:
    hints = get_type_hints(record, include_extras=include_extras)
    return {f.name: hints[f.name] for f in fields(record)}


def _field(name: str, hint: object) -> pa.Field:
    if _is_optional(hint):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if get_origin(hint) is Annotated:
        storage = next(extra for extra in get_args(hint) if isinstance(extra, Storage))
        return pa.field(name, pa.type_for_alias(storage.arrow), nullable=storage.nullable)
    return pa.field(name, _type(hint))


def _is_optional(hint: object) -> bool:
    return get_origin(hint) in {Union, types.UnionType}


def _type(hint: object) -> pa.DataType:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Mapping:
        return pa.map_(_type(args[0]), _type(args[1]))
    if origin is tuple:
        return pa.list_(_type(args[0]))
    if isinstance(hint, type) and is_dataclass(hint):
        return pa.struct(_columns(hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return pa.string()
    return _PLAIN[hint]


RESULTS = schema_of(Result, primary_key="run_key")
RUNS = schema_of(Run, primary_key="run_key")
BASELINES = schema_of(Baseline, primary_key="key")
FINDINGS = schema_of(Finding, primary_key="key")
ARTIFACTS = schema_of(Artifact, primary_key="key")
MIGRATIONS = schema_of(AppliedMigration, primary_key="key")
COMMITS = schema_of(RecordedCommit, primary_key="key")
DEFINITIONS = schema_of(Definition, primary_key="key")
EXCLUSIONS = schema_of(Exclusion, primary_key="key")
PAIRS = schema_of(PairRecord, primary_key="key")
NOTIFICATIONS = schema_of(Notification, primary_key="key")
SCANS = schema_of(ScanRecord, primary_key="key")


def to_table(records: Sequence[object], schema: pa.Schema) -> pa.Table:
    """Return a table of `schema` with one row per record; an empty sequence gives an empty table."""
    columns = [_column(records, column) for column in schema if column.name != ROW_CHECKSUM]
    if ROW_CHECKSUM in schema.names:
        at = schema.get_field_index(ROW_CHECKSUM)
        columns.insert(at, row_checksums(pa.table(columns, schema=schema.remove(at))))
    return pa.table(columns, schema=schema)


def _column(records: Sequence[object], column: pa.Field) -> pa.Array:
    values = list(map(attrgetter(column.name), records))
    if column.name == "values":
        return samples_column(values)
    # In most columns of a run each row has the same object, which is converted once.
    first = values[0] if values else None
    if len(values) > 1 and all([value is first for value in values]):  # noqa: C419 half the time of a generator
        return _array([first], column.type).take(pa.array(np.zeros(len(values), np.int8)))
    return _array(values, column.type)


def _array(values: Sequence[Any], dtype: pa.DataType) -> pa.Array:
    if pa.types.is_struct(dtype):
        return _struct(values, dtype)
    if pa.types.is_map(dtype):
        return pa.array([sorted(value.items()) for value in values], dtype)
    return pa.array(values, dtype)


def _struct(values: Sequence[object], dtype: pa.StructType) -> pa.StructArray:
    blank = [value is None for value in values]
    names = [leaf.name for leaf in dtype]
    if any(blank) or not values or len(names) == 1:
        columns: Iterable[Sequence[Any]] = [[None if v is None else getattr(v, name) for v in values] for name in names]
    else:
        columns = zip(*map(attrgetter(*names), values), strict=True)
    leaves = [pa.array(column, leaf.type) for column, leaf in zip(columns, dtype, strict=True)]
    return pa.StructArray.from_arrays(leaves, fields=list(dtype), mask=pa.array(blank, pa.bool_()))


def samples_column(values: Sequence[Samples]) -> pa.ListArray:
    """Return samples as one `list<double>` column, copied as blocks of memory."""
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(v) for v in values], out=offsets[1:])
    flat = np.frombuffer(b"".join(memoryview(v) for v in values), np.float64) if len(values) else np.empty(0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def conform(rows: pa.Table | pa.RecordBatch, schema: pa.Schema) -> pa.Table | pa.RecordBatch:
    """Return rows with the columns of a schema, in its order; a column that they lack is null."""
    present = set(rows.schema.names)
    columns = [rows.column(c.name) if c.name in present else pa.nulls(len(rows), c.type) for c in schema]
    return type(rows).from_arrays(columns, schema=schema)


def from_table(table: pa.Table, record: type[Record]) -> list[Record]:
    """Return the records of a table, the reverse of `to_table`: same values, same nulls, same order.

    A field that an older release did not write has its default, whether the column is missing or null.
    """
    defaults = _defaults(record)
    columns = {
        name: _built(_builder(hint), _python(_filled(table[name], defaults.get(name))))
        for name, hint in _hints(record).items()
        if name in table.column_names
    }
    return [record(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def valued(record: type[Record], written: Collection[str]) -> list[str]:
    """Return the fields of a record that have a value in each row: of the columns `written` by every release, and those without a default."""
    return [
        name
        for name, hint in _hints(record).items()
        if not _is_optional(hint)
        and (name in written or not (name in _defaults(record) or get_origin(hint) in _COLLECTIONS))
    ]


@cache  # a question for the history asks for those of commits with each column
def _defaults(record: type[DataclassInstance]) -> dict[str, Any]:
    """Return the values that replace null in fields that cannot be None."""
    hints = _hints(record)
    return {f.name: f.default for f in fields(record) if f.default is not MISSING and not _is_optional(hints[f.name])}


def _filled(column: pa.ChunkedArray, default: object) -> pa.ChunkedArray:
    return column if default is None or not column.null_count else column.fill_null(default)


def _python(column: pa.ChunkedArray) -> Iterable[Any]:
    if column.type == _PLAIN[Samples]:
        return (None if not item.is_valid else item.values.to_numpy() for chunk in column.chunks for item in chunk)
    return column.to_pylist()  # type: ignore[no-any-return]


def _builder(hint: object) -> Callable[[Any], Any]:
    """Return the function that converts a Python value from Arrow to the value of a field."""
    if _is_optional(hint):
        return _optional(_builder(next(arg for arg in get_args(hint) if arg is not type(None))))
    if isinstance(hint, type) and is_dataclass(hint):
        return _record_builder(hint)
    makers: dict[object, Callable[[Any], Any]] = {
        Mapping: lambda value: dict(value or ()),
        tuple: lambda value: tuple(value or ()),
        Samples: lambda value: Samples() if value is None else _samples(value),
    }
    plain = hint if isinstance(hint, type) and issubclass(hint, StrEnum) else _unchanged
    return makers.get(get_origin(hint) or hint, plain)


def _record_builder(record: type[DataclassInstance]) -> Callable[[Any], Any]:
    inner = {name: _builder(kind) for name, kind in _hints(record).items()}
    return lambda value: record(**{name: build(value[name]) for name, build in inner.items() if name in value})


def _built(build: Callable[[Read], Built], values: Iterable[Read]) -> Iterable[Read] | Iterable[Built]:
    return values if build is _unchanged else map(build, values)


def _unchanged(value: object) -> object:
    return value


def _optional(build: Callable[[Read], Built]) -> Callable[[Read | None], Read | Built | None]:
    return build if build is _unchanged else lambda value: None if value is None else build(value)


def _samples(values: npt.NDArray[np.float64]) -> Samples:
    samples = Samples()
    samples.frombytes(np.ascontiguousarray(values).tobytes())
    return samples


def samples_of(values: npt.ArrayLike) -> Samples:
    """Return samples from any float64 buffer or sequence of numbers, copied once."""
    return _samples(np.asarray(values, np.float64))


def values_hash(values: Samples) -> int:
    """Return the checksum of the value bytes as a signed 64-bit integer; Lance itself has no checksums."""
    return int.from_bytes(xxhash.xxh3_64_digest(memoryview(values)), "big", signed=True)


def row_checksums(rows: pa.Table | pa.RecordBatch) -> pa.Array:
    """Return a checksum of each row as int64: the mixed sum of a hash of every value that is not null, seeded with its column.

    So the order of the columns, and columns that are null because the row is older than they are, change nothing. The sum is made
    column by column, because a call for each row takes longer than the rest of a publish.
    """
    named = [(name, rows.column(name)) for name in rows.schema.names if name not in _UNSUMMED]
    whole = [(name, c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c) for name, c in named]
    return pa.array(((_mixed(_hashes(whole, len(rows))) & ~_SCHEME_BITS) | _SCHEME).view(np.int64))


@cache
def _seed(path: str) -> int:
    return xxhash.xxh3_64_intdigest(path.encode())


def _mixed(numbers: _Hashes) -> _Hashes:
    """Return the numbers after the finalizer of SplitMix64, in which every bit of the input changes half of the output."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: _Hashes = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _hashes(columns: Iterable[tuple[str, pa.Array]], rows: int) -> _Hashes:
    """Return the sum of the hashes of the values of each row, where null has the hash 0."""
    numbers: list[_Hashes] = []
    seeds: list[int] = []
    holes: list[tuple[int, pa.Array]] = []
    for path, column in _leaves(columns):
        if column.null_count == rows:
            continue
        if column.null_count:
            holes.append((len(numbers), column))
        numbers.append(_bits(column, path))
        seeds.append(_seed(path))
    if not numbers:
        return np.zeros(rows, np.uint64)
    # One call for all columns: with 200 rows, the calls take longer than the work.
    mixed = _mixed(np.stack(numbers) + np.array(seeds, np.uint64)[:, None])
    for at, column in holes:
        mixed[at, np.asarray(column.is_null().to_numpy(zero_copy_only=False))] = 0
    total: _Hashes = mixed.sum(axis=0, dtype=np.uint64)
    return total


def _leaves(columns: Iterable[tuple[str, pa.Array]]) -> Iterator[tuple[str, pa.Array]]:
    """Yield the columns with the leaves of a struct instead of the struct, and whether the struct is null."""
    for path, column in columns:
        if pa.types.is_struct(column.type):
            yield from _leaves(
                (f"{path}.{field.name}", leaf) for field, leaf in zip(column.type, column.flatten(), strict=True)
            )
            yield path, pc.if_else(column.is_valid(), 0, None)
        else:
            yield path, column


def _bits(column: pa.Array, path: str) -> _Hashes:
    """Return 64 bits of each value: a number itself, the hash of a text, or that of a list; anything where it is null."""
    dtype = column.type
    if pa.types.is_map(dtype):
        return _listed(column, {f"{path}.key": column.keys, f"{path}.value": column.items})
    if pa.types.is_list(dtype):
        return _listed(column, {f"{path}[]": column.values})
    if pa.types.is_string(dtype):
        # As bytes: what damage has made of a text may be no UTF-8.
        texts = column.cast(pa.binary())
        if len(texts) >= _MANY:
            coded = texts.dictionary_encode()
            of_each = np.array([xxhash.xxh3_64_intdigest(text) for text in coded.dictionary.to_pylist()], np.uint64)
            found: _Hashes = of_each[coded.indices.fill_null(0).to_numpy()]
            return found
        known = texts.to_pylist()
        sums = {text: 0 if text is None else xxhash.xxh3_64_intdigest(text) for text in set(known)}
        if len(sums) == 1:
            return np.full(len(known), sums[known[0]], np.uint64)
        return np.fromiter(map(sums.__getitem__, known), np.uint64, len(known))
    wide = column if pa.types.is_floating(dtype) or dtype == pa.int64() else column.cast(pa.int64())
    numbers: _Hashes = (wide.fill_null(0) if wide.null_count else wide).to_numpy().view(np.uint64)
    return numbers


def _listed(column: pa.Array, inside: Mapping[str, pa.Array]) -> _Hashes:
    """Return a hash of each list from its length, its elements and their order."""
    offsets = column.offsets.to_numpy().astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    starts, lengths = offsets[:-1] - first, np.diff(offsets)
    if first == last:
        return np.zeros(len(lengths), np.uint64)
    each = _hashes([(path, child.slice(first, last - first)) for path, child in inside.items()], last - first)
    each = _mixed(each + (np.arange(last - first) - np.repeat(starts, lengths)).astype(np.uint64))
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(each, dtype=np.uint64)])
    sums: _Hashes = running[starts + lengths] - running[starts] + lengths.astype(np.uint64)
    return sums
