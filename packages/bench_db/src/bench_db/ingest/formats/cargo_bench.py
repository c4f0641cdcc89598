"""The text of `cargo bench`: lines of libtest and of Criterion among any other output."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import interval, stated, unit_of
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import BYTES_PER_SECOND, COUNT, PER_SECOND, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bench_db.ingest.content import Content


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line. Text overwritten on a terminal is a line of its own."""
    start, number = 0, 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        line = text[start:end].removesuffix("\r")
        for part in line.split("\r"):
            yield number, part
        start = end + 1


_PANIC = re.compile(r"thread '[^']*'(?: \(\d+\))? (panicked at .*)")


def _panic(line: str) -> str:
    """Return position and reason of a panic, "" for any other line."""
    found = _PANIC.match(line)
    return found[1] if found else ""


def _with_reasons(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the lines, each panic joined with its reason: since Rust 1.73 that is the next line."""
    waiting: tuple[int, str] | None = None
    for number, line in lines:
        if waiting:
            yield waiting[0], f"{waiting[1]} {line.strip()}"
            waiting = None
        elif line.endswith(":") and _panic(line):
            waiting = number, line
        else:
            yield number, line
    if waiting:
        yield waiting


_LIBTEST_LINE = r"^test .+ \.\.\. bench:|^bench: .*/iter \(\+/- "
_TEST, _MEASURED, _FAILED, _DOTS = "test ", " ... bench:", "FAILED", " ..."
_ANOTHER = f"{_DOTS} {_TEST}"
_FIGURE = r"(\d[\d,]*(?:\.\d+)?)"
_FIGURES = rf"\s*{_FIGURE} (\S+) \(\+/- {_FIGURE}\)(?: = {_FIGURE} MB/s)?\s*"
_BENCH = re.compile(_FIGURES)
_REST = re.compile(rf"(?:bench:|^)({_FIGURES})$")  # of a torn line
_OUTCOME = re.compile(r"(?:^|\b)(ok|ignored|FAILED)\s*$")
_OUTCOME_OF_LINE = re.compile(r"(ok|ignored|FAILED)\b")
_DOTS_CUT = re.compile(r" \.{0,2}$")
_PER_ITERATION = "/iter"
_EVENTS = {"cycles", "instructions"}  # what Criterion counts instead of time with a suitable crate
_OUTPUT = re.compile(r"---- (.+) stdout ----")
_TOTAL = re.compile(r"test result: \w+\. (\d+) passed;")
_MEGA = 1e6


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A benchmark whose line began but has no figures: other output may be in between. `text` is the rest of its line.

    It is `sure` when the line has what libtest writes behind the name.
    """

    name: str
    line: int
    text: str = ""
    sure: bool = True


@dataclass(slots=True, kw_only=True)
class _Libtest:
    """What the lines of libtest contain so far."""

    measurements: list[Measurement] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    begun: _Begun | None = None
    earlier_failures: int = 0  # before this run of libtest
    reasons: dict[str, str] = field(default_factory=dict)
    speaking: str = ""

    def take(self, number: int, line: str) -> None:
        """Take one line of the text."""
        if found := _TOTAL.match(line):
            if found[1] != "0":  # a run of tests: in a run of benchmarks none passes
                del self.failures[self.earlier_failures :]
            self.earlier_failures = len(self.failures)
            self.end()
        elif line.startswith(_TEST):
            self._begin(number, line.removeprefix(_TEST))
        elif _MEASURED in line and _TEST in line:  # behind other output that did not end its line
            self._begin(number, line.partition(_TEST)[2])
        elif found := _REST.search(line):
            self._add(found[1], number)
        elif self.begun and (outcome := _OUTCOME.search(line)):
            self._settle(outcome[1])
        elif found := _OUTPUT.fullmatch(line.strip()):
            self.speaking = found[1]
        elif self.speaking and (reason := _panic(line)):
            self.reasons.setdefault(self.speaking, reason)

    def end(self, *, of_text: bool = False) -> None:
        """Skip the benchmark that began and has no figures."""
        begun, self.begun = self.begun, None
        if begun is None or not (begun.sure or of_text):
            return
        detail = f"it began in line {begun.line}, and no figures of it follow"
        reason = SkipReason.NO_STATISTICS
        if begun.text:
            reason, detail = (
                SkipReason.NOT_A_NUMBER,
                f"{begun.text[:60]!r} is not a time per iteration in line {begun.line}",
            )
        self.skips.append(Skip(benchmark=begun.name, reason=reason, detail=detail))

    def _begin(self, number: int, rest: str) -> None:
        *cut, last = rest.split(_ANOTHER)  # several processes may have written into one line
        for one in (*(before + _DOTS for before in cut), last):
            self._begin_one(number, one)

    def _begin_one(self, number: int, rest: str) -> None:
        self.end()
        name, measured, text = rest.partition(_MEASURED)
        between, dots, said = name.partition(_DOTS)
        if measured and not _BENCH.fullmatch(text) and not _REST.search(rest):
            self.begun = _Begun(name=name.strip(), line=number, text=text.strip())
        elif measured:
            self.begun = _Begun(name=name.strip(), line=number)
            self._add(text, number)
        elif not dots:
            self.begun = _Begun(name=_DOTS_CUT.sub("", name).strip(), line=number, sure=False)
        elif found := _REST.search(said):
            self.begun = _Begun(name=between.strip(), line=number)
            self._add(found[1], number)
        else:
            *_, last = name.rpartition(_DOTS)
            self.begun = _Begun(name=name[: -len(_DOTS + last)].strip(), line=number)
            if outcome := _OUTCOME_OF_LINE.match(last.strip()):
                self._settle(outcome[1])
            else:
                self.begun.name = between.strip()

    def _settle(self, outcome: str) -> None:
        if self.begun and outcome == _FAILED:
            self.failures.append(self.begun.name)
        self.begun = None

    def _add(self, text: str, number: int) -> None:
        begun, self.begun = self.begun, None
        if begun is None:
            detail = f"no name in front of {text.strip()[:60]!r}"
            self.skips.append(Skip(benchmark=f"line {number}", reason=SkipReason.NO_NAME, detail=detail))
            return
        try:
            self.measurements += list(_measured(begun.name, text, f"line {number}"))
        except RefusedError as refused:
            self.skips.append(Skip(benchmark=begun.name, reason=refused.reason, detail=refused.detail))


def _libtest(lines: Iterable[tuple[int, str]]) -> tuple[list[Measurement], list[Skip]]:
    """Return the benchmarks that were measured and those that failed. Ignored benchmarks and tests are left out.

    Other output may tear a line: figures that follow on a line of their own belong to the benchmark that began.
    """
    text = _Libtest()
    for number, line in lines:
        text.take(number, line)
    text.end(of_text=True)
    failed = (Measurement(benchmark_name=name, error=text.reasons.get(name, "failed")) for name in text.failures)
    return [*text.measurements, *failed], text.skips


def _measured(name: str, text: str, at: str) -> Iterator[Measurement]:
    """Yield the median and the range that libtest states, and the throughput when the line has one."""
    found = _BENCH.fullmatch(text)
    if not found:
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"{text.strip()[:60]!r} is not a time per iteration in {at}")
    unit, factor = _libtest_unit(found[2], at)
    median, margin = _libtest_number(found[1]), _libtest_number(found[3])
    lower, upper = interval(median - margin, median + margin, factor)
    yield Measurement(
        benchmark_name=name,
        metric="time" if unit is not COUNT else found[2].removesuffix(_PER_ITERATION),
        units=unit.name,
        direction=unit.direction,
        summary=stated({"median": median}, factor, at=at),
        n=1,
        lower=lower,
        upper=upper,
        metadata=foreign.compact({"line": text.strip()}),
    )
    if found[4]:
        yield Measurement(
            benchmark_name=name,
            metric="throughput",
            units=BYTES_PER_SECOND.name,
            direction=BYTES_PER_SECOND.direction,
            summary=stated({"median": _libtest_number(found[4])}, _MEGA, at=at),
            n=1,
        )


def _libtest_number(text: str) -> float:
    return float(text.replace(",", ""))


def _libtest_unit(spelled: str, at: str) -> tuple[Unit, float]:
    thing = spelled.removesuffix(_PER_ITERATION)
    if thing in _EVENTS:
        return COUNT, 1.0
    if thing == spelled:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"unit {spelled[:40]!r} is not per iteration in {at}")
    return unit_of(thing)


_PAIR = r"(\d+(?:\.\d+)?)\s+([^\s\[\]]+)"
_THREE = rf"\[\s*{_PAIR}\s+{_PAIR}\s+{_PAIR}\s*\]\s*"
_CRITERION_LINE = rf"time:\s+{_THREE}$"
_TIME = re.compile(rf"(?:(.*\S)\s+|\s*)time:\s+{_THREE}")
_TORN = re.compile(r"(?:(.*\S)\s+|\s*)time:\s+\[[^%]*|(.*\S)\s{2,}time:\s*")
_SPEED = re.compile(rf"\s*thrpt:\s+{_THREE}")
_STEP = re.compile(
    r"Benchmarking (.+?)(: (?:Warming up|Profiling|Collecting (\d{1,9}) samples|Analyzing|Complete)\b.*)?"
)
_SAMPLES = re.compile(r"Found \d+ outliers among (\d{1,9}) measurements")
_RATE = re.compile(r"([KMGT]?)(i?)(elem|B|b)/s")
_POWERS = " KMGT"
_UNFINISHED = "it began, and no time of it is in the output"  # stored


@dataclass(slots=True, kw_only=True)
class _Block:
    """The lines of one benchmark, starting with its time; `samples` is 0 when their number is unknown."""

    name: str
    line: int
    time: tuple[str, ...]
    speeds: list[tuple[str, ...]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    samples: int = 0


def _criterion(lines: Iterable[tuple[int, str]]) -> tuple[list[Measurement], list[Skip]]:
    """Return the benchmarks that were measured, and those that began but have no time."""
    blocks: list[_Block] = []
    begun: dict[str, int] = {}
    reasons: dict[str, str] = {}
    torn: list[Skip] = []
    torn_at: dict[str, str] = {}  # what may be a name and other output -> the name
    last = beginning = ""
    within = is_sure = False
    for number, line in lines:
        shown = line.strip()
        if "time:" in line and (found := _TIME.fullmatch(line)):
            name = _name_of_time(found[1], last, beginning, begun, is_sure=is_sure)
            blocks.append(_Block(name=name, line=number, time=found.groups()[1:], shown=[shown]))
            beginning, within, is_sure = "", True, False  # what follows is not its time
        elif "time:" in line and (found := _TORN.fullmatch(line)) and (found[1] or not within):
            name = (found[1] or last).strip() or f"line {number}"
            detail = f"{shown[:60]!r} in line {number} has no whole time"
            torn.append(Skip(benchmark=name, reason=SkipReason.NOT_A_NUMBER, detail=detail))
            within, is_sure = False, is_sure and name != beginning
        elif shown.startswith("Benchmarking ") and (found := _STEP.fullmatch(shown)):
            beginning, within, is_sure = found[1], False, bool(found[2])
            begun[beginning] = int(found[3] or begun.get(beginning, 0))
            if not found[2]:
                torn_at[beginning] = beginning.partition(": ")[0].removesuffix(":")
        elif beginning and (reason := _panic(shown)):
            reasons.setdefault(beginning, reason)
        elif within and shown:
            _add(blocks[-1], shown)
        elif last and not beginning and _SPEED.fullmatch(line):
            detail = f"no time in front of the throughput in line {number}"
            torn.append(Skip(benchmark=last, reason=SkipReason.NO_STATISTICS, detail=detail))
        else:
            within = False
        last = shown or last
    timed = {block.name for block in blocks}
    whole = {name if name in timed else torn_at.get(name, name): n for name, n in begun.items()}
    measurements, skips = _outcome(blocks, whole, reasons)
    known = {m.benchmark_name for m in measurements} | {skip.benchmark for skip in skips}
    return measurements, [*skips, *(skip for skip in torn if skip.benchmark not in known)]


def _name_of_time(shown: str | None, last: str, beginning: str, begun: Mapping[str, int], *, is_sure: bool) -> str:
    """Return whose time it is: the name in front of it or in the line before, or the benchmark that began when other output tore it."""
    name = (shown or last).strip()
    if not beginning or name in begun:
        return name
    has_other_output = name.endswith(beginning) or name.startswith(f"{beginning}  ")
    return beginning if has_other_output or (shown is None and is_sure) else name


def _add(block: _Block, shown: str) -> None:
    block.shown.append(shown)
    if found := _SPEED.fullmatch(shown):
        block.speeds.append(found.groups())
    elif found := _SAMPLES.match(shown):
        block.samples = int(found[1])


def _outcome(
    blocks: Sequence[_Block], begun: Mapping[str, int], reasons: Mapping[str, str]
) -> tuple[list[Measurement], list[Skip]]:
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    for block in blocks:
        try:
            measurements += list(_measurements(block, begun.get(block.name) or block.samples or 1))
        except RefusedError as refused:
            name = block.name or f"line {block.line}"
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    ended = {block.name for block in blocks}
    missing = (name for name in begun if name not in ended)
    measurements += (Measurement(benchmark_name=name, error=reasons.get(name, _UNFINISHED)) for name in missing)
    return measurements, skips


def _measurements(block: _Block, n: int) -> Iterator[Measurement]:
    at = f"line {block.line}"
    if not block.name:
        raise RefusedError(SkipReason.NO_NAME, f"no name before the time in {at}")
    metadata = foreign.compact({"lines": block.shown})
    for metric, figures, unit_at in (("time", block.time, unit_of), *(("throughput", s, _rate) for s in block.speeds)):
        unit, lower, middle, upper = _in_base_units(figures, unit_at, at)
        low, high = interval(lower, upper, 1.0)
        yield Measurement(
            benchmark_name=block.name,
            metric=metric,
            units=unit.name,
            direction=unit.direction,
            summary=stated({"mean": middle}, 1.0, at=at),
            n=n,
            lower=low,
            upper=high,
            metadata=metadata,
        )
        metadata = "{}"


def _in_base_units(
    figures: Sequence[str], unit_at: Callable[[str], tuple[Unit, float]], at: str
) -> tuple[Unit, float, float, float]:
    """Return unit, lower bound, estimate and upper bound. Criterion gives each its own multiple of the unit."""
    units = [unit_at(spelled) for spelled in figures[1::2]]
    if len({unit.name for unit, _ in units}) > 1:
        raise RefusedError(
            SkipReason.UNKNOWN_UNIT, f"units that do not belong together in {at}: {' '.join(figures[1::2])}"
        )
    lower, middle, upper = (float(number) * factor for number, (_, factor) in zip(figures[::2], units, strict=True))
    return units[0][0], lower, middle, upper


def _rate(spelled: str) -> tuple[Unit, float]:
    """Return unit and factor of a throughput: bytes in powers of 1024 or 1000, bits, or elements."""
    found = _RATE.fullmatch(spelled)
    if not found:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"throughput in {spelled[:40]!r}")
    factor = float((1024 if found[2] else 1000) ** _POWERS.index(found[1] or " "))
    if found[3] == "elem":
        return PER_SECOND, factor
    return BYTES_PER_SECOND, factor / 8 if found[3] == "b" else factor


SOURCE = "cargo-bench/1"
_SNIFF = re.compile(f"{_LIBTEST_LINE}|{_CRITERION_LINE}")
_READERS = (_libtest, _criterion)


def sniff(edges: bytes) -> bool:
    """Return whether any line is that of a measured benchmark."""
    if b"bench:" not in edges and b"time:" not in edges:  # a tenth of the time of looking at each line
        return False
    return any(_SNIFF.search(line) for _, line in _lines(edges.decode("utf-8", "replace")))


def read(content: Content) -> Reading:
    """Read the benchmarks of libtest, then those of Criterion, each in the order of their lines."""
    text = bytes(content.body).decode()
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    for read_lines in _READERS:
        found, refused = read_lines(_with_reasons(_lines(text)))
        measurements += found
        skips += refused
    if not measurements and not skips:
        reason = "contains no line like `test name ... bench: 1,234 ns/iter (+/- 56)` or `name  time: [1.2 ns 1.3 ns 1.4 ns]`"
        raise UnreadableOutputError(reason, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))
