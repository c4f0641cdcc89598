"""The lines `go test -bench` prints, as figures, failures and what is said of packages and machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench_db.ingest.reading import Skip, SkipReason
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
LITERALS = {"NaN": "NaN", "+Inf": "Infinity", "-Inf": "-Infinity", "Inf": "Infinity"}
_RESULT = re.compile(r"(Benchmark\S*?)(?:-(\d+))?[ \t]+(\d+)[ \t]+(\S.*)")
_BEGUN = re.compile(r"(Benchmark\S*?)(?:-(\d+))?[ ]*\t(.*)")  # what a benchmark prints comes after its name, and
_FIGURES = re.compile(r"[ ]*(\d+)\t[ \t]*(\S.*)")  # its figures in a line of their own
_NAME = re.compile(r"Benchmark\S*")
_CONFIGURATION = re.compile(r"([a-z][^\sA-Z:]*):[ \t]+(\S.*)")
_UNIT = re.compile(r"Unit[ \t]+(\S+)[ \t]+(.*\bbetter=(higher|lower)\b.*)")
_NO_RESULT = re.compile(r"--- (FAIL|SKIP): (Benchmark\S*)")
_PANIC = re.compile(r"panic: |fatal error: ")
_TRACED = re.compile(r"(\S+)\.(Benchmark\w*)[.(]")
_PACKAGE_END = re.compile(r"(FAIL|ok)[ ]*\t(\S+)(.*)")
_OUTCOMES = {"FAIL": "failed", "SKIP": "skipped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What one benchmark is: `procs` is GOMAXPROCS, "" where it was 1."""

    package: str
    name: str
    procs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A benchmark that failed or was skipped (`how`), and what was said of it."""

    package: str
    name: str
    how: str
    talk: list[str]

    @property
    def error(self) -> str:
        """That it failed or was skipped, and what was said, in one line."""
        return ": ".join((_OUTCOMES[self.how], *[" ".join(self.talk)[:500]][: len(self.talk)]))


@dataclass(slots=True, kw_only=True)
class Text:
    """All that the lines say. The values of a benchmark are by their unit, each with its iterations and its line."""

    values: dict[Key, dict[str, list[tuple[str, int, int]]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    configuration: dict[str, list[str]] = field(default_factory=dict)
    better: dict[str, Direction] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # where the reading is
    _package: str = ""
    _last: str = ""
    _begun: re.Match[str] | None = None
    _talk: list[str] = field(default_factory=list)  # with -v before the line that says of whom, without after it
    _panic: list[str] = field(default_factory=list)  # what went wrong, and in which benchmark

    def only(self, name: str) -> str:
        """What the file says under a name, "" when it says nothing or more than one thing."""
        said = self.configuration.get(name, [])
        return said[0] if len(said) == 1 else ""

    def take(self, place: int, raw: str) -> None:
        """The line `place` of the text, without its end."""
        line = raw.rstrip()
        if self._begun and (found := _FIGURES.fullmatch(line)):
            self._add((*self._begun.group(1, 2), *found.groups()), place)
            self._begun = None
        elif line.startswith("    ") and not _NO_RESULT.match(line.lstrip()):
            self._talk.append(line.strip())
        elif found := _NO_RESULT.match(line.lstrip()):
            self._talk = self._talk if self._last == found[2] else []
            failure = Failure(package=self._package, name=found[2], how=found[1], talk=self._talk)
            self.failures.append(failure)
            self._last, self._begun = "", None
        else:
            self._talk = []
            self._benchmark(place, raw) if line.startswith("Benchmark") else self._said(line)
            self._last = line

    def _benchmark(self, place: int, raw: str) -> None:
        line = raw.rstrip()
        self._begun = None
        if found := _RESULT.fullmatch(line):
            self._add(found.groups(), place)
        elif found := _BEGUN.fullmatch(raw):
            self._begun = found
            if line.endswith("/op"):
                self._skip(found[1], f"no values with their units in line {place}: does the benchmark print?")

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
        """A package ends. Where it failed with a panic, Go has printed nothing else of the benchmark."""
        if not any(not key.package for key in self.values):  # before Go 1.9 no line said it of any benchmark
            self.failures = [f if f.package else replace(f, package=package) for f in self.failures]
        if outcome == "FAIL":
            self.notes.append(": ".join((f"failed: {package}{rest}".replace("\t", " "), *self._panic[:1])))
            of_whom, talk = self._package or package, self._panic[:1]
            self.failures += [Failure(package=of_whom, name=n, how="FAIL", talk=talk) for n in self._panic[1:]]
        self._package, self._begun, self._panic = "", None, []

    def _add(self, found: Sequence[str], place: int) -> None:
        name, procs, iterations, rest = found
        words = rest.split()
        key = Key(package=self._package, name=name, procs=procs or "")
        if len(words) % 2 or not (words[0] in LITERALS or NUMBER.fullmatch(words[0])):
            self._skip(name, f"no values with their units in line {place}")
            return
        by_unit = self.values.setdefault(key, {})
        for value, unit in zip(words[::2], words[1::2], strict=True):
            by_unit.setdefault(unit, []).append((value, int(iterations[:20]), place))

    def _skip(self, name: str, detail: str) -> None:
        self.skips.append(Skip(benchmark=name, reason=SkipReason.NOT_A_NUMBER, detail=detail))
