"""The counts of Gungraun, of iai-callgrind before it and of iai: the text, and the JSON of `--output-format=json`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import number
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import BYTES, COUNT, RATIO, Direction, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench_db.ingest.content import Content

SOURCE = "gungraun/1"
_FIRST_TOOL = "callgrind"  # its metrics have no tool in their names; an output without tools is of Callgrind alone
# Each with a text that it contains, of which a search takes a hundredth of the time.
_SNIFFS = [
    (b"Instructions: ", re.compile(rb"^  Instructions: +[\d.]+(?:\||[ \r\n]|\()", re.MULTILINE)),
    (b"Total bytes: ", re.compile(rb"^  Total bytes: +[\d.]+(?:\||[ \r\n]|\()", re.MULTILINE)),
    (b"  =", re.compile(rb"^  =+ (?:CALLGRIND|CACHEGRIND|DHAT|DRD|HELGRIND|MEMCHECK|MASSIF|BBV) =+", re.MULTILINE)),
    (b'"profiles"', re.compile(rb'"profiles"\s*:\s*\[.{0,4000}"metrics_summary"\s*:', re.DOTALL)),
]
_METRIC = re.compile(r"  (\w[^:|]{0,60}): +(N/A|[\d.]+)(?:\|\S+)?(?:\s+\(.*|\s*)", re.ASCII)
_TOOL = re.compile(r"  =+ ([A-Z]+) =+.*")
_PATH = re.compile(r"([\w<>{}#.$-]+(?:::[\w<>{}#.$-]+)+)(?: (.*))?")
_WORD = re.compile(r"[\w<>{}#.$-]+", re.ASCII)
_OBJECT = re.compile(r"^[ \t]*\{", re.MULTILINE)
_PERCENT = 0.01  # rates are written in per cent
_HEAD = 4000  # characters of a summary in which its path stands
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Metrics that may move either way without being worse: a hit replaces a miss, a rate moves with what it is divided by.
_INFORMATION = re.compile(
    r"l1-(?:hits|accesses)|.*-rate|suppressed-.*|sys-(?:cpu-)?time|ge|.*lifetimes|total-units|total-events"
)
# The JSON's names of events that the text prints in other words.
_WORDS = {
    "ir": "instructions",
    "l1hits": "l1-hits",
    "l2hits": "l2-hits",
    "llhits": "ll-hits",
    "total-rw": "total-read-write",
    "llhit-rate": "ll-hit-rate",
    "llmiss-rate": "ll-miss-rate",
    "at-tend-blocks": "at-t-end-blocks",
    "at-tend-bytes": "at-t-end-bytes",
    "at-tgmax-blocks": "at-t-gmax-blocks",
    "at-tgmax-bytes": "at-t-gmax-bytes",
}


@dataclass(slots=True, kw_only=True)
class _Header:
    """A benchmark of the text: its name, the line that it begins in, and the figures that follow, by tool and metric."""

    name: str
    line: int
    details: str = ""
    figures: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)


class _Metrics(msgspec.Struct):
    metrics: dict[str, object]


class _Total(msgspec.Struct):
    summary: dict[str, dict[str, _Metrics]] | str  # a text for a tool without metrics


class _Summaries(msgspec.Struct):
    total: _Total


class _Profile(msgspec.Struct):
    tool: str
    summaries: _Summaries


class _Summary(msgspec.Struct):
    module_path: str
    profiles: list[_Profile]
    id: str | None = None
    details: str | None = None
    version: str = ""


def sniff(edges: bytes) -> bool:
    """Return whether it has counts of one of Valgrind's tools, as these tools print or write them."""
    return any(text in edges and part.search(edges) for text, part in _SNIFFS)


def read(content: Content) -> Reading:
    """Read each metric of each benchmark as one value, that of this run; the file's comparison with an earlier run is left out."""
    found = list(_summaries(content)) if b'"profiles"' in content.text else []
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    of_json = [(name, _of_summary(summary, at)) for name, summary, at in found]
    of_text = [] if found else [(header.name, _of_header(header)) for header in _headers(foreign.lines(content))]
    for name, measured in of_json + of_text:
        try:
            foreign.add(measured, measurements, skips)
        except RefusedError as refused:
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _name(path: str, identity: str | None) -> str:
    """Return path and id of a benchmark. Its arguments are no part: they are printed as code and may be long."""
    return f"{path} {identity}" if identity else path


def _headers(lines: list[str]) -> list[_Header]:
    """Return the benchmarks. The name of one may go on over several lines; other output stands between them."""
    text = _Text()
    for number_of, line in enumerate(lines, 1):
        text.take(number_of, line)
    text.begin(only_paths=True)
    return text.headers


@dataclass(slots=True, kw_only=True)
class _Text:
    """The benchmarks so far, and the unindented lines since the last blank line or figure, which may name the next."""

    headers: list[_Header] = field(default_factory=list)
    pending: list[tuple[int, str]] = field(default_factory=list)
    tool: str = _FIRST_TOOL

    def take(self, number_of: int, line: str) -> None:
        """Take one line."""
        if heading := _TOOL.fullmatch(line):
            self.begin()
            self.tool = heading[1].lower()
        elif metric := _METRIC.fullmatch(line):
            self.begin()
            if self.headers:
                self.headers[-1].figures.setdefault((self.tool, _slug(metric[1])), (metric[2], number_of))
        elif not line.strip():
            self.begin(only_paths=True)
        elif not line[0].isspace():
            self.pending.append((number_of, line))

    def begin(self, *, only_paths: bool = False) -> None:
        """Begin the benchmark that the pending lines name, if they name one."""
        if started := _header(self.pending, only_paths=only_paths):
            self.headers.append(started)
            self.tool = _FIRST_TOOL
        self.pending = []


def _header(pending: list[tuple[int, str]], *, only_paths: bool = False) -> _Header | None:
    """Return the benchmark that the last of some lines name: a path with an id, or for iai one word."""
    for at in range(len(pending) - 1, -1, -1):
        number_of, line = pending[at]
        if path := _PATH.fullmatch(line):
            identity, _, details = (path[2] or "").partition(":")
            details = "\n".join((details, *(text for _, text in pending[at + 1 :])))
            return _Header(name=_name(path[1], identity.strip()), line=number_of, details=details.strip())
    if pending and not only_paths and _WORD.fullmatch(pending[-1][1]):
        return _Header(name=pending[-1][1], line=pending[-1][0])
    return None


def _of_header(header: _Header) -> Iterator[Measurement | Skip]:
    if not header.figures:
        raise RefusedError(SkipReason.NO_STATISTICS, f"it began in line {header.line}, and no figures of it follow")
    metadata = foreign.compact({"details": header.details} if header.details else {})
    for (tool, metric), (text, at) in header.figures.items():
        if text != "N/A":  # this run has no such figure, the one before it had
            yield _figure(header.name, tool, metric, partial(_number, text, at), at=f"line {at}", metadata=metadata)


def _number(text: str, line: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"{text[:40]!r} at line {line}") from error


def _summaries(content: Content) -> Iterator[tuple[str, foreign.Record, str]]:
    """Yield each summary of a benchmark, whether on one line or on many, between the lines that cargo prints."""
    text = bytes(content.body).decode()
    decoder, line, counted_to = json.JSONDecoder(), 1, 0
    for found in _OBJECT.finditer(text):
        if found.start() < counted_to:  # within the last summary
            continue
        start = found.end() - 1
        line, counted_to = line + text.count("\n", counted_to, start), start
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            if '"module_path"' not in text[start : start + _HEAD]:
                continue
            reason = "is JSON that ends too early. Was the job cancelled while writing it?"
            raise UnreadableOutputError(reason, file=str(content.path), line=line) from error
        if isinstance(value, dict) and "module_path" in value and "profiles" in value:
            record = {name: msgspec.Raw(msgspec.json.encode(part)) for name, part in value.items()}
            path, identity = (foreign.text(value.get(name)) for name in ("module_path", "id"))
            yield _name(path, identity) or f"line {line}", record, f"line {line}"
        line, counted_to = line + text.count("\n", counted_to, end), end


def _of_summary(record: foreign.Record, at: str) -> Iterator[Measurement | Skip]:
    summary = foreign.part(msgspec.json.encode(record), _Summary, at=at)
    name = _name(summary.module_path, summary.id)
    facts = {"details": summary.details, "version": summary.version}
    metadata = foreign.compact({fact: value for fact, value in facts.items() if value})
    measured = False
    for profile in summary.profiles:
        summaries = profile.summaries.total.summary
        for metrics in summaries.values() if isinstance(summaries, dict) else ():
            for metric, stated in metrics.items():
                new = _new(stated.metrics)
                if new is not None:
                    measured = True
                    value = partial(number, new, at=f"{at}, {profile.tool}.{metric}")
                    yield _figure(name, profile.tool.lower(), _slug(metric), value, at=at, metadata=metadata)
    if not measured:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no metric of this run at {at}")


def _new(metrics: Mapping[str, object]) -> object:
    """Return the value of this run: the left one, or the first of both; None where only the earlier run has one."""
    both = metrics.get("Both")
    left = both[0] if isinstance(both, list) and both else metrics.get("Left")
    return next(iter(left.values()), None) if isinstance(left, dict) else left


def _slug(words: str) -> str:
    """Return the name of a metric from the words or the name of an event: `estimated-cycles`."""
    slug = re.sub(r"[^a-z0-9]+", "-", _CAMEL.sub(" ", words).lower()).strip("-")
    return _WORDS.get(slug, slug)


def _figure(  # noqa: PLR0913 two by keyword
    name: str, tool: str, metric: str, value: Callable[[], float], *, at: str, metadata: str
) -> Measurement | Skip:
    """Return a metric of a benchmark, or the skip of this metric alone."""
    unit = _unit(metric)
    direction = Direction.INFO if _INFORMATION.fullmatch(metric) else unit.direction
    like = Measurement(
        benchmark_name=name,
        metric=metric if tool == _FIRST_TOOL else f"{tool}-{metric}",
        units=unit.name,
        direction=direction,
        metadata=metadata,
    )
    try:
        return foreign.further(like, [value()], _PERCENT if unit is RATIO else 1.0, at=at)
    except RefusedError as refused:
        return foreign.skip_of(like, refused)


def _unit(metric: str) -> Unit:
    if metric.endswith("-rate"):
        return RATIO
    return BYTES if metric.endswith("bytes") else COUNT
