"""`bench-db query`: SQL over the results."""

from __future__ import annotations

import click

from bench_db.cli.options import emit, open_store, reading, screen
from bench_db.errors import UserError


@click.command("query")
@click.argument("sql", required=False)
@click.option("--filter", "expression", metavar="EXPR", help="Instead of SQL: the rows a SQL condition keeps.")
@click.option(
    "--all", "everything", is_flag=True, help="Results of every branch and pull request, not the main history alone."
)
@reading
def command(
    sql: str | None, expression: str | None, uri: str | None, output: str, as_of: str | None, *, everything: bool
) -> None:
    """Run a Polars SQL query over the tables of the store: `results`, `runs` and the others of docs/schema.md.

    Example: bench-db query "SELECT benchmark_name, AVG(median) FROM results GROUP BY benchmark_name"
    """
    from bench_db.app.database import query
    from bench_db.report import frame

    if (sql is None) == (expression is None):
        message = "give a query, or --filter with a condition such as \"median > 1000 AND branch = 'main'\""
        raise UserError(message)
    text = sql or f"SELECT * FROM results WHERE {expression}"  # noqa: S608 reads only
    found = query(open_store(uri), text, as_of, everything=everything)
    emit(output, lambda: frame.as_json(found), lambda: frame.text(found, screen()))
