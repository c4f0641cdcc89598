"""hyperfine's `--export-json`, 1.0 to 1.20 and later: a result for each command, with the times of its runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.numbers import scaled, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, SkipReason
from bench_db.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.ingest.content import Content

SOURCE = "hyperfine/1"
_NS = 1e9
_SNIFF = re.compile(rb'"results"\s*:\s*\[\s*\{\s*"command"\s*:')
_SAMPLES = ("times", "memory_usage_byte")
_STATISTICS = {"min": "min", "median": "median", "max": "max", "mean": "mean", "standard_deviation": "stddev"}
_CPU = {"user": "user-time", "system": "system-time"}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    results: list[foreign.Record]
    metadata: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct):
    mean: float | None = None
    stddev: float | None = None
    median: float | None = None
    min: float | None = None
    max: float | None = None
    user: float | None = None
    system: float | None = None
    times: list[float] | None = None
    memory_usage_byte: list[float] | None = None
    exit_codes: list[object] | None = None
    parameters: dict[str, msgspec.Raw] | None = None
    parameter: str | int | float | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with results, the first of which begins with its command."""
    return _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each command as a wall time and, where present, a user time, a system time and a peak of resident memory."""
    top, records = foreign.listing(content.body, "results", _File, file=str(content.path))
    measurements, skips = foreign.each(records, "$.results", _name, _measurements)
    metadata = foreign.fields(top.get("metadata"))
    return Reading(
        source=SOURCE,
        context=foreign.compact(top),
        measurements=measurements,
        skips=skips,
        run_time=foreign.unix(metadata.get("start_time")),
    )


def _name(record: foreign.Record, at: str) -> str:
    name = foreign.plain(record.get("command"))
    if isinstance(name, str) and name:
        return name
    raise RefusedError(SkipReason.NO_NAME, f"no command at {at}")


def _measurements(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    result = foreign.part(msgspec.json.encode(record), _Result, at=at)
    tags = _tags(result)
    failed = [code for code in result.exit_codes or () if code != 0]
    if failed:
        error = f"{len(failed)} of {len(result.exit_codes or ())} runs failed: {_said(failed)}"
        yield Measurement(benchmark_name=name, tags=tags, error=error, metadata=foreign.compact(record))
        return
    metadata = foreign.compact({field: part for field, part in record.items() if field not in _SAMPLES})
    runs = len(result.times or result.exit_codes or ()) or 1
    if result.times:
        times = scaled(result.times, _NS, at=f"{at}.times")
        yield Measurement(benchmark_name=name, tags=tags, values=times, metadata=metadata)
    else:
        figures = {name: getattr(result, field) for name, field in _STATISTICS.items()}
        summary = stated(figures, _NS, at=at)
        yield Measurement(benchmark_name=name, tags=tags, summary=summary, n=runs, metadata=metadata)
    for field, metric in _CPU.items():
        seconds: float | None = getattr(result, field)
        if seconds is not None:
            summary = stated({"mean": seconds}, _NS, at=f"{at}.{field}")
            yield Measurement(benchmark_name=name, metric=metric, tags=tags, summary=summary, n=runs)
    if result.memory_usage_byte:
        values = scaled(result.memory_usage_byte, 1.0, at=f"{at}.memory_usage_byte")
        yield Measurement(benchmark_name=name, metric="peak_rss", units=BYTES.name, tags=tags, values=values)


def _said(codes: list[object]) -> str:
    """Return the exit codes, each once. A process that a signal ended has none."""
    texts = ("ended by a signal" if code is None else f"exit code {code}" for code in codes)
    return ", ".join(sorted(set(texts)))[:200]


def _tags(result: _Result) -> Mapping[str, str]:
    """Return the named parameters of 1.11 and later. Earlier versions wrote one without a name."""
    unnamed = {} if result.parameter is None else {"parameter": str(result.parameter)}
    return foreign.texts(result.parameters or {}) | unnamed
