"""google-benchmark's JSON: a row a repetition or an aggregate, from the first releases to 1.9."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import count, number, scaled, stated, unit_of
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Samples, SummaryValues, TestBed
from bench_db.units import BYTES, BYTES_PER_SECOND, COUNT, NANOSECONDS, PER_SECOND, Direction, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.ingest.content import Content

SOURCE = "google-benchmark/1"
_TIMES = {"real_time": "time", "cpu_time": "cpu-time"}
_OTHERS = {
    "bytes_per_second": ("throughput", BYTES_PER_SECOND),
    "items_per_second": ("throughput", PER_SECOND),
    "allocs_per_iter": ("allocations", COUNT),
    "max_bytes_used": ("peak-memory", BYTES),
    "total_allocated_bytes": ("total-allocated-bytes", BYTES),
    "net_heap_growth": ("net-heap-growth", BYTES),
}
_OF_A_ROW = {"repetition_index", "iterations", "run_type", "aggregate_name", "aggregate_unit"}
# Fields that describe the benchmark. A number under any name that is neither here nor above is a counter of the user.
_ABOUT = {
    *("name", "run_name", "family_index", "per_family_instance_index", "repetitions", "threads", "time_unit", "label"),
    *("error_occurred", "error_message", "skipped", "skip_message"),
}
_KNOWN = {*_ABOUT, *_OF_A_ROW, *_TIMES, *_OTHERS}
_STATISTICS = {"mean": "mean", "median": "median", "stddev": "standard_deviation", "min": "min", "max": "max"}
_USUAL = {"mean", "median", "stddev", "cv"}
_FITS = ("BigO", "RMS")
_SUFFIX = re.compile(r"(.+)_(mean|median|stddev|cv|BigO|RMS)", re.DOTALL)
# Texts that name an invalid counter, such as "nan" or "2%". Any other text in an unknown field describes the benchmark.
_NO_NUMBER = re.compile(r"[-+]?(?:nan|inf|infinity)(?:\(\w*\))?|[-+]?[\d.]+%", re.IGNORECASE)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    benchmarks: list[foreign.Record]
    context: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One entry of the list; `aggregate` names its statistic, "" for a repetition."""

    at: str
    name: str
    aggregate: str
    fields: Mapping[str, object]

    @property
    def failure(self) -> str:
        """Why the row has no figures, "" when it has."""
        for sign, message in (("error_occurred", "error_message"), ("skipped", "skip_message")):
            if self.fields.get(sign) is True:
                return foreign.text(self.fields.get(message)) or sign.replace("_", " ")
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """A measured field with its metric and unit. Only a time is never negative."""

    field: str
    metric: str
    unit: Unit
    direction: Direction
    factor: float = 1.0

    @property
    def is_time(self) -> bool:
        return self.field in _TIMES


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with benchmarks that have a time and its unit."""
    return re.search(rb'"benchmarks"\s*:\s*\[', edges) is not None and b'"time_unit"' in edges and b'"cpu_' in edges


def read(content: Content) -> Reading:
    """Read a benchmark's repetitions as its samples, or its aggregates when repetitions are missing."""
    top, records = foreign.listing(content.body, "benchmarks", _File, file=str(content.path))
    rows, skips = _rows(records)
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        if row.aggregate not in _FITS:
            place = (repr(row.fields.get("family_index")), repr(row.fields.get("per_family_instance_index")))
            groups.setdefault((row.name, *place), []).append(row)
    measurements: list[Measurement] = []
    notes: list[str] = []
    for group in groups.values():
        try:
            measurements += list(_measurements(group, skips, notes))
        except RefusedError as refused:
            skips.append(Skip(benchmark=group[0].name, reason=refused.reason, detail=refused.detail))
    context, fits = foreign.fields(top.get("context")), [row.fields for row in rows if row.aggregate in _FITS]
    node = foreign.text(context.get("host_name"))
    return Reading(
        source=SOURCE,
        context=foreign.compact({**top, "complexity": fits} if fits else top),
        measurements=tuple(measurements),
        skips=tuple(skips),
        notes=tuple(notes),
        run_time=foreign.unix(context.get("date")),
        commit=foreign.commit(context.get("commit")) or foreign.commit(context.get("GIT_COMMIT_HASH")),
        branch=foreign.text(context.get("branch")) or foreign.text(context.get("GIT_BRANCH")) or None,
        commit_time=foreign.moment(foreign.text(context.get("GIT_COMMIT_DATE")).strip()),
        node=node or None,
        # the name is all that the file has of the machine: without a lasting name there is no bed
        test_bed=TestBed(name=node) if node and stable_name(node, "", "") == node else None,
    )


def _rows(records: foreign.Records) -> tuple[list[_Row], list[Skip]]:
    rows: list[_Row] = []
    skips: list[Skip] = []
    for index, record in enumerate(records):
        at = f"$.benchmarks[{index}]"
        try:
            kept = foreign.part(record, foreign.Record, at=at) if isinstance(record, msgspec.Raw) else record
            fields = foreign.values_of(kept, at=at)
            rows.append(_Row(at=at, name=_name(fields, at), aggregate=_aggregate(fields), fields=fields))
        except RefusedError as refused:
            skips.append(Skip(benchmark=at, reason=refused.reason, detail=refused.detail))
    deviating = {found[1] for row in rows if (found := _SUFFIX.fullmatch(row.name)) and found[2] == "stddev"}
    return [_of_old(row, deviating) for row in rows], skips


def _name(fields: Mapping[str, object], at: str) -> str:
    for field in ("run_name", "name"):
        name = fields.get(field)
        if isinstance(name, str) and name:
            return name
    raise RefusedError(SkipReason.NO_NAME, f"neither a run_name nor a name at {at}")


def _aggregate(fields: Mapping[str, object]) -> str:
    return foreign.text(fields.get("aggregate_name")) if fields.get("run_type") == "aggregate" else ""


def _of_old(row: _Row, deviating: set[str]) -> _Row:
    """Return the row, marked as an aggregate where it is one: before 1.5 only the suffix of its name shows that."""
    found = None if "run_type" in row.fields else _SUFFIX.fullmatch(row.name)
    if found and (found[1] in deviating or {"big_o", "rms"} & set(row.fields)):
        return _Row(at=row.at, name=found[1], aggregate=found[2], fields=row.fields)
    return row


def _measurements(rows: Sequence[_Row], skips: list[Skip], notes: list[str]) -> Iterator[Measurement]:
    name, runs = rows[0].name, [row for row in rows if not row.aggregate]
    aggregates = [row for row in rows if row.aggregate]
    failures = dict.fromkeys(row.failure for row in rows if row.failure)
    if failures:
        yield Measurement(benchmark_name=name, error="; ".join(failures), metadata=_metadata(rows[0], rows))
        return
    asked = max(count(row.fields.get("repetitions")) or 1 for row in rows)
    sampled = bool(runs) and (len(runs) >= asked or not aggregates)
    if sampled and len(runs) < asked:
        notes.append(f"{name}: only {len(runs)} of {asked} repetitions are in the file, and no aggregates")
    metadata = _metadata(rows[0], [row for row in aggregates if not (sampled and row.aggregate in _USUAL)])
    for figure in _figures(runs if sampled else aggregates):
        try:
            values, iterations = _samples(figure, runs) if sampled else (Samples(), ())
            summary = None if sampled else _summary(figure, aggregates)
        except RefusedError as refused:
            if figure.is_time:
                raise
            skips.append(Skip(benchmark=f"{name} ({figure.metric})", reason=refused.reason, detail=refused.detail))
            continue
        yield Measurement(
            benchmark_name=name,
            metric=figure.metric,
            units=figure.unit.name,
            direction=figure.direction,
            values=values,
            iterations=iterations,
            summary=summary,
            n=0 if sampled else asked,
            metadata=metadata,
        )
        metadata = "{}"  # stored once for each benchmark


def _figures(rows: Sequence[_Row]) -> Iterator[_Figure]:
    """Yield what the rows measured: times first, then the tool's counts, then the counters of the user."""
    fields = dict.fromkeys(field for row in rows for field in row.fields)
    if not fields.keys() & _TIMES.keys():
        raise RefusedError(SkipReason.NO_STATISTICS, f"neither real_time nor cpu_time at {rows[0].at}")
    unit, factor = unit_of(str(rows[0].fields.get("time_unit", "ns")))
    if unit != NANOSECONDS:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"a time in {unit.name} at {rows[0].at}")
    for field, metric in _TIMES.items():
        if field in fields:
            yield _Figure(field=field, metric=metric, unit=unit, direction=unit.direction, factor=factor)
    for field, (metric, unit) in _OTHERS.items():
        if field in fields:
            yield _Figure(field=field, metric=metric, unit=unit, direction=unit.direction)
    for field in [field for field in fields if field not in _KNOWN]:
        if any(_is_counter(field, row.fields.get(field)) for row in rows):
            yield _Figure(field=field, metric=field, unit=COUNT, direction=Direction.INFO)


def _is_counter(field: str, value: object) -> bool:
    if field in _KNOWN:
        return False
    return type(value) in {int, float} or (isinstance(value, str) and bool(_NO_NUMBER.fullmatch(value)))


def _samples(figure: _Figure, rows: Sequence[_Row]) -> tuple[Samples, tuple[int, ...]]:
    """Return a sample for each repetition, and for times the iterations of each."""
    measured = [row for row in rows if figure.field in row.fields]
    numbers = [number(row.fields[figure.field], at=f"{row.at}.{figure.field}") for row in measured]
    values = scaled(numbers, figure.factor, at=f"{measured[0].at}.{figure.field}", signed=not figure.is_time)
    counts = [row.fields.get("iterations") for row in measured] if figure.is_time else []
    whole = tuple(filter(None, map(count, counts)))
    return values, whole if len(whole) == len(counts) else ()


def _summary(figure: _Figure, rows: Sequence[_Row]) -> SummaryValues:
    """Return the statistics of the tool. The coefficient of variation is left out: it is not in the unit."""
    figures = {
        _STATISTICS[row.aggregate]: number(row.fields[figure.field], at=f"{row.at}.{figure.field}")
        for row in rows
        if row.aggregate in _STATISTICS
        and row.fields.get("aggregate_unit") != "percentage"
        and figure.field in row.fields
    }
    return stated(figures, figure.factor, at=f"{rows[0].at}.{figure.field}", signed=not figure.is_time)


def _metadata(first: _Row, kept: Sequence[_Row]) -> str:
    """Return what the first row says of the benchmark, and the complete rows whose numbers are not all stored as values."""
    about = {field: value for field, value in first.fields.items() if field not in _OF_A_ROW}
    about = {field: value for field, value in about.items() if field in _ABOUT or not _is_figure(field, value)}
    return foreign.compact({**about, "name": first.name, **({"rows": [row.fields for row in kept]} if kept else {})})


def _is_figure(field: str, value: object) -> bool:
    return field in _TIMES or field in _OTHERS or _is_counter(field, value)
