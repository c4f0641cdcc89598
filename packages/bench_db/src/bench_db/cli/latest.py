"""`bench-db latest`: the newest result of every series."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import (
    COLLECTION,
    TABLE,
    emit_found,
    open_collection,
    open_store,
    reading,
    reason,
    screen,
    selecting,
    selection,
)
from bench_db.errors import UserError

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.app.places import Place
    from bench_db.cli.options import Stated
    from bench_db.query.selection import Selection
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


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
@COLLECTION
@reading
def command(
    uri: str | None,
    output: str,
    as_of: str | None,
    last: int | None,
    table: str | None,
    across: str | None,
    tag: str | None,
    collection: str | None,
    **conditions: Unpack[Stated],
) -> None:
    """Show the newest result of every series: by commit time, so a backfill never becomes the newest.

    A series is stale that was not measured at the newest commit of its device, test bed and suite. With --collection, --last counts in
    each store.

    --rank compares results that have everything but the tag in common. The best is first, and equal ones share a rank. The score is the
    geometric mean of how close to the best a value is, over the results that all values have.

    Example: bench-db latest --benchmark '*fib*' --output json
    """
    if across is not None and table is None:
        message = "--across says how a table is arranged: add --table latex, html or csv"
        raise UserError(message)
    chosen = selection(**conditions)
    if tag is not None:
        alone = table is None and last is None and collection is None
        _ranks(uri, output, as_of, tag, chosen, alone=alone)
    elif collection is None:
        _of_store(output, open_store(uri), chosen, last, as_of, table, across)
    else:
        _of_collection(output, open_collection(collection, uri), chosen, last, as_of, table)


def _of_store(
    output: str,
    store: Database,
    chosen: Selection,
    last: int | None,
    as_of: AsOf | None,
    table: str | None,
    across: str | None,
) -> None:
    """Write the newest results of one store."""
    from bench_db.app.reading import latest
    from bench_db.query.selection import by_name
    from bench_db.query.series import told_apart
    from bench_db.report import figures, rows

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
        message = "--rank has an output of its own: leave out --last, --table and --collection"
        raise UserError(message)
    store = open_store(uri)
    found = rank(store, tag, as_of=as_of, selection=chosen)
    emit_found(
        output,
        lambda: found.document,
        lambda: ranks_text(found.tag, found.places, found.values, found.means, without=found.without, screen=screen()),
        found=not found.places.is_empty(),
        why=lambda: reason(store, chosen, as_of),
        history=lambda: found.history,
    )


def _of_collection(
    output: str, collection: Place, chosen: Selection, last: int | None, as_of: AsOf | None, table: str | None
) -> None:
    """Write the newest results of every store of a collection."""
    from bench_db.app.collection import stores, together
    from bench_db.app.reading import latest
    from bench_db.query.selection import by_name
    from bench_db.query.series import told_apart
    from bench_db.report import rows

    if table is not None:
        message = "--table is of one store; name it with --store, or write the rows with --output json"
        raise UserError(message)
    opened = {name: store.store for name, store in stores(collection).items()}
    parts = {name: by_name(latest(store, chosen, last=last, as_of=as_of)) for name, store in opened.items()}
    shown = together(parts)

    def text() -> str:
        machines = {name: partial(store.machines, as_of=as_of) for name, store in opened.items()}
        return rows.latest_text(
            together({name: told_apart(part, machines[name]) for name, part in parts.items()}), screen()
        )

    emit_found(
        output,
        lambda: rows.as_json(shown),
        text,
        found=not shown.is_empty(),
        why=lambda: next(filter(None, (reason(store, chosen, as_of) for store in opened.values())), None),
        history=lambda: "; ".join(dict.fromkeys(store.history(as_of).about(chosen) for store in opened.values())),
    )
