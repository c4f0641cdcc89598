"""vitest's benchmarks as JSON, in its three layouts: `--outputJson FILE`, or `--reporter=json` where that is missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import count, interval, number, scaled, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import NANOSECONDS, PER_SECOND, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.ingest.content import Content

_BENCHMARKS = ("files", "testResults")  # the fields of a report that contain benchmarks
_BETWEEN = " > "  # vitest's separator of file, groups and benchmark
_LONGEST = 200
_NONE = msgspec.Raw(b"{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Records of benchmarks, the names of their groups, and their JSON path."""

    names: Sequence[str]
    records: Sequence[msgspec.Raw]
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The content of a report; `failures` are benchmarks without a record."""

    groups: Sequence[_Group]
    failures: Sequence[Measurement] = ()
    notes: Sequence[str] = ()


class _NamedGroup(msgspec.Struct, rename="camel"):
    full_name: str
    benchmarks: list[msgspec.Raw]


class _File(msgspec.Struct):
    groups: list[_NamedGroup]


class _Benchmark(msgspec.Struct):
    name: str
    tasks: list[msgspec.Raw]


class _Test(msgspec.Struct, rename="camel"):
    title: str = ""
    ancestor_titles: list[str] = []
    status: str = ""
    failure_messages: list[str] = []
    benchmarks: list[_Benchmark] = []


class _Module(msgspec.Struct, rename="camel"):
    name: str
    assertion_results: list[_Test]
    message: str = ""


def _joined(names: Sequence[str]) -> str:
    """Join the names of file, groups and benchmark as vitest does. The group of a whole file may have no name."""
    return _BETWEEN.join(name for name in names if name)


def _layout(top: foreign.Record, file: str) -> _Layout:
    """Return the content of a report. Raises `UnreadableOutputError` when it has none of the layouts."""
    files, results = top.get("files"), top.get("testResults", _NONE)
    try:
        if files is not None:
            return _since_1_6(foreign.part(files, list[_File], at="$.files"))
        if bytes(results).startswith(b"["):
            return _since_5(foreign.part(results, list[_Module], at="$.testResults"))
        return _at_first(foreign.part(results, dict[str, list[msgspec.Raw]], at="$.testResults"))
    except RefusedError as refused:
        raise UnreadableOutputError(refused.detail, file=file) from refused


def _at_first(groups: Mapping[str, list[msgspec.Raw]]) -> _Layout:
    """Read the layout of before 1.6, where a group has only its own name."""
    found = groups.items()
    return _Layout(groups=[_Group(names=(n,), records=r, at=f"$.testResults[{n!r:.100}]") for n, r in found])


def _since_1_6(files: Sequence[_File]) -> _Layout:
    return _Layout(
        groups=[
            _Group(names=(group.full_name,), records=group.benchmarks, at=f"$.files[{i}].groups[{j}].benchmarks")
            for i, file in enumerate(files)
            for j, group in enumerate(file.groups)
        ]
    )


def _since_5(modules: Sequence[_Module]) -> _Layout:
    """Read the layout since 5, where benchmarks belong to tests. A failed one leaves only name and messages of its test."""
    groups: list[_Group] = []
    failures: list[Measurement] = []
    notes: list[str] = []
    for i, (module, file) in enumerate(zip(modules, _short([module.name for module in modules]), strict=True)):
        if module.message and not module.assertion_results:
            notes.append(f"{file}: nothing was measured: {module.message}"[:_LONGEST])
        measured = any(test.benchmarks for test in module.assertion_results)
        for j, test in enumerate(module.assertion_results):
            at = f"$.testResults[{i}].assertionResults[{j}].benchmarks"
            groups += [
                _Group(names=(file, benchmark.name), records=benchmark.tasks, at=f"{at}[{k}].tasks")
                for k, benchmark in enumerate(test.benchmarks)
            ]
            if test.status == "failed" and measured:
                name = _joined((file, *test.ancestor_titles, test.title))
                error = "".join(test.failure_messages[:1]).partition("\n")[0] or "failed"
                failures.append(Measurement(benchmark_name=name, error=error[:_LONGEST]))
    return _Layout(groups=groups, failures=failures, notes=notes)


def _short(paths: Sequence[str]) -> list[str]:
    """Shorten absolute paths to the fewest last parts that keep them distinct."""
    parts = [PurePosixPath(path.replace("\\", "/")).parts for path in paths]
    for kept in range(1, max(map(len, parts), default=1)):
        short = ["/".join(names[-kept:]) for names in parts]
        if max(Counter(short).values()) == 1:
            return short
    return list(paths)


SOURCE = "vitest/1"
_MS = 1e6
_SNIFFS = [
    (rb'"testResults"\s*:\s*\{', rb'"(hz|rme)"\s*:'),
    (rb'"files"\s*:\s*\[\s*\{\s*"(filepath|groups)"\s*:', rb'"groups"\s*:\s*\['),
    (rb'"assertionResults"\s*:\s*\[', rb'"benchmarks"\s*:\s*\[\s*\{'),
]
_STATISTICS = {"p75": "q3", "p50": "median", "sd": "standard_deviation"} | {
    n: n for n in ("min", "median", "max", "mean")
}
_METRICS = {"latency": ("time", NANOSECONDS), "throughput": ("throughput", PER_SECOND)}
_COUNTS = ("samplesCount", "sampleCount")
_SAMPLES = "samples"


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with groups of benchmarks, in any of the layouts."""
    return any(all(re.search(part, edges) for part in parts) for parts in _SNIFFS)


def read(content: Content) -> Reading:
    """Read each benchmark as a time and a throughput. Its name begins with those of its file and groups."""
    top = foreign.decode(content.body, foreign.Record, file=str(content.path))
    report = _layout(top, str(content.path))
    measurements, skips = list(report.failures), list[Skip]()
    for group in report.groups:

        def named(record: foreign.Record, at: str, names: tuple[str, ...] = tuple(group.names)) -> str:
            return _joined((*names, _name(record, at)))

        found, refused = foreign.each(group.records, group.at, named, _measurements)
        measurements += found
        skips += refused
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=str(content.path))
    start = foreign.plain(top.get("startTime"))
    return Reading(
        source=SOURCE,
        context=foreign.compact({field: raw for field, raw in top.items() if field not in _BENCHMARKS}),
        measurements=tuple(measurements),
        skips=tuple(skips),
        notes=tuple(report.notes),
        run_time=start // 1000 if type(start) is int and 0 < start < 1 << 53 else None,
    )


def _name(record: foreign.Record, at: str) -> str:
    name = foreign.text(foreign.plain(record.get("name")))
    if not name:
        raise RefusedError(SkipReason.NO_NAME, f"no name at {at}")
    return name


def _measurements(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    """Yield time and throughput. Since 5 both have statistics of their own; before, `hz` is the throughput."""
    if foreign.plain(record.get("fromStore")) is True:  # an earlier measurement, shown for comparison
        return
    metadata = _without_samples(record)
    if _METRICS.keys() & record.keys():
        for field, (metric, unit) in _METRICS.items():
            stats = foreign.part(record.get(field, _NONE), dict[str, object], at=f"{at}.{field}")
            yield _measurement(name, metric, unit, stats, at=f"{at}.{field}", metadata=metadata)
            metadata = "{}"
        return
    stats = foreign.part(msgspec.json.encode(record), dict[str, object], at=at)
    if stats.get("mean") is None and not stats.get(_SAMPLES):
        yield Measurement(benchmark_name=name, error="no statistics in the file", metadata=metadata)
        return
    yield _measurement(name, "time", NANOSECONDS, stats, at=at, metadata=metadata)
    if stats.get("hz") is not None:
        often = {"mean": stats["hz"], **{field: stats.get(field) for field in (*_COUNTS, "df")}}
        yield _measurement(name, "throughput", PER_SECOND, often, at=f"{at}.hz", metadata="{}")


def _measurement(  # noqa: PLR0913 two by keyword
    name: str, metric: str, unit: Unit, stats: Mapping[str, object], *, at: str, metadata: str
) -> Measurement:
    """Return the samples when all are there, else the statistics. The interval is the mean and its margin of error."""
    factor, n = (_MS if unit is NANOSECONDS else 1.0), _count(stats)
    listed = stats.get(_SAMPLES)
    samples: list[object] = listed if isinstance(listed, list) else []
    whole = bool(samples) and len(samples) == n
    known = {
        field: number(stats[field], at=f"{at}.{field}")
        for field in (*_STATISTICS, "moe")
        if stats.get(field) is not None
    }
    mean, margin = known.get("mean"), known.get("moe")
    lower = upper = None
    if mean is not None and margin is not None:
        lower, upper = interval(mean - margin, mean + margin, factor)
    values = [number(sample, at=f"{at}.{_SAMPLES}[{i}]") for i, sample in enumerate(samples)] if whole else []
    figures = {ours: known[its] for its, ours in _STATISTICS.items() if its in known}
    return Measurement(
        benchmark_name=name,
        metric=metric,
        units=unit.name,
        direction=unit.direction,
        values=scaled(values, factor, at=f"{at}.{_SAMPLES}"),
        summary=None if whole else stated(figures, factor, at=at),
        n=n,
        lower=lower,
        upper=upper,
        metadata=metadata,
    )


def _count(stats: Mapping[str, object]) -> int:
    """Return the count of samples. Before 1.6 only the degrees of freedom show it."""
    counts = [stats.get(field) for field in _COUNTS]
    freedom = stats.get("df")
    counts.append(freedom + 1 if type(freedom) is int else None)
    return next(filter(None, map(count, counts)), 1)


def _without_samples(record: foreign.Record) -> str:
    kept = {field: raw for field, raw in record.items() if field != _SAMPLES}
    for field in _METRICS.keys() & kept.keys():
        stats = foreign.plain(kept[field])
        if isinstance(stats, dict) and _SAMPLES in stats:
            kept[field] = msgspec.Raw(msgspec.json.encode({name: v for name, v in stats.items() if name != _SAMPLES}))
    return foreign.compact(kept)
