"""The lines that Criterion prints of each benchmark: an estimate between its bounds, of the time and of the throughput."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench_db.ingest import foreign
from bench_db.ingest.formats import panics
from bench_db.ingest.numbers import interval, stated, unit_of
from bench_db.ingest.reading import Measurement, RefusedError, Skip, SkipReason
from bench_db.units import BYTES_PER_SECOND, PER_SECOND, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_PAIR = r"(\d+(?:\.\d+)?)\s+([^\s\[\]]+)"
_THREE = rf"\[\s*{_PAIR}\s+{_PAIR}\s+{_PAIR}\s*\]\s*"
LINE = rf"time:\s+{_THREE}$"
_TIME = re.compile(rf"(?:(.*\S)\s+|\s*)time:\s+{_THREE}")
_SPEED = re.compile(rf"\s*thrpt:\s+{_THREE}")
_STEP = re.compile(
    r"Benchmarking (.+?)(?:: (?:Warming up|Profiling|Collecting (\d{1,9}) samples|Analyzing|Complete)\b.*)?"
)
_SAMPLES = re.compile(r"Found \d+ outliers among (\d{1,9}) measurements")
_RATE = re.compile(r"([KMGT]?)(i?)(elem|B|b)/s")
_POWERS = " KMGT"
_UNFINISHED = "it began, and no time of it is in the output"


@dataclass(slots=True, kw_only=True)
class _Block:
    """What was printed of one benchmark, from its time on; `samples` is 0 where their number was not said."""

    name: str
    line: int
    time: tuple[str, ...]
    speeds: list[tuple[str, ...]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    samples: int = 0


def read(lines: Iterable[tuple[int, str]]) -> tuple[list[Measurement], list[Skip]]:
    """The benchmarks that were measured, and those that began but have no time."""
    blocks: list[_Block] = []
    begun: dict[str, int] = {}
    reasons: dict[str, str] = {}
    last = beginning = ""
    within = False
    for number, line in lines:
        shown = line.strip()
        if "time:" in line and (found := _TIME.fullmatch(line)):
            blocks.append(_Block(name=(found[1] or last).strip(), line=number, time=found.groups()[1:], shown=[shown]))
            within = True
        elif shown.startswith("Benchmarking ") and (found := _STEP.fullmatch(shown)):
            beginning, within = found[1], False
            begun[beginning] = int(found[2] or begun.get(beginning, 0))
        elif beginning and (reason := panics.message(shown)):
            reasons.setdefault(beginning, reason)
        elif within and shown:
            _add(blocks[-1], shown)
        else:
            within = False
        last = shown or last
    return _outcome(blocks, begun, reasons)


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
    """Lower bound, estimate and upper bound; each has a unit of its own, as large as fits it."""
    units = [unit_at(spelled) for spelled in figures[1::2]]
    if len({unit.name for unit, _ in units}) > 1:
        raise RefusedError(
            SkipReason.UNKNOWN_UNIT, f"units that do not belong together in {at}: {' '.join(figures[1::2])}"
        )
    lower, middle, upper = (float(number) * factor for number, (_, factor) in zip(figures[::2], units, strict=True))
    return units[0][0], lower, middle, upper


def _rate(spelled: str) -> tuple[Unit, float]:
    """A throughput: bytes in powers of 1024 or 1000, bits, or elements."""
    found = _RATE.fullmatch(spelled)
    if not found:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"throughput in {spelled[:40]!r}")
    factor = float((1024 if found[2] else 1000) ** _POWERS.index(found[1] or " "))
    if found[3] == "elem":
        return PER_SECOND, factor
    return BYTES_PER_SECOND, factor / 8 if found[3] == "b" else factor
