"""The run records of metalab, `runs/ID.json` in a FileStore, with the derived metrics and structured results beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign, rates
from bench_db.ingest.numbers import first_not_a_number, number, scaled
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.units import NANOSECONDS, RATIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench_db.ingest.content import Content

SOURCE = "metalab/1"
_FIELDS = ("run_id", "experiment_id", "status", "metrics")
_SNIFF = tuple(re.compile(rb'"%s"\s*:' % name.encode()) for name in _FIELDS)
_SUCCESS, _RUNNING = "success", "running"
_NAME = re.compile(r"[\w.-]+", re.ASCII)
_TIME, _DURATION = "time", "duration_ms"
_FACTOR = 1e6  # milliseconds to nanoseconds
_PARAMETERS = "params_resolved"


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with a run, its experiment, its status and its metrics."""
    return edges.lstrip().startswith(b"{") and all(field.search(edges) for field in _SNIFF)


def read(content: Content) -> Reading:
    """Read the metrics of a run, its duration, and the derived metrics and structured results of its store.

    The name of the benchmark is the experiment, and the parameters are its tags. A run that failed is one result with its error.
    """
    file = str(content.path)
    record = {name: foreign.plain(raw) for name, raw in foreign.decode(content.body, foreign.Record, file=file).items()}
    experiment, status = foreign.text(record.get("experiment_id")), foreign.text(record.get("status")).lower()
    if not experiment:
        reason = "has no experiment_id, which names the benchmark"
        raise UnreadableOutputError(reason, file=file, json_path="$.experiment_id")
    notes: list[str] = []
    skips: list[Skip] = []
    parameters = record.get(_PARAMETERS)
    like = Measurement(benchmark_name=experiment, tags=_tags(parameters if isinstance(parameters, dict) else {}))
    found: list[Measurement] = []
    if status == _SUCCESS:
        for figures, at, prefix in (
            (record.get("metrics"), "$.metrics", ""),
            (_derived(content.path, record, notes), "the derived metrics", "derived_"),
        ):
            found += _figures(like, figures if isinstance(figures, dict) else {}, at, prefix, skips)
        found += _duration(like, record.get(_DURATION), skips)
        found += _results(like, content.path, record, notes, skips)
        if not found and not skips:
            skips.append(Skip(benchmark=experiment, reason=SkipReason.NO_STATISTICS, detail="no metric is a number"))
    elif status == _RUNNING:
        detail = "the run has not ended; publish it again when it has"
        skips.append(Skip(benchmark=experiment, reason=SkipReason.NO_STATISTICS, detail=detail))
    else:
        found.append(replace(like, error=_error(status, record.get("error"))))
    return replace(_reading(record, notes), measurements=tuple(found), skips=tuple(skips), notes=tuple(notes))


def _reading(record: Mapping[str, object], notes: list[str]) -> Reading:
    """Return the reading of a run record without its measurements.

    It has no commit: `code_hash` is a hash of the text of a function, which is the same in many commits.
    """
    provenance = record.get("provenance")
    origin = provenance if isinstance(provenance, dict) else {}
    started = foreign.text(record.get("started_at")) or foreign.text(record.get("finished_at"))
    run_time = foreign.unix(started)
    if (
        run_time is not None and foreign.unix(f"{started}+00:00") is not None
    ):  # only a time without an offset can take one
        notes.append(
            f"the time {started} has no offset and is read as UTC; metalab writes local time. Set TZ=UTC where it runs"
        )
    return Reading(
        source=SOURCE,
        context=foreign.compact({name: value for name, value in record.items() if name != "metrics"}),
        run_time=run_time,
        node=foreign.text(origin.get("host")) or None,
        run_id=foreign.identifier(record.get("run_id")),
    )


def _tags(parameters: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return parameters as tags; those of an inner object have its name before theirs."""
    tags: dict[str, str] = {}
    for name, value in parameters.items():
        if isinstance(value, dict):
            tags |= _tags(value, f"{prefix}{name}.")
        else:
            tags[prefix + name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return tags


def _figures(
    like: Measurement, figures: Mapping[str, object], at: str, prefix: str, skips: list[Skip]
) -> Iterator[Measurement]:
    """Yield the metrics that are numbers. Texts, booleans and null are facts of the run; they are in the metadata of the first."""
    facts = {name: value for name, value in figures.items() if not _is_number(value)}
    for name, value in figures.items():
        if _is_number(value):
            stem, unit, factor = rates.suffixed(name) or (name, RATIO, 1.0)
            try:
                yield replace(
                    like,
                    metric=prefix + stem,
                    units=unit.name,
                    direction=unit.direction,
                    values=scaled(
                        [number(value, at=f"{at}.{name}")], factor, at=f"{at}.{name}", signed=unit != NANOSECONDS
                    ),
                    metadata=foreign.compact(facts),
                )
            except RefusedError as refused:
                skips.append(_skip(like, prefix + stem, refused))
            facts = {}


def _is_number(value: object) -> bool:
    """Return whether a value is a number, or the name of one that is not finite."""
    if isinstance(value, str):
        return value in {"NaN", "Infinity", "-Infinity"}
    return isinstance(value, int | float) and not isinstance(value, bool)


def _duration(like: Measurement, duration: object, skips: list[Skip]) -> Iterator[Measurement]:
    if duration is None:
        return
    try:
        time = number(duration, at=f"$.{_DURATION}")
        yield replace(like, metric=_TIME, values=scaled([time], _FACTOR, at=f"$.{_DURATION}"))
    except RefusedError as refused:
        skips.append(_skip(like, _TIME, refused))


def _skip(like: Measurement, metric: str, refused: RefusedError) -> Skip:
    return Skip(benchmark=f"{like.benchmark_name} ({metric})", reason=refused.reason, detail=refused.detail)


def _error(status: str, error: object) -> str:
    text = error if isinstance(error, str) else foreign.compact(error) if isinstance(error, dict) else ""
    return f"{status or 'unknown status'}: {text}" if text else status or "unknown status"


def _derived(path: Path, record: Mapping[str, object], notes: list[str]) -> Mapping[str, object]:
    home, run = _store(path, record)
    return foreign.beside(notes, home / "derived" / f"{run}.json") if run else {}


def _results(
    like: Measurement, path: Path, record: Mapping[str, object], notes: list[str], skips: list[Skip]
) -> Iterator[Measurement]:
    """Yield the structured results that are lists of numbers, as samples; a note names each of the others."""
    home, run = _store(path, record)
    for file in sorted((home / "results" / run).glob("*.json")) if run else ():
        found = foreign.beside(notes, file)
        data, at = found.get("data"), f"results/{run}/{file.name}"
        if not isinstance(data, list) or not data or any(isinstance(value, list | dict) for value in data):
            notes.append(f"{at} is not a list of numbers, and is not stored")
            continue
        stem, unit, factor = rates.suffixed(file.stem) or (file.stem, RATIO, 1.0)
        try:
            if wrong := first_not_a_number(data, at=f"{at}: data"):
                raise wrong
            values = scaled(data, factor, at=at, signed=unit != NANOSECONDS)
            about = {"dtype": found.get("dtype"), "shape": found.get("shape"), "metadata": found.get("metadata")}
            metadata = foreign.compact({name: value for name, value in about.items() if value is not None})
            yield replace(
                like, metric=stem, units=unit.name, direction=unit.direction, values=values, metadata=metadata
            )
        except RefusedError as refused:
            skips.append(_skip(like, stem, refused))


def _store(path: Path, record: Mapping[str, object]) -> tuple[Path, str]:
    """Return the directory of the store around `runs/ID.json` and the id; the id is empty for a file that is elsewhere."""
    run, here = foreign.text(record.get("run_id")), path.absolute().parent
    is_there = here.name == "runs" and _NAME.fullmatch(run) and run.strip(".")
    return here.parent, run if is_there else ""
