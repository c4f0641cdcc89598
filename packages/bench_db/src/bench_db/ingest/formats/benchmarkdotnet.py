"""BenchmarkDotNet's JSON, full and brief: times of operations in nanoseconds, allocations, and what diagnosers add."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign, rates
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import interval, number, scaled, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Samples, TestBed
from bench_db.units import BYTES, Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.ingest.content import Content

SOURCE = "benchmarkdotnet/1"
_SNIFF = re.compile(rb'"Benchmarks"\s*:\s*\[')
_STATISTICS = {"min": "Min", "q1": "Q1", "median": "Median", "q3": "Q3", "max": "Max", "mean": "Mean",
               "standard_deviation": "StandardDeviation"}  # fmt: skip
_TITLE = re.compile(r".*-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)", re.DOTALL)
_PARAMETERS = re.compile(r"&(?=\w+=)")
_JOB = re.compile(r"[^:]*: (.+?)(?: \[.*\])?", re.DOTALL)
_MADE_UP = re.compile(r"\AJob-[A-Z]{6}\((.+)\)\Z", re.DOTALL)  # a random name, different in the next run
_ALLOCATED = "Allocated Memory"  # the same as BytesAllocatedPerOperation
_SAMPLES = ("Measurements",)
_LARGEST_COUNT = 1 << 63


class _File(msgspec.Struct, forbid_unknown_fields=True):
    Benchmarks: list[foreign.Record]
    Title: msgspec.Raw = msgspec.Raw()
    HostEnvironmentInfo: msgspec.Raw = msgspec.Raw()


class _Statistics(msgspec.Struct, rename="pascal"):
    n: int | None = None
    original_values: list[float | str] | None = None
    confidence_interval: dict[str, object] | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with benchmarks and the environment of the host."""
    return _SNIFF.search(edges) is not None and b'"HostEnvironmentInfo"' in edges


def read(content: Content) -> Reading:
    """Read the time and the allocations of each benchmark. A benchmark without statistics failed."""
    top, records = foreign.listing(content.body, "Benchmarks", _File, file=str(content.path))
    several = {name for name, times in Counter(map(_full_name, records)).items() if times > 1}
    beside: list[Skip] = []
    read_one = partial(_measurements, several, beside)
    measurements, skips = foreign.each(records, "$.Benchmarks", _name, read_one)
    title = _TITLE.fullmatch(foreign.text(foreign.plain(top.get("Title"))))
    return Reading(
        source=SOURCE,
        context=foreign.compact(top),
        measurements=measurements,
        skips=(*skips, *beside),
        run_time=foreign.unix("{}-{}-{}T{}:{}:{}".format(*title.groups())) if title else None,
        test_bed=_machine(foreign.fields(top.get("HostEnvironmentInfo"))),
    )


def _full_name(record: foreign.Record | msgspec.Raw) -> str:
    fields = record if isinstance(record, dict) else {}
    said = {
        field: foreign.text(foreign.plain(fields.get(field))) for field in ("FullName", "Namespace", "Type", "Method")
    }
    return said["FullName"] or ".".join(part for part in list(said.values())[1:] if part)


def _name(record: foreign.Record, at: str) -> str:
    name = _full_name(record)
    if name:
        return name
    raise RefusedError(SkipReason.NO_NAME, f"neither a FullName nor a Method at {at}")


def _measurements(
    several: set[str], beside: list[Skip], name: str, record: foreign.Record, at: str
) -> Iterator[Measurement]:
    tags = _tags(record, with_job=name in several)
    metadata = foreign.compact(_without_samples(record))
    said = foreign.plain(record.get("Statistics"))
    if said is None:
        error = "BenchmarkDotNet gives no statistics: the benchmark failed or did not run"
        yield Measurement(benchmark_name=name, tags=tags, error=error, metadata=metadata)
        return
    yield _time(name, tags, record, f"{at}.Statistics", metadata)
    for metric, unit, direction, value, place in _others(record, at):
        try:
            base, factor = rates.as_spelled(unit)
            values = scaled([number(value, at=place)], factor, at=place, signed=True)
        except RefusedError as refused:
            beside.append(Skip(benchmark=f"{name} ({metric})", reason=refused.reason, detail=refused.detail))
            continue
        yield Measurement(
            benchmark_name=name, metric=metric, units=base.name, direction=direction, values=values, tags=tags
        )


def _time(name: str, tags: Mapping[str, str], record: foreign.Record, at: str, metadata: str) -> Measurement:
    statistics = foreign.part(record["Statistics"], _Statistics, at=at)
    raw = [number(value, at=f"{at}.OriginalValues") for value in statistics.original_values or ()]
    whole = bool(raw) and statistics.n in {None, len(raw)}
    bounds = statistics.confidence_interval or {}
    lower, upper = interval(bounds.get("Lower"), bounds.get("Upper"), 1.0)
    n = statistics.n if statistics.n is not None and 0 < statistics.n < _LARGEST_COUNT else 1
    said = foreign.fields(record["Statistics"])
    figures = {
        ours: number(said[its], at=f"{at}.{its}") for ours, its in _STATISTICS.items() if said.get(its) is not None
    }
    return Measurement(
        benchmark_name=name,
        values=scaled(raw, 1.0, at=f"{at}.OriginalValues") if whole else Samples(),
        iterations=_operations(record, len(raw)) if whole else (),
        summary=None if whole else stated(figures, 1.0, at=at),
        n=0 if whole else n,
        lower=lower,
        upper=upper,
        tags=tags,
        metadata=metadata,
    )


def _operations(record: foreign.Record, samples: int) -> tuple[int, ...]:
    """Return the operations of each sample, or nothing when a measurement is missing."""
    listed = foreign.plain(record.get("Measurements"))
    results = [m for m in listed if isinstance(m, dict) and _is_result(m)] if isinstance(listed, list) else []
    counts = [m.get("Operations") for m in results]
    whole = tuple(count for count in counts if type(count) is int and 0 < count < _LARGEST_COUNT)
    return whole if len(whole) == len(counts) == samples else ()


def _is_result(measurement: Mapping[str, object]) -> bool:
    stage, mode = measurement.get("IterationStage"), measurement.get("IterationMode")
    return mode == "Result" or (stage, mode) == ("Result", "Workload")  # before 0.11 there was no stage


def _others(record: foreign.Record, at: str) -> Iterator[tuple[str, str, Direction, object, str]]:
    """Yield metric, unit, direction, value and JSON path of every figure beside the time."""
    allocated = foreign.fields(record.get("Memory")).get("BytesAllocatedPerOperation")
    if allocated is not None:
        yield "allocated-bytes", BYTES.name, Direction.LOWER, allocated, f"{at}.Memory.BytesAllocatedPerOperation"
    metrics = foreign.plain(record.get("Metrics"))
    for index, metric in enumerate(metrics if isinstance(metrics, list) else []):
        about = metric.get("Descriptor") if isinstance(metric, dict) else None
        ident = foreign.text(about.get("Id")) if isinstance(about, dict) else ""
        if isinstance(about, dict) and ident and ident != _ALLOCATED:
            direction = Direction.HIGHER if about.get("TheGreaterTheBetter") is True else Direction.LOWER
            yield ident, foreign.text(about.get("Unit")), direction, metric.get("Value"), f"{at}.Metrics[{index}].Value"


def _tags(record: foreign.Record, *, with_job: bool) -> dict[str, str]:
    """Return the parameters, and the job of a benchmark that ran in several."""
    text = foreign.text(foreign.plain(record.get("Parameters")))
    tags = dict(part.partition("=")[::2] for part in _PARAMETERS.split(text) if "=" in part)
    job = _JOB.fullmatch(foreign.text(foreign.plain(record.get("DisplayInfo")))) if with_job else None
    return tags | ({"job": _MADE_UP.sub(r"\1", job[1])} if job else {})


def _without_samples(record: foreign.Record) -> dict[str, object]:
    lean: dict[str, object] = {field: raw for field, raw in record.items() if field not in _SAMPLES}
    statistics = foreign.plain(record.get("Statistics"))
    if isinstance(statistics, dict):
        lean["Statistics"] = {field: value for field, value in statistics.items() if field != "OriginalValues"}
    return lean


def _machine(host: Mapping[str, object]) -> TestBed | None:
    """Return the machine that the file describes, which has no host name; None when it names no processor."""
    system, cpu = foreign.text(host.get("OsVersion")), foreign.text(host.get("ProcessorName"))
    if not cpu or cpu.startswith("Unknown"):
        return None
    known = {"windows": "Windows", "macos": "Darwin", "osx": "Darwin"}
    family = next((name for sign, name in known.items() if system.lower().startswith(sign)), "Linux" if system else "")
    return TestBed(name=stable_name("", family, foreign.text(host.get("Architecture"))), cpu=cpu, os=family)
