"""`bench-db trend`: the history of a benchmark."""

from __future__ import annotations

from typing import Any

import click

from bench_db.cli.options import TABLE, emit, open_store, reading, selecting, selection
from bench_db.errors import UserError


@click.command("trend")
@click.argument("benchmark")
@selecting(without="benchmark")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N points of each series.")
@TABLE
@reading
def command(
    benchmark: str,
    uri: str | None,
    output: str,
    as_of: str | None,
    last: int | None,
    table: str | None,
    **conditions: Any,
) -> None:
    """Show the history of BENCHMARK (* and ? are wildcards), oldest commit first, a series at a time.

    Example: bench-db trend '*test_fib[5]' --last 20
    """
    from bench_db.report import figures, rows

    store = open_store(uri)
    found = store.trend(benchmark, selection(**conditions), last=last, as_of=as_of)
    if found.is_empty():
        near = ", ".join(store.names_like(benchmark)) or "none yet"
        message = f"no results of {benchmark!r} with these conditions; the nearest names are: {near}"
        raise UserError(message)
    emit(output, lambda: rows.as_json(found), lambda: figures.trend(found, table) if table else rows.trend_text(found))
