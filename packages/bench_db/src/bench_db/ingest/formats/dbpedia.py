"""The recall lines of lance-bench's DBpedia benchmark: `IVF100,PQ96: refine=10, recall@10=0.95`, among any other text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.arrow import samples_of
from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import RECALL

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "dbpedia/1"
_LINE = re.compile(r"IVF(\d{1,18}),PQ(\d{1,18}):[ \t]+refine=(\w+),[ \t]+recall@(\d{1,18})=([^\s,;]*)")
_BEGUN = re.compile(r"[ \t]*IVF(\d{1,18}),PQ(\d{1,18})(?:$|:(?:[ \t]+refine=(\w+))?)")
_SNIFF = re.compile(rb"^[ \t]*IVF\d{1,18},PQ\d{1,18}:[ \t]+refine=\w+,[ \t]+recall@\d{1,18}=", re.MULTILINE)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def sniff(edges: bytes) -> bool:
    """Return whether any line is a recall line."""
    return b",PQ" in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read one recall a line. k is a tag: recall@10 and recall@100 are two series of one query."""
    text = bytes(content.body).decode()
    measurements, skips = [], []
    for number, line in enumerate(text.split("\n"), 1):
        found = _LINE.search(line)
        if found is None:
            skips += _torn(line.rstrip("\r"), number)
            continue
        ivf, pq, refine, k, recall = found.groups()
        name = f"dbpedia_query_IVF{ivf}_PQ{pq}_refine_{refine}"
        try:
            value = _recall(recall, number)
        except RefusedError as refused:
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
            continue
        facts = {"ivf": int(ivf), "pq": int(pq), "refine": refine, "k": int(k), "metric": "cosine"}
        measurements.append(
            Measurement(
                benchmark_name=name,
                metric="recall",
                units=RECALL.name,
                direction=RECALL.direction,
                values=samples_of([value]),
                tags={"k": k},
                metadata=foreign.compact(facts),
            )
        )
    if not measurements and not skips:
        reason = "contains no line like IVF100,PQ96: refine=10, recall@10=0.95"
        raise UnreadableOutputError(reason, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _torn(line: str, number: int) -> list[Skip]:
    """Return the skip of a line that began as a recall line, none for any other line."""
    found = _BEGUN.match(line)
    if found is None:
        return []
    ivf, pq, refine = found.groups()
    name = f"dbpedia_query_IVF{ivf}_PQ{pq}" + (f"_refine_{refine}" if refine else "")
    detail = f"{line.strip()[:60]!r} in line {number} has no recall"
    return [Skip(benchmark=name, reason=SkipReason.NO_STATISTICS, detail=detail)]


def _recall(text: str, line: int) -> float:
    if not _NUMBER.fullmatch(text):
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"recall {text[:40]!r} in line {line}")
    value = float(text)
    if not 0 <= value <= 1:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"recall {text[:40]} is not in [0, 1] in line {line}")
    return value
