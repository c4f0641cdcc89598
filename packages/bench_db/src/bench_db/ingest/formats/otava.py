"""The CSV of Apache Otava: a history with a commit in each row and a metric in each column of numbers."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import COUNT, Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "otava/1"
_TIME, _COMMIT, _BRANCH, _VERSION = "time", "commit", "branch", "version"
_NAMED = {_TIME, _COMMIT, _BRANCH, _VERSION, "run"}  # the attributes that Otava knows
_DELIMITERS = ",;\t"
_FEWEST_COLUMNS = 3
_LONGEST_HEAD = 1 << 16
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)
_LITERALS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The head of a file: its columns, their delimiter, and which columns are metrics."""

    columns: Sequence[str]
    delimiter: str
    metrics: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class _Point:
    """All rows of one commit and time: the cells of each metric with their lines, and the attributes of the first row."""

    time: int
    attributes: Mapping[str, str]
    cells: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


def sniff(edges: bytes) -> bool:
    """Return whether the first line is a head with a time, a commit and at least one more column."""
    head = edges.lstrip()[:_LONGEST_HEAD].partition(b"\n")[0].decode("utf-8", "replace")
    table = _head(head)
    return table is not None and _COMMIT in table.columns


def read(content: Content) -> tuple[Reading, ...]:
    """Read a run for each commit and time. The name of the file is the name of the test."""
    file = str(content.path)
    try:
        table = _table(content)
        skips: list[Skip] = []
        points = _points(content, table, skips)
    except csv.Error as error:
        reason = f"is not valid CSV: {error}"
        raise UnreadableOutputError(reason, file=file) from error
    test = Path(content.path.name.removesuffix(".gz")).stem
    runs = [reading for point in points if (reading := _reading(test, table, point)).measurements]
    if not runs:
        reason = f"contains no row with a time and a number{'' if not skips else f'; {skips[0]}'}"
        raise UnreadableOutputError(reason, file=file)
    runs[0] = replace(runs[0], skips=(*skips, *runs[0].skips))
    return tuple(runs)


def _head(line: str) -> _Table | None:
    for delimiter in _DELIMITERS:
        try:
            columns = next(csv.reader(StringIO(line), delimiter=delimiter), [])
        except csv.Error:
            continue
        if len(columns) >= _FEWEST_COLUMNS - 1 and _TIME in (stripped := [column.strip() for column in columns]):
            return _Table(columns=stripped, delimiter=delimiter)
    return None


def _rows(content: Content, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the head with its line number."""
    text = TextIOWrapper(BytesIO(content.text), "utf-8-sig", newline="")
    rows = csv.reader(text, delimiter=delimiter)
    below = False
    for cells in rows:
        if below and any(cells):
            yield rows.line_num, [cell.strip() for cell in cells]
        below = below or any(cells)


def _table(content: Content) -> _Table:
    """Return the head. Metrics are the columns in which most cells are numbers, so that one bad cell changes nothing."""
    first = bytes(content.body[:_LONGEST_HEAD]).lstrip().partition(b"\n")[0].decode("utf-8", "replace")
    table = _head(first)
    if table is None:
        reason = f"has no column {_TIME}; expected a head such as time,commit,metric"
        raise UnreadableOutputError(reason, file=str(content.path), line=1)
    twice = [column for column, times in Counter(table.columns).items() if times > 1]
    if twice:
        reason = f"has several columns named {twice[0]!r:.60}"
        raise UnreadableOutputError(reason, file=str(content.path), line=1)
    numbers: Counter[str] = Counter()
    for _, cells in _rows(content, table.delimiter):
        for column, cell in zip(table.columns, cells, strict=False):
            if cell:
                numbers[column] += 1 if _NUMBER.fullmatch(cell) else -1
    metrics = [column for column in table.columns if column not in _NAMED and numbers[column] > 0]
    return replace(table, metrics=metrics)


def _points(content: Content, table: _Table, skips: list[Skip]) -> list[_Point]:
    points: dict[tuple[object, ...], _Point] = {}
    for line, cells in _rows(content, table.delimiter):
        row = dict(zip(table.columns, cells, strict=False))
        time = foreign.moment(row.get(_TIME, ""))
        if len(cells) < len(table.columns):
            detail = f"{len(cells)} cells below {len(table.columns)} columns"
            skips.append(Skip(benchmark=f"line {line}", reason=SkipReason.LENGTH_MISMATCH, detail=detail))
        elif time is None:
            detail = f"unknown form of time: {row[_TIME][:40]!r}"
            skips.append(Skip(benchmark=f"line {line}", reason=SkipReason.WRONG_TYPE, detail=detail))
        else:
            key = (time, *(row.get(name, "") for name in (_COMMIT, _BRANCH, _VERSION)))
            attributes = {column: cell for column, cell in row.items() if cell and column not in table.metrics}
            point = points.setdefault(key, _Point(time=time, attributes=attributes))
            for metric in table.metrics:
                point.cells.setdefault(metric, []).extend([(row[metric], line)] if row[metric] else [])
    return list(points.values())


def _reading(test: str, table: _Table, point: _Point) -> Reading:
    """Return the run of one commit. Its digest covers its own rows only: a longer history has the same earlier runs."""
    measurements, skips = [], []
    for metric in table.metrics:
        try:
            measurements += list(_measured(test, metric, point.cells[metric]))
        except RefusedError as refused:
            skips.append(Skip(benchmark=f"{test} ({metric})", reason=refused.reason, detail=refused.detail))
    commit, cells_of = (
        point.attributes.get(_COMMIT),
        {name: [cell for cell, _ in cells] for name, cells in point.cells.items()},
    )
    content = [test, point.time, dict(point.attributes), {name: cells for name, cells in cells_of.items() if cells}]
    return Reading(
        source=SOURCE,
        context=foreign.compact(dict(point.attributes)),
        measurements=tuple(measurements),
        skips=tuple(skips),
        run_time=point.time,
        commit=commit,
        branch=point.attributes.get(_BRANCH),
        version=point.attributes.get(_VERSION),
        part=f"{commit or ''}@{point.time}",
        digest=sha256(msgspec.json.encode(content, order="sorted")).hexdigest(),
    )


def _measured(test: str, metric: str, cells: Sequence[tuple[str, int]]) -> Iterator[Measurement]:
    values = [number(_LITERALS.get(cell.lower(), _plain(cell)), at=f"line {line}") for cell, line in cells]
    if values:
        yield Measurement(
            benchmark_name=test,
            metric=metric,
            units=COUNT.name,
            direction=Direction.INFO,
            values=scaled(values, 1.0, at=f"line {cells[0][1]}", signed=True),
        )


def _plain(cell: str) -> float | str:
    return float(cell) if _NUMBER.fullmatch(cell) else cell
