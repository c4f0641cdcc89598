"""Parse a file into runs and their results. The caller overrides the file, the file overrides defaults."""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db import identity
from bench_db.derive import derive
from bench_db.errors import UserError
from bench_db.identity import ABBREVIATED_SHA
from bench_db.ingest import host
from bench_db.ingest.host import Build, build_of, checkout_around
from bench_db.ingest.registry import AUTO, open_path
from bench_db.model import DutBuild, Result, Run, TestBed
from bench_db.summary import summarise_lists
from bench_db.units import Direction

if TYPE_CHECKING:
    from bench_db.ingest.reading import Measurement, Reading

_GROUP = "group"
UNKNOWN = "unknown"
_BED_CLASSES = ("machine", "name")
_BLOCK = 1 << 17


_NO_BUILD = Build()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the publisher knows of a file beyond its content; None where unknown.

    `test_bed` replaces the whole test bed, `test_bed_name` only its name. `directions` are by metric, "" for all other metrics.
    `checkout` is the directory of the measured source; by default the checkout around the file, unless the file names another
    commit. Times are unix seconds.
    """

    dut_name: str | None = None
    dut_version: str | None = None
    dut_timestamp: int | None = None
    test_bed: TestBed | None = None
    test_bed_name: str | None = None
    test_bed_class: str = "machine"
    checkout: Path | None = None
    commit: str | None = None
    branch: str | None = None
    pr_number: int | None = None
    suite: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, Direction] = field(default_factory=dict)
    run_id: str | None = None
    attempt: int = 1
    repository: str | None = None
    workflow: str | None = None
    run_url: str | None = None
    ingested_at: int = 0


_NOTHING = Provenance()


def parse(
    path: str | Path,
    format: str = AUTO,  # noqa: A002 as the flag is called
    *,
    provenance: Provenance = _NOTHING,
) -> tuple[Run, list[Result]]:
    """Read one file, or one Criterion directory, as a run and its results. `ingested_at` defaults to now.

    A benchmark that cannot be read is counted in `run.skipped` and named in `run.notes`. Raises `UserError` when the path
    cannot be opened or contains the runs of several commits, and `UnreadableOutputError` when the content is not of the format.
    """
    run, *others = parse_each(path, format, provenance=provenance)
    if others:
        message = f"{path}: contains a history of {1 + len(others)} runs, not one. Read all with parse_each or bench-db publish"
        raise UserError(message)
    return run


def parse_each(
    path: str | Path,
    format: str = AUTO,  # noqa: A002 as the flag is called
    *,
    provenance: Provenance = _NOTHING,
) -> Iterator[tuple[Run, list[Result]]]:
    """Yield each run of a file, in the order of the file. Only a history contains more than one.

    For a history, `provenance` must not set what differs between its runs: commit, version and their time. Raises as `parse` does.
    """
    path = Path(path)
    adapter, content = open_path(path, format)
    with ThreadPoolExecutor(1) as pool:  # hashing needs no interpreter lock
        digest = pool.submit(content.digest)
        read = adapter.read(content)
    del content  # frees its bytes before the statistics need memory
    readings = read if isinstance(read, tuple) else (read,)
    stated = [flag for flag, field in _OF_ONE.items() if getattr(provenance, field) is not None]
    if stated and len(readings) > 1:
        message = (
            f"{', '.join(stated)}: {path} contains a history of {len(readings)} runs, each with its own. Leave it out"
        )
        raise UserError(message)
    checkout = _source(path, readings, provenance)
    for reading in readings:
        yield normalise(
            reading,
            file_name="#".join(part for part in (path.resolve().name, reading.part) if part),
            sha256=reading.digest or digest.result(),
            format=adapter.name,
            provenance=provenance if provenance.ingested_at else replace(provenance, ingested_at=host.now()),
            build=checkout,
        )


_OF_ONE = {"--commit": "commit", "--dut-version": "dut_version", "--dut-timestamp": "dut_timestamp"}


def _source(path: Path, readings: tuple[Reading, ...], provenance: Provenance) -> Build:
    """Return the checkout that was measured: the declared one, else the one around the file.

    A checkout of another commit or device than the file names is not used. For a history only the name of the declared one is.
    """
    checkout = provenance.checkout or checkout_around(path.absolute())
    build = build_of(checkout) if checkout else Build()
    named = Build(name=build.name) if provenance.checkout else Build()
    if len(readings) > 1:
        return named
    measured = provenance.commit or readings[0].commit or identity.commit_of_version(provenance.dut_version or "")
    if measured and build.commit and not build.commit.startswith(measured.lower()):
        return named
    return build if provenance.checkout or provenance.dut_name in {None, build.name} else Build()


def normalise(  # noqa: PLR0913 all but the reading by keyword
    reading: Reading,
    *,
    file_name: str,
    sha256: str,
    format: str,  # noqa: A002 the column's name
    provenance: Provenance,
    build: Build = _NO_BUILD,
) -> tuple[Run, list[Result]]:
    """Return the run and its results, derived and ready to publish. Only the last part of `file_name` is kept.

    `build` is the measured checkout; what the caller or the file says overrides it.
    """
    if provenance.test_bed_class not in _BED_CLASSES:
        message = f"test bed class {provenance.test_bed_class!r}: must be one of {', '.join(_BED_CLASSES)}"
        raise UserError(message)
    dut, bed = _dut(reading, provenance, build), _test_bed(reading, provenance)
    run = Run(
        run_id=provenance.run_id or "",
        attempt=provenance.attempt,
        file_name=re.split(r"[/\\]", file_name)[-1].encode("utf-8", "replace").decode(),
        sha256=sha256,
        format=format,
        dut=dut,
        test_bed=bed,
        test_bed_class=provenance.test_bed_class,
        commit=provenance.commit
        or reading.commit
        or identity.commit_of_version(provenance.dut_version or "")
        or build.commit,
        branch=provenance.branch or reading.branch or build.branch,
        pr_number=provenance.pr_number,
        repository=provenance.repository,
        workflow=provenance.workflow,
        run_url=provenance.run_url,
        context=reading.context,
        run_time=reading.run_time,
        skipped=dict(sorted(Counter(str(skip.reason) for skip in reading.skips).items())),
        notes=(*_timing(reading, dut), *reading.notes, *map(str, reading.skips)),
        ingested_at=provenance.ingested_at,
        bench_db_version=_own_version(),
    )
    measurements = _summarised(_kept_apart(reading.measurements, provenance))
    return derive(run, [_result(run, reading.source, m, provenance) for m in measurements])


def _dut(reading: Reading, provenance: Provenance, build: Build) -> DutBuild:
    commit = provenance.commit or reading.commit
    times = (provenance.dut_timestamp, reading.commit_time, build.timestamp, reading.run_time)
    time = next((time for time in times if time is not None), 0)
    return DutBuild(
        name=provenance.dut_name or build.name or UNKNOWN,
        version=provenance.dut_version
        or reading.version
        or build.version
        or (commit[:ABBREVIATED_SHA] if commit else UNKNOWN),
        timestamp=time,
    )


def _timing(reading: Reading, dut: DutBuild) -> tuple[str, ...]:
    by_run = reading.commit_time is None and dut.timestamp == reading.run_time
    return ("the commit's time is not known: ordered by when it was measured",) if by_run else ()


def _test_bed(reading: Reading, provenance: Provenance) -> TestBed:
    """Return the declared bed, else the one in the file, else this machine. This machine overrides its own description."""
    bed = provenance.test_bed or _described(reading)
    return replace(bed, name=provenance.test_bed_name) if provenance.test_bed_name else bed


def _described(reading: Reading) -> TestBed:
    here = host.this_machine()
    if reading.test_bed is None or _is(here, reading.test_bed, reading.node):
        return here
    return reading.test_bed


def _is(here: TestBed, described: TestBed, node: str | None) -> bool:
    """Return whether a file describes this machine. The host name alone is not enough: virtual machines share names.

    A file without a host name is compared by CPU and family of the operating system.
    """
    if node is None:
        return described.cpu == here.cpu and described.os == here.os.partition(" ")[0]
    cpus = {here.cpu, platform.processor(), platform.machine()}
    return bool(node) and node == platform.node() and described.os == here.os and described.cpu in cpus


def _result(run: Run, source: str, measurement: Measurement, provenance: Provenance) -> Result:
    return Result(
        dut=run.dut,
        test_bed=run.test_bed,
        benchmark_name=measurement.benchmark_name,
        values=measurement.values,
        summary=measurement.summary,
        units=measurement.units,
        throughput=measurement.throughput,
        metadata=measurement.metadata,
        timestamp=run.ingested_at,
        commit=run.commit,
        branch=run.branch,
        pr_number=run.pr_number,
        suite=measurement.suite if provenance.suite is None else provenance.suite,
        metric=measurement.metric,
        direction=provenance.directions.get(measurement.metric) or provenance.directions.get("", measurement.direction),
        tags={**measurement.tags, **provenance.tags},
        iterations=measurement.iterations,
        lower=measurement.lower,
        upper=measurement.upper,
        n=measurement.n,
        error=measurement.error,
        run_time=run.run_time,
        source=source,
    )


def _kept_apart(measurements: Sequence[Measurement], provenance: Provenance) -> Iterator[Measurement]:
    """Tag measurements with their suite when one declared suite replaces several that kept them distinct."""
    suites: dict[tuple[object, ...], set[str]] = {}
    if provenance.suite is not None:
        for m in measurements:
            suites.setdefault(_but_suite(m), set()).add(m.suite)
    for m in measurements:
        shared = len(suites.get(_but_suite(m), ())) > 1
        yield replace(m, tags={**m.tags, _GROUP: m.suite}) if shared and m.suite else m


def _but_suite(measurement: Measurement) -> tuple[object, ...]:
    return measurement.benchmark_name, measurement.metric, measurement.units, *sorted(measurement.tags.items())


def _summarised(measurements: Iterable[Measurement]) -> Iterator[Measurement]:
    """Yield measurements with their statistics, in blocks: all samples at once would take five times their memory."""
    block: list[Measurement] = []
    size = 0
    for measurement in measurements:
        block.append(measurement)
        size += len(measurement.values)
        if size >= _BLOCK:
            yield from _with_summaries(block)
            block, size = [], 0
    yield from _with_summaries(block)


def _with_summaries(block: list[Measurement]) -> Iterator[Measurement]:
    bare = [m.values for m in block if m.summary is None and m.values]
    summaries = iter(summarise_lists(bare) if bare else ())
    for m in block:
        yield m if m.summary or not m.values else replace(m, summary=next(summaries), n=len(m.values))


@cache
def _own_version() -> str:
    try:
        return version("bench-db")
    except PackageNotFoundError:
        return ""
