"""Catch2's console text: tables of benchmarks below the test case and sections they are in; versions 2.9 to 3."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import interval, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "catch2/1"
_UNITS = {"ns": 1.0, "us": 1e3, "\N{MICRO SIGN}s": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9}
_SNIFF = re.compile(rb"^benchmark name +samples +iterations +(?:est|mean)", re.MULTILINE)
_TABLE = re.compile(r"benchmark name +samples +iterations +(est|mean).*")
_RULE = re.compile(r"-{20,}")
_BREAK = re.compile(r"-{20,}|={20,}|benchmark name +samples +iterations .*")
_ABOUT = re.compile(r"(.+) is a Catch2? v(\S+) host application\.")
_TIME = r"(\S+) (ns|us|\N{MICRO SIGN}s|ms|s|m)"
_ROW = re.compile(rf"(|\S.*?)[ ]+(\d+)[ ]+(\d+)[ ]+{_TIME}[ ]*")
_FIGURES = re.compile(rf"[ ]+{_TIME}[ ]+{_TIME}[ ]+{_TIME}[ ]*")
_FAILED = re.compile(r"(|\S.*?)[ ]*Benchmark failed(?: \((.*?)\)?)?[ ]*")
_NUMBER = re.compile(r"\d+\.?\d*(?:e[-+]?\d+)?", re.ASCII)
_ASSERTED = re.compile(r"\S.*[\d)]: (?:FAILED|PASSED|SKIPPED|warning):?")
_BREAKS = ("-", "/", "(", "[", "&", "+", "=", "*", "\\")  # Catch2 wraps a name after these without a space
_WIDEST = 1000  # characters of a line
_LONGEST = 100  # lines of a name: bounds the search for a row
_GAPS = re.compile(r" {2,}")
_LINES_OF_FIGURES = 2  # below a row: mean and deviation, each with its interval
_SECTION_INDENT = 2
_GAP, _WIDER_GAP = 2, 7  # between the longest name and the word "samples"
_LARGEST_COUNT = 1 << 63

_Time = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class _Row:
    """One benchmark of a table; `figures` are the lines below its first: mean and deviation."""

    group: str
    place: str
    is_analysed: bool
    width: int  # of a name in the table
    name: str = ""
    line: int = 0
    samples: int = 0
    iterations: int = 0
    last: _Time = ("", "")
    figures: list[tuple[_Time, _Time, _Time]] = field(default_factory=list)
    error: str | None = None
    is_lost: bool = False  # the table ends, or a blank line follows, before its figures


def sniff(edges: bytes) -> bool:
    """Return whether a line is the head of a table of benchmarks."""
    return b"benchmark name " in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each benchmark's mean with its interval and deviation. The text has no samples."""
    lines = [line.rstrip("\r") for line in bytes(content.body).decode().split("\n")]
    lines = [line[:_WIDEST] for line in lines]
    measurements, skips = [], []
    for row in _rows(lines):
        try:
            measurements.append(_measurement(row))
        except RefusedError as refused:
            skips.append(Skip(benchmark=row.name or row.place, reason=refused.reason, detail=refused.detail))
    if not measurements and not skips:
        reason = "contains no benchmark of Catch2's console reporter. Did the selected tests have any?"
        raise UnreadableOutputError(reason, file=str(content.path))
    about = next((found for line in lines if (found := _ABOUT.fullmatch(line))), None)
    context = {"executable": about[1], "version": about[2]} if about else {}
    return Reading(
        source=SOURCE, context=foreign.compact(context), measurements=tuple(measurements), skips=tuple(skips)
    )


def _rows(lines: list[str]) -> Iterator[_Row]:
    group = place = ""
    at = 0
    while at < len(lines):
        if found := _TABLE.fullmatch(lines[at]):
            at_head, start = at, _next_break(lines, at + 1) + 1
            at = _next_break(lines, start)
            analysed = found[1] == "est"
            width = lines[at_head].index("samples") - (_GAP if analysed else _WIDER_GAP)
            like = _Row(group=group, place=place, is_analysed=analysed, width=width)
            yield from _table(lines[start:at], start + 1, like)
        elif _RULE.fullmatch(lines[at]):
            end = _next_break(lines, at + 1)
            group, place = _group(lines[at + 1 : end]), "".join(lines[end + 1 : end + 2])
            at = end + 2
        else:
            at += 1


def _next_break(lines: list[str], start: int) -> int:
    """Return the index of the line where a header, a table or the text ends."""
    return next((at for at in range(start, len(lines)) if _BREAK.fullmatch(lines[at])), len(lines))


def _table(lines: list[str], first: int, like: _Row) -> Iterator[_Row]:
    """Yield the rows of a table; `first` is the line number of `lines[0]`. Any other line is ignored."""
    table = _Table(like=like)
    for number, line in enumerate(lines, first):
        table.take(number, line)
    table.blank()
    return iter(table.rows)


@dataclass(slots=True, kw_only=True)
class _Table:
    """The rows of a table so far, and the lines that may be the name of the next row."""

    like: _Row
    rows: list[_Row] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    begun: int = 0  # the line of the first name when a benchmark can begin there, else 0
    blanks: int = 0  # since the last row
    is_asserted: bool = False

    def take(self, number: int, line: str) -> None:
        """Take one line of the table."""
        row = self.rows[-1] if self.rows else None
        if figures := _FIGURES.fullmatch(line):
            found_figures = ((figures[1], figures[2]), (figures[3], figures[4]), (figures[5], figures[6]))
            (row.figures if row else []).append(found_figures)
        elif row and not row.figures and not self.names and (found := _FAILED.fullmatch(line)) and not found[1]:
            row.error = found[2] or "failed"
        elif found := _FAILED.fullmatch(line) or _ROW.fullmatch(line):
            self._add(number, found)
        elif self.names and _ASSERTED.fullmatch(line):  # the assertion ended this benchmark
            self._begin(number).error = line
            self.is_asserted = True
        elif self.is_asserted and row and line.strip():
            row.error = f"{row.error} {line.strip()}"[:_WIDEST]
        elif line.strip():
            self._name(number, line)
        else:
            self.blank()

    def blank(self) -> None:
        """Take a blank line, or the end of the table: a name in front of it has no figures."""
        if self.names and self.begun:
            self._begin(self.begun).is_lost = True
        self.names, self.is_asserted = [], False
        self.blanks += 1

    def _begin(self, number: int, last: str = "") -> _Row:
        parts = [*self.names[-_LONGEST:], *([last] if last else [])]
        row = replace(self.like, name=_joined(parts, self.like.width), line=number, figures=[])
        self.rows.append(row)
        self.names, self.blanks = [], 0
        return row

    def _add(self, number: int, found: re.Match[str]) -> None:
        row = self._begin(number, found[1])
        if found.re is _FAILED:
            row.error = found[2] or "failed"
        else:
            row.samples, row.iterations, row.last = int(found[2][:20]), int(found[3][:20]), (found[4], found[5])

    def _name(self, number: int, line: str) -> None:
        """Take a part of a name. One begins below the head or one blank line; other output is in other places."""
        if not self.names:
            can_begin = self.blanks == (1 if self.rows else 0) and not _ASSERTED.fullmatch(line)
            self.begun = number if can_begin else 0
        self.names.append(_GAPS.split(line.strip())[0])  # other output may follow the name


def _group(titles: list[str]) -> str:
    """Return the test case and its sections. A section is indented by two columns, a continued title by more."""
    parts: list[str] = []
    for title in titles:
        indent = len(title) - len(title.lstrip())
        if not parts or indent == _SECTION_INDENT:
            parts.append(title.strip())
        else:
            parts[-1] += " " + title.strip()
    return " / ".join(parts)


def _joined(parts: list[str], width: int) -> str:
    """Join a name that the table wrapped: at a space, after a sign, or with a hyphen inside a word."""
    *broken, last = [part for part in parts if part] or [""]
    name = ""
    for part in broken:
        within_word = len(part) == width and part.endswith("-")
        name += part[:-1] if within_word else part if part.endswith(_BREAKS) else f"{part} "
    return name + last


def _measurement(row: _Row) -> Measurement:
    if not row.name:
        raise RefusedError(SkipReason.NO_NAME, f"no name in line {row.line}")
    where = {"source": row.place, "samples": row.samples, "iterations": row.iterations}
    if row.error is not None:
        return Measurement(
            benchmark_name=row.name, suite=row.group, error=row.error, metadata=foreign.compact({"source": row.place})
        )
    at = f"line {row.line}"
    if row.is_lost:
        raise RefusedError(SkipReason.NO_STATISTICS, f"it began in {at}, and no figures of it follow")
    if not 0 < row.samples < _LARGEST_COUNT:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"the count of samples is not from 1 to 2^63 in {at}")
    if row.is_analysed and len(row.figures) != _LINES_OF_FIGURES:  # one line may be the mean or the deviation
        raise RefusedError(
            SkipReason.NO_STATISTICS, f"not a mean and a deviation, but {len(row.figures)} of these lines below {at}"
        )
    if not row.is_analysed:
        summary = stated({"mean": _nanoseconds(row.last, at)}, 1.0, at=at)
        return Measurement(
            benchmark_name=row.name, suite=row.group, summary=summary, n=row.samples, metadata=foreign.compact(where)
        )
    mean, low, high = (_nanoseconds(time, at) for time in row.figures[0])
    deviations = [_nanoseconds(time, at) for time in row.figures[1]]
    lower, upper = interval(low, high, 1.0)
    spread = {"estimated": " ".join(row.last), "low_std_dev": deviations[1], "high_std_dev": deviations[2]}
    return Measurement(
        benchmark_name=row.name,
        suite=row.group,
        summary=stated({"mean": mean, "standard_deviation": deviations[0]}, 1.0, at=at),
        n=row.samples,
        lower=lower,
        upper=upper,
        metadata=foreign.compact({**where, **spread}),
    )


def _nanoseconds(time: _Time, at: str) -> float:
    if not _NUMBER.fullmatch(time[0]):
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"{time[0][:40]!r} at {at}")
    return float(time[0]) * _UNITS[time[1]]
