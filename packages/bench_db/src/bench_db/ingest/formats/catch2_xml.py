"""The XML report of Catch2 (`-r xml`), versions 2.9 to 3, with all digits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import count, interval, number, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "catch2-xml/1"
_ROOT = re.compile(rb"<Catch(2TestRun)?[\s>]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?", re.ASCII)
_TITLES = {"TestCase", "Section"}
_FIGURES = {"mean", "standardDeviation", "outliers"}
_UNFINISHED = "the benchmark did not finish"


@dataclass(slots=True, kw_only=True)
class _Benchmark:
    """A benchmark so far: the attributes of its element, and of the elements of its figures by their names."""

    group: str
    about: dict[str, str]
    line: int
    figures: dict[str, dict[str, str]] = field(default_factory=dict)
    error: str = _UNFINISHED


def sniff(edges: bytes) -> bool:
    """Return whether it is a run of Catch2 with results of a benchmark."""
    return _ROOT.search(edges) is not None and b"<BenchmarkResults" in edges


def _cause(text: bytes | memoryview, code: int) -> str:
    """Return what is wrong around a whole report, and what to do; "" for an error within it."""
    alone = ". Write the report alone, with the option --out of Catch2"
    if not bytes(text[:_EDGE]).lstrip().startswith(b"<"):
        return f"; other text is in front of the report{alone}"
    if expat.ErrorString(code) == expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
        return f"; a second report or other text follows the first{alone}, a file for each run"
    return ". Was the job cancelled while writing it?" if expat.ErrorString(code) in _CUT else ""


_EDGE = 1 << 12
_CUT = {expat.errors.XML_ERROR_UNCLOSED_TOKEN, expat.errors.XML_ERROR_NO_ELEMENTS}


def read(content: Content) -> Reading:
    """Read each benchmark's mean with its interval and deviation. The suite is the test case and its sections."""
    file = str(content.path)
    report = _Report(file)
    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = lambda name, about: report.begin(name, about, parser.CurrentLineNumber)
    parser.EndElementHandler = report.end
    parser.StartDoctypeDeclHandler = report.refuse
    try:
        parser.Parse(content.text, True)  # noqa: FBT003 as expat has it
    except expat.ExpatError as error:
        reason = f"is not valid XML: {expat.ErrorString(error.code)}{_cause(content.body, error.code)}"
        raise UnreadableOutputError(reason, file=file, line=error.lineno, column=error.offset + 1) from error
    measurements, skips = [], []
    for benchmark in report.benchmarks:
        try:
            measurements.append(_measurement(benchmark))
        except RefusedError as refused:
            name = benchmark.about.get("name") or f"line {benchmark.line}"
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    if not measurements and not skips:
        reason = "contains no benchmark of Catch2. Did the selected tests have any?"
        raise UnreadableOutputError(reason, file=file)
    context = foreign.compact(report.about)
    return Reading(source=SOURCE, context=context, measurements=tuple(measurements), skips=tuple(skips))


class _Report:
    """The benchmarks so far. A document type is refused: its entities could grow without limit."""

    def __init__(self, file: str) -> None:
        self.about: dict[str, str] = {}
        self.benchmarks: list[_Benchmark] = []
        self._file = file
        self._titles: list[str] = []
        self._current: _Benchmark | None = None

    def begin(self, name: str, about: dict[str, str], line: int) -> None:
        """Handle the start of an element."""
        self.about = self.about or {"root": name, **about}
        if name in _TITLES:
            self._titles.append(about.get("name", ""))
        elif name == "BenchmarkResults":
            self._current = _Benchmark(group=" / ".join(self._titles), about=about, line=line)
            self.benchmarks.append(self._current)
        elif self._current and name in _FIGURES:
            self._current.figures[name] = about
        elif self._current and name == "failed":
            self._current.error = about.get("message") or "failed"

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        if name in _TITLES:
            self._titles.pop()
        elif name == "BenchmarkResults":
            self._current = None

    def refuse(self, *_: object) -> None:
        """Refuse the declaration of a document type."""
        reason = "declares a document type, which a report of Catch2 never does"
        raise UnreadableOutputError(reason, file=self._file)


def _measurement(benchmark: _Benchmark) -> Measurement:
    at, name = f"line {benchmark.line}", benchmark.about.get("name", "")
    if not name:
        raise RefusedError(SkipReason.NO_NAME, f"no name at {at}")
    metadata = foreign.compact({**benchmark.about, **benchmark.figures})
    mean, spread = benchmark.figures.get("mean"), benchmark.figures.get("standardDeviation")
    if mean is None:
        return Measurement(benchmark_name=name, suite=benchmark.group, error=benchmark.error, metadata=metadata)
    figures = {"mean": mean, "standard_deviation": spread}
    known = {
        what: number(_plain(about.get("value", "")), at=f"{at} ({what})") for what, about in figures.items() if about
    }
    lower, upper = interval(_plain(mean.get("lowerBound", "")), _plain(mean.get("upperBound", "")), 1.0)
    samples = benchmark.about.get("samples", "")
    return Measurement(
        benchmark_name=name,
        suite=benchmark.group,
        summary=stated(known, 1.0, at=at),
        n=count(int(samples[:20])) or 1 if samples.isdecimal() else 1,
        lower=lower,
        upper=upper,
        metadata=metadata,
    )


def _plain(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else text
