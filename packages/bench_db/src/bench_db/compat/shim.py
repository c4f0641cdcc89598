"""Rows of lance-bench's publishers, published as what they were made from: the records of a tool, which their metadata contains."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.app.configuration import named
from bench_db.app.publish import known_of_commit
from bench_db.arrow import samples_of
from bench_db.compat.rows import SOURCE, commit_of, digest, record_of, with_known_cpu
from bench_db.errors import UserError
from bench_db.ingest import Content, Measurement, Reading, adapter_named, runs_of
from bench_db.ingest.host import checkout_around, this_machine
from bench_db.units import NANOSECONDS, RECALL, base_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench_db.ingest import Provenance
    from bench_db.model import Published, Result, Run, SummaryValues, TestBed
    from bench_db.store.database import Database

_FILE = Path("lance-bench")
_STREAM = ("measured_values", "iteration_count")


def publish(store: Database, rows: Iterable[Result], provenance: Provenance) -> list[Published]:
    """Publish rows as `bench-db publish` does the output that they were made from. `provenance` has what the job knows.

    Rows of one device, test bed and second are one run. A row of no known publisher is stored with its values as per-iteration
    values of its unit. Raises `UserError`, before anything is stored, for an unknown unit and for rows without a readable record.
    """
    runs = [run for group in _files(rows) for run in _read(group, provenance)]
    checkout = checkout_around(Path.cwd())
    return [
        store.publish(results, run, commits=partial(known_of_commit, checkout, run) if checkout else ())
        for run, results in runs
    ]


def _files(rows: Iterable[Result]) -> list[list[Result]]:
    """Return the rows of each file that a publisher read: it gives all of them one time, and reads one format."""
    files: defaultdict[tuple[object, ...], list[Result]] = defaultdict(list)
    for row in rows:
        of_run = (row.dut, row.test_bed.name, row.timestamp, row.suite, row.commit, row.branch, row.pr_number)
        files[*of_run, _format(row)].append(row)
    return list(files.values())


def _format(row: Result) -> str:
    """Return the format of the output that a row was made from, "" for a row of no known publisher."""
    record = record_of(row.metadata)
    if set(_STREAM) <= record.keys():
        return "criterion"
    if isinstance(record.get("stats"), dict):
        return "pytest-benchmark"
    if {"ivf", "pq", "k"} <= record.keys() and row.units == RECALL.name:
        return "dbpedia"
    return "values-ns" if "dataset_name" in record and row.units in ("ns", NANOSECONDS.name) else ""


def _read(rows: Sequence[Result], provenance: Provenance) -> list[tuple[Run, list[Result]]]:
    first, format_name = rows[0], _format(rows[0])
    reading = _output(format_name, rows) if format_name else _as_stated(rows)
    reading = replace(reading, commit=first.commit or commit_of(first.dut.version), branch=first.branch)
    stated = replace(
        provenance,
        dut_name=first.dut.name,
        dut_version=first.dut.version,
        dut_timestamp=first.dut.timestamp or None,
        test_bed=_bed(first.test_bed),
        suite=first.suite or provenance.suite,
        pr_number=provenance.pr_number if first.pr_number is None else first.pr_number,
        ingested_at=first.timestamp,
    )
    stated = named(Path.cwd() / _FILE, stated)
    source = format_name or SOURCE
    runs = list(runs_of(_FILE, (reading,), format=source, digest=digest(rows), provenance=stated))
    for run, results in runs:
        if not results:
            message = f"none of these {len(rows)} rows can be stored: {'; '.join(run.notes[:3])}"
            raise UserError(message)
    return runs


def _output(format_name: str, rows: Sequence[Result]) -> Reading:
    """Return the reading of the output that the metadata of rows contains."""
    read = adapter_named(format_name).read(Content(path=_FILE, text=_TEXTS[format_name](rows).encode()))
    return read if isinstance(read, Reading) else read[0]


def _as_stated(rows: Sequence[Result]) -> Reading:
    """Return a reading of rows of no known publisher, in base units."""
    return Reading(source=SOURCE, measurements=tuple(map(_measurement, rows)), run_time=rows[0].run_time)


def _measurement(row: Result) -> Measurement:
    try:
        unit, factor = base_unit(row.units)
    except UserError as error:
        message = f"{row.benchmark_name!r}: {error}; give one of these as `units`"
        raise UserError(message) from error
    is_time = unit is NANOSECONDS
    return Measurement(
        benchmark_name=row.benchmark_name,
        metric=row.metric if is_time or row.metric != "time" else unit.name,
        units=unit.name,
        direction=unit.direction,
        values=samples_of([value * factor for value in row.values]),
        summary=None if len(row.values) or row.summary is None else _scaled(row.summary, factor),
        n=row.n,
        tags=row.tags,
        throughput=row.throughput,
        metadata=row.metadata,
        error=row.error or (None if len(row.values) or row.summary else "no values were stored"),
    )


def _scaled(summary: SummaryValues, factor: float) -> SummaryValues:
    stated = {name: value and value * factor for name, value in asdict(summary).items()}
    return replace(summary, **stated)


def _bed(stated: TestBed) -> TestBed:
    """Return the test bed of a row: the description of this machine if it is this one, which publishers describe in part."""
    here, known = this_machine(stated.name), with_known_cpu(stated)
    is_here = (stated.memory_gb, stated.os) == (here.memory_gb, here.os) and known.cpu in ("", here.cpu)
    return here if is_here else known


def _criterion(rows: Sequence[Result]) -> str:
    messages = (record_of(row.metadata) for row in rows)
    return "\n".join(json.dumps({"reason": "benchmark-complete", **message}) for message in messages)


def _pytest(rows: Sequence[Result]) -> str:
    return json.dumps({"benchmarks": [record_of(row.metadata) for row in rows]})


def _dbpedia(rows: Sequence[Result]) -> str:
    lines = []
    for row in rows:
        facts, refine = record_of(row.metadata), row.benchmark_name.rpartition("_refine_")[2]
        recall = row.values[0] if len(row.values) else "none"
        lines.append(f"IVF{facts['ivf']},PQ{facts['pq']}: refine={refine}, recall@{facts['k']}={recall!r}")
    return "\n".join(lines)


def _values_ns(rows: Sequence[Result]) -> str:
    """Return a file whose type is what the names of all its benchmarks begin with, as in the files of lance-bench."""
    types = {row.benchmark_name.partition("/")[0] for row in rows}
    of_file: dict[str, Any] = {"benchmark_type": types.pop()} if len(types) == 1 else {}
    return json.dumps({**of_file, "results": list(map(_entry, rows))})


def _entry(row: Result) -> dict[str, Any]:
    duration = row.summary.median if row.summary else None
    facts = {"benchmark_name": row.benchmark_name, **record_of(row.metadata), "duration_ns": duration}
    return {**facts, "values_ns": row.values.tolist()}


_TEXTS: dict[str, Callable[[Sequence[Result]], str]] = {
    "criterion": _criterion,
    "pytest-benchmark": _pytest,
    "dbpedia": _dbpedia,
    "values-ns": _values_ns,
}
