"""`bench-db demo`: shipped real measurements, published and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import emit, storeless
from bench_db.cli.progress import progress_bar

if TYPE_CHECKING:
    from bench_db.app.demo import Demonstration

STEPS = (
    "The steps are real: 110aa08 looks words up in a list where a set was before, f1cb113 joins strings instead of growing one, "
    "and 092973b compares the first byte first."
)


@click.command("demo")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("bench-db-demo"))
@storeless
def command(directory: Path, output: str) -> None:
    """Publish a shipped history of real measurements into DIRECTORY and show what bench_db makes of it.

    48 builds of two small libraries, measured with pytest-benchmark and Criterion. Publishing them again adds nothing, so the
    demo can be repeated.

    Example: bench-db demo ./bench-db-demo
    """
    from bench_db.app.demo import demo

    with progress_bar("publishing") as progress:
        done = demo(directory, progress)
    paths = {"store": str(directory / "store"), "site": str(done.site)}
    counts = {**done.counts, "findings": len(done.findings)}
    document = {"paths": paths, "counts": counts, "findings": [finding.id for finding in done.findings]}
    emit(output, document, lambda: _story(done, directory / "store"))


def _story(done: Demonstration, directory: Path) -> str:
    from bench_db.analysis.findings import in_order
    from bench_db.app.demo import BENCHMARK
    from bench_db.query.series import identified
    from bench_db.report import rows
    from bench_db.report.terminal import commit_findings_text

    store, counts = done.database.store, done.counts
    latest = store.latest()
    series = {one.series_key: one for one in identified(latest)}
    parts = (
        f"{counts['runs']} runs of two libraries: {counts['new']} results published, {counts['unchanged']} were there already",
        f"$ bench-db latest --store {directory}\n{rows.latest_text(latest)}",
        f"$ bench-db summary --store {directory}\n{rows.summary_text(store.summary())}",
        f"$ bench-db trend '{BENCHMARK}' --store {directory} --last 20\n{rows.trend_text(store.trend(BENCHMARK, last=20))}",
        f"$ bench-db scan --store {directory}\n{commit_findings_text(in_order(done.findings), series)}",
        STEPS,
        f"The site is at {done.site}: open it in a browser.",
    )
    return "\n\n".join(parts)
