"""The lines of libtest's benchmarks, and of Criterion with `--output-format bencher`, which writes the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.ingest import foreign
from bench_db.ingest.formats import panics
from bench_db.ingest.numbers import interval, stated, unit_of
from bench_db.ingest.reading import Measurement, RefusedError, Skip, SkipReason
from bench_db.units import BYTES_PER_SECOND, COUNT, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINE = r"^test .+ \.\.\. bench:"
_TEST, _MEASURED, _FAILED = "test ", " ... bench:", " ... FAILED"
_FIGURE = r"(\d[\d,]*(?:\.\d+)?)"
_BENCH = re.compile(rf"\s*{_FIGURE} (\S+) \(\+/- {_FIGURE}\)(?: = {_FIGURE} MB/s)?\s*")
_PER_ITERATION = "/iter"
_EVENTS = {"cycles", "instructions"}  # what Criterion counts in place of time, with a crate that can
_OUTPUT = re.compile(r"---- (.+) stdout ----")
_TOTAL = re.compile(r"test result: \w+\. (\d+) passed;")
_MEGA = 1e6


def read(lines: Iterable[tuple[int, str]]) -> tuple[list[Measurement], list[Skip]]:
    """The benchmarks that were measured and those that failed; the ignored, and tests, are none."""
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    failures: list[str] = []
    begun = 0  # how many failures there were before this run of libtest
    reasons: dict[str, str] = {}
    speaking = ""
    for number, line in lines:
        if found := _TOTAL.match(line):
            if found[1] != "0":  # a run of tests: one of benchmarks passes none
                del failures[begun:]
            begun = len(failures)
        elif line.startswith(_TEST):
            name, measured, text = line.removeprefix(_TEST).partition(_MEASURED)
            if measured:
                try:
                    measurements += list(_measured(name.strip(), text, f"line {number}"))
                except RefusedError as refused:
                    skips.append(Skip(benchmark=name.strip(), reason=refused.reason, detail=refused.detail))
            elif _FAILED in name:
                failures.append(name.partition(_FAILED)[0].strip())
        elif found := _OUTPUT.fullmatch(line.strip()):
            speaking = found[1]
        elif speaking and (reason := panics.message(line)):
            reasons.setdefault(speaking, reason)
    measurements += (Measurement(benchmark_name=name, error=reasons.get(name, "failed")) for name in failures)
    return measurements, skips


def _measured(name: str, text: str, at: str) -> Iterator[Measurement]:
    """The median and, as libtest states it, a range about it; bytes were counted where a speed is given."""
    found = _BENCH.fullmatch(text)
    if not found:
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"{text.strip()[:60]!r} is no time of an iteration in {at}")
    unit, factor = _unit(found[2], at)
    median, margin = _number(found[1]), _number(found[3])
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
            summary=stated({"median": _number(found[4])}, _MEGA, at=at),
            n=1,
        )


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _unit(spelled: str, at: str) -> tuple[Unit, float]:
    thing = spelled.removesuffix(_PER_ITERATION)
    if thing in _EVENTS:
        return COUNT, 1.0
    if thing == spelled:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"unit {spelled[:40]!r} is not of an iteration in {at}")
    return unit_of(thing)
