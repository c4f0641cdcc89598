"""pyperf's JSON: suites of benchmarks, each a list of runs, in the file formats 5, 6 and 1.0."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import count, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, SkipReason
from bench_db.model import TestBed
from bench_db.units import BYTES, COUNT, NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "pyperf/1"
_VERSIONS = (5, 6, "1.0")
_SECOND = "second"
_UNITS = {_SECOND: ("time", NANOSECONDS, 1e9), "byte": ("memory", BYTES, 1.0), "integer": ("count", COUNT, 1.0)}
_SNIFF = re.compile(rb'"benchmarks"\s*:\s*\[\s*\{\s*"(runs"\s*:\s*\[|(common_)?metadata"\s*:\s*\{)')
_LINUX = re.compile(r"(Linux)-(.+?)-(\w+)(-with-.*)?")
_NONE = msgspec.Raw(b"[]")
_numbers: msgspec.json.Decoder[list[float]] = msgspec.json.Decoder(list[float])


class _File(msgspec.Struct, forbid_unknown_fields=True):
    benchmarks: list[foreign.Record]
    metadata: msgspec.Raw = msgspec.Raw()
    version: msgspec.Raw = msgspec.Raw()


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with benchmarks, the first of which begins with its runs or their metadata."""
    return _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read the values of all runs of a benchmark. Metadata of a run overrides that of its benchmark, which overrides the file's."""
    top, records = foreign.listing(content.body, "benchmarks", _File, file=str(content.path))
    version = foreign.plain(top.get("version"))
    if version not in _VERSIONS:
        reason = f"is of pyperf's file format {version!r:.40}; known: 5, 6 and '1.0'"
        raise UnreadableOutputError(reason, file=str(content.path), json_path="$.version")
    common = foreign.fields(top.get("metadata"))
    machines: list[Reading] = []

    def name_of(record: foreign.Record, at: str) -> str:
        return _name(common, record, at)

    def measured(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
        measurement, facts = _measurement(name, common, record, at)
        machines.append(_origin(facts))
        yield measurement

    measurements, skips = foreign.each(records, "$.benchmarks", name_of, measured)
    starts = [machine.run_time for machine in machines if machine.run_time is not None]
    return replace(
        machines[0] if machines else Reading(source=SOURCE),
        context=foreign.compact(top),
        measurements=measurements,
        skips=skips,
        run_time=min(starts, default=None),
    )


def _shared(common: dict[str, object], record: foreign.Record) -> dict[str, object]:
    return common | foreign.fields(record.get("metadata", record.get("common_metadata")))


def _runs(record: foreign.Record, at: str) -> list[foreign.Record]:
    return foreign.part(record.get("runs", _NONE), list[foreign.Record], at=f"{at}.runs")


def _name(common: dict[str, object], record: foreign.Record, at: str) -> str:
    first = foreign.fields(next((run.get("metadata") for run in _runs(record, at)), None))
    name = (_shared(common, record) | first).get("name")
    if isinstance(name, str) and name:
        return name
    raise RefusedError(SkipReason.NO_NAME, f"no name in the metadata at {at}")


def _measurement(
    name: str, common: dict[str, object], record: foreign.Record, at: str
) -> tuple[Measurement, dict[str, object]]:
    """Return a benchmark and the metadata of its first run. Runs that only calibrated or warmed up have no values."""
    runs, shared = _runs(record, at), _shared(common, record)
    values: list[list[float]] = []
    for index, run in enumerate(runs):
        kept = next((field for field in ("values", "samples") if field in run), "values")
        values.append(foreign.part(run.get(kept, _NONE), _numbers, at=f"{at}.runs[{index}].{kept}"))
        runs[index] = {**run, kept: msgspec.Raw(b"%d" % len(values[-1]))} if kept in run else run
    if not any(values):
        raise RefusedError(SkipReason.NO_STATISTICS, f"only calibration and warm-up at {at}.runs")
    facts = [shared | foreign.fields(run.get("metadata")) for run in runs]
    unit = facts[0].get("unit", _SECOND)
    if not isinstance(unit, str) or unit not in _UNITS:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"unit {unit!r:.40} at {at}")
    metric, base, factor = _UNITS[unit]
    measurement = Measurement(
        benchmark_name=name,
        metric=metric,
        units=base.name,
        direction=base.direction,
        values=scaled(list(chain(*values)), factor, at=f"{at}.runs"),
        iterations=_iterations(facts, values) if unit == _SECOND else (),
        metadata=foreign.compact({**record, "runs": runs}),
    )
    return measurement, {**facts[0], "date": min(_dates(facts), default=None)}


def _iterations(facts: list[dict[str, object]], values: list[list[float]]) -> tuple[int, ...]:
    """Return outer times inner loops for each value, or nothing when one of them is no valid count."""
    counts = [(count(fact.get("loops", 1)), count(fact.get("inner_loops", 1))) for fact in facts]
    loops = [count(outer * inner) if outer and inner else None for outer, inner in counts]
    if None in loops:
        return ()
    return tuple(chain(*(repeat(often or 1, len(kept)) for often, kept in zip(loops, values, strict=True))))


def _dates(facts: list[dict[str, object]]) -> Iterator[str]:
    """Yield ISO times of one machine in its local time. pyperf writes no offset, so they sort as text."""
    return (date for fact in facts if isinstance(date := fact.get("date"), str))


def _origin(facts: dict[str, object]) -> Reading:
    """Return time, machine and, where pyperformance adds it, the commit."""
    known = {name: value for name, value in facts.items() if isinstance(value, str)}
    node, platform = known.get("hostname", ""), known.get("platform", "")
    linux = _LINUX.fullmatch(platform)
    system, release, machine = linux.group(1, 2, 3) if linux else (*platform.partition("-")[::2], "")
    bed = TestBed(
        name=stable_name(node, system, machine),
        cpu=known.get("cpu_model_name") or machine,
        os=f"{system} {release}".strip(),
    )
    return Reading(
        source=SOURCE,
        run_time=foreign.unix(facts.get("date")),
        commit=foreign.commit(facts.get("commit_id")),
        branch=known.get("commit_branch") or None,
        commit_time=foreign.unix(facts.get("commit_date")),
        node=node or None,
        test_bed=bed if node or platform else None,
    )
