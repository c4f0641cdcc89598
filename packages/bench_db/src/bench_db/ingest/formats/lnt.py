"""LNT's report files, of versions 0 to 2: the samples of each test by metric."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import TestBed
from bench_db.units import BYTES, COUNT, NANOSECONDS, Direction, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.ingest.content import Content

SOURCE = "lnt/1"
_SNIFF = re.compile(rb'"(?:tests|Tests)"\s*:\s*\[')
_SHA = 40
# The metrics of LNT's own schemas, nts and compile: (metric, unit, factor, direction).
_METRICS: dict[str, tuple[str, Unit, float, Direction]] = {
    "execution_time": ("time", NANOSECONDS, 1e9, Direction.LOWER),
    "compile_time": ("compile-time", NANOSECONDS, 1e9, Direction.LOWER),
    "wall_time": ("time", NANOSECONDS, 1e9, Direction.LOWER),
    "user_time": ("user-time", NANOSECONDS, 1e9, Direction.LOWER),
    "sys_time": ("system-time", NANOSECONDS, 1e9, Direction.LOWER),
    "mem_bytes": ("memory", BYTES, 1.0, Direction.LOWER),
    "code_size": ("code-size", BYTES, 1.0, Direction.LOWER),
    "size": ("size", BYTES, 1.0, Direction.LOWER),
    "score": ("score", COUNT, 1.0, Direction.HIGHER),
}
_SUFFIXES = {
    "exec": "execution_time",
    "compile": "compile_time",
    "mem": "mem_bytes",
    "code_size": "code_size",
    "score": "score",
    "wall": "wall_time",
    "user": "user_time",
    "sys": "sys_time",
    "size": "size",
    "hash": "hash",
    "exec.status": "execution_status",
    "compile.status": "compile_status",
    "hash.status": "hash_status",
    "user.status": "user_status",
    "sys.status": "sys_status",
    "wall.status": "wall_status",
    "size.status": "size_status",
}
_TEXTS = {"name", "hash", "hash_status"}
_FAILED = 1  # 0 is passed, 2 is failed as expected


class _File(msgspec.Struct, forbid_unknown_fields=True):
    tests: list[foreign.Record]
    format_version: msgspec.Raw = msgspec.Raw()
    machine: msgspec.Raw = msgspec.Raw()
    run: msgspec.Raw = msgspec.Raw()


class _OldFile(msgspec.Struct, forbid_unknown_fields=True):
    Tests: list[foreign.Record]
    Machine: msgspec.Raw = msgspec.Raw()
    Run: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """All entries of one name: samples by metric, each with its JSON path, and the other fields."""

    name: str
    samples: dict[str, list[tuple[object, str]]] = field(default_factory=dict)
    about: dict[str, object] = field(default_factory=dict)


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with tests, a machine and a run, in the spelling of either version."""
    words = {found[0][1:6] for found in _SNIFF.finditer(edges)}
    has_version = b'"format_version"' in edges or b'"run"' in edges  # a report without a version is of version 2
    return (b"tests" in words and b'"machine"' in edges and has_version) or (
        b"Tests" in words and b'"Machine"' in edges and b'"Run"' in edges
    )


def read(content: Content) -> Reading:
    """Read each metric of a test. Entries of one name are samples of one test, a status of 1 is a failure."""
    file = str(content.path)
    try:
        top, records = foreign.listing(content.body, "tests", _File, file=file)
        is_new = True
    except UnreadableOutputError as error:
        if "has no list" not in str(error):
            raise
        top, records = foreign.listing(content.body, "Tests", _OldFile, file=file)
        is_new = False
    run, machine = (_flat(top.get(name if is_new else name.capitalize())) for name in ("run", "machine"))
    skips: list[Skip] = []
    tests = _tests(records, is_new, f"{foreign.text(run.get('tag'))}.", skips)
    revision = next((str(run[name]) for name in ("llvm_project_revision", "run_order") if run.get(name)), "").strip()
    return Reading(
        source=SOURCE,
        context=foreign.compact(top),
        measurements=tuple(measurement for test in tests for measurement in _measurements(test, skips)),
        skips=tuple(skips),
        run_time=foreign.unix(run.get("start_time", run.get("Start Time"))),
        commit=foreign.commit(revision) if len(revision) == _SHA else None,
        version=revision if revision and len(revision) != _SHA else None,
        test_bed=_machine(machine),
    )


def _flat(raw: msgspec.Raw | None) -> dict[str, object]:
    """Return a record merged with the entries of its `Info`, which versions before 2 had."""
    record = foreign.fields(raw)
    info = record.pop("Info", {})
    return {**record, **info} if isinstance(info, dict) else record


def _machine(machine: Mapping[str, object]) -> TestBed | None:
    name = foreign.text(machine.get("name", machine.get("Name")))
    cpu, system = foreign.text(machine.get("hardware")), foreign.text(machine.get("os"))
    return TestBed(name=name, cpu=cpu, os=system) if name else None


def _tests(records: foreign.Records, is_new: bool, prefix: str, skips: list[Skip]) -> list[_Test]:  # noqa: FBT001
    tests: dict[str, _Test] = {}
    for index, record in enumerate(records):
        at = f"$.{'tests' if is_new else 'Tests'}[{index}]"
        entry = (
            foreign.plain(record)
            if isinstance(record, msgspec.Raw)
            else {n: foreign.plain(v) for n, v in record.items()}
        )
        name = foreign.text(entry.get("name" if is_new else "Name")) if isinstance(entry, dict) else ""
        if not isinstance(entry, dict) or not name:
            reason = SkipReason.NO_NAME if isinstance(entry, dict) else SkipReason.WRONG_TYPE
            skips.append(Skip(benchmark=at, reason=reason, detail=f"no named test at {at}"))
            continue
        if not is_new:
            name, entry = _as_new(name.removeprefix(prefix), entry)
        test = tests.setdefault(name, _Test(name=name))
        for key, value in entry.items():
            values = value if isinstance(value, list) else [value]
            if key in _TEXTS or not all(isinstance(v, int | float) or key in _METRICS for v in values):
                test.about[key] = value
            else:
                test.samples.setdefault(key, []).extend((v, f"{at}.{key}") for v in values)
    return list(tests.values())


def _as_new(name: str, entry: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Convert an entry of before version 2, whose name ends in its metric, to one of version 2."""
    found = next((suffix for suffix in sorted(_SUFFIXES, key=len, reverse=True) if name.endswith(f".{suffix}")), None)
    metric = _SUFFIXES[found] if found else "value"
    rest = {key: value for key, value in entry.items() if key not in {"Name", "Data", "Info"}}
    info = entry.get("Info")
    kept = {"info": {metric: info}} if info else {}
    return name.removesuffix(f".{found}") if found else name, {**rest, **kept, metric: entry.get("Data")}


def _measurements(test: _Test, skips: list[Skip]) -> Iterator[Measurement]:
    metadata = foreign.compact(test.about)
    for key, samples in test.samples.items():
        if key.endswith("_status"):
            if any(value == _FAILED for value, _ in samples):
                what = key.removesuffix("_status")
                metric = next((_METRICS[n][0] for n in (f"{what}_time", what) if n in _METRICS), what)
                yield Measurement(benchmark_name=test.name, metric=metric, error=f"{key} is {_FAILED}: it failed")
            continue
        try:
            yield replace(_measurement(test, key, samples), metadata=metadata)
            metadata = "{}"  # stored once for each test
        except RefusedError as refused:
            skips.append(Skip(benchmark=f"{test.name} ({key})", reason=refused.reason, detail=refused.detail))


def _measurement(test: _Test, key: str, samples: list[tuple[object, str]]) -> Measurement:
    if not samples:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no samples of the metric {key}")
    metric, unit, factor, direction = _METRICS.get(key, (key, COUNT, 1.0, Direction.INFO))
    numbers = [number(value, at=place) for value, place in samples]
    return Measurement(
        benchmark_name=test.name,
        metric=metric,
        units=unit.name,
        direction=direction,
        values=scaled(numbers, factor, at=samples[0][1], signed=unit != NANOSECONDS),
    )
