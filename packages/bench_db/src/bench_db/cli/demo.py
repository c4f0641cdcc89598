"""`bench-db demo`: shipped real measurements, published and shown."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench_db.cli.options import emit
from bench_db.cli.progress import progress_bar
from bench_db.errors import UserError
from bench_db.identity import ABBREVIATED_SHA

if TYPE_CHECKING:
    from bench_db.ingest import Provenance
    from bench_db.model import Finding, Result, Run
    from bench_db.store.database import Database

_STEP = "benchmarks/test_speed.py::test_query[1]"


@click.command("demo")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("bench-db-demo"))
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--debug", is_flag=True, expose_value=False, help="Show the whole traceback of an error.")
def command(directory: Path, output: str) -> None:
    """Publish a shipped history of real measurements into DIRECTORY and show what bench_db makes of it.

    48 builds of two small libraries, measured with pytest-benchmark and Criterion. Publishing them again adds nothing, so the
    demo can be repeated.

    Example: bench-db demo ./bench-db-demo
    """
    from bench_db.store.database import connect

    store_directory = directory / "store"
    if directory.exists() and any(directory.iterdir()) and not store_directory.exists():
        message = f"{directory} holds other files; give an empty or a new directory, as in: bench-db demo ./demo"
        raise UserError(message)
    store = connect(store_directory, create=True)
    with as_file(files("bench_db.demo")) as shipped:
        counts = _publish(store, shipped)
    found = _findings(store)
    site = _site(store, directory / "site")
    paths = {"store": str(store_directory), "site": str(site)}
    document = {"paths": paths, "counts": {**counts, "findings": len(found)}, "findings": [f.id for f in found]}
    emit(output, document, lambda: _story(store, store_directory, counts, found, site))


def _publish(store: Database, shipped: Path) -> dict[str, int]:
    from bench_db.ingest import Provenance

    sources = [
        (path, _stated(path))
        for path in sorted(shipped.glob("*/[0-9]*"), key=lambda p: (p.parent.name != "pytest-benchmark", p.name))
    ]
    counts = {"runs": 0, "new": 0, "unchanged": 0}
    bed = None
    with progress_bar("publishing") as progress:
        for done, (path, stated) in enumerate(sources, 1):
            # Criterion does not say where it ran; it was the machine that the files of pytest-benchmark describe.
            run, results = _read(path, Provenance(testbed_name="demo", test_bed=bed, **stated))
            bed = run.test_bed
            published = store.publish(results, run)
            counts["runs"] += 1
            counts["new"] += published.new
            counts["unchanged"] += published.unchanged
            progress(done, len(sources))
    return counts


def _stated(path: Path) -> dict[str, Any]:
    """What the one who publishes knows: for Criterion the build, which its output does not name."""
    if path.suffix == ".json":
        return {"dut_name": "wordindex"}
    build = json.loads((path / "build.json").read_text(encoding="utf-8"))
    version = f"{build['version']}+{build['commit'][:ABBREVIATED_SHA]}"
    facts = {"commit": build["commit"], "branch": build["branch"], "dut_timestamp": build["timestamp"]}
    return {"dut_name": "bytescan", "dut_version": version, **facts}


def _read(path: Path, provenance: Provenance) -> tuple[Run, list[Result]]:
    from bench_db.ingest import parse

    return parse(path, provenance=provenance)


def _findings(store: Database) -> list[Finding]:
    """Scan at the time of the newest commit, so that a repeated demo says the same."""
    from bench_db.app.scan import scan

    at = int(store.points().rows["dut_timestamp"].max())  # type: ignore[arg-type]
    scan(store, at=at)
    return store.findings()


def _site(store: Database, out: Path) -> Path:
    from bench_db.analysis.histories import histories
    from bench_db.analysis.noise import noise
    from bench_db.app.tree import write_tree
    from bench_db.cli.site import site_content
    from bench_db.query.selection import Selection
    from bench_db.report.site.build import site

    content = site_content(
        store,
        Selection(),
        None,
        title="bench_db demo",
        commit_url="",
        samples=60,
        findings=store.findings(),
        noise=noise(histories(store.points())),
    )
    write_tree(out, site(content))
    return out / "index.html"


def _story(store: Database, directory: Path, counts: dict[str, int], found: list[Finding], site: Path) -> str:
    from bench_db.analysis.findings import in_order
    from bench_db.query.series import identified
    from bench_db.report import rows
    from bench_db.report.terminal import findings_text

    latest = store.latest()
    series = {one.series_key: one for one in identified(latest)}
    parts = (
        f"{counts['runs']} runs of two libraries: {counts['new']} results published, {counts['unchanged']} were there already",
        f"$ bench-db latest --store {directory}\n{rows.latest_text(latest)}",
        f"$ bench-db summary --store {directory}\n{rows.summary_text(store.summary())}",
        f"$ bench-db trend '{_STEP}' --store {directory} --last 20\n{rows.trend_text(store.trend(_STEP, last=20))}",
        f"$ bench-db scan --store {directory}\n{findings_text(in_order(found), series)}",
        "The steps are real: 110aa08 looks words up in a list where a set was before, f1cb113 joins strings instead of growing one.",
        f"The site is at {site}: open it in a browser.",
    )
    return "\n\n".join(parts)
