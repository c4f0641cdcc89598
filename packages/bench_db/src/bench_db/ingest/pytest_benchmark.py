"""pytest-benchmark's `--benchmark-json` file and its saved storage files, 2.5 to 5.x."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import first_not_a_number, number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Samples, SummaryValues, TestBed

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "pytest-benchmark/1"
_NS = 1e9
_STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "stddev")
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)

# One pass over the samples in C; a record of another shape is read again as whatever it is, to say what is wrong.
_stats = msgspec.json.Decoder(dict[str, int | float | str | None | list[float]])
_anything = msgspec.json.Decoder(dict[str, Any])


def sniff(edges: bytes) -> bool:
    """Whether it is an object with benchmarks and either the machine or the full name of a test."""
    return re.search(rb'"benchmarks"\s*:\s*\[', edges) is not None and (b'"machine_info"' in edges or b'"fullname"' in edges)


def read(content: Content) -> Reading:
    """One measurement a benchmark, under its full name."""
    file = str(content.path)
    top = foreign.decode(content.body, foreign.Record, file=file)
    records = foreign.records(top, "benchmarks", file=file)
    if not records:
        reason = "holds no benchmark; did the run select any test that uses the benchmark fixture?"
        raise UnreadableOutputError(reason, file=file, json_path="$.benchmarks")
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    notes: list[str] = []
    for index, record in enumerate(records):
        at = f"$.benchmarks[{index}]"
        name = at
        try:
            fields = foreign.part(record, foreign.Record, at=at) if isinstance(record, msgspec.Raw) else record
            name = _name(fields, at)
            measurements.append(_measurement(name, fields, at, notes))
        except RefusedError as refused:
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    return _with_origin(top, measurements, skips, notes)
