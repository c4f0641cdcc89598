"""`bench-db noise`: how noisy each series is."""

from __future__ import annotations

from typing import Any

import click

from bench_db.cli.options import emit, open_store, reading, selecting, selection


@click.command("noise")
@selecting()
@reading
def command(uri: str | None, output: str, as_of: str | None, **conditions: Any) -> None:
    """Show the spread between runs of each series, the smallest change one more run can show, and what 5 % would take.

    Example: bench-db noise --testbed-name ci-1
    """
    from bench_db.analysis.histories import histories
    from bench_db.analysis.noise import noise
    from bench_db.report.detected import labels, noise_text

    held = histories(open_store(uri).points(selection(**conditions), as_of))
    found = noise(held)
    names = labels(held.names)
    rows = [
        {"series": names[row["series_key"]], **row, "series_key": f"{row['series_key']:016x}"}
        for row in found.iter_rows(named=True)
    ]
    emit(output, {"noise": rows}, lambda: noise_text(held, found))
