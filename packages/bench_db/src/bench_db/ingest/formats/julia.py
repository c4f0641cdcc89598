"""The JSON that Julia's BenchmarkTools saves: groups of groups, with a trial or an estimate of one as the leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import BYTES, COUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "julia/1"
_GROUP, _TRIAL, _ESTIMATE = "BenchmarkGroup", "Trial", "TrialEstimate"
_SNIFF = re.compile(rb'\[\s*\{[^}]{0,2000}"BenchmarkTools"\s*:')
_DEEPEST = 50
_SAMPLES = ("times", "gctimes")


class _Leaf(msgspec.Struct):
    times: list[float] = []
    gctimes: list[float] = []
    time: float | None = None
    gctime: float = 0.0
    memory: int | None = None
    allocs: int | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it is a list that begins with the versions of Julia and BenchmarkTools."""
    return _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each leaf as a time, and where stated a time of garbage collection, allocated bytes and allocations."""
    file = str(content.path)
    top = foreign.array(content.body, file=file)
    versions, saved = (*top, None)[:2]
    context = versions if isinstance(versions, dict) else foreign.fields(versions)
    values = foreign.plain(saved) if isinstance(saved, msgspec.Raw) else None
    if not isinstance(values, list):
        reason = "has no list of saved values"
        raise UnreadableOutputError(reason, file=file, json_path="$[1]")
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    for index, value in enumerate(values):
        for names, leaf, at in _leaves(value, (), f"$[1][{index}]"):
            name = "/".join(names) or f"value {index + 1}"
            try:
                foreign.add(list(_measurements(name, leaf, at)), measurements, skips)
            except RefusedError as refused:
                skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    if not measurements and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=file)
    return Reading(
        source=SOURCE, context=foreign.compact(context), measurements=tuple(measurements), skips=tuple(skips)
    )


def _leaves(value: object, names: tuple[str, ...], at: str) -> Iterator[tuple[tuple[str, ...], object, str]]:
    """Yield each leaf below a value with the names of its groups and its JSON path."""
    kind, fields = _typed(value)
    inner = fields.get("data")
    if kind == _GROUP and isinstance(inner, dict) and len(names) < _DEEPEST:
        for name, part in inner.items():
            yield from _leaves(part, (*names, str(name)), f"{at}.{name:.40}")
    else:
        yield names, value, at


def _typed(value: object) -> tuple[str, dict[str, object]]:
    """Return the type and the fields of a saved value. Older versions write the type with its module in front."""
    if isinstance(value, list) and len(value) == len(("type", "fields")):
        kind, fields = value
        if isinstance(kind, str) and isinstance(fields, dict):
            return kind.rpartition(".")[2], fields
    return "", {}


def _measurements(name: str, value: object, at: str) -> Iterator[Measurement | Skip]:
    kind, fields = _typed(value)
    if kind not in {_TRIAL, _ESTIMATE}:
        raise RefusedError(
            SkipReason.WRONG_TYPE, f"{kind[:40] or 'no saved type'}, not a trial or an estimate, at {at}"
        )
    leaf = foreign.part(msgspec.json.encode(fields), _Leaf, at=at)
    times = leaf.times if kind == _TRIAL else [] if leaf.time is None else [leaf.time]
    if not times:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no times at {at}")
    metadata = foreign.compact({field: part for field, part in fields.items() if field not in _SAMPLES})
    yield Measurement(benchmark_name=name, values=scaled(times, 1.0, at=f"{at}.times"), metadata=metadata)
    collected = leaf.gctimes if kind == _TRIAL else [leaf.gctime]
    if any(collected):
        yield foreign.further(Measurement(benchmark_name=name, metric="gc-time"), collected, 1.0, at=f"{at}.gctimes")
    for metric, units, amount in (("allocated-bytes", BYTES, leaf.memory), ("allocations", COUNT, leaf.allocs)):
        if amount is not None:
            counted = Measurement(benchmark_name=name, metric=metric, units=units.name)
            yield foreign.further(counted, [amount], 1.0, at=f"{at} ({metric})")
