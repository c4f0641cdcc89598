"""lance-bench's regression report: its t-test of the newest runs against all older ones, series by series, its flags and exits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import open_store
from bench_db.errors import BenchDbError, UserError

if TYPE_CHECKING:
    from typing import NoReturn

_HIGH_CONCERN = 0.01


@click.command(help="Test the newest runs of every series against all older ones and write a report.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("regression_report.html"))
@click.option("--recent-count", type=click.IntRange(1), default=4, show_default=True, help="How many runs are recent.")
@click.option(
    "--threshold", type=float, default=0.05, show_default=True, help="The p-value from which a change counts."
)
def script(output: Path, recent_count: int, threshold: float) -> None:
    """Print a summary and write the figures as an HTML table."""
    from bench_db.analysis.histories import histories
    from bench_db.analysis.seed_methods import lance_bench_ttest
    from bench_db.report.tables import Figure, Figures, html

    held = histories(open_store(None).points())
    tested = []
    for number, series in enumerate(held.series):
        values = held.of(number)["median"].drop_nulls().to_list()
        if len(values) >= recent_count + 2:
            found = lance_bench_ttest(values, series.direction, recent=recent_count, alpha=threshold)
            tested.append((series.label, found))
    if not tested:
        message = "no series has enough runs to be analysed"
        raise UserError(message)
    tested.sort(key=lambda entry: (entry[1].p_value if entry[1].p_value is not None else 1.0, entry[0]))
    worse = [(name, found) for name, found in tested if found.verdict == "regressed"]
    click.echo(f"{len(tested)} series analysed\nPotential regressions (p < {threshold:g}): {len(worse)}")
    for name, found in worse:
        concern = "HIGH" if (found.p_value or 0.0) < _HIGH_CONCERN else "MEDIUM"
        click.echo(f"  {concern} CONCERN {name}: Change: {found.effect or 0.0:+.1%}")
    rows = [
        (
            name,
            (
                Figure(value=found.p_value, units="", direction="info"),
                Figure(value=found.effect, units="ratio", direction="info"),
            ),
        )
        for name, found in tested
    ]
    page = html(
        Figures(corner="benchmark", columns=("p", "change"), rows=rows, best_in="column", caption="Regression report")
    )
    output.write_text(page, encoding="utf-8")
    click.echo(f"Report written to {output}")


def regression_report() -> NoReturn:
    """Run the script and exit: 0 written, 1 nothing to analyse, 2 wrong usage."""
    try:
        script(standalone_mode=True)
    except BenchDbError as error:
        click.echo(f"Error: {error}", err=True)
    sys.exit(1)
