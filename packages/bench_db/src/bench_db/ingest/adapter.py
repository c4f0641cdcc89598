"""Adapters: what reads one format, in bench_db or in another installed package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import BenchDbError
from bench_db.ingest.content import Content
from bench_db.ingest.numbers import number
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Samples
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.plugins import Plugin

_TEXTS = ("name", "source", "summary")
_CALLABLES = ("sniff", "read")
_TYPES: dict[str, type] = dict.fromkeys(("benchmark_name", "suite", "metric", "units", "metadata"), str)
_TYPES |= {"direction": Direction, "tags": Mapping}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One format: how a file shows it, and how to read one.

    `source` names the format and the version of this reading, such as `stopwatch/1`; every result stores it. `summary` is
    one line for lists of formats. `sniff` receives the first and last 64 KiB of a file and returns whether they show the
    format. `read` returns one reading, or one for each commit of a file that contains a history; it raises
    `UnreadableOutputError` for a file it cannot read. An adapter without `sniff` reads a directory. `by_name` formats are never
    chosen by content: they need `--format`. A format is `self_contained` when it reads nothing but the content that it is given.
    """

    name: str
    source: str
    summary: str
    read: Callable[[Content], Reading | tuple[Reading, ...]]
    sniff: Callable[[bytes], bool] | None = None
    by_name: bool = False
    self_contained: bool = True


def adapter_of(plugin: Plugin) -> Adapter:
    """Return the adapter of another package. Any error of its code is raised as `PluginError`.

    The object needs the attributes of `Adapter`, so a module will do. `sniff` is required: a plug-in reads files.
    """
    texts = {field: getattr(plugin.value, field, None) for field in _TEXTS}
    missing = [f"a text `{field}`" for field, text in texts.items() if not (isinstance(text, str) and text)]
    missing += [f"a callable `{field}`" for field in _CALLABLES if not callable(getattr(plugin.value, field, None))]
    if missing:
        kind = type(plugin.value).__name__
        reason = f"it is no adapter: the object, of type {kind}, lacks {', '.join(missing)}"
        raise plugin.fault(reason)
    if texts["name"] != plugin.name:
        reason = f"the name of the adapter is {texts['name']!r}, which must equal that of the entry point"
        raise plugin.fault(reason)
    return Adapter(
        name=plugin.name,
        source=str(texts["source"]),
        summary=str(texts["summary"]),
        sniff=partial(_sniff, plugin),
        read=partial(_read, plugin),
        self_contained=False,
    )


def _sniff(plugin: Plugin, edges: bytes) -> bool:
    sniff: Callable[[bytes], object] = getattr(plugin.value, "sniff")  # noqa: B009 the object has no type
    try:
        return bool(sniff(edges))
    except Exception as error:
        reason = f"'sniff' failed: {type(error).__name__}: {error}"
        raise plugin.fault(reason) from error


def _read(plugin: Plugin, content: Content) -> tuple[Reading, ...]:
    read: Callable[[Content], object] = getattr(plugin.value, "read")  # noqa: B009 the object has no type
    try:
        read_back = read(content)
    except BenchDbError:
        raise
    except Exception as error:
        reason = f"'read' failed on {content.path}: {type(error).__name__}: {error}"
        raise plugin.fault(reason) from error
    readings = read_back if isinstance(read_back, tuple) else (read_back,)
    if not readings or not all(isinstance(reading, Reading) for reading in readings):
        kinds = ", ".join(sorted({type(reading).__name__ for reading in readings})) or "nothing"
        reason = f"'read' returned {kinds} for {content.path}, not a Reading or a tuple of Readings"
        raise plugin.fault(reason)
    return tuple(_checked(plugin, reading) for reading in readings)


def _checked(plugin: Plugin, reading: Reading) -> Reading:
    """Return a reading whose measurements can be stored; a measurement with an unusable number becomes a skip."""
    measurements: list[Measurement] = []
    skips = list(reading.skips)
    for measurement in reading.measurements:
        for mistake in _mistakes(measurement):
            reason = f"'read' returned a measurement {mistake}: {measurement!r:.200}"
            raise plugin.fault(reason)
        try:
            measurements.append(_storable(measurement))
        except RefusedError as refused:
            skips.append(Skip(benchmark=measurement.benchmark_name, reason=refused.reason, detail=refused.detail))
    return replace(reading, measurements=tuple(measurements), skips=tuple(skips))


def _mistakes(measurement: object) -> Iterator[str]:
    """Yield what is wrong with a measurement whatever the file contains: mistakes of the package."""
    if not isinstance(measurement, Measurement):
        yield "that is no Measurement"
        return
    wrong = [field for field, kind in _TYPES.items() if not isinstance(getattr(measurement, field), kind)]
    yield from (f"whose '{field}' is no {_TYPES[field].__name__}" for field in wrong)
    if not wrong and not all(isinstance(word, str) for tag in measurement.tags.items() for word in tag):
        yield "whose 'tags' have a name or a value that is no str"
    try:
        msgspec.json.decode(measurement.metadata, type=msgspec.Raw)
    except (msgspec.DecodeError, TypeError):
        yield "whose 'metadata' is no JSON text"


def _storable(measurement: Measurement) -> Measurement:
    if not measurement.benchmark_name:
        raise RefusedError(SkipReason.NO_NAME, "the name is empty")
    is_measured = len(measurement.values) > 0 or measurement.summary is not None
    if is_measured == (measurement.error is not None):
        reason = "has both figures and an error" if is_measured else "has neither values, nor a summary, nor an error"
        raise RefusedError(SkipReason.NO_STATISTICS, reason)
    stated = astuple(measurement.summary) if measurement.summary else ()
    for figure in (*measurement.values, *stated, measurement.lower, measurement.upper):
        if figure is not None and not isfinite(number(figure, at="its figures")):
            raise RefusedError(SkipReason.NOT_FINITE, f"{figure} is among its figures")
    n = measurement.n or (1 if measurement.summary else 0)
    return replace(measurement, values=Samples(measurement.values), n=n)
