"""`bench-db scan`: the change points of all series, kept as findings."""

from __future__ import annotations

import time
from typing import Any

import click

from bench_db.cli.options import common, emit, open_store, selecting, selection


@click.command("scan")
@click.option(
    "--rate", type=click.FloatRange(0, 1, min_open=True), default=0.05, show_default=True, help="False discovery rate."
)
@click.option("--dry-run", is_flag=True, help="Keep nothing.")
@selecting()
@common
def command(uri: str | None, output: str, rate: float, *, dry_run: bool, **conditions: Any) -> None:
    """Find where any series changes its level, and keep what is found: each change keeps its id from scan to scan.

    Of the changes reported, 5 % at most are expected to be false alarms, over all series together; docs/statistics.md has what
    was measured. What moved with a whole run is set apart and named. A series needs 20 runs.

    Example: bench-db scan --branch main
    """
    from bench_db.analysis.findings import scanned, updated
    from bench_db.analysis.histories import histories
    from bench_db.report.detected import found_json, movements_json, scan_text

    store = open_store(uri)
    held = histories(store.points(selection(**conditions)))
    found = scanned(held, rate=rate)
    known = store.findings()
    records = updated(held, found, known, at=int(time.time()))
    if not dry_run:
        store.record_findings(records)
    standing = list({finding.id: finding for finding in (*known, *records)}.values())
    document = {
        **found_json(held.names, standing),
        "tested": found.tested,
        "too_short": found.too_short,
        "expected_false": found.expected_false,
        "movements": movements_json(held, found),
    }
    emit(output, document, lambda: scan_text(held, found, standing))
