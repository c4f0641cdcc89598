"""Raw output of benchmark tools as records: what `parse` gives is ready to publish."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db import identity
from bench_db.ingest import host
from bench_db.ingest.adapters import ADAPTERS, AUTO, Adapter, detect, find, open_path
from bench_db.ingest.build import Build, build_of, checkout_around
from bench_db.ingest.host import this_machine
from bench_db.ingest.normalise import Provenance, normalise
from bench_db.ingest.reading import Measurement, Reading, Skip, SkipReason

if TYPE_CHECKING:
    from bench_db.model import Result, Run

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Build",
    "Measurement",
    "Provenance",
    "Reading",
    "Skip",
    "SkipReason",
    "build_of",
    "detect",
    "find",
    "normalise",
    "parse",
    "this_machine",
]

_NOTHING = Provenance()


def parse(
    path: str | Path,
    format: str = AUTO,  # noqa: A002 as the flag is called
    *,
    provenance: Provenance = _NOTHING,
) -> tuple[Run, list[Result]]:
    """One file (or one Criterion directory) as a run and its results; `ingested_at` is now unless it is given.

    A benchmark that cannot be read is counted in `run.skipped` and named in `run.notes`. Raises `UserError` when the path
    cannot be opened and `UnreadableOutputError` when it is not what it claims to be.
    """
    path = Path(path)
    adapter, content = open_path(path, format)
    with ThreadPoolExecutor(1) as pool:  # hashing needs no interpreter lock
        digest = pool.submit(content.digest)
        reading = adapter.read(content)
    del content  # its bytes are not needed to summarise
    return normalise(
        reading,
        file_name=path.resolve().name,
        sha256=digest.result(),
        format=adapter.name,
        provenance=provenance if provenance.ingested_at else replace(provenance, ingested_at=host.now()),
        build=_source(path, reading, provenance),
    )


def _source(path: Path, reading: Reading, provenance: Provenance) -> Build:
    """The checkout that was measured: the declared one, or the one around the file if nothing says it is another."""
    checkout = provenance.checkout or checkout_around(path.absolute())
    build = build_of(checkout) if checkout else Build()
    measured = provenance.commit or reading.commit or identity.commit_of_version(provenance.dut_version or "")
    if measured and build.commit and not build.commit.startswith(measured.lower()):
        return Build(name=build.name) if provenance.checkout else Build()
    return build if provenance.checkout or provenance.dut_name in {None, build.name} else Build()
