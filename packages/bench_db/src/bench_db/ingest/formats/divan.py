"""The tree that Divan prints: a benchmark in each leaf with its fastest, slowest, median and mean time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import stated
from bench_db.ingest.rates import measured
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "divan/1"
_HEAD = re.compile(r"(\S.*?)\s+fastest\s+\u2502 slowest\s+\u2502 median\s+\u2502 mean\s+\u2502 samples \u2502 iters\s*")
_SNIFF = re.compile(
    "^\\S.* fastest +\u2502 slowest +\u2502 median +\u2502 mean +\u2502 samples \u2502 iters".encode(), re.MULTILINE
)
_BRANCH = re.compile(r"((?:\u2502  |   )*)[\u251c\u2570]\u2500 (.*)")
_TIME = r"(\d+(?:\.\d+)?) (ps|ns|\N{MICRO SIGN}s|\N{GREEK SMALL LETTER MU}s|us|ms|s|m|h|d)"
_LEAF = re.compile(
    rf"(.*?)\s+{_TIME}\s*\u2502 {_TIME}\s*\u2502 {_TIME}\s*\u2502 {_TIME}\s*\u2502 (\d+)\s*\u2502 (\d+)\s*", re.ASCII
)
_PARENT = re.compile(r"(.*?)(?:\s*\u2502\s*\u2502\s*\u2502\s*\u2502\s*\u2502\s*)?")
_IGNORED = re.compile(r"(.*?)\s+\(ignored\)[\s\u2502]*")
_CUT = re.compile(rf"(.*?)\s+{_TIME}\s*\u2502.*", re.ASCII)
_STEP = 3  # columns of a level
_LONG = {"m": 60e9, "h": 3600e9, "d": 86400e9}


def sniff(edges: bytes) -> bool:
    """Return whether a line is the head of a tree, with the columns from fastest to iters."""
    # The expression alone tries each line, of which a JSON document has thousands.
    return b" fastest " in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each leaf's statistics; the name is its path, the suite is the program. The text has no samples."""
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    program, path = "", list[str]()
    for number, line in enumerate(foreign.lines(content), 1):
        at = f"line {number}"
        if head := _HEAD.fullmatch(line):
            program, path = head[1], []
        elif program and (branch := _BRANCH.fullmatch(line)):
            path = path[: len(branch[1]) // _STEP]
            if leaf := _LEAF.fullmatch(branch[2]):
                name = "::".join((*path, leaf[1]))
                try:
                    measurements.append(_measurement(name, program, leaf, at))
                except RefusedError as refused:
                    skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
            elif cut := _CUT.fullmatch(branch[2]):
                detail = f"the line ends before its statistics at {at}"
                skips.append(Skip(benchmark="::".join((*path, cut[1])), reason=SkipReason.NO_STATISTICS, detail=detail))
            elif not _IGNORED.fullmatch(branch[2]) and (parent := _PARENT.fullmatch(branch[2])):
                path.append(parent[1].strip())
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _measurement(name: str, program: str, leaf: re.Match[str], at: str) -> Measurement:
    fastest, slowest, median, mean = (_nanoseconds(leaf[i], leaf[i + 1]) for i in (2, 4, 6, 8))
    return Measurement(
        benchmark_name=name,
        suite=program,
        summary=stated({"min": fastest, "max": slowest, "median": median, "mean": mean}, 1.0, at=at),
        n=foreign.counted(leaf[10], at=at),
        metadata=foreign.compact({"iters": leaf[11]}),
    )


def _nanoseconds(figure: str, unit: str) -> float:
    return float(figure) * (_LONG[unit] if unit in _LONG else measured(unit)[1])
