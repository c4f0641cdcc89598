"""`bench-db bisect`: find the commit that changed a benchmark, by measuring."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import Fraction, emit, measuring, storeless
from bench_db.cli.progress import Lines, leave_when_asked
from bench_db.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path


@click.command("bisect")
@click.argument("good")
@click.argument("bad")
@click.option("--benchmark", required=True, metavar="GLOB", help="The benchmark that changed; * and ? are wildcards.")
@click.option("--suite", help="The suite it is in; needed when there are several.")
@click.option("--metric", default="time", show_default=True, help="The metric that changed.")
@measuring
@click.option(
    "--least-change",
    type=Fraction(zero=True),
    help="The smallest change, as a fraction or a percentage, such as 2%. "
    f"[default: as bench-db.toml, else {RULES.minimum_effect:g}]",
)
@click.option(
    "--rounds",
    type=click.IntRange(2),
    metavar="N",
    help="Measure a commit at most so often. [default: as bench-db.toml, else 12]",
)
@storeless
@click.pass_context
def command(
    ctx: click.Context,
    /,
    output: str,
    *,
    good: str,
    bad: str,
    benchmark: str,
    suite: str | None,
    metric: str,
    config_file: str,
    clone: Path,
    work_dir: str,
    least_change: float | None,
    rounds: int | None,
) -> None:
    """Find the commit between GOOD and BAD that changed a benchmark: exit code 0 when it is one commit, 1 when several may be.

    When the ends do not differ there is nothing to find, which is exit code 2.

    BAD, and then the middle of the suspects, is measured in pairs with GOOD, as `bench-db pairs` does, so that a machine that gets slower
    meanwhile names no commit. A commit that cannot be measured is skipped. GOOD and BAD only name the ends: an improvement is
    found as well.

    Example: bench-db bisect v1.0 main --benchmark '*test_query*'
    """
    from bench_db.app.bisect import bisect
    from bench_db.report.plans import bisection_text

    leave_when_asked()
    found = bisect(
        good,
        bad,
        benchmark=benchmark,
        suite=suite,
        metric=metric,
        config_file=config_file,
        clone=clone,
        work_dir=work_dir,
        least_change=least_change,
        rounds=rounds,
        environment=os.environ,
        progress=Lines(),
    )
    emit(output, found.document, lambda: bisection_text(found.bisection))
    ctx.exit(0 if found.bisection.found else 1)
