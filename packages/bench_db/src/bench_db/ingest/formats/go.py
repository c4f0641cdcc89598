"""Go's benchmark text (`go test -bench`, also in the events of `-json`): a line a repetition, of values and their units."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign, origin, rates
from bench_db.ingest.formats import go_events
from bench_db.ingest.formats.go_text import LITERALS, NUMBER, Key, Text
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import TestBed
from bench_db.units import BYTES, COUNT, NANOSECONDS, Direction, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "go/1"
_SNIFF = re.compile(
    rb"^Benchmark[^\s:]*[ \t]+\d+[ \t]+[-+.\deE]+[ \t]+[^\s\d]|^--- (FAIL|SKIP): Benchmark|^ *\d+\t *[\d.]+ ns/op",
    re.MULTILINE,
)
_METRICS = {"ns/op": "time", "MB/s": "throughput", "B/op": "allocated-bytes", "allocs/op": "allocations"}
_SUFFIXES = {"-ns": NANOSECONDS, "-bytes": BYTES}
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "windows": "Windows"}
_MACHINE = ("goos", "goarch", "cpu")
_LARGEST_COUNT = 1 << 63


def sniff(edges: bytes) -> bool:
    """Whether any line is a benchmark with its iterations, a number and a unit, or one that failed."""
    return _SNIFF.search(edges) is not None or go_events.sniff(edges)


def read(content: Content) -> Reading:
    """Each unit of a benchmark as a metric; lines of one name in one package are its samples."""
    lines, start = go_events.lines(content)
    text = Text()
    for place, line in enumerate(lines, 1):
        text.take(place, line)
    if not (text.values or text.failures or text.skips):
        reason = "holds no line like BenchmarkName-8  100  12.5 ns/op"
        raise UnreadableOutputError(reason, file=str(content.path))
    measurements = [*_measurements(text), *_failed(text)]
    return Reading(
        source=SOURCE,
        context=foreign.compact({n: v[0] if len(v) == 1 else v for n, v in text.configuration.items() if n != "pkg"}),
        measurements=tuple(measurements),
        skips=tuple(text.skips),
        notes=tuple(text.notes),
        run_time=start,
        commit=origin.commit(text.only("commit")),
        branch=text.only("branch") or None,
        commit_time=origin.unix(text.only("commit-time")),
        test_bed=_machine(text),
    )


def _measurements(text: Text) -> Iterator[Measurement]:
    for key, by_unit in text.values.items():
        for spelling, lines in by_unit.items():
            try:
                yield _measurement(key, spelling, lines, text.better)
            except RefusedError as refused:
                text.skips.append(
                    Skip(benchmark=f"{key.name} ({spelling})", reason=refused.reason, detail=refused.detail)
                )


def _measurement(
    key: Key, spelling: str, lines: list[tuple[str, int, int]], better: dict[str, Direction]
) -> Measurement:
    unit, factor = _unit(spelling)
    at = f"line {lines[0][2]}"
    is_time = spelling == "ns/op"
    counts = tuple(count for _, count, _ in lines) if is_time else ()
    values = [_value(value, line) for value, _, line in lines]
    return Measurement(
        benchmark_name=key.name,
        suite=key.package,
        metric=_METRICS.get(spelling, spelling),
        units=unit.name,
        direction=better.get(spelling, unit.direction),
        values=scaled(values, factor, at=at, signed=not is_time),
        iterations=counts if all(0 < count < _LARGEST_COUNT for count in counts) else (),
        tags={"gomaxprocs": key.procs} if key.procs else {},
    )


def _unit(spelling: str) -> tuple[Unit, float]:
    """The unit of a value; of the user's own no direction is known unless it is a time, a size or a rate."""
    for suffix, unit in _SUFFIXES.items():
        if spelling.endswith(suffix):
            return unit, 1.0
    unit, factor = rates.as_spelled(spelling)
    if unit == COUNT and spelling not in _METRICS:
        return Unit(name=COUNT.name, sign="", direction=Direction.INFO), factor
    return unit, factor


def _value(word: str, line: int) -> float:
    known = float(word) if NUMBER.fullmatch(word) else LITERALS.get(word, word)
    if known in {float("inf"), float("-inf")}:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"{word[:40]} does not fit a float64 in line {line}")
    return number(known, at=f"line {line}")


def _failed(text: Text) -> Iterator[Measurement]:
    """A benchmark that failed or was skipped, which Go names without GOMAXPROCS: it is that of all others, if they agree."""
    procs = {key.procs for key in text.values}
    tags = {"gomaxprocs": p} if len(procs) == 1 and (p := next(iter(procs))) else {}
    measured = {(key.package, key.name) for key in text.values}
    seen = {(failure.package, failure.name): failure for failure in reversed(text.failures)}
    parents = {(package, name[:at]) for package, name in (*measured, *seen) for at in _slashes(name)}
    for failure in reversed(seen.values()):  # a parent has no figures, and fails when one of its parts does
        if (failure.package, failure.name) not in measured | parents:
            yield Measurement(benchmark_name=failure.name, suite=failure.package, tags=tags, error=failure.error)


def _slashes(name: str) -> Iterator[int]:
    return (found.start() for found in re.finditer("/", name))


def _machine(text: Text) -> TestBed | None:
    """The machine of the file, which has no host name; None when it names no CPU, or is of several machines."""
    system, architecture, cpu = (text.only(name) for name in _MACHINE)
    if not cpu:
        return None
    family = _SYSTEMS.get(system, system)
    return TestBed(name=stable_name("", family, architecture), cpu=cpu, os=family)
