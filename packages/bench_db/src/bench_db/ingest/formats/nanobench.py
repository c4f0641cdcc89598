"""The JSON that nanobench's template `json()` renders, version 4: one result for each benchmark, with its measurements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.numbers import per_iteration, scaled
from bench_db.ingest.reading import Measurement, Reading, Skip
from bench_db.units import COUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "nanobench/1"
_NS = 1e9
_MEASUREMENTS = "measurements"
_SNIFF = re.compile(rb'"median\(elapsed\)"\s*:')
# nanobench writes names as they are, with quotes and backslashes inside
_NAME = re.compile(rb'^([ \t]*"(?:title|name|unit)": )"(.*)",(\r?)$', re.MULTILINE)
# what the processor counted in an iteration; all 0 where the system does not give counters
_COUNTERS = {
    "instructions": "instructions",
    "cpucycles": "cycles",
    "branchinstructions": "branches",
    "branchmisses": "branch-misses",
    "contextswitches": "context-switches",
    "pagefaults": "page-faults",
}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    results: list[foreign.Record]


class _Epoch(msgspec.Struct):
    iterations: int
    elapsed: float
    instructions: float = 0.0
    cpucycles: float = 0.0
    branchinstructions: float = 0.0
    branchmisses: float = 0.0
    contextswitches: float = 0.0
    pagefaults: float = 0.0


def sniff(edges: bytes) -> bool:
    """Return whether it has a list of results with the medians that nanobench names."""
    return b'"results"' in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each result as a time and, where counted, as instructions, cycles and other counters, with a sample an epoch."""
    text = _NAME.sub(_quoted, bytes(content.body))
    top, records = foreign.listing(text, "results", _File, file=str(content.path))
    measurements, skips = foreign.each(records, "$.results", foreign.name_of, _measurements)
    return Reading(source=SOURCE, context=foreign.compact(top), measurements=measurements, skips=skips)


def _quoted(found: re.Match[bytes]) -> bytes:
    """Return the line of a name as JSON."""
    start, name, end = found.groups()
    return start + msgspec.json.encode(name.decode()) + b"," + end


def _measurements(name: str, record: foreign.Record, at: str) -> Iterator[Measurement | Skip]:
    """Yield the metrics of a benchmark: elapsed times and counters are those of an iteration, divided by its batch."""
    at_epochs = f"{at}.{_MEASUREMENTS}"
    epochs = foreign.part(record.get(_MEASUREMENTS, msgspec.Raw(b"[]")), list[_Epoch], at=at_epochs)
    batch = foreign.part(record.get("batch", msgspec.Raw(b"1")), float, at=f"{at}.batch")
    metadata = foreign.compact({field: raw for field, raw in record.items() if field != _MEASUREMENTS})
    suite = foreign.text(foreign.plain(record.get("title")))
    each = 1.0 / batch if batch > 0 else 1.0
    values = scaled([epoch.elapsed for epoch in epochs], _NS * each, at=at_epochs)
    _, iterations = per_iteration(values, [epoch.iterations for epoch in epochs], 1.0)
    yield Measurement(benchmark_name=name, suite=suite, values=values, iterations=iterations, metadata=metadata)
    for counter, metric in _COUNTERS.items():
        counts = [getattr(epoch, counter) for epoch in epochs]
        if any(counts):
            counted = Measurement(benchmark_name=name, suite=suite, metric=metric, units=COUNT.name)
            yield foreign.further(counted, counts, each, at=f"{at_epochs} ({counter})")
