"""The report of Ruby's benchmark-ips, as text and as the JSON of `json!`: iterations a second."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "benchmark-ips/1"
_SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "Q": 1e15}
_SNIFFS = [
    re.compile(rb"\(\xc2\xb1 *[\d.]+%\) i/s[ (]"),
    re.compile(rb'"central_tendency"\s*:.{0,300}"cycles"\s*:', re.DOTALL),
]
_ROW = re.compile(r"(.*?)\s+(\d+\.\d+)([kMBTQ]?)\s+\(\N{PLUS-MINUS SIGN} *([\d.]+)%\) i/s\b.*", re.ASCII)
_CUT = re.compile(r"(.*?)\s+\d+\.\d+[kMBTQ]?\s+\(\N{PLUS-MINUS SIGN}.*", re.ASCII)
_START = re.compile(r"Calculating -+")


class _Entry(msgspec.Struct):
    central_tendency: float
    stddev: float | None = None
    iterations: int = 1
    cycles: int = 1


def sniff(edges: bytes) -> bool:
    """Return whether a line has a rate with its deviation in per cent, or a record the fields of `json!`."""
    return any(part.search(edges) for part in _SNIFFS)


def read(content: Content) -> Reading:
    """Read each report as a rate. The JSON has the deviation in full; the text has it in per cent, and no count of samples."""
    if bytes(content.body[:1000]).lstrip().startswith(b"["):
        records = foreign.array(content.body, file=str(content.path))
        measurements, skips = foreign.each(records, "$", foreign.name_of, _entry)
        return Reading(source=SOURCE, measurements=measurements, skips=skips)
    return _of_text(content)


def _entry(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    entry = foreign.part(msgspec.json.encode(record), _Entry, at=at)
    cycles = foreign.counted(entry.cycles, at=f"{at}.cycles")
    figures = {"mean": entry.central_tendency, "standard_deviation": entry.stddev}
    n = max(1, foreign.counted(entry.iterations, at=f"{at}.iterations") // cycles)
    yield _rate(name, figures, n=n, at=at, metadata=foreign.compact(record))


def _of_text(content: Content) -> Reading:
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    label = ""
    for number, line in enumerate(foreign.lines(content), 1):
        at = f"line {number}"
        if begun := _ROW.fullmatch(line) or _CUT.fullmatch(line):
            name = begun[1].strip() or label
            try:
                measurements.append(_of_row(name, begun, at))
            except RefusedError as refused:
                skips.append(Skip(benchmark=name or at, reason=refused.reason, detail=refused.detail))
        label = "" if _START.fullmatch(line) else line.strip()  # a label too long for its column has a line of its own
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _of_row(name: str, row: re.Match[str], at: str) -> Measurement:
    if row.re is _CUT:
        raise RefusedError(SkipReason.NO_STATISTICS, f"the line ends before its rate at {at}")
    if not name:
        raise RefusedError(SkipReason.NO_NAME, f"no label in {at}")
    mean = float(row[2]) * _SCALES[row[3]]
    return _rate(name, {"mean": mean}, n=1, at=at, metadata=foreign.compact({"deviation_percent": row[4]}))


def _rate(name: str, figures: dict[str, float | None], *, n: int, at: str, metadata: str) -> Measurement:
    return Measurement(
        benchmark_name=name,
        metric="throughput",
        units=PER_SECOND.name,
        direction=PER_SECOND.direction,
        summary=stated(figures, 1.0, at=at),
        n=n,
        metadata=metadata,
    )
