"""JMH's JSON (`-rf json`): a record for each benchmark, mode and set of parameters; iterations of all forks are samples."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from itertools import chain
from math import fsum, isclose
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign, rates
from bench_db.ingest.numbers import interval, number, scaled, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Samples
from bench_db.units import BYTES_PER_SECOND, NANOSECONDS, PER_SECOND, Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.ingest.content import Content
    from bench_db.model import SummaryValues

SOURCE = "jmh/1"
_SNIFF = re.compile(rb"\A\s*\[")
_METRICS = {PER_SECOND: "throughput", NANOSECONDS: "time"}
_TIMED_OTHERWISE = {"sample", "ss"}  # not comparable with the time of avgt; thrpt has a metric of its own
_PROFILED = {"gc.alloc.rate.norm": "allocated-bytes"}
_PERCENTILE = re.compile(r"[\u00b7?\ufffd:]p\d+(\.\d+)?$")
_MARKS = "\u00b7?\ufffd"  # before 1.37 a dot marks figures of a profiler; other character sets replace it
_MEBIBYTES = {"MB/sec": (BYTES_PER_SECOND, 2.0**20)}  # the gc profiler divides by 1024 twice
_LARGEST_COUNT = 1 << 63
_MANY = 1 << 16
_STATISTICS = {"min": "0.0", "median": "50.0", "max": "100.0"}

_Number = float | str


class _Metric(msgspec.Struct, rename="camel"):
    score_unit: str
    score: _Number
    score_confidence: list[_Number] = []
    score_percentiles: dict[str, _Number] = {}
    raw_data: list[list[_Number]] = []
    raw_data_histogram: list[list[list[tuple[float, int]]]] = []


class _Benchmark(msgspec.Struct, rename="camel"):
    mode: str
    primary_metric: _Metric
    params: dict[str, msgspec.Raw] = {}
    secondary_metrics: dict[str, msgspec.Raw] = {}


def sniff(edges: bytes) -> bool:
    """Return whether it is a list of benchmarks with a mode and a primary metric."""
    return _SNIFF.match(edges) is not None and all(f'"{word}"'.encode() in edges for word in ("mode", "primaryMetric"))


def read(content: Content) -> Reading:
    """Read each benchmark's score and the metrics of profilers, auxiliary counters and methods of a group."""
    records = foreign.array(content.body, file=str(content.path))
    beside: list[Skip] = []
    measurements, skips = foreign.each(records, "$", _name, partial(_measurements, beside))
    return Reading(source=SOURCE, measurements=measurements, skips=(*skips, *beside))


def _name(record: foreign.Record, at: str) -> str:
    name = foreign.plain(record.get("benchmark"))
    if isinstance(name, str) and name:
        return name
    raise RefusedError(SkipReason.NO_NAME, f"no benchmark at {at}")


def _measurements(beside: list[Skip], name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    benchmark = foreign.part(msgspec.json.encode(record), _Benchmark, at=at)
    primary = benchmark.primary_metric
    mode = {"mode": benchmark.mode} if benchmark.mode in _TIMED_OTHERWISE else {}
    tags = mode | foreign.texts(benchmark.params)
    score = _scored(name, primary, tags, f"{at}.primaryMetric")
    yield replace(score, metadata=_metadata(record, with_histogram=not score.values))
    for label, raw in benchmark.secondary_metrics.items():
        place = f"{at}.secondaryMetrics.{label}"
        try:
            metric = foreign.part(raw, _Metric, at=place)
            if not _PERCENTILE.search(label) and metric.score != "NaN":  # profilers of text have no number
                yield _secondary(score, label, metric, like=primary.score_unit, at=place)
        except RefusedError as refused:
            beside.append(Skip(benchmark=f"{name} ({label})", reason=refused.reason, detail=refused.detail))


def _scored(name: str, metric: _Metric, tags: Mapping[str, str], at: str) -> Measurement:
    unit, factor = rates.required(metric.score_unit, at=at)
    if unit not in _METRICS:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"unit {metric.score_unit!r} is neither a time nor a rate at {at}")
    raw, count = _samples(metric, at)
    summary = None if raw else _statistics(metric, factor, at)
    lower, upper = _interval(metric, factor)
    return Measurement(
        benchmark_name=name,
        metric=_METRICS[unit],
        units=unit.name,
        direction=unit.direction,
        values=scaled(raw, factor, at=f"{at}.rawData") if raw else Samples(),
        summary=summary,
        n=0 if raw else count,
        lower=lower,
        upper=upper,
        tags=tags,
    )


def _secondary(score: Measurement, label: str, metric: _Metric, *, like: str, at: str) -> Measurement:
    """Return a secondary metric. A method of a group or a counter of operations is a benchmark named as JMH prints it."""
    if metric.score_unit == like:
        return _scored(f"{score.benchmark_name}:{label}", metric, score.tags, at)
    unit, factor = _MEBIBYTES.get(metric.score_unit) or rates.as_spelled(metric.score_unit)
    label = label.lstrip(_MARKS)
    raw, _ = _samples(metric, at)
    stated_score = number(metric.score, at=f"{at}.score")
    if not raw or not isclose(fsum(raw) / len(raw), stated_score, rel_tol=1e-9, abs_tol=1e-12):
        raw = [
            stated_score
        ]  # the sum over the iterations: how often a collector ran, the events of an auxiliary counter
    lower, upper = _interval(metric, factor)
    return Measurement(
        benchmark_name=score.benchmark_name,
        metric=_PROFILED.get(label, label),
        units=unit.name,
        direction=unit.direction if metric.score_unit.endswith("/op") else Direction.INFO,
        values=scaled(raw, factor, at=f"{at}.rawData", signed=True),
        lower=lower,
        upper=upper,
        tags=({"mode": "thrpt"} if score.metric == "throughput" else {}) | dict(score.tags),
    )


def _samples(metric: _Metric, at: str) -> tuple[list[float], int]:
    """Return the samples, and their count when they are too many to store."""
    raw = [number(value, at=f"{at}.rawData") for value in chain.from_iterable(metric.raw_data)]
    buckets = list(chain.from_iterable(chain.from_iterable(metric.raw_data_histogram)))
    if any(times < 1 for _, times in buckets):
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"a count below 1 at {at}.rawDataHistogram")
    count = sum(times for _, times in buckets)
    if count >= _LARGEST_COUNT:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"a count fits no 64-bit integer at {at}.rawDataHistogram")
    if 0 < count <= _MANY:
        raw = [value for value, times in buckets for _ in range(times)]
    return raw, count or 1


def _statistics(metric: _Metric, factor: float, at: str) -> SummaryValues:
    figures = {name: metric.score_percentiles.get(percent) for name, percent in _STATISTICS.items()}
    figures["mean"] = metric.score
    known = {name: number(figure, at=f"{at} ({name})") for name, figure in figures.items() if figure is not None}
    return stated(known, factor, at=at)


def _interval(metric: _Metric, factor: float) -> tuple[float | None, float | None]:
    """Return the interval. For one iteration there is none: its bounds are NaN."""
    bounds = metric.score_confidence
    return interval(bounds[0], bounds[1], factor) if len(bounds) == 2 else (None, None)  # noqa: PLR2004 lower and upper


def _metadata(record: foreign.Record, *, with_histogram: bool) -> str:
    """Return the record without its samples. A histogram too long to store as samples is kept."""
    raw = {"rawData"} if with_histogram else {"rawData", "rawDataHistogram"}
    secondary = foreign.fields(record.get("secondaryMetrics"))
    lean = {
        "primaryMetric": _without(foreign.fields(record["primaryMetric"]), raw),
        **(
            {"secondaryMetrics": {label: _without(metric, raw) for label, metric in secondary.items()}}
            if secondary
            else {}
        ),
    }
    return foreign.compact({**record, **lean})


def _without(metric: object, names: set[str]) -> object:
    return {field: v for field, v in metric.items() if field not in names} if isinstance(metric, dict) else metric
