"""`bench-db mirror`: a copy of the store in a PostgreSQL database or in Delta tables."""

from __future__ import annotations

import click

from bench_db.cli.options import common, emit, open_store
from bench_db.cli.progress import progress_bar
from bench_db.rules import RULES


@click.command("mirror")
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--schema", default="bench_db", show_default=True, help="The schema or directory of the tables; it is created."
)
@click.option(
    "--since", metavar="DATE", help="Only runs of commits of this date or later; earlier ones stay as they are."
)
@click.option("--rebuild", is_flag=True,
              help="Compare every row, and restore what was dropped, altered or truncated.")  # fmt: skip
@click.option("--check", is_flag=True, help="Compare every row and change nothing; exit with 1 when something differs.")
@click.option("--deadline", "deadline_seconds", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              default=RULES.server_seconds, show_default=True, help="How long the server may not answer, or be locked.")  # fmt: skip
@common
@click.pass_context
def command(
    ctx: click.Context,
    address: str,
    uri: str | None,
    output: str,
    *,
    schema: str,
    since: str | None,
    rebuild: bool,
    check: bool,
    deadline_seconds: float,
) -> None:
    """Make a schema of a PostgreSQL database equal to the store, for Grafana, Metabase and other tools that speak SQL.

    Only runs that differ are sent, in one transaction: an interrupted mirror changes nothing, and the same command does it again.
    Results have the names that definitions give, and excluded runs are removed. Nothing is read back into the store. The password
    belongs into PGPASSWORD or ~/.pgpass. It needs the extra bench-db[postgres].

    The ADDRESS delta:DIRECTORY, or delta:s3://BUCKET/PREFIX, writes Delta tables instead, DIRECTORY/SCHEMA/TABLE, each of which
    changes in one commit. It needs the extra bench-db[delta].

    Example: bench-db mirror postgresql://bench@localhost/metrics
    """
    from bench_db.app.mirror import mirror
    from bench_db.report.mirror import mirror_text

    store = open_store(uri)
    with progress_bar("mirroring", phases=True) as progress:
        done = mirror(
            store,
            address,
            schema=schema,
            since=since,
            rebuild=rebuild,
            check=check,
            deadline_seconds=deadline_seconds,
            progress=progress,
        )
    emit(output, lambda: done.document, lambda: mirror_text(done.document))
    ctx.exit(1 if check and not done.is_equal else 0)
