"""The custom JSON of github-action-benchmark: a list of names, values and units without the direction."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign, rates
from bench_db.ingest.numbers import interval, note_on_texts, scaled, written
from bench_db.ingest.reading import Measurement, Reading
from bench_db.units import COUNT, NANOSECONDS, Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench_db.ingest.content import Content

SOURCE = "github-action-benchmark/1"
SMALLER_SOURCE = "customSmallerIsBetter/1"
BIGGER_SOURCE = "customBiggerIsBetter/1"
_FIRST = re.compile(rb'\A\s*\[\s*\{((?:"(?:[^"\\]|\\.)*"|[^"{}\[\]])*)\}', re.DOTALL)
_FIELDS = tuple(re.compile(rb'"%s"\s*:' % name) for name in (b"name", b"unit", b"value"))
_RANGE = re.compile(r"(?:\u00b1|\+-|\+/-)?\s*(\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+)\s*(%?)", re.ASCII)


class _Entry(msgspec.Struct):
    value: msgspec.Raw
    unit: str
    range: str | float | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it is a list whose first entry is a flat object with a name, a unit and a value."""
    first = _FIRST.match(edges)
    return first is not None and all(field.search(first[1]) for field in _FIELDS)


def read(content: Content) -> Reading:
    """Read with the direction of each unit, `info` for a unit that has none."""
    return _read(content, SOURCE, None)


def read_smaller(content: Content) -> Reading:
    """Read with lower as better for every unit."""
    return _read(content, SMALLER_SOURCE, Direction.LOWER)


def read_bigger(content: Content) -> Reading:
    """Read with higher as better for every unit."""
    return _read(content, BIGGER_SOURCE, Direction.HIGHER)


def _read(content: Content, source: str, direction: Direction | None) -> Reading:
    records = foreign.array(content.body, file=str(content.path))
    texts: list[str] = []
    read = partial(measurements, lambda of_unit: direction or of_unit, texts)
    found, skips = foreign.each(records, "$", foreign.name_of, read)
    unknown = sorted({m.units for m in found if m.direction is Direction.INFO})
    note = f"the direction of {', '.join(map(repr, unknown))} is unknown: state it with --format customSmallerIsBetter or customBiggerIsBetter"
    notes = (*note_on_texts(texts), *((note,) if unknown else ()))
    return Reading(source=source, measurements=found, skips=skips, notes=notes)


def measurements(
    direction: Callable[[Direction], Direction], texts: list[str], name: str, record: foreign.Record, at: str
) -> Iterator[Measurement]:
    """Yield the measurement of an entry. `direction` maps that of its unit; names with a number as text are added to `texts`."""
    entry = foreign.part(msgspec.json.encode(record), _Entry, at=at)
    value, is_text = written(foreign.part(entry.value, object, at=f"{at}.value"), at=f"{at}.value")
    texts += [name] if is_text else []
    unit, factor = rates.as_spelled(entry.unit)
    margin = _margin(entry.range, value)
    lower, upper = (None, None) if margin is None else interval(value - margin, value + margin, factor)
    yield Measurement(
        benchmark_name=name,
        metric=rates.metric_of(unit),
        units=unit.name,
        direction=direction(Direction.INFO if unit == COUNT else unit.direction),
        values=scaled([value], factor, at=f"{at}.value", signed=unit != NANOSECONDS),
        lower=lower,
        upper=upper,
        metadata=foreign.compact(record),
    )


def _margin(spread: str | float | None, value: float) -> float | None:
    """Return the margin in a number or in a text such as "± 5", "+/- 1,234.5" or "±2%", None for anything else."""
    found = _RANGE.fullmatch(spread.strip()) if isinstance(spread, str) else None
    margin = float(found[1].replace(",", "")) if found else spread
    if isinstance(margin, str) or margin is None:
        return None
    margin = abs(value) * margin / 100 if found and found[2] else float(margin)
    return margin if margin >= 0 else None
