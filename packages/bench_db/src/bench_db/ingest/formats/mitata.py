"""The JSON of mitata's `run({format: "json"})`, version 1: benchmarks with a run for each combination of their arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.numbers import scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "mitata/1"
_SNIFFS = [
    re.compile(rb'"layout"\s*:\s*\['),
    re.compile(rb'"benchmarks"\s*:\s*\[\s*\{.{0,400}"(?:alias|runs)"', re.DOTALL),
]
_MS = 1000
_LONGEST = 500  # characters of an error
_CODE, _SAMPLES = "debug", "samples"  # generated code and samples are left out of the metadata
_ALIAS = re.compile(r"\$(\w+)")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    benchmarks: list[foreign.Record]
    layout: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.Raw()


class _Heap(msgspec.Struct):
    avg: float | None = None


class _Stats(msgspec.Struct):
    samples: list[float]
    heap: _Heap | None = None


class _Error(msgspec.Struct):
    message: str = ""


class _Run(msgspec.Struct):
    name: str = ""
    args: dict[str, msgspec.Raw] = {}
    stats: _Stats | None = None
    error: _Error | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it has mitata's layout and a list of benchmarks with runs."""
    return all(part.search(edges) for part in _SNIFFS)


def read(content: Content) -> Reading:
    """Read each run of each benchmark as a time with samples and, where measured, as the mean of allocated bytes."""
    top, records = foreign.listing(content.body, "benchmarks", _File, file=str(content.path))
    groups = foreign.plain(top.get("layout"))
    names = (
        [group.get("name") if isinstance(group, dict) else None for group in groups] if isinstance(groups, list) else []
    )

    def measured(name: str, record: foreign.Record, at: str) -> Iterator[Measurement | Skip]:
        group = foreign.plain(record.get("group"))
        suite = foreign.text(names[group]) if isinstance(group, int) and 0 <= group < len(names) else ""
        return _measurements(name, suite, record, at)

    measurements, skips = foreign.each(records, "$.benchmarks", _alias, measured)
    context = foreign.fields(top.get("context"))
    now, cpu = context.get("now"), context.get("cpu")
    said = {field: context[field] for field in ("runtime", "version", "arch") if field in context}
    return Reading(
        source=SOURCE,
        context=foreign.compact(said | ({"cpu": cpu} if isinstance(cpu, dict) else {})),
        measurements=measurements,
        skips=skips,
        run_time=int(now) // _MS if isinstance(now, int | float) and 0 < now < 1 << 53 else None,
    )


def _alias(record: foreign.Record, at: str) -> str:
    name = foreign.text(foreign.plain(record.get("alias")))
    if not name:
        raise RefusedError(SkipReason.NO_NAME, f"no alias at {at}")
    return name


def _measurements(alias: str, group: str, record: foreign.Record, at: str) -> Iterator[Measurement | Skip]:
    raw_runs = foreign.part(record.get("runs", msgspec.Raw(b"[]")), list[foreign.Record], at=f"{at}.runs")
    if not raw_runs:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no run in {at}.runs")
    for index, raw in enumerate(raw_runs):
        place = f"{at}.runs[{index}]"
        run = foreign.part(msgspec.json.encode(raw), _Run, at=place)
        # the alias names the arguments, such as "sort $n"; their values are tags
        name, tags = _ALIAS.sub(r"\1", alias), foreign.texts(run.args)
        if run.stats is None:
            error = (run.error or _Error()).message or "failed without a message"
            yield Measurement(benchmark_name=name, suite=group, tags=tags, error=error[:_LONGEST])
            continue
        if not run.stats.samples:
            raise RefusedError(SkipReason.NO_STATISTICS, f"no samples in {place}.stats")
        values = scaled(run.stats.samples, 1.0, at=f"{place}.stats.{_SAMPLES}")
        yield Measurement(benchmark_name=name, suite=group, tags=tags, values=values, metadata=_metadata(raw))
        if run.stats.heap is not None and run.stats.heap.avg is not None:
            heap = Measurement(benchmark_name=name, suite=group, metric="allocated-bytes", units=BYTES.name, tags=tags)
            yield foreign.further(heap, [run.stats.heap.avg], 1.0, at=f"{place}.stats.heap")


def _metadata(run: foreign.Record) -> str:
    stats = {
        field: value for field, value in foreign.fields(run.get("stats")).items() if field not in {_CODE, _SAMPLES}
    }
    return foreign.compact({"name": foreign.plain(run.get("name")), "stats": stats})
