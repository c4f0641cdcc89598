"""The flags and exit codes of lance-bench's regression report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.flags import as_flags
from bench_db.cli.options import open_store
from bench_db.errors import BenchDbError

if TYPE_CHECKING:
    from typing import NoReturn


@click.command(help="Test the newest runs of every series against all older ones and write a report.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("regression_report.html"))
@click.option("--recent-count", type=click.IntRange(1), default=4, show_default=True, help="How many runs are recent.")
@click.option(
    "--threshold", type=float, default=0.05, show_default=True, help="The p-value from which a change counts."
)
def script(output: Path, recent_count: int, threshold: float) -> None:
    """Print a summary and write a page with the figures and the history of every series."""
    from bench_db.analysis.histories import histories
    from bench_db.compat.regression_report import page, summary, ttests

    of = histories(open_store(None).points())
    tested = ttests(of, recent=recent_count, alpha=threshold)
    output.write_text(page(of, tested, recent=recent_count), encoding="utf-8")
    click.echo(f"{summary(tested, threshold)}\nReport written to {output}")


def regression_report() -> NoReturn:
    """Run the script and exit with 0 for written, 1 for nothing to analyse, 2 for wrong usage."""
    try:
        script(standalone_mode=True)
    except BenchDbError as error:
        click.echo(f"Error: {as_flags(str(error))}", err=True)
    sys.exit(1)
