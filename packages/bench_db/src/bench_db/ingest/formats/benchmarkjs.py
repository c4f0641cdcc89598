"""The lines that Benchmark.js prints for each benchmark: `String(event.target)`, versions 1 and 2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import interval, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import PER_SECOND

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "benchmarkjs/1"
_RATE = r" x ([\d,]+(?:\.\d+)?) ops/sec"
_MARGIN = r" (?:\N{PLUS-MINUS SIGN}|\+/-|\+-)([\d.,]+)% \((\d+) runs? sampled\)"
_ROW = re.compile(rf"[ \t]*(\S.*?){_RATE}{_MARGIN}[ \t]*", re.ASCII)
_BEGUN = re.compile(rf"[ \t]*(\S.*?){_RATE}.*", re.ASCII)
# An error of JavaScript has no fields to print. A line of the documented example begins with "Fastest is".
_FAILED = re.compile(r"(?!(?:Fastest|Slowest)\b)(\S.*): ")
_SNIFF = re.compile(rb" x [\d,]+(?:\.\d+)? ops/sec .{1,12}% \(\d+ runs? sampled\)")


def sniff(edges: bytes) -> bool:
    """Return whether a line ends with a rate, its margin of error and the number of runs."""
    return b" ops/sec " in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each benchmark's rate, with the interval that its margin of error gives. The text has no samples.

    A heading may look like a benchmark that failed. The latter stands below another benchmark; in an output with one that does not,
    none of them is certain, and all are skips.
    """
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    failed: list[tuple[str, str]] = []
    follows = are_certain = True
    for number, line in enumerate(foreign.lines(content), 1):
        at = f"line {number}"
        above, follows = follows and number > 1, True
        if found := _ROW.fullmatch(line):
            try:
                measurements.append(_measurement(*found.groups(), at=at))
            except RefusedError as refused:
                skips.append(Skip(benchmark=found[1], reason=refused.reason, detail=refused.detail))
        elif begun := _BEGUN.fullmatch(line):
            detail = f"no margin of error and number of runs behind the rate at {at}"
            skips.append(Skip(benchmark=begun[1], reason=SkipReason.NO_STATISTICS, detail=detail))
        elif named := _FAILED.fullmatch(line):
            failed.append((named[1], at))
            measurements.append(_failure(named[1]))
            are_certain = are_certain and above
        else:
            follows = False
    if len(failed) == len(measurements) and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    if not are_certain:
        measurements = [measurement for measurement in measurements if measurement.error is None]
        detail = "a benchmark that failed, or a heading, at"
        skips += (Skip(benchmark=n, reason=SkipReason.NO_STATISTICS, detail=f"{detail} {at}") for n, at in failed)
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _failure(name: str) -> Measurement:
    return Measurement(
        benchmark_name=name,
        metric="throughput",
        units=PER_SECOND.name,
        direction=PER_SECOND.direction,
        error="failed; the line has no message",
    )


def _measurement(name: str, rate: str, margin: str, runs: str, *, at: str) -> Measurement:
    mean, share = _number(rate, at), _number(margin, at) / 100
    lower, upper = interval(mean * (1 - share), mean * (1 + share), 1.0)
    return Measurement(
        benchmark_name=name,
        metric="throughput",
        units=PER_SECOND.name,
        direction=PER_SECOND.direction,
        summary=stated({"mean": mean}, 1.0, at=at),
        n=foreign.counted(runs, at=at),
        lower=lower,
        upper=upper,
    )


def _number(text: str, at: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError as error:
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"{text[:40]!r} at {at}") from error
