"""`bench-db detect`: the change points of a benchmark."""

from __future__ import annotations

from typing import Any

import click

from bench_db.cli.options import emit, open_store, reading, selecting, selection
from bench_db.errors import UserError


@click.command("detect")
@click.argument("benchmark")
@click.option(
    "--profile", type=click.Choice(["quiet", "default", "strict", "sensitive"]), default="default", show_default=True
)
@selecting(without="benchmark")
@reading
def command(benchmark: str, uri: str | None, output: str, as_of: str | None, profile: str, **conditions: Any) -> None:
    """Find where the level of BENCHMARK (* and ? are wildcards) changes, in each of its series.

    A series needs 20 runs. A change is provisional until 5 runs have followed it. Nothing is stored.

    Example: bench-db detect '*test_fib[5]'
    """
    from bench_db.analysis.changes import changes_of
    from bench_db.analysis.histories import histories
    from bench_db.report.detected import changes_text, found_json

    points = open_store(uri).points(selection(benchmark=benchmark, **conditions), as_of)
    if points.rows.is_empty():
        message = f"no results of {benchmark!r} with these conditions; 'bench-db latest' lists what there is"
        raise UserError(message)
    held = histories(points)
    found = changes_of(held, profile)
    emit(output, found_json(held.names, found), lambda: changes_text(held, found))
