"""`bench-db summary`: statistics of every series over its history."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import ENGINE, TABLE, emit_found, open_store, reading, reason, screen, selecting, selection

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import Stated


@click.command("summary")
@selecting()
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N points of each series.")
@ENGINE
@TABLE
@reading
def command(
    uri: str | None,
    output: str,
    as_of: str | None,
    last: int | None,
    table: str | None,
    engine: str | None,
    **conditions: Unpack[Stated],
) -> None:
    """Show statistics of every series over its history; each run counts once, by its median.

    Example: bench-db summary --test-bed-name ci-1 --since 2026-01-01
    """
    from bench_db.app.engines import summarising
    from bench_db.query.selection import by_name
    from bench_db.query.series import told_apart
    from bench_db.report import figures, rows

    store, chosen = open_store(uri), selection(**conditions)
    with summarising(engine) as summarise:
        found = by_name(store.summary(chosen, last=last, as_of=as_of, summarise=summarise))
    emit_found(
        output,
        lambda: rows.as_json(found),
        lambda: (
            figures.summary(found, table)
            if table
            else rows.summary_text(told_apart(found, partial(store.machines, as_of=as_of)), screen())
        ),
        found=not found.is_empty(),
        why=lambda: reason(store, chosen, as_of),
        history=lambda: store.history(as_of).about(chosen),
    )
