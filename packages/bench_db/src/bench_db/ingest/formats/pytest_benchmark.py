"""pytest-benchmark's `--benchmark-json` file and its saved storage files, 2.5 to 5.x."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import first_not_a_number, number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, SkipReason
from bench_db.model import SummaryValues, TestBed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "pytest-benchmark/1"
_NS = 1e9
_STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "stddev")
# Follows from the samples: left out of the metadata when all samples are stored.
_DERIVED = {
    *_STATISTICS,
    "rounds",
    "iqr",
    "iqr_outliers",
    "stddev_outliers",
    "outliers",
    "ld15iqr",
    "hd15iqr",
    "ops",
    "total",
}

_Decoder = msgspec.json.Decoder[dict[str, object]]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    benchmarks: list[foreign.Record]
    machine_info: msgspec.Raw = msgspec.Raw()
    commit_info: msgspec.Raw = msgspec.Raw()
    datetime: msgspec.Raw = msgspec.Raw()
    version: msgspec.Raw = msgspec.Raw()


# One pass over the samples in C. A record of another shape is decoded again, to find what is wrong.
_stats: _Decoder = msgspec.json.Decoder(dict[str, int | float | str | list[float] | None])
_anything: _Decoder = msgspec.json.Decoder(dict[str, object])


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with benchmarks and either the machine or the full name of a test."""
    return re.search(rb'"benchmarks"\s*:\s*\[', edges) is not None and (
        b'"machine_info"' in edges or b'"fullname"' in edges
    )


def read(content: Content) -> Reading:
    """Read one measurement for each benchmark, under its full name."""
    top, records = foreign.listing(content.body, "benchmarks", _File, file=str(content.path))
    notes: list[str] = []

    def measured(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
        yield _measurement(name, record, at, notes)

    measurements, skips = foreign.each(records, "$.benchmarks", _name, measured)
    return replace(_origin(top), measurements=measurements, skips=skips, notes=(*_dirt(top), *notes))


def _name(record: foreign.Record, at: str) -> str:
    for field in ("fullname", "name"):
        name = foreign.plain(record.get(field))
        if isinstance(name, str) and name:
            return name
    raise RefusedError(SkipReason.NO_NAME, f"neither a fullname nor a name at {at}")


def _measurement(name: str, record: foreign.Record, at: str, notes: list[str]) -> Measurement:
    error = foreign.plain(record.get("error"))
    if error or bytes(record.get("stats", b"null")).strip() == b"null":
        text = error if isinstance(error, str) else "no statistics in the file"
        return Measurement(benchmark_name=name, error=text, metadata=foreign.compact(record))
    at += ".stats"
    stats, fault = _stats_of(record["stats"], at)
    data, rounds = stats.pop("data", None), stats.get("rounds")
    samples: list[float] = data if isinstance(data, list) else []
    if samples and not fault and (rounds is None or rounds == len(samples)):
        values = scaled(samples, _NS, at=f"{at}.data")
        own = {field: value for field, value in stats.items() if field not in _DERIVED}
        return Measurement(benchmark_name=name, values=values, metadata=foreign.compact({**record, "stats": own}))
    metadata = foreign.compact({**record, "stats": stats})
    summary, n = _summary(stats, at), _rounds(rounds, at=f"{at}.rounds")
    if data:
        why = fault or f"{len(samples)} of {n} rounds"
        notes.append(
            f"{name}: the list of samples is incomplete ({why}); the statistics of the tool are stored instead"
        )
    return Measurement(benchmark_name=name, summary=summary, n=n, metadata=metadata)


def _stats_of(text: msgspec.Raw, at: str) -> tuple[dict[str, object], str]:
    """Return the statistics, and what is wrong with their list of samples: "" for a good list or none."""
    try:
        stats, entries_are_numbers = foreign.part(text, _stats, at=at), True
    except RefusedError:
        stats, entries_are_numbers = foreign.part(text, _anything, at=at), False
    data, at = stats.get("data"), f"{at}.data"
    if not isinstance(data, list):
        return stats, "" if data is None else f"not a list at {at}"
    refused = None if entries_are_numbers else first_not_a_number(data, at=at)
    return stats, refused.detail if refused else ""


def _summary(stats: dict[str, object], at: str) -> SummaryValues:
    missing = [name for name in _STATISTICS if stats.get(name) is None]
    if missing:
        raise RefusedError(SkipReason.NO_STATISTICS, f"neither all samples nor {', '.join(missing)} at {at}")
    values = {name: scaled([number(stats[name], at=f"{at}.{name}")], _NS, at=f"{at}.{name}")[0] for name in _STATISTICS}
    return SummaryValues(standard_deviation=values.pop("stddev"), **values)


def _rounds(value: object, *, at: str) -> int:
    rounds = number(value, at=at)
    if rounds < 1 or rounds != int(rounds) or rounds >= 2**63:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"not a count of rounds at {at}")
    return int(rounds)


def _origin(top: foreign.Record) -> Reading:
    """Return what the file says about its build and its machine."""
    machine, commit = foreign.fields(top.get("machine_info")), foreign.fields(top.get("commit_info"))
    branch, node = commit.get("branch"), machine.get("node")
    return Reading(
        source=SOURCE,
        context=foreign.compact(top),
        run_time=foreign.unix(foreign.plain(top.get("datetime"))),
        commit=foreign.commit(commit.get("id")),
        branch=foreign.text(branch) or None,
        commit_time=foreign.unix(commit.get("time")),
        node=node if isinstance(node, str) else None,
        test_bed=_test_bed(machine) if machine else None,
    )


def _dirt(top: foreign.Record) -> Iterator[str]:
    if foreign.fields(top.get("commit_info")).get("dirty") is True:
        yield "the checkout had uncommitted changes when this was measured"


def _test_bed(machine: dict[str, object]) -> TestBed:
    """Return the machine in `machine_info`, which does not contain the memory."""
    text = {name: value for name, value in machine.items() if isinstance(value, str)}
    cpu = machine.get("cpu")
    named: list[object] = [cpu.get("brand_raw"), cpu.get("brand")] if isinstance(cpu, dict) else []
    brand = next((name for name in named if isinstance(name, str) and name != "unknown"), "")
    system, architecture = text.get("system", ""), text.get("machine", "")
    return TestBed(
        name=stable_name(text.get("node", ""), system, architecture),
        cpu=brand or text.get("processor") or architecture,
        os=f"{system} {text.get('release', '')}".strip(),
    )
