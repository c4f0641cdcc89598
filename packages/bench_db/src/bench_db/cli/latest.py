"""`bench-db latest`: the newest result of every series."""

from __future__ import annotations

from typing import Any

import click

from bench_db.cli.options import emit, open_store, reading, selecting, selection


@click.command("latest")
@selecting()
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the N series with the newest commits.")
@reading
def command(uri: str | None, output: str, as_of: str | None, last: int | None, **conditions: Any) -> None:
    """Show the newest result of every series: by commit time, so a backfill never becomes the newest.

    Example: bench-db latest --benchmark '*fib*' --output json
    """
    from bench_db.report import rows

    found = open_store(uri).latest(selection(**conditions), as_of)
    shown = found if last is None else found.sort("dut_timestamp", maintain_order=True).tail(last)
    emit(output, rows.as_json(shown), lambda: rows.latest_text(shown))
