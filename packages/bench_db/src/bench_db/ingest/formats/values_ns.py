"""lance-bench's own results files: a list of benchmarks with times in nanoseconds and, for some, memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.arrow import samples_of
from bench_db.ingest import foreign
from bench_db.ingest.numbers import scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, SkipReason
from bench_db.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content
    from bench_db.model import Samples

SOURCE = "values-ns/1"
_MEMORY = {"peak_rss_bytes": "peak_rss", "delta_rss_bytes": "delta_rss"}
_MAX_SECONDS = 1 << 62
_TIMES = msgspec.json.Decoder(list[float] | None)
_TIME = msgspec.json.Decoder(float | None)
_SIZE = _TIME
_NULL = msgspec.Raw(b"null")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    results: list[foreign.Record]
    benchmark_type: msgspec.Raw = msgspec.Raw()
    timestamp: msgspec.Raw = msgspec.Raw()


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with results whose times are named for their unit."""
    return (
        re.search(rb'"results"\s*:\s*\[', edges) is not None
        and re.search(rb'"(values|duration)_ns"', edges) is not None
    )


def read(content: Content) -> Reading:
    """Read each entry as a time and, where present, a peak and a growth of resident memory. The suite is `benchmark_type`."""
    top, records = foreign.listing(content.body, "results", _File, file=str(content.path))
    suite, timestamp = foreign.plain(top.get("benchmark_type")), foreign.plain(top.get("timestamp"))

    def measured(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
        return _measurements(name, suite if isinstance(suite, str) else "", record, at)

    measurements, skips = foreign.each(records, "$.results", _name, measured)
    return Reading(
        source=SOURCE,
        context=foreign.compact(top),
        measurements=measurements,
        skips=skips,
        run_time=timestamp if type(timestamp) is int and 0 < timestamp < _MAX_SECONDS else None,
    )


def _name(record: foreign.Record, at: str) -> str:
    name = foreign.plain(record.get("benchmark_name"))
    if isinstance(name, str) and name:
        return name
    raise RefusedError(SkipReason.NO_NAME, f"no benchmark_name at {at}")


def _measurements(name: str, suite: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    metadata = foreign.compact({field: part for field, part in record.items() if field != "values_ns"})
    yield Measurement(benchmark_name=name, suite=suite, values=_times(record, at), metadata=metadata)
    for field, metric in _MEMORY.items():
        size = foreign.part(record.get(field, _NULL), _SIZE, at=f"{at}.{field}")  # growth may be negative
        if size is not None:
            values = samples_of([size])
            yield Measurement(benchmark_name=name, suite=suite, metric=metric, units=BYTES.name, values=values)


def _times(record: foreign.Record, at: str) -> Samples:
    """Return all times, or the single `duration_ns` where there are none: it is one of them or their mean."""
    for field, shape in (("values_ns", _TIMES), ("duration_ns", _TIME)):
        times = foreign.part(record.get(field, _NULL), shape, at=f"{at}.{field}")
        if times or times == 0:
            return scaled(times if isinstance(times, list) else [times], 1.0, at=f"{at}.{field}")
    raise RefusedError(SkipReason.NO_STATISTICS, f"neither values_ns nor duration_ns at {at}")
