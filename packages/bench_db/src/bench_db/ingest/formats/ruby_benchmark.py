"""The tables of Ruby's library Benchmark: `bm`, `bmbm` and `benchmark` with its usual caption."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "ruby-benchmark/1"
_NS = 1e9
_CAPTION = re.compile(r"\s+user\s+system\s+total\s+real\s*")
_TIME = r"\s+(-?\d+\.\d+)"
_ROW = re.compile(rf"(\S.*?)??{_TIME}{_TIME}{_TIME}\s+\(\s*(-?\d+\.\d+)\)\s*", re.ASCII)
_REHEARSAL = re.compile(r"Rehearsal -+")
_SNIFF = re.compile(rb"^[ \t]+user[ \t]+system[ \t]+total[ \t]+real[ \t\r]*$", re.MULTILINE)


def sniff(edges: bytes) -> bool:
    """Return whether a line is the caption of a table of user, system, total and real times."""
    # The expression alone tries each indented line, of which a JSON document has thousands.
    return b"user" in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each row as a wall time, a user time and a system time. A rehearsal warms up and is left out."""
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    within = False
    for number, line in enumerate(foreign.lines(content), 1):
        at = f"line {number}"
        if _CAPTION.fullmatch(line) or _REHEARSAL.fullmatch(line):
            within = bool(_CAPTION.fullmatch(line))
        elif within and (row := _ROW.fullmatch(line)):
            try:
                foreign.add(_measurements(*row.groups(default=""), at=at), measurements, skips)
            except RefusedError as refused:
                skips.append(Skip(benchmark=row[1] or at, reason=refused.reason, detail=refused.detail))
        elif within and line.strip() and not measurements and not skips:
            within = False  # text follows the caption: a caption of other output
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _measurements(
    name: str, user: str, system: str, _total: str, real: str, *, at: str
) -> Iterator[Measurement | Skip]:
    if not name.strip():
        raise RefusedError(SkipReason.NO_NAME, f"no label in {at}")
    for metric, seconds in (("time", real), ("user-time", user), ("system-time", system)):
        yield foreign.further(
            Measurement(benchmark_name=name.strip(), metric=metric), [float(seconds)], _NS, at=f"{at} ({metric})"
        )
