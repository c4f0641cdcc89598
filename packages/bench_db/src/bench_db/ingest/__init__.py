"""Read the raw output of benchmark tools into records that are ready to publish."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db import identity
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import host
from bench_db.ingest.adapter import Adapter
from bench_db.ingest.content import Content
from bench_db.ingest.host import Build, build_of, checkout_around, this_machine
from bench_db.ingest.normalise import Provenance, normalise
from bench_db.ingest.reading import Measurement, Reading, Skip, SkipReason
from bench_db.ingest.registry import ADAPTERS, AUTO, adapter_named, detect, find, open_path
from bench_db.model import Samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.model import Result, Run

__all__ = [
    "ADAPTERS",
    "AUTO",
    "Adapter",
    "Build",
    "Content",
    "Measurement",
    "Provenance",
    "Reading",
    "Samples",
    "Skip",
    "SkipReason",
    "UnreadableOutputError",
    "UserError",
    "adapter_named",
    "build_of",
    "detect",
    "find",
    "normalise",
    "parse",
    "parse_each",
    "this_machine",
]

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
