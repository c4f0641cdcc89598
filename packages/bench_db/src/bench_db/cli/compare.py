"""`bench-db compare`: a candidate against its baseline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.comparing import BASELINE, BASELINE_BRANCH, CLONE, METHOD, MINIMUM_EFFECT, REGRESSION_FOUND
from bench_db.cli.options import TABLE, emit, open_store, reading, screen, selecting, selection, whose
from bench_db.cli.ruled import ruled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Unpack

    from bench_db.app.compare import Compared
    from bench_db.cli.options import Stated
    from bench_db.model import Comparison


@click.command("compare")
@click.argument("candidate")
@BASELINE
@METHOD
@MINIMUM_EFFECT
@click.option(
    "--fail-on",
    type=click.Choice(["regression", "suspected", "failed", "missing", "insufficient"]),
    multiple=True,
    help="Exit with 1 when a series has this verdict; may be repeated.",
)
@click.option(
    "--mean", is_flag=True, help="Show the geometric mean change of each suite and metric, too; JSON has it always."
)
@click.option("--markdown", is_flag=True, help="Text as the comment on a pull request.")
@TABLE
@click.option("--all", "unchanged_too", is_flag=True, help="Show unchanged series, too.")
@BASELINE_BRANCH
@CLONE
@selecting(without="everything")
@reading
@click.pass_context
@ruled
def command(
    ctx: click.Context,
    /,
    candidate: str,
    uri: str | None,
    output: str,
    as_of: str | None,
    fail_on: tuple[str, ...],
    baseline: str | None,
    method: str,
    min_effect: float | None,
    table: str | None,
    baseline_branch: str | None,
    clone: Path,
    *,
    mean: bool,
    markdown: bool,
    unchanged_too: bool,
    **conditions: Unpack[Stated],
) -> None:
    """Compare the results of CANDIDATE (a commit, version:V, run:ID, tag:NAME or latest) with a baseline, series by series, each run counting once.

    A verdict needs significance at {significance} and a change of at least {minimum_effect}. A change that only one run shows, unless it
    is clear, is suspected: measure the commit again. Missing, new, failed and insufficient are verdicts too.

    Example: bench-db compare 1a2b3c4 --baseline release --fail-on regression
    """
    from bench_db.app.compare import compare, failing
    from bench_db.query.series import comparisons_told_apart

    store = open_store(uri)
    compared = compare(
        store,
        candidate,
        baseline=baseline,
        method=method,
        min_effect=min_effect,
        baseline_branch=baseline_branch,
        clone=clone,
        as_of=as_of,
        selection=selection(**conditions),
    )
    emit(
        output,
        lambda: compared.document,
        lambda: _text(
            compared,
            comparisons_told_apart(compared.comparisons, partial(store.machines, as_of=as_of)),
            table,
            mean=mean,
            markdown=markdown,
            everything=unchanged_too,
        ),
        history=lambda: whose(compared, store, conditions.get("branch"), baseline, baseline_branch),
    )
    ctx.exit(REGRESSION_FOUND if failing(compared.comparisons, fail_on) else 0)


def _text(
    compared: Compared,
    comparisons: Sequence[Comparison],
    table: str | None,
    *,
    mean: bool,
    markdown: bool,
    everything: bool,
) -> str:
    from bench_db.analysis.compare import means
    from bench_db.report import figures
    from bench_db.report.markdown import CommentContext, comment
    from bench_db.report.terminal import against, comparisons_text, mean_lines
    from bench_db.report.text import visible

    notes = [*(mean_lines(means(comparisons)) if mean else []), *compared.threshold_faults]
    if table is not None and mean:
        message = "--mean: a table has comparisons alone; leave out --table, or take `means` of --output json"
        raise click.UsageError(message)
    if table is not None:
        return figures.comparisons(comparisons, table)
    if markdown:
        about = CommentContext(
            candidate=compared.candidate,
            baseline=compared.baseline,
            plan=compared.plan,
            store_version=compared.store_version,
            notes=notes,
        )
        return comment(comparisons, compared.counts, about, compared.blame)
    listed = comparisons_text(
        comparisons, compared.counts, blame=compared.blame, everything=everything, screen=screen()
    )
    return "\n".join((f"{against(compared.candidate, compared.baseline)}: {listed}", *map(visible, notes)))
