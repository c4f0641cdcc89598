"""`bench-db trend`: the history of a benchmark."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import (
    TABLE,
    benchmark_names,
    emit_found,
    open_store,
    reading,
    reason,
    screen,
    selecting,
    selection,
)

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import StatedOfOne


@click.command("trend")
@click.argument("benchmark", shell_complete=benchmark_names)
@selecting(without="benchmark")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N points of each series.")
@click.option(
    "--with-pr", type=click.IntRange(1), metavar="N", help="Also the points of a pull request, after those of main."
)
@TABLE
@reading
def command(
    benchmark: str,
    uri: str | None,
    output: str,
    as_of: str | None,
    last: int | None,
    with_pr: int | None,
    table: str | None,
    **conditions: Unpack[StatedOfOne],
) -> None:
    """Show the history of BENCHMARK (* and ? are wildcards), oldest commit first, a series at a time.

    Example: bench-db trend '*test_fib[5]' --last 20
    """
    from bench_db.query.selection import by_name
    from bench_db.query.series import told_apart
    from bench_db.report import figures, rows

    store, chosen = open_store(uri), selection(benchmark=benchmark, **conditions)
    found = by_name(store.trend(benchmark, chosen, last=last, as_of=as_of, with_pr=with_pr))
    emit_found(
        output,
        lambda: rows.as_json(found),
        lambda: (
            figures.trend(found, table)
            if table
            else rows.trend_text(told_apart(found, partial(store.machines, as_of=as_of)), screen())
        ),
        found=len(found.drop_nulls("pr_number") if with_pr else found) > 0,
        why=lambda: reason(store, replace(chosen, pr_number=with_pr or chosen.pr_number), as_of),
        history=lambda: store.history(as_of).about(chosen) + (f", with pull request {with_pr}" if with_pr else ""),
    )
