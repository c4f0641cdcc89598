"""The lines that Dart's package benchmark_harness prints: `Name(RunTime): 12.5 us.`, and scores of its other emitters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "dart/1"
_US = 1e3
_ROW = re.compile(r"[ \t]*(\S.*?)\((RunTime|RunTimeRaw)\): (\S+) us\.?[ \t]*")
_BEGUN = re.compile(r"[ \t]*(\S.*?)\(RunTime(?:Raw)?\):.*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?", re.ASCII)
_SNIFF = re.compile(rb"^[ \t]*\S.*\(RunTime(?:Raw)?\): \S+ us\.?[ \t\r]*$", re.MULTILINE)
_METRICS = {"RunTime": "time", "RunTimeRaw": "time-raw"}


def sniff(edges: bytes) -> bool:
    """Return whether a line is a name with `(RunTime):` and a time in microseconds."""
    return b"(RunTime" in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each benchmark's mean time of a run. A benchmark that is printed several times has as many samples."""
    samples: dict[tuple[str, str], list[float]] = {}
    skips: list[Skip] = []
    for number, line in enumerate(foreign.lines(content), 1):
        begun, row = _BEGUN.fullmatch(line), _ROW.fullmatch(line)
        if row and _NUMBER.fullmatch(row[3]):
            samples.setdefault((row[1], _METRICS[row[2]]), []).append(float(row[3]))
        elif begun:
            detail = f"no time in microseconds at line {number}"
            skips.append(Skip(benchmark=begun[1], reason=SkipReason.NOT_A_NUMBER, detail=detail))
    measurements: list[Measurement] = []
    for (name, metric), times in samples.items():
        try:
            values = scaled(times, _US, at=f"{name} ({metric})")
            measurements.append(Measurement(benchmark_name=name, metric=metric, values=values))
        except RefusedError as refused:
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))
