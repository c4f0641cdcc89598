"""cargo-criterion's message stream (`cargo criterion --message-format=json`): one JSON object a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import interval, per_iteration, unit_of
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Throughput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "criterion/1"
_SNIFF = re.compile(rb'^[ \t]*\{\s*"reason"\s*:\s*"', re.MULTILINE)
_SAMPLES = ("iteration_count", "measured_values")


class _Estimate(msgspec.Struct):
    lower_bound: float
    upper_bound: float
    unit: str = "ns"


class _Throughput(msgspec.Struct):
    per_iteration: float
    unit: str


class _BenchmarkComplete(msgspec.Struct):
    id: str
    iteration_count: list[float]
    measured_values: list[float]
    unit: str = "ns"
    throughput: list[_Throughput] | None = None
    typical: _Estimate | None = None
    slope: _Estimate | None = None
    mean: _Estimate | None = None


def sniff(edges: bytes) -> bool:
    """Return whether a line is a message of cargo: an object that begins with its reason."""
    return b'"reason"' in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read every `benchmark-complete` message and ignore the others. A line that is not JSON refuses the file."""
    measurements, skips, seen = [], [], 0
    for line, text in _lines(bytes(content.body)):
        message = foreign.decode(text, foreign.Record, file=str(content.path), line=line)
        if _text(message.get("reason")) != "benchmark-complete":
            continue
        seen += 1
        try:
            measurements.append(_measurement(message, line))
        except RefusedError as refused:
            name = _text(message.get("id")) or f"line {line}"
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    if not seen:
        reason = "contains no benchmark-complete message; expected the output of cargo criterion --message-format=json"
        raise UnreadableOutputError(reason, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(text.split(b"\n"), 1) if line.strip())


def _text(value: msgspec.Raw | None) -> str:
    try:
        return "" if value is None else msgspec.json.decode(value, type=str)
    except msgspec.ValidationError:
        return ""


def _measurement(message: foreign.Record, line: int) -> Measurement:
    complete = foreign.part(msgspec.json.encode(message), _BenchmarkComplete, at=f"line {line}: $")
    if not complete.id:
        raise RefusedError(SkipReason.NO_NAME, f"line {line}: the id is empty")
    unit, factor = unit_of(complete.unit)
    values, iterations = per_iteration(complete.measured_values, complete.iteration_count, factor)
    lower, upper = _interval(complete.typical or complete.slope or complete.mean)
    return Measurement(
        benchmark_name=complete.id,
        units=unit.name,
        direction=unit.direction,
        values=values,
        iterations=iterations,
        lower=lower,
        upper=upper,
        throughput=throughput_of(complete.throughput[0].unit, complete.throughput[0].per_iteration)
        if complete.throughput
        else None,
        metadata=foreign.compact({name: part for name, part in message.items() if name not in _SAMPLES}),
    )


def _interval(estimate: _Estimate | None) -> tuple[float | None, float | None]:
    if estimate is None:
        return None, None
    return interval(estimate.lower_bound, estimate.upper_bound, unit_of(estimate.unit)[1])


def throughput_of(unit: str, multiplier: float) -> Throughput:
    """Return Criterion's throughput: bytes count in powers of 1024, everything else in powers of 1000."""
    return Throughput(multiplier=multiplier, name=unit, unit_system="binary" if unit == "bytes" else "decimal")
