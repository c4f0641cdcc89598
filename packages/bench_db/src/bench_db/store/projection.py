"""The history projection, a cache of the points of every series, sorted by series, without samples.

A level is a set of fragments of the results. Its file has the points in blocks of whole series, each an Arrow record batch with
texts as codes, and after them the series with their first point, the blocks with their checksums, and the texts. Of a file, a
reader reads the ranges that it needs. `projection/levels.json` names the levels and the fragments they cover.

A reader takes the points of covered fragments that still have the same files and rows, and reads the other fragments from the
results. What the ledgers say is applied to the points as it is to results, so the projection makes reads faster and never
different. A level that is missing or does not match its checksums is ignored.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash

from bench_db.errors import CorruptStoreError
from bench_db.model import JsonObject, ProjectionInfo
from bench_db.query.series import IDENTITY, MACHINE, POINT
from bench_db.store import content, faults, salvage
from bench_db.store.filters import Between, condition
from bench_db.store.tables import RESULTS_TABLE, ROWS_PER_FRAGMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench_db.store.engine import Engine, Fragment, Snapshot

    Booleans = np.ndarray[Any, np.dtype[np.bool_]]
    _Range = tuple[int | None, int | None]
    Integers = np.ndarray[Any, np.dtype[np.int64]]

DIRECTORY = "projection"
LEVELS = f"{DIRECTORY}/levels.json"
_FORMAT = 1
_ROW_ID = "_rowid"
# Columns that all points of an entry share: a series has one entry, and more if its machine or direction has changed.
_OF_SERIES = (*IDENTITY, *MACHINE)
_OF_POINT = (_ROW_ID, *POINT, "pr_number")
COLUMNS = frozenset((*_OF_SERIES, *_OF_POINT))
_TYPES = {**{f.name: f.type for f in RESULTS_TABLE.flat_schema}, _ROW_ID: pa.uint64()}
_TEXTS = tuple(name for name in _OF_POINT if _TYPES[name] == pa.string())
# A reader checks and reads whole blocks: 0.6 MB each.
_BLOCK_ROWS = 4096
_ALIGNMENT = 64
# Rows of a file. More are split by series key, because narrow columns of the whole of them are in memory.
_FILE_ROWS = 2_000_000
# Rows that are read at once.
_READ_ROWS = 1 << 14
# Rows that are brought into the order of a file at once.
_SORTED_ROWS = 1 << 15
# On a disk a store of fewer rows has no levels: reading the results takes 10 ms more for 40,000 of them, and levels may take half as
# many bytes as the results. In a bucket each fragment costs requests.
_LEAST_ROWS = 1 << 16
# A level with more rows of fragments that have changed is made again.
_MOST_LOST = 0.1
# A level that has grown to this part of the one before is joined with it.
_JOINED_FROM = 0.25
_MOST_SETTLED = 2
# Readers may still use the files of earlier levels for so long.
_GRACE_SECONDS = 600.0
_READ_BYTES = 16 << 20
# On a disk a read costs less than memory that is used for the first time: the next read uses the same again.
_READ_BYTES_OF_DISK = 2 << 20
_ROW_BITS = 32
# The points of so few series are slices of blocks, and those of more are filtered.
_FEW = 50
# Of so many points, conditions on texts are decided for each text instead of each point.
_MANY = 100_000
_LOG = logging.getLogger(__name__)
# The files that an engine has open, by name. A file never changes.
_OPEN: WeakKeyDictionary[Engine, dict[str, _File]] = WeakKeyDictionary()


class _Part(NamedTuple):
    """A file of a level: its name, bytes and rows, its range of series keys, and where its sections begin and end."""

    file: str
    bytes: int
    rows: int
    low: int | None
    high: int | None
    sections: Mapping[str, Sequence[int]]
    checksum: str


class _Level(NamedTuple):
    """A level: what it covers, as a text for each fragment id (see `Fragment.signature`), and its files."""

    cover: Mapping[int, str]
    parts: Sequence[_Part]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A level as a reader uses it: the fragments that it answers for, and whether others of its points are out of date."""

    level: _Level
    fragments: frozenset[int]
    all_valid: bool


class Projection:
    """The levels that answer for a version of the results, and the fragments that are read from the results beside them."""

    def __init__(self, engine: Engine, results: Snapshot) -> None:
        self._engine = engine
        self._results = results
        present = _signatures(results)
        self._entries = _entries(_levels(engine), present)
        covered = {number for entry in self._entries for number in entry.fragments}
        self.rest = [fragment for number, (_, fragment) in present.items() if number not in covered]

    def __bool__(self) -> bool:
        return bool(self._entries)

    def read(self, columns: Sequence[str], of_series: pl.Expr, terms: Sequence[pl.Expr] = ()) -> pl.DataFrame:
        """Return columns of the points that meet all `terms`, of the series that a condition on columns of series keeps, in no order.

        The fragments of a level that cannot be read become part of `rest`.
        """
        names = list(dict.fromkeys(columns))
        frames = []
        for entry in list(self._entries):
            try:
                frames += [_rows_of(self._engine, entry, part, names, of_series, terms) for part in entry.level.parts]
            except faults.damage_errors() as error:
                faults.require_damage(error)
                _LOG.info("a level of the projection is ignored until it is made again: %s", error)
                self._entries.remove(entry)
                _OPEN.pop(self._engine, None)
                self.rest += [f for f in self._results.fragments() if f.number in entry.fragments]
                return self.read(names, of_series, terms)
        _LOG.debug("projection: %d levels answer, %d fragments are read beside", len(self._entries), len(self.rest))
        return pl.concat(frames) if frames else _empty(names)


def _rows_of(  # noqa: PLR0913, PLR0917 called here alone
    engine: Engine,
    entry: _Entry,
    part: _Part,
    columns: Sequence[str],
    of_series: pl.Expr,
    terms: Sequence[pl.Expr] = (),
) -> pl.DataFrame:
    file = _opened(engine, part)
    if entry.all_valid:
        return file.rows(columns, of_series, terms)
    of_fragment = (pl.col(_ROW_ID) // (1 << _ROW_BITS)).cast(pl.Int64)
    return file.rows(columns, of_series, [*terms, of_fragment.is_in(sorted(entry.fragments))])


class _File:
    """An open file of a level. Its list of series is checked when it is opened, and a block whenever it is read."""

    def __init__(self, engine: Engine, part: _Part) -> None:
        self._content = content.Ranges(engine, f"{DIRECTORY}/{part.file}", part.bytes)
        self._part = part
        self._read_bytes = _READ_BYTES if engine.bucket else _READ_BYTES_OF_DISK
        self._tail_start = part.sections["series"][0]
        self._tail = self._content.read(self._tail_start, part.bytes)
        if xxhash.xxh3_128_hexdigest(self._tail) != part.checksum:
            raise _damaged(part, "its list of series")
        self._series = self._table("series")
        self.series = pl.DataFrame(self._series)
        self._counts = self._series["points"].to_numpy()
        self._blocks = self._table("blocks").to_pydict()
        self._last = np.cumsum(self._blocks["series"])
        self._schema = pa.ipc.read_schema(self._section("schema"))
        self._texts = {name: self._table(name)["text"] for name in _TEXTS if name in part.sections}

    def _section(self, name: str) -> pa.Buffer:
        start, end = self._part.sections[name]
        return self._tail.slice(start - self._tail_start, end - start)

    def _table(self, name: str) -> pa.Table:
        return pa.ipc.open_stream(self._section(name)).read_all()

    def rows(self, columns: Sequence[str], of_series: pl.Expr, terms: Sequence[pl.Expr] = ()) -> pl.DataFrame:
        """Return columns of the points that meet all `terms`, of the series that a condition keeps, series after series."""
        selected = self.series.select(kept=of_series.fill_null(value=False))["kept"].to_numpy()
        kept = np.broadcast_to(selected, len(self.series)) if len(selected) == 1 else selected
        chosen = np.flatnonzero(kept)
        blocks = np.unique(np.searchsorted(self._last, chosen, side="right")).tolist()
        if not blocks:
            return _empty(columns)
        entries = np.concatenate(
            [np.arange(self._last[at] - self._blocks["series"][at], self._last[at]) for at in blocks]
        )
        needed = dict.fromkeys((*columns, *(name for term in terms for name in term.meta.root_names())))
        of_point = [name for name in needed if name not in _OF_SERIES]
        points = pa.Table.from_batches(
            list(self._batches(blocks, of_point)) if of_point else [],
            None if of_point else pa.schema([]),
        )
        if of_point and len(entries) != len(chosen):
            points = _of_entries(points, kept[entries], self._counts[entries])
        entry = np.repeat(chosen, self._counts[chosen])
        if len(entry) < _MANY:
            rows = self._frame(needed, points, entry)
            return (rows.filter(reduce(and_, terms)) if terms else rows).select(columns)
        met: Booleans = np.ones(1, np.bool_)
        for term in terms:
            met = met & self._met(term, points, entry)
        if not met.all():
            met = np.broadcast_to(met, len(entry))
            points, entry = points.filter(pa.array(met)) if of_point else points, entry[met]
        return self._frame(columns, points, entry)

    def _met(self, term: pl.Expr, points: pa.Table, entry: Integers) -> Booleans:
        """Return which stored points meet a condition; one value where it is the same for all.

        A condition on texts alone is decided once for each of their combinations, if these are fewer than the points.
        """
        names = list(dict.fromkeys(term.meta.root_names()))
        coded = [one for name in names if (one := self._coded(name, points, entry)) is not None]
        sizes = [len(texts) for texts, _ in coded]
        if len(coded) < len(names) or math.prod(sizes) > max(1, len(entry)):
            return _met(term, self._frame(names, points, entry))
        each = np.indices(sizes).reshape(len(sizes), -1) if sizes else ()
        met = _met(term, pl.DataFrame([texts.gather(at) for (texts, _), at in zip(coded, each, strict=True)]))
        return met[np.ravel_multi_index([codes for _, codes in coded], sizes)] if met.any() != met.all() else met[:1]

    def _coded(self, name: str, points: pa.Table, entry: Integers) -> tuple[pl.Series, Integers] | None:
        """Return the texts of a column, null last, and the place of that of each point among them; None for numbers."""
        if name in _OF_POINT and pa.types.is_null(points[name].type):
            texts, codes = pa.nulls(0, _TYPES[name]), np.broadcast_to(0, len(points))
        elif name in _TEXTS:
            texts = self._texts[name]
            codes = points[name].fill_null(len(texts)).to_numpy()
        elif _TYPES[name] == pa.string():
            encoded = self._series[name].combine_chunks().dictionary_encode()
            texts, codes = encoded.dictionary, encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()[entry]
        else:
            return None
        return pl.Series(name, texts).extend_constant(None, 1), codes

    def _frame(self, columns: Iterable[str], points: pa.Table, entry: Integers) -> pl.DataFrame:
        """Return columns of stored points; `entry` is the place of the series of each in the list of series."""
        if len(entry) >= _MANY:
            # Arrow would copy a text for each point, and all columns once more to give them to Polars
            return pl.DataFrame([self._series_of(name, points, entry) for name in columns])
        shared = [name for name in columns if name in _OF_SERIES]
        every = self._series.select(shared).take(entry) if shared else points
        found = {name: every[name] if name in shared else self._column(name, points[name]) for name in columns}
        return pl.DataFrame(pa.table(found))

    def _series_of(self, name: str, points: pa.Table, entry: Integers) -> pl.Series:
        """Return a column of many points."""
        if name in _OF_SERIES:
            return self.series[name].gather(entry)
        if pa.types.is_null(points[name].type) or name not in _TEXTS:
            return pl.Series(name, self._column(name, points[name]))
        return pl.Series(name, self._texts[name]).gather(pl.Series(points[name]))

    def _column(self, name: str, stored: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_null(stored.type):
            return pa.nulls(len(stored), _TYPES[name])
        return self._texts[name].take(stored) if name in _TEXTS else stored

    def _batches(self, blocks: Sequence[int], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns of blocks, copied: a column alone would keep the memory of all that was read with it."""
        starts, ends, sums = (self._blocks[name] for name in ("start", "end", "checksum"))
        for run in _runs(blocks, starts, ends, self._read_bytes):
            first = starts[run[0]]
            read = self._content.read(first, ends[run[-1]])
            batches = []
            for at in run:
                block = read.slice(starts[at] - first, ends[at] - starts[at])
                if _checksum(block) != sums[at]:
                    raise _damaged(self._part, f"its block {at}")
                batches.append(pa.ipc.read_record_batch(block, self._schema).select(columns))
            yield pa.concat_batches(batches)


def _met(term: pl.Expr, frame: pl.DataFrame) -> Booleans:
    """Return which rows of a frame meet a condition; one value for all where it is on no column."""
    return frame.select(met=term.fill_null(value=False))["met"].to_numpy()


def _of_entries(points: pa.Table, kept: Booleans, counts: Integers) -> pa.Table:
    """Return the points of those series of a table that are kept, in its order."""
    ends = np.cumsum(counts)
    if np.count_nonzero(kept) > _FEW:
        return points.filter(pa.array(np.repeat(kept, counts)))
    return pa.concat_tables([points.slice(ends[at] - counts[at], counts[at]) for at in np.flatnonzero(kept)])


def _runs(blocks: Sequence[int], starts: Sequence[int], ends: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield blocks that follow one another in a file together, up to `most` bytes."""
    run: list[int] = []
    for at in blocks:
        if run and (at != run[-1] + 1 or ends[at] - starts[run[0]] > most):
            yield run
            run = []
        run.append(at)
    yield run


def _checksum(block: pa.Buffer) -> int:
    return int(xxhash.xxh3_64_intdigest(block)) >> 1  # an int64 has no room for the highest bit


def _damaged(part: _Part, what: str) -> CorruptStoreError:
    return CorruptStoreError(f"{DIRECTORY}/{part.file}: {what} does not match its checksum")


def _empty(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(pa.schema([pa.field(name, _TYPES[name]) for name in columns]).empty_table())


def _opened(engine: Engine, part: _Part) -> _File:
    files = _OPEN.setdefault(engine, {})
    if part.file not in files:
        files[part.file] = _File(engine, part)
    return files[part.file]


# -- which levels answer -----------------------------------------------------------------------------------------------


def _signatures(results: Snapshot) -> dict[int, tuple[str, Fragment]]:
    """Return each fragment by its id, with its signature."""
    return {fragment.number: (fragment.signature, fragment) for fragment in results.fragments()}


def _entries(levels: Iterable[_Level], present: Mapping[int, tuple[str, Fragment]]) -> list[_Entry]:
    """Return what each level answers for; of levels that cover the same fragment, the first."""
    entries, taken = [], set[int]()
    for level in levels:
        valid = {n for n, signature in level.cover.items() if n in present and present[n][0] == signature} - taken
        if valid:
            entries.append(_Entry(level, frozenset(valid), len(valid) == len(level.cover)))
            taken |= valid
    return entries


def _levels(engine: Engine) -> list[_Level]:
    """Return the levels that the list names; none when there is no list, or it is damaged or of another release."""

    def look() -> list[_Level]:
        listed = _list(engine)
        salvage.warn_of_older(engine, listed.get("versions", "").encode())
        return _levels_of(listed)

    return engine.asked("levels of the projection", look)


def _listed(engine: Engine) -> list[_Level]:
    return _levels_of(_list(engine))


def _list(engine: Engine) -> JsonObject:
    """Return the list of levels with what is beside them; nothing when there is none, or it is damaged or of another release."""
    try:
        text = content.read_small(engine, LEVELS)
        checksum, _, body = (text or b"").partition(b"\n")
        if text is None or checksum != xxhash.xxh3_128_hexdigest(body).encode():
            _LOG.info("the projection is ignored: %s", "there is none" if text is None else "its list is damaged")
            return {}
        listed: JsonObject = json.loads(body)
    except faults.damage_errors() as error:
        faults.require_damage(error)
        _LOG.info("the projection is ignored, its list cannot be read: %s", error)
        return {}
    return listed if listed["format"] == _FORMAT else {}


def _levels_of(listed: JsonObject) -> list[_Level]:
    return [
        _Level(
            {int(number): signature for number, signature in level["cover"].items()},
            [_Part(**part) for part in level["parts"]],
        )
        for level in listed.get("levels", ())
    ]


def note_of_versions(engine: Engine) -> bytes:
    """Return what `salvage.note_of_versions` was when the list of levels was written; empty without one."""
    return str(_list(engine).get("versions", "")).encode()


# -- making levels -----------------------------------------------------------------------------------------------------


def is_small(engine: Engine, results: Snapshot) -> bool:
    """Return whether a store has so few rows, on a disk, that it has no levels: all of them are read in some milliseconds."""
    return not engine.bucket and _rows(results.fragments()) < _LEAST_ROWS


def renew(engine: Engine, *, checked: bool = False) -> None:
    """Make levels for the fragments that none covers, and join small ones; on a disk a store of few rows has a list without levels.

    A level that has lost files or rows is made again; with `checked` also one that does not match its checksums. Concurrent
    maintainers write the same or other files, and the list of the last one counts.
    """
    results = engine.open(RESULTS_TABLE)
    present = {} if is_small(engine, results) else _signatures(results)
    listed = _listed(engine)
    kept = [entry for entry in _entries(listed, present) if _is_kept(engine, entry, present, checked=checked)]
    kept.sort(key=lambda entry: -entry.level.rows)
    covered = {number for entry in kept for number in entry.fragments}
    missing = [fragment for number, (_, fragment) in present.items() if number not in covered]
    settled = [fragment for fragment in missing if _is_settled(fragment)]
    small = [fragment for fragment in missing if not _is_settled(fragment)]
    while settled and kept and (len(kept) >= _MOST_SETTLED or _rows(settled) >= kept[-1].level.rows * _JOINED_FROM):
        settled += [present[number][1] for number in sorted(kept.pop().fragments)]
    made = [_written(engine, results, group) for group in (settled, small) if _rows(group)]
    levels = [*(entry.level for entry in kept), *made]
    if levels != listed or not levels:  # the versions beside an empty list change all the same
        _write_list(engine, levels)
    _OPEN.pop(engine, None)
    engine.look_again()


def listed_bytes(engine: Engine) -> int:
    """Return the bytes of the files that the list of levels names."""
    return sum(part.bytes for level in _listed(engine) for part in level.parts)


def clean(engine: Engine) -> None:
    """Remove the files of earlier levels, which readers may still use for a while, and those of unfinished writes."""
    names = {f"{DIRECTORY}/{part.file}" for level in _listed(engine) for part in level.parts}
    content.remove_old(engine, DIRECTORY, {LEVELS, *names}, _GRACE_SECONDS)


def discard(engine: Engine) -> None:
    """Remove the list of levels, so that the next maintenance makes all of them again."""
    content.remove(engine, LEVELS)
    engine.look_again()


def _is_settled(fragment: Fragment) -> bool:
    """Return whether compactions leave a fragment as it is."""
    return fragment.physical_rows >= ROWS_PER_FRAGMENT


def _rows(fragments: Iterable[Fragment]) -> int:
    return sum(fragment.rows for fragment in fragments)


def _is_kept(engine: Engine, entry: _Entry, present: Mapping[int, tuple[str, Fragment]], *, checked: bool) -> bool:
    """Return whether a level stays: compactions leave its fragments, few of its points are lost, and it has its files."""
    fragments = [present[number][1] for number in entry.fragments]
    if not all(map(_is_settled, fragments)) or _rows(fragments) < entry.level.rows * (1 - _MOST_LOST):
        return False
    parts = entry.level.parts
    there = all(content.size_of(engine, f"{DIRECTORY}/{part.file}") == part.bytes for part in parts)
    return there and not (checked and any(_fault_of_bytes(engine, part) for part in parts))


def _fault_of_bytes(engine: Engine, part: _Part) -> str:
    """Return what is wrong with the bytes of a file; an empty text when nothing is."""
    try:
        _File(engine, part).rows([_ROW_ID], pl.lit(value=True))
    except faults.damage_errors() as error:
        faults.require_damage(error)
        return str(error)
    return ""


def _written(engine: Engine, results: Snapshot, fragments: list[Fragment]) -> _Level:
    """Write the files of a level that covers some fragments."""
    cover = {fragment.number: fragment.signature for fragment in fragments}
    parts = [_written_part(engine, results, fragments, between) for between in _ranges(results, fragments)]
    return _Level(cover, parts)


def _ranges(results: Snapshot, fragments: list[Fragment]) -> list[_Range]:
    """Return ranges of series keys with about `_FILE_ROWS` rows each; None leaves a side open."""
    count = -(-_rows(fragments) // _FILE_ROWS)
    if count == 1:
        return [(None, None)]
    keys = np.sort(results.read(("series_key",), fragments=fragments)["series_key"].to_numpy())
    lows: list[int] = np.unique(keys[:: -(-len(keys) // count)]).tolist()
    highs = [low - 1 for low in lows[1:]]
    return list(zip((None, *lows[1:]), (*highs, None), strict=True))


def _within(low: int | None, high: int | None) -> str | None:
    """Return the filter of a range of series keys; None for all of them."""
    return None if low is None and high is None else condition("series_key", Between(low=low, high=high))


def _written_part(engine: Engine, results: Snapshot, fragments: list[Fragment], between: _Range) -> _Part:
    """Write the file of a range of series; its name is a hash of what it covers."""
    rows = _read(results, fragments, between)
    layout = f"{_FORMAT} {_BLOCK_ROWS} {_SORTED_ROWS}"
    covers = "\n".join((layout, str(between), *(fragment.signature for fragment in fragments)))
    name = f"{xxhash.xxh3_128_hexdigest(covers.encode())}.points"
    tail = _Tail()
    texts = {name: rows[name].chunk(0).dictionary for name in _TEXTS if rows[name].null_count < len(rows)}
    content.write(engine, f"{DIRECTORY}/{name}", tail.chunks(_arranged(rows), texts))
    return _Part(name, tail.bytes, len(rows), *between, tail.sections, tail.checksum)


class _Tail:
    """What the list of levels says of a file, known once it is written."""

    def __init__(self) -> None:
        self.bytes = 0
        self.sections: dict[str, tuple[int, int]] = {}
        self.checksum = ""

    def chunks(
        self, arranged: Iterable[tuple[pl.DataFrame, pa.RecordBatch]], texts: Mapping[str, pa.Array]
    ) -> Iterator[bytes]:
        """Yield a file in chunks of about `_READ_BYTES`, from its series with their points."""
        blocks: list[dict[str, int]] = []
        every: list[pl.DataFrame] = []
        schema = pa.schema([])
        chunk = bytearray()
        for series, points in arranged:
            every.append(series)
            schema = points.schema
            for entries, first, rows in _blocks(series["points"].to_list()):
                block = points.slice(first, rows).serialize()
                start, checksum = self.bytes + len(chunk), _checksum(block)
                blocks.append({"series": entries, "start": start, "end": start + block.size, "checksum": checksum})
                chunk += memoryview(block)
                chunk += bytes(-len(chunk) % _ALIGNMENT)
                if len(chunk) >= _READ_BYTES:
                    self.bytes += len(chunk)
                    yield bytes(chunk)
                    chunk.clear()
        tail = bytearray()
        for name, section in _sections(pl.concat(every), blocks, schema, texts):
            start = self.bytes + len(chunk) + len(tail)
            self.sections[name] = (start, start + section.size)
            tail += memoryview(section)
            tail += bytes(-len(tail) % _ALIGNMENT)
        self.checksum = xxhash.xxh3_128_hexdigest(tail)
        chunk += tail
        self.bytes += len(chunk)
        yield bytes(chunk)


def _sections(
    series: pl.DataFrame, blocks: list[dict[str, int]], schema: pa.Schema, texts: Mapping[str, pa.Array]
) -> Iterator[tuple[str, pa.Buffer]]:
    yield "series", _stream(series.to_arrow())
    yield "blocks", _stream(pa.Table.from_pylist(blocks))
    yield "schema", schema.serialize()
    for name, text in texts.items():
        yield name, _stream(pa.table({"text": text}))


def _stream(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue()


def _blocks(counts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield the number of series, the first point and the number of points of each block."""
    entries = first = rows = 0
    for at, count in enumerate(counts, 1):
        entries, rows = entries + 1, rows + count
        if rows >= _BLOCK_ROWS or at == len(counts):
            yield entries, first, rows
            entries, first, rows = 0, first + rows, 0


def _read(results: Snapshot, fragments: list[Fragment], between: _Range) -> pa.Table:
    """Return the rows of a range of series in the order of the results, each column in one piece and texts as codes."""
    names = (*_OF_SERIES, *_OF_POINT)
    # Texts take three times the memory of their codes.
    batches = results.batches(names, _within(*between), fragments=fragments, batch_size=_READ_ROWS)
    read = [_coded(batch) for batch in batches]
    columns = {}
    for name in names:  # one after the other, because each is in memory twice meanwhile
        columns[name] = pa.chunked_array([part for table in read for part in table[name].chunks], read[0][name].type)
        columns[name] = columns[name].unify_dictionaries().combine_chunks()
        read = [table.drop_columns([name]) for table in read]
    return pa.table(columns)


def _arranged(table: pa.Table) -> Iterator[tuple[pl.DataFrame, pa.RecordBatch]]:
    """Yield the series of rows with the numbers of their points, and the points in this order, of about `_SORTED_ROWS` rows at once."""
    is_given = {name: table[name].null_count < len(table) for name in _OF_POINT}
    keys = table["series_key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    for first, end in _of_whole_series(keys[order]):
        rows = table.take(order[first:end])
        codes = pl.DataFrame({name: _codes(rows[name]) for name in _OF_SERIES})
        groups = codes.with_row_index("at").group_by(_OF_SERIES, maintain_order=True).agg("at")
        groups = groups.sort("series_key", maintain_order=True)
        firsts = groups["at"].list.first().to_numpy()
        series = pl.DataFrame(_plain(rows.select(_OF_SERIES).take(firsts)))
        at = groups["at"].explode().to_numpy()
        points = {name: _codes(rows[name]).take(at) if is_given[name] else pa.nulls(len(rows)) for name in _OF_POINT}
        yield series.with_columns(points=groups["at"].list.len().cast(pl.Int64)), pa.record_batch(points)


def _of_whole_series(keys: Integers) -> Iterator[tuple[int, int]]:
    """Yield start and end of parts of `_SORTED_ROWS` sorted keys or more; none ends within those of one series."""
    first = 0
    while first < len(keys):
        last = keys[min(first + _SORTED_ROWS, len(keys)) - 1]
        end = int(np.searchsorted(keys, last, side="right"))
        yield first, end
        first = end


def _coded(rows: pa.RecordBatch) -> pa.Table:
    """Return rows with a dictionary for each column of texts."""
    return pa.table(
        {n: rows[n].dictionary_encode() if rows[n].type == pa.string() else rows[n] for n in rows.schema.names}
    )


def _codes(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return array.indices if pa.types.is_dictionary(array.type) else array


def _plain(rows: pa.Table) -> pa.Table:
    return pa.table({n: rows[n].cast(_TYPES[n]) for n in rows.column_names})


def _write_list(engine: Engine, levels: Sequence[_Level]) -> None:
    listed = [{"cover": level.cover, "parts": [part._asdict() for part in level.parts]} for level in levels]
    versions = salvage.note_of_versions(engine).decode()
    body = json.dumps({"format": _FORMAT, "levels": listed, "versions": versions}).encode()
    content.write(engine, LEVELS, iter([xxhash.xxh3_128_hexdigest(body).encode() + b"\n" + body]))


# -- what there is -----------------------------------------------------------------------------------------------------


def info(engine: Engine, results: Snapshot) -> ProjectionInfo | None:
    """Return what the projection answers for in a version of the results; None when there is none."""
    entries = _entries(_levels(engine), present := _signatures(results))
    if not entries:
        return None
    covered = sum(present[number][1].rows for entry in entries for number in entry.fragments)
    return ProjectionInfo(
        levels=len(entries),
        rows=covered,
        rows_outside=_rows(fragment for _, fragment in present.values()) - covered,
        bytes=sum(part.bytes for entry in entries for part in entry.level.parts),
    )


def fault(engine: Engine) -> tuple[str, bool]:
    """Return what is wrong with the projection, and whether readers use it all the same; an empty text when nothing is."""
    results = engine.open(RESULTS_TABLE)
    present = _signatures(results)
    for entry in _entries(_listed(engine), present):
        for part in entry.level.parts:
            if found := _fault_of_bytes(engine, part):
                return found, False
            fragments = [present[number][1] for number in sorted(entry.fragments)]
            columns = [*_OF_SERIES, *_OF_POINT]
            known = _rows_of(engine, entry, part, columns, pl.lit(value=True))
            truth = pl.DataFrame(results.read(columns, _within(part.low, part.high), fragments=fragments))
            if not known.sort(_ROW_ID).equals(truth.sort(_ROW_ID)):
                return f"{DIRECTORY}/{part.file}: its points are not those of the results", True
    return "", False
