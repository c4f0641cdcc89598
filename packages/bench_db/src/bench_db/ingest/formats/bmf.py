"""The Bencher Metric Format: measures by benchmark name, in version 1 also by parameters and with figures of any name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.numbers import interval, note_on_texts, scaled, written
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import BYTES, COUNT, NANOSECONDS, PER_SECOND, Direction, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "bmf/1"
_TEXT = rb'"(?:[^"\\]|\\.)*"'
_SNIFF = re.compile(
    rb"\A\s*\{\s*" + _TEXT + rb"\s*:\s*(?:\{\s*" + _TEXT + rb'\s*:\s*\{\s*"(?:value|lower_value|upper_value)"\s*:'
    rb'|\[\s*\{\s*"(?:parameters|measures)"\s*:\s*\{)',
    re.DOTALL,
)
# The measures that every project of Bencher has: (metric, unit, factor, direction).
_MEASURES: dict[str, tuple[str, Unit, float, Direction]] = {
    "latency": ("time", NANOSECONDS, 1.0, Direction.LOWER),
    "throughput": ("throughput", PER_SECOND, 1.0, Direction.HIGHER),
    "build-time": ("build-time", NANOSECONDS, 1e9, Direction.LOWER),
    "file-size": ("file-size", BYTES, 1.0, Direction.LOWER),
    "instructions": ("instructions", COUNT, 1.0, Direction.LOWER),
    "estimated-cycles": ("estimated-cycles", COUNT, 1.0, Direction.LOWER),
}
_BOUNDS = ("lower_value", "upper_value")
_SILENCED = "-bencher-ignore"

_Tags = tuple[tuple[str, str], ...]


def sniff(edges: bytes) -> bool:
    """Return whether it is an object that begins with a benchmark and a measure, or with a list of variants."""
    return _SNIFF.match(edges) is not None


def read(content: Content) -> Reading:
    """Read each measure as a metric. Figures of one benchmark and its parameters are combined, as Bencher does."""
    file = str(content.path)
    document = foreign.decode(content.body, foreign.Record, file=file)
    skips: list[Skip] = []
    figures: dict[tuple[str, _Tags, str], dict[str, object]] = {}
    for name, raw in document.items():
        for at, tags, measures in _variants(foreign.plain(raw), f"$.{name}", skips):
            for measure, said in measures.items():
                if isinstance(said, Mapping):
                    figures.setdefault((name.removesuffix(_SILENCED), tags, measure), {}).update(said)
                else:
                    skips.append(
                        Skip(benchmark=name, reason=SkipReason.WRONG_TYPE, detail=f"no object at {at}.{measure}")
                    )
    if not figures and not skips:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=file, json_path="$")
    measurements = []
    texts: list[str] = []
    for key, said in figures.items():
        try:
            measurements += list(_measurements(*key, said, texts))
        except RefusedError as refused:
            skips.append(Skip(benchmark=f"{key[0]} ({key[2]})", reason=refused.reason, detail=refused.detail))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips), notes=note_on_texts(texts))


def _variants(entry: object, at: str, skips: list[Skip]) -> Iterator[tuple[str, _Tags, dict[str, object]]]:
    """Yield JSON path, tags and measures of each variant. Before version 1 a benchmark is one variant without tags."""
    listed = entry if isinstance(entry, list) else [{"measures": entry}]
    for index, variant in enumerate(listed):
        place = f"{at}[{index}]" if isinstance(entry, list) else at
        measures = variant.get("measures") if isinstance(variant, dict) else None
        parameters = variant.get("parameters") or {} if isinstance(variant, dict) else None
        if isinstance(measures, dict) and isinstance(parameters, dict):
            yield place, tuple(sorted((key, _spelled(value)) for key, value in parameters.items())), measures
        else:
            skips.append(
                Skip(benchmark=at.removeprefix("$."), reason=SkipReason.WRONG_TYPE, detail=f"no measures at {place}")
            )


def _spelled(value: object) -> str:
    """Return a parameter as text: 16 and 16.0 are one parameter."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else foreign.compact({"": value})[len('{"":') : -1]


def _interval(said: Mapping[str, object], factor: float) -> tuple[float | None, float | None]:
    """Return each bound that the file states, even one on the wrong side of the value."""
    low, high = (said.get(bound) for bound in _BOUNDS)
    known = high if low is None else low
    lower, upper = interval(low if low is not None else known, high if high is not None else known, factor)
    return (None if low is None else lower), (None if high is None else upper)


def _measurements(
    name: str, tags: _Tags, measure: str, said: Mapping[str, object], texts: list[str]
) -> Iterator[Measurement]:
    if not name:
        raise RefusedError(SkipReason.NO_NAME, "a benchmark without a name")
    slug = measure.strip().lower().replace(" ", "-")
    metric, unit, factor, direction = _MEASURES.get(slug, (measure, COUNT, 1.0, Direction.INFO))
    names = [figure for figure in said if figure not in _BOUNDS]
    if not names:
        raise RefusedError(SkipReason.MISSING_FIELD, f"no value at $.{name}.{measure}")
    for figure in names:
        at = f"$.{name}.{measure}.{figure}"
        is_value = figure == "value"
        value, is_text = written(said[figure], at=at)
        texts += [name] if is_text else []
        values = scaled([value], factor, at=at, signed=unit != NANOSECONDS)
        lower, upper = _interval(said, factor) if is_value else (None, None)
        yield Measurement(
            benchmark_name=name,
            metric=metric if is_value else f"{metric}-{figure}",
            units=unit.name,
            direction=direction,
            values=values,
            lower=lower,
            upper=upper,
            tags=dict(tags),
            metadata=foreign.compact({measure: said}) if is_value else "{}",
        )
