"""Go's benchmark text (`go test -bench`): a line a repetition, with any number of values and their units."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign, origin, rates
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
    rb"^Benchmark[^\s:]*[ \t]+\d+[ \t]+[-+.\deE]+[ \t]+[^\s\d]|^--- (FAIL|SKIP): Benchmark", re.MULTILINE
)
_RESULT = re.compile(r"(Benchmark\S*?)(?:-(\d+))?[ \t]+(\d+)[ \t]+(\S.*)")
_CONFIGURATION = re.compile(r"([a-z][^\sA-Z:]*):[ \t]+(\S.*)")
_UNIT = re.compile(r"Unit[ \t]+(\S+)[ \t]+(.*\bbetter=(higher|lower)\b.*)")
_NO_RESULT = re.compile(r"--- (FAIL|SKIP): (Benchmark\S*)")
_OUTCOMES = {"FAIL": "failed", "SKIP": "skipped"}
_PACKAGE_END = re.compile(r"(FAIL|ok)[ ]*\t(\S+)(.*)")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_LITERALS = {"NaN": "NaN", "+Inf": "Infinity", "-Inf": "-Infinity", "Inf": "Infinity"}
_METRICS = {"ns/op": "time", "MB/s": "throughput", "B/op": "allocated-bytes", "allocs/op": "allocations"}
_SUFFIXES = {"-ns": NANOSECONDS, "-bytes": BYTES}
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "windows": "Windows"}
_MACHINE = ("goos", "goarch", "cpu")
_LARGEST_COUNT = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """What one benchmark is: `procs` is GOMAXPROCS, "" where it was 1."""

    package: str
    name: str
    procs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A benchmark that failed or was skipped (`how`), and what was said of it."""

    package: str
    name: str
    how: str
    talk: list[str]

    @property
    def error(self) -> str:
        return ": ".join((_OUTCOMES[self.how], *[" ".join(self.talk)[:500]][: len(self.talk)]))


@dataclass(slots=True, kw_only=True)
class _Text:
    """All that the lines say. The values of a benchmark are by their unit, each with its iterations and its line."""

    values: dict[_Key, dict[str, list[tuple[str, int, int]]]] = field(default_factory=dict)
    failures: list[_Failure] = field(default_factory=list)
    configuration: dict[str, list[str]] = field(default_factory=dict)
    better: dict[str, Direction] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def close(self, package: str) -> None:
        """A package ends: where none of its benchmarks gave a figure, only this says of which one they were."""
        if any(not key.package for key in self.values):  # before Go 1.9 no line said it of any benchmark
            return
        self.failures = [failure if failure.package else replace(failure, package=package) for failure in self.failures]

    def only(self, name: str) -> str:
        """What the file says under a name, "" when it says nothing or more than one thing."""
        said = self.configuration.get(name, [])
        return said[0] if len(said) == 1 else ""


def sniff(edges: bytes) -> bool:
    """Whether any line is a benchmark with its iterations, a number and a unit, or one that failed."""
    return _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Each unit of a benchmark as a metric; lines of one name in one package are its samples."""
    text = _text(bytes(content.body).decode())
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
        commit=origin.commit(text.only("commit")),
        branch=text.only("branch") or None,
        commit_time=origin.unix(text.only("commit-time")),
        test_bed=_machine(text),
    )


def _text(whole: str) -> _Text:
    text, package, running = _Text(), "", ""
    talk: list[str] = []  # what a benchmark said: before the line that says it failed with -v, after it without
    for place, raw in enumerate(whole.split("\n"), 1):
        line = raw.rstrip()
        if line.startswith("    ") and not _NO_RESULT.match(line.lstrip()):
            talk.append(line.strip())
            continue
        if found := _NO_RESULT.match(line.lstrip()):
            talk = talk if running == found[2] else []
            text.failures.append(_Failure(package=package, name=found[2], how=found[1], talk=talk))
            running = ""
            continue
        talk, running = [], line
        if found := _RESULT.fullmatch(line):
            _add(text, package, found, place)
        elif found := _UNIT.fullmatch(line):
            text.better[found[1]] = Direction(found[3])
        elif found := _PACKAGE_END.fullmatch(line):
            text.close(found[2])
            package = ""
            text.notes += [f"failed: {found[2]}{found[3]}".replace("\t", " ")] * (found[1] == "FAIL")
        elif found := _CONFIGURATION.fullmatch(line):
            package = found[2] if found[1] == "pkg" else package
            said = text.configuration.setdefault(found[1], [])
            said += [found[2]] * (found[2] not in said)
    return text


def _add(text: _Text, package: str, found: re.Match[str], line: int) -> None:
    name, procs, iterations, rest = found.groups()
    words = rest.split()
    key = _Key(package=package, name=name, procs=procs or "")
    if len(words) % 2 or not _is_number(words[0]):
        detail = f"no values with their units in line {line}"
        text.skips.append(Skip(benchmark=name, reason=SkipReason.NOT_A_NUMBER, detail=detail))
        return
    by_unit = text.values.setdefault(key, {})
    for value, unit in zip(words[::2], words[1::2], strict=True):
        by_unit.setdefault(unit, []).append((value, int(iterations[:20]), line))


def _is_number(word: str) -> bool:
    return word in _LITERALS or _NUMBER.fullmatch(word) is not None


def _measurements(text: _Text) -> Iterator[Measurement]:
    for key, by_unit in text.values.items():
        for spelling, lines in by_unit.items():
            try:
                yield _measurement(key, spelling, lines, text.better)
            except RefusedError as refused:
                text.skips.append(
                    Skip(benchmark=f"{key.name} ({spelling})", reason=refused.reason, detail=refused.detail)
                )


def _measurement(
    key: _Key, spelling: str, lines: list[tuple[str, int, int]], better: dict[str, Direction]
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
    known = float(word) if _NUMBER.fullmatch(word) else _LITERALS.get(word, word)
    if known in {float("inf"), float("-inf")}:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"{word[:40]} does not fit a float64 in line {line}")
    return number(known, at=f"line {line}")


def _failed(text: _Text) -> Iterator[Measurement]:
    """A benchmark that failed or was skipped, which Go names without GOMAXPROCS: it is that of all others, if they agree."""
    procs = {key.procs for key in text.values}
    tags = {"gomaxprocs": p} if len(procs) == 1 and (p := next(iter(procs))) else {}
    measured = {(key.package, key.name) for key in text.values}
    seen = {(failure.package, failure.name): failure for failure in reversed(text.failures)}
    for failure in reversed(seen.values()):
        if (failure.package, failure.name) not in measured:
            yield Measurement(benchmark_name=failure.name, suite=failure.package, tags=tags, error=failure.error)


def _machine(text: _Text) -> TestBed | None:
    """The machine of the file, which has no host name; None when it names no CPU, or is of several machines."""
    system, architecture, cpu = (text.only(name) for name in _MACHINE)
    if not cpu:
        return None
    family = _SYSTEMS.get(system, system)
    return TestBed(name=stable_name("", family, architecture), cpu=cpu, os=family)
