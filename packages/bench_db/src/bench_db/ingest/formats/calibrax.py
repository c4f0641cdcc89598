"""The runs of calibrax, `runs/ID.json` in its store, with the metric definitions of `config.json` beside them."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign, rates
from bench_db.ingest.numbers import first_not_a_number, interval, number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import NANOSECONDS, RATIO, Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.ingest.content import Content

SOURCE = "calibrax/1"
_FIELDS = ("id", "timestamp", "metric_defs", "points")
_SNIFF = tuple(re.compile(rb'"%s"\s*:' % name.encode()) for name in _FIELDS)


class _File(msgspec.Struct):
    points: list[foreign.Record]
    id: msgspec.Raw = msgspec.Raw()
    timestamp: msgspec.Raw = msgspec.Raw()
    commit: msgspec.Raw = msgspec.Raw()
    branch: msgspec.Raw = msgspec.Raw()
    environment: msgspec.Raw = msgspec.Raw()
    metadata: msgspec.Raw = msgspec.Raw()
    metric_defs: msgspec.Raw = msgspec.Raw()


class _Point(msgspec.Struct):
    scenario: str = ""
    tags: dict[str, msgspec.Raw] = {}
    metrics: dict[str, msgspec.Raw] = {}


class _Metric(msgspec.Struct):
    value: object
    lower: object = None
    upper: object = None
    samples: list[object] | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with points, metric definitions, a time and an id."""
    return edges.lstrip().startswith(b"{") and all(field.search(edges) for field in _SNIFF)


def read(content: Content) -> Reading:
    """Read each metric of each point. The suite is the scenario; unit and direction are those of the metric's definition."""
    top, records = foreign.listing(content.body, "points", _File, file=str(content.path))
    notes: list[str] = []
    here = content.path.absolute().parent
    config = foreign.beside(notes, here.parent / "config.json") if here.name in {"runs", "baselines"} else {}
    own = foreign.identifier(foreign.plain(top.get("id")))
    if own and here.name == "baselines":
        notes.append(f"is the baseline of its store; 'bench-db baseline set main run:{own}' makes it one here")
    defined = {**_defined(config.get("metric_defs")), **_defined(foreign.plain(top.get("metric_defs")))}
    beside: list[Skip] = []
    measurements, skips = foreign.each(records, "$.points", foreign.name_of, partial(_measurements, defined, beside))
    commit = foreign.plain(top.get("commit"))
    return Reading(
        source=SOURCE,
        context=foreign.compact(top),
        measurements=measurements,
        skips=(*skips, *beside),
        notes=tuple(notes),
        run_time=foreign.unix(foreign.plain(top.get("timestamp"))),
        commit=foreign.commit(commit),
        version=None if foreign.commit(commit) else foreign.text(commit) or None,
        branch=foreign.text(foreign.plain(top.get("branch"))) or None,
        run_id=own,
    )


def _defined(definitions: object) -> dict[str, Mapping[str, object]]:
    found = definitions if isinstance(definitions, dict) else {}
    return {name: one for name, one in found.items() if isinstance(one, dict)}


def _measurements(
    defined: Mapping[str, Mapping[str, object]], beside: list[Skip], name: str, record: foreign.Record, at: str
) -> Iterator[Measurement]:
    point = foreign.part(msgspec.json.encode(record), _Point, at=at)
    if not point.metrics:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no metrics at {at}")
    tags = foreign.texts(point.tags)
    for metric, raw in point.metrics.items():
        place = f"{at}.metrics.{metric}"
        try:
            yield _measurement(name, point.scenario, tags, metric, defined.get(metric, {}), raw, place)
        except RefusedError as refused:
            beside.append(Skip(benchmark=f"{name} ({metric})", reason=refused.reason, detail=refused.detail))


def _measurement(  # noqa: PLR0913, PLR0917 what a metric is, and where
    name: str,
    scenario: str,
    tags: Mapping[str, str],
    metric: str,
    definition: Mapping[str, object],
    raw: msgspec.Raw,
    at: str,
) -> Measurement:
    """Return a metric. Its samples are the values, where it has any; its value is then in the metadata."""
    found = foreign.part(raw, _Metric, at=at)
    spelling = foreign.text(definition.get("unit"))
    unit, factor = rates.as_spelled(spelling) if spelling else (RATIO, 1.0)
    stated = number(found.value, at=f"{at}.value")
    wrong = first_not_a_number(found.samples or (), at=f"{at}.samples")
    if wrong is not None:
        raise wrong
    samples = [number(sample, at=at) for sample in found.samples or ()]
    lower, upper = interval(found.lower, found.upper, factor)
    way = foreign.text(definition.get("direction"))
    return Measurement(
        benchmark_name=name,
        suite=scenario,
        metric=metric,
        units=unit.name,
        direction=Direction(way) if way in {*Direction} else unit.direction,
        values=scaled(samples or [stated], factor, at=at, signed=unit != NANOSECONDS),
        lower=lower,
        upper=upper,
        tags=tags,
        metadata=foreign.compact({"value": found.value}) if samples else "{}",
    )
