"""`bench-db query`: SQL over the tables of the store."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import COLLECTION, emit, open_collection, open_store, reading_frames, screen
from bench_db.errors import UserError

if TYPE_CHECKING:
    import polars as pl


@click.command("query")
@click.argument("sql", required=False)
@click.option("--filter", "expression", metavar="EXPR", help="Instead of SQL: the results that a SQL condition keeps.")
@click.option(
    "--all", "everything", is_flag=True, help="Results of every branch and pull request, not the main history alone."
)
@click.option("--limit-rows", type=click.IntRange(1), metavar="N", help="Write only the first N rows of the answer.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Stop a query that takes longer.",
)
@COLLECTION
@reading_frames
def command(
    sql: str | None,
    expression: str | None,
    uri: str | None,
    output: str,
    as_of: str | None,
    limit_rows: int | None,
    timeout: float | None,
    collection: str | None,
    *,
    everything: bool,
) -> None:
    """Run one SELECT over the tables of the store: `results`, `runs`, `latest`, `series` and the others of docs/sql.md.

    It can read these tables and nothing else: no file, no address, no other statement. With --collection each table has the rows of
    all stores and a column `store`.

    Example: bench-db query "SELECT benchmark_name, AVG(median) FROM results GROUP BY benchmark_name"
    """
    from bench_db.app import collection as collections
    from bench_db.app.database import query

    if (sql is None) == (expression is None):
        message = "give a query, or --filter with a condition such as \"median > 1000 AND branch = 'main'\""
        raise UserError(message)
    text = sql if sql is not None else f"SELECT * FROM results WHERE {expression}"  # noqa: S608 checked before it runs
    more = None if limit_rows is None else limit_rows + 1
    ask = (
        partial(query, open_store(uri))
        if collection is None
        else partial(collections.query, open_collection(collection, uri))
    )
    found = ask(text, as_of=as_of, everything=everything, timeout=timeout, limit_rows=more)
    _write(output, found if limit_rows is None else found.head(limit_rows))
    if limit_rows is not None and len(found) > limit_rows:
        click.echo(f"only the first {limit_rows} rows are written; --limit-rows sets how many", err=True)


def _write(output: str, rows: pl.DataFrame) -> None:
    """Write an answer to stdout."""
    from bench_db.report import frame

    if output == "csv":
        click.echo(frame.csv(rows), nl=False)
    elif output == "parquet":
        if sys.stdout.isatty():
            message = "a Parquet file is not written to a terminal; add '> answer.parquet'"
            raise UserError(message)
        sys.stdout.buffer.write(frame.parquet(rows))
    else:
        emit(output, lambda: frame.as_json(rows), lambda: frame.text(rows, screen()))
