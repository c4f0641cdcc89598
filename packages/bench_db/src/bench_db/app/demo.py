"""The demonstration: shipped real measurements, published, scanned and shown as a site."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from bench_db.app.database import Database
from bench_db.app.progress import SILENT
from bench_db.app.scan import scan
from bench_db.app.site import site
from bench_db.errors import UserError
from bench_db.identity import ABBREVIATED_SHA
from bench_db.ingest import Provenance, parse
from bench_db.model import Finding
from bench_db.store import database as stores
from bench_db.store.publish import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BENCHMARK = "benchmarks/test_speed.py::test_query[1]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """The store and the index page of the site, the numbers of runs and of new and unchanged results, and the findings."""

    database: Database
    site: Path
    counts: Mapping[str, int]
    findings: Sequence[Finding]


class _Stated(TypedDict, total=False):
    dut_name: str
    dut_version: str
    commit: str
    branch: str
    dut_timestamp: int


def demo(directory: str | Path, progress: Callable[[int, int], None] = SILENT) -> Demonstration:
    """Publish the shipped history of real measurements into a directory, scan it and write its site.

    Doing it again adds nothing. Raises `UserError` for a directory that holds other files.
    """
    place = Path(directory)
    if place.exists() and any(place.iterdir()) and not (place / "store").exists():
        message = f"{place} holds other files; give an empty or a new directory"
        raise UserError(message)
    store = stores.connect(place / "store", create=True)
    with as_file(files("bench_db") / "demo") as shipped:
        counts = _publish(store, shipped, progress)
    # at the time of the newest commit, so that a repeated demo gives the same
    scan(store, at=int(store.points().rows["dut_timestamp"].to_numpy().max()))
    site(store, place / "site", title="bench_db demo")
    return Demonstration(
        database=Database(store), site=place / "site" / "index.html", counts=counts, findings=store.findings()
    )


def _publish(store: stores.Database, shipped: Path, progress: Callable[[int, int], None]) -> dict[str, int]:
    sources = sorted(shipped.glob("*/[0-9]*"), key=lambda p: (p.parent.name != "pytest-benchmark", p.name))
    counts = {"runs": 0, "new": 0, "unchanged": 0}
    for done, published in enumerate(store.publish_many(_entries(sources)), 1):
        counts["runs"] += 1
        counts["new"] += published.new
        counts["unchanged"] += published.unchanged
        progress(done, len(sources))
    return counts


def _entries(sources: Iterable[Path]) -> Iterator[Entry]:
    bed = None
    for path in sources:
        # Criterion does not name its machine; it was the one that the files of pytest-benchmark describe.
        run, results = parse(path, provenance=Provenance(test_bed_name="demo", test_bed=bed, **_stated(path)))
        bed = run.test_bed
        yield Entry(run, results)


def _stated(path: Path) -> _Stated:
    """Return what the publisher knows; for Criterion the build, which its output does not name."""
    if path.suffix == ".json":
        return {"dut_name": "wordindex"}
    build = json.loads((path / "build.json").read_text(encoding="utf-8"))
    return {
        "dut_name": "bytescan",
        "dut_version": f"{build['version']}+{build['commit'][:ABBREVIATED_SHA]}",
        "commit": build["commit"],
        "branch": build["branch"],
        "dut_timestamp": build["timestamp"],
    }
