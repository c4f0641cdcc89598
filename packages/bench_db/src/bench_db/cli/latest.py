"""`bench-db latest`: the newest result of every series."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import TABLE, emit_found, open_store, reading, reason, screen, selecting, selection
from bench_db.errors import UserError

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import Stated
    from bench_db.query.selection import Selection


@click.command("latest")
@selecting()
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the N series with the newest commits.")
@TABLE
@click.option(
    "--across",
    metavar="WHAT",
    help="With --table: a column for each dut, testbed, suite or metric, or each value of the tag of this name; the best stands out.",
)
@click.option("--rank", "tag", metavar="TAG", help="Rank the values of a tag, or of dut_name, test_bed_name or suite.")
@reading
def command(
    uri: str | None,
    output: str,
    as_of: str | None,
    last: int | None,
    table: str | None,
    across: str | None,
    tag: str | None,
    **conditions: Unpack[Stated],
) -> None:
    """Show the newest result of every series: by commit time, so a backfill never becomes the newest.

    A series is stale that was not measured at the newest commit of its device, test bed and suite.

    --rank compares results that have everything but the tag in common. The best is first, and equal ones share a rank. The score is the
    geometric mean of how close to the best a value is, over the results that all values have.

    Example: bench-db latest --benchmark '*fib*' --output json
    """
    from bench_db.app.reading import latest
    from bench_db.query.selection import by_name
    from bench_db.query.series import told_apart
    from bench_db.report import figures, rows

    if tag is not None:
        _ranks(uri, output, as_of, tag, selection(**conditions), alone=table is None and last is None)
        return
    if across is not None and table is None:
        message = "--across says how a table is arranged: add --table latex, html or csv"
        raise UserError(message)
    store, chosen = open_store(uri), selection(**conditions)
    shown = latest(store, chosen, last=last, as_of=as_of)
    shown = by_name(shown) if last is None else shown

    def text() -> str:
        if table is None:
            return rows.latest_text(told_apart(shown, partial(store.machines, as_of=as_of)), screen())
        return figures.latest(shown, table) if across is None else figures.across(shown, table, across)

    emit_found(
        output,
        lambda: rows.as_json(shown),
        text,
        found=not shown.is_empty(),
        why=lambda: reason(store, chosen, as_of),
        history=lambda: store.history(as_of).about(chosen),
    )


def _ranks(uri: str | None, output: str, as_of: str | None, tag: str, chosen: Selection, *, alone: bool) -> None:
    from bench_db.app.ranks import rank
    from bench_db.report.ranks import ranks_text

    if not alone:
        message = "--rank has an output of its own: leave out --last and --table"
        raise UserError(message)
    store = open_store(uri)
    found = rank(store, tag, as_of=as_of, selection=chosen)
    emit_found(
        output,
        lambda: found.document,
        lambda: ranks_text(found.document, found.places, screen()),
        found=not found.places.is_empty(),
        why=lambda: reason(store, chosen, as_of),
        history=lambda: found.history,
    )
