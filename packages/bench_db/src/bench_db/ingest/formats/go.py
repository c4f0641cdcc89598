"""Go's benchmark text (`go test -bench`, also in the events of `-json`): a line a repetition, of values and their units."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign, rates
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import TestBed
from bench_db.units import BYTES, COUNT, NANOSECONDS, Direction, Unit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bench_db.ingest.content import Content

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_LITERALS = {"NaN": "NaN", "+Inf": "Infinity", "-Inf": "-Infinity", "Inf": "Infinity"}
_RESULT = re.compile(r"(Benchmark\S*?)(?:-(\d+))?[ \t]+(\d+)[ \t]+(\S.*)")
# Of a benchmark that prints, or beside the output of another process: its figures follow in a line of their own.
_BEGUN = re.compile(r"(Benchmark(?![a-z])\S*?)(?:-(\d+))?(?:[ ]*\t(.*)|(?<=\d)[ ]+(.*)|[ ]*)")
_ITERATIONS = re.compile(r"[ \t]*(\d+)[ \t]+")
_FIGURES = re.compile(r"[ ]*(\d+)\t[ \t]*(\S.*)")
_VALUES = re.compile(r"[ \t]*([-+.\d][-+.\deE]*[ \t]+[^\s\d]\S*/op\b.*)")  # of a line torn behind the iterations
_INSIDE = re.compile(
    r"Benchmark(?![a-z])\S*?[ \t]+\d+[ \t]+[-+.\deE]+[ \t]+[^\s\d]\S*/(?:op|s)\b.*"
)  # behind other output
_NAMELESS = re.compile(r"[ ]*\d+\t[ \t]*[\d.]+ ns/op")
_USUAL_UNITS = {"ns/op", "B/op", "allocs/op", "MB/s"}
_NAME = re.compile(r"Benchmark\S*")
_CONFIGURATION = re.compile(r"([a-z][^\sA-Z:]*):[ \t]+(\S.*)")
_UNIT = re.compile(r"Unit[ \t]+(\S+)[ \t]+(.*\bbetter=(higher|lower)\b.*)")
_NO_RESULT = re.compile(r"--- (FAIL|SKIP): (Benchmark\S*)")
_PANIC = re.compile(r"panic: |fatal error: ")
_TRACED = re.compile(r"(\S+)\.(Benchmark\w*)[.(]")
_PACKAGE_END = re.compile(r"(FAIL|ok)[ ]*\t(\S+)(.*)")
_OUTCOMES = {"FAIL": "failed", "SKIP": "skipped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The identity of one benchmark; `procs` is GOMAXPROCS, "" for 1."""

    package: str
    name: str
    procs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A benchmark that failed or was skipped (`how`), and the lines that Go printed about it."""

    package: str
    name: str
    how: str
    talk: list[str]

    @property
    def error(self) -> str:
        """The outcome and what Go printed about it, in one line."""
        return ": ".join((_OUTCOMES[self.how], *[" ".join(self.talk)[:500]][: len(self.talk)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A benchmark whose line has no figures; `iterations` is "" when the line has none either, and `is_bare` a lone name."""

    name: str
    procs: str
    line: int
    iterations: str
    is_bare: bool


@dataclass(slots=True, kw_only=True)
class _Text:
    """The content of all lines. The values of a benchmark are by unit, each with its iterations and line number."""

    values: dict[_Key, dict[str, list[tuple[str, int, int]]]] = field(default_factory=dict)
    failures: list[_Failure] = field(default_factory=list)
    configuration: dict[str, list[str]] = field(default_factory=dict)
    better: dict[str, Direction] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # state while reading
    _package: str = ""
    _last: str = ""
    _begun: _Begun | None = None
    _bare: list[_Begun] = field(default_factory=list)
    _added: tuple[_Key, str, int] | None = None  # the last value
    _place: int = 0
    _talk: list[str] = field(default_factory=list)  # with -v before the line that names the benchmark, else after it
    _panic: list[str] = field(default_factory=list)  # the reason, and the benchmark

    def only(self, name: str) -> str:
        """Return the only value of a configuration line, "" when there is none or more than one."""
        said = self.configuration.get(name, [])
        return said[0] if len(said) == 1 else ""

    def take(self, place: int, raw: str) -> None:
        """Take the line number `place` of the text."""
        line, self._place = raw.rstrip(), place
        begun = self._begun
        if begun and (found := _FIGURES.fullmatch(line)):
            self._begun = None if self._add((begun.name, begun.procs, *found.groups()), place) else begun
        elif begun and begun.iterations and (found := _VALUES.fullmatch(line)):
            self._begun = None if self._add((begun.name, begun.procs, begun.iterations, found[1]), place) else begun
        elif _NAMELESS.match(line):
            detail = f"no name in front of {line.strip()[:60]!r}"
            self.skips.append(Skip(benchmark=f"line {place}", reason=SkipReason.NO_NAME, detail=detail))
        elif line.startswith("    ") and not _NO_RESULT.match(line.lstrip()):
            self._talk.append(line.strip())
        elif found := _NO_RESULT.match(line.lstrip()):
            self._talk = self._talk if self._last == found[2] else []
            failure = _Failure(package=self._package, name=found[2], how=found[1], talk=self._talk)
            self.failures.append(failure)
            if self._begun and self._begun.name == found[2]:
                self._begun = None
            self._last = ""
        else:
            self._talk = []
            inside = None if line.startswith("Benchmark") else _INSIDE.search(raw)
            if inside or line.startswith("Benchmark"):
                self._benchmark(place, inside[0] if inside else raw)
            else:
                self._said(line)
            self._last = line

    def _benchmark(self, place: int, raw: str) -> None:
        line, behind = raw.rstrip(), ""
        self._lose()
        if found := _RESULT.fullmatch(line):
            name, procs, iterations, behind = found.groups()
            if not self._add(found.groups(), place):
                self._begun = _Begun(name=name, procs=procs or "", line=place, iterations=iterations, is_bare=False)
        elif found := _BEGUN.fullmatch(raw.rstrip("\r\n")):
            name, procs, *rest = found.groups()
            behind = rest[0] or rest[1] or ""
            counted = _ITERATIONS.match(behind)
            self._begun = _Begun(
                name=name,
                procs=procs or "",
                line=place,
                iterations=counted[1] if counted else "",
                is_bare=not procs and rest == [None, None],
            )
        if self._begun and (torn := _INSIDE.search(behind)):
            self._benchmark(place, torn[0])

    def _said(self, line: str) -> None:
        if found := _PACKAGE_END.fullmatch(line):
            self._end(*found.groups())
        elif _PANIC.match(line) and not self._panic:
            self._panic = [line, *([self._last] if _NAME.fullmatch(self._last) else [])]
        elif len(self._panic) == 1 and (found := _TRACED.match(line)) and found[1] == self._package:
            self._panic.append(found[2])
        elif found := _UNIT.fullmatch(line):
            self.better[found[1]] = Direction(found[3])
        elif found := _CONFIGURATION.fullmatch(line):
            self._package = found[2] if found[1] == "pkg" else self._package
            said = self.configuration.setdefault(found[1], [])
            said += [found[2]] * (found[2] not in said)

    def _end(self, outcome: str, package: str, rest: str) -> None:
        """Take the end of a package. After a panic Go prints no other line about the benchmark."""
        if not any(not key.package for key in self.values):  # before Go 1.9 no line names the package
            self.failures = [f if f.package else replace(f, package=package) for f in self.failures]
        if outcome == "FAIL":
            self.notes.append(": ".join((f"failed: {package}{rest}".replace("\t", " "), *self._panic[:1])))
            of_whom, talk = self._package or package, self._panic[:1]
            self.failures += [_Failure(package=of_whom, name=n, how="FAIL", talk=talk) for n in self._panic[1:]]
        self._lose()
        self._package, self._panic = "", []

    def _add(self, found: Sequence[str | None], place: int) -> bool:
        """Add the figures of a line; return whether it has any."""
        name, procs, iterations, rest = (text or "" for text in found)
        words = rest.split()
        key = _Key(package=self._package, name=name, procs=procs)
        if len(words) % 2 or not (words[0] in _LITERALS or _NUMBER.fullmatch(words[0])):
            return False
        by_unit = self.values.setdefault(key, {})
        for value, unit in zip(words[::2], words[1::2], strict=True):
            by_unit.setdefault(unit, []).append((value, int(iterations[:20]), place))
            self._added = key, unit, place
        return True

    def end(self, *, is_cut: bool) -> None:
        """Take the end of the text; `is_cut` when its last line has no end."""
        self._lose()
        if is_cut:
            self._drop_cut_unit()
        known = {key.name for key in self.values} | {f.name for f in self.failures} | {s.benchmark for s in self.skips}
        parents = {name[:at] for name in known for at in _slashes(name)}
        for bare in self._bare:
            if bare.name not in known | parents:
                self._skip(bare)

    def _lose(self) -> None:
        """Skip the benchmark that began and has no figures. A bare name, of -v, is that of a later line or of its parts."""
        begun, self._begun = self._begun, None
        if begun is not None and begun.is_bare:
            self._bare.append(begun)
        elif begun is not None:
            self._skip(begun)

    def _skip(self, begun: _Begun) -> None:
        detail = f"no values with their units behind the name in line {begun.line}: does the benchmark print?"
        self.skips.append(Skip(benchmark=begun.name, reason=SkipReason.NOT_A_NUMBER, detail=detail))

    def _drop_cut_unit(self) -> None:
        """Skip the last value of a text that ends within a line, unless its unit is known to be whole."""
        if self._added is None:
            return
        key, unit, place = self._added
        lines = self.values[key][unit]
        is_last = place == self._place and unit not in _USUAL_UNITS
        if (
            is_last
            and not any(len(by_unit.get(unit, ())) for k, by_unit in self.values.items() if k != key)
            and len(lines) == 1
        ):
            del self.values[key][unit]
            detail = f"the text ends in line {place}, perhaps within the unit {unit[:40]!r}"
            self.skips.append(Skip(benchmark=f"{key.name} ({unit})", reason=SkipReason.UNKNOWN_UNIT, detail=detail))


_SNIFF_EVENTS = re.compile(rb'^\{.*"Output"\s*:\s*"(Benchmark|--- (FAIL|SKIP): Benchmark)', re.MULTILINE)


class _Event(msgspec.Struct, rename="pascal"):
    action: str = ""
    package: str = ""
    output: str = ""
    time: str = ""


def _are_events(edges: bytes) -> bool:
    """Return whether an event outputs a line of a benchmark."""
    return _SNIFF_EVENTS.search(edges) is not None


def _lines(content: Content) -> tuple[Iterator[str], int | None]:
    """Return the lines that go test prints, and the time of the first event.

    Events are put in the order of their packages. Text without events is returned as it is, with no time.
    """
    stream = BytesIO(content.text)  # line by line: a list would take several times the memory of the file
    stream.seek(len(content.text) - len(content.body))
    if not _are_events(content.edges):
        return (line.decode().rstrip("\n") for line in stream), None
    packages: dict[str, list[str]] = {}
    start = None
    for place, line in enumerate(stream, 1):
        if line.startswith(b"{"):  # other lines are go's own, such as of a package it cannot build
            event = foreign.decode(line, _Event, file=str(content.path), line=place)
            start = foreign.unix(event.time) if start is None else start
            if event.action == "output":
                packages.setdefault(event.package, []).append(event.output)
    return (line for pieces in packages.values() for line in "".join(pieces).split("\n")), start


SOURCE = "go/1"
_SNIFF = re.compile(
    rb"^Benchmark[^\s:]*[ \t]+\d+[ \t]+[-+.\deE]+[ \t]+[^\s\d]|^--- (FAIL|SKIP): Benchmark|^ *\d+\t *[\d.]+ ns/op",
    re.MULTILINE,
)
_SNIFF_BEGUN = re.compile(rb"^goos: \S+\s*\n(?:.*\n)*?Benchmark(?![a-z])", re.MULTILINE)  # figures may all be lost
_METRICS = {"ns/op": "time", "MB/s": "throughput", "B/op": "allocated-bytes", "allocs/op": "allocations"}
_SUFFIXES = {"-ns": NANOSECONDS, "-bytes": BYTES}
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "windows": "Windows"}
_MACHINE = ("goos", "goarch", "cpu")
_LARGEST_COUNT = 1 << 63


def sniff(edges: bytes) -> bool:
    """Return whether any line is a benchmark with its iterations, a number and a unit, or one that failed."""
    if b"Benchmark" not in edges and b"ns/op" not in edges:  # faster than to look at each line
        return False
    return any(shown.search(edges) for shown in (_SNIFF, _SNIFF_BEGUN)) or _are_events(edges)


def read(content: Content) -> Reading:
    """Read each unit of a benchmark as a metric. Lines of one name in one package are its samples."""
    lines, start = _lines(content)
    text = _Text()
    for place, line in enumerate(lines, 1):
        text.take(place, line)
    text.end(is_cut=start is None and not content.text.endswith(b"\n"))
    if not (text.values or text.failures or text.skips):
        reason = "contains no line like BenchmarkName-8  100  12.5 ns/op"
        raise UnreadableOutputError(reason, file=str(content.path))
    measurements = [*_measurements(text), *_failed(text)]
    return Reading(
        source=SOURCE,
        context=foreign.compact({n: v[0] if len(v) == 1 else v for n, v in text.configuration.items() if n != "pkg"}),
        measurements=tuple(measurements),
        skips=tuple(text.skips),
        notes=tuple(text.notes),
        run_time=start,
        commit=foreign.commit(text.only("commit")),
        branch=text.only("branch") or None,
        commit_time=foreign.unix(text.only("commit-time")),
        test_bed=_machine(text),
    )


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
    """Return the unit of a value. A unit of the user has no direction unless it is a time, a size or a rate."""
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
    """Yield benchmarks that failed or were skipped.

    Go names one that fails in its first iteration without GOMAXPROCS: use that of the others if they agree. One that fails later is
    named as its line of figures would be.
    """
    every = {key.procs for key in text.values}
    common = next(iter(every)) if len(every) == 1 else ""
    with_procs = {(key.package, key.name, key.procs) for key in text.values}
    measured = {(package, name) for package, name, _ in with_procs}
    seen: dict[tuple[str, str, str], _Failure] = {}
    for failure in reversed(text.failures):
        name, procs = _named_procs(failure, measured)
        seen[failure.package, name, procs] = failure
    parents = {(package, name[:at]) for package, name, _ in (*with_procs, *seen) for at in _slashes(name)}
    for (package, name, procs), failure in reversed(seen.items()):  # a parent has no figures, and fails with its parts
        is_measured = (package, name, procs) in with_procs if procs else (package, name) in measured
        if not is_measured and (package, name) not in parents:
            tags = {"gomaxprocs": found} if (found := procs or common) else {}
            yield Measurement(benchmark_name=name, suite=package, tags=tags, error=failure.error)


_PROCS = re.compile(r"(.*)-([0-9]+)")


def _named_procs(failure: _Failure, measured: Collection[tuple[str, str]]) -> tuple[str, str]:
    """Return the name of a failed benchmark, and the GOMAXPROCS behind it, "" for none. A part, as A/n-4, may have such a name itself."""
    found = _PROCS.fullmatch(failure.name)
    if found and ("/" not in failure.name or (failure.package, found[1]) in measured):
        return found[1], found[2]
    return failure.name, ""


def _slashes(name: str) -> Iterator[int]:
    return (found.start() for found in re.finditer("/", name))


def _machine(text: _Text) -> TestBed | None:
    """Return the machine that the file describes, without a host name; None when it names no CPU or several."""
    system, architecture, cpu = (text.only(name) for name in _MACHINE)
    if not cpu:
        return None
    family = _SYSTEMS.get(system, system)
    return TestBed(name=stable_name("", family, architecture), cpu=cpu, os=family)
