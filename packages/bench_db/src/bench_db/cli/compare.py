"""`bench-db compare`: a candidate against its baseline."""

from __future__ import annotations

from typing import Any

import click

from bench_db.cli.comparing import BASELINE, METHOD, MINIMUM_EFFECT, REGRESSION_FOUND, as_json, regressed, verdicts
from bench_db.cli.options import emit, open_store, reading, selecting, selection


@click.command("compare")
@click.argument("candidate")
@BASELINE
@METHOD
@MINIMUM_EFFECT
@click.option("--fail-on", type=click.Choice(["regression"]), help="Exit with 1 when a series got worse.")
@click.option("--markdown", is_flag=True, help="Text as the comment on a pull request.")
@click.option("--all", "everything", is_flag=True, help="Show what is unchanged, too.")
@selecting()
@reading
@click.pass_context
def command(
    ctx: click.Context,
    /,
    candidate: str,
    uri: str | None,
    output: str,
    as_of: str | None,
    fail_on: str | None,
    baseline: str | None,
    method: str,
    min_effect: float | None,
    *,
    markdown: bool,
    everything: bool,
    **conditions: Any,
) -> None:
    """Compare the results of the commit CANDIDATE with a baseline, series by series, each run counting once.

    A verdict needs significance at 1 % and a change of at least 2 %. Missing, new, failed and insufficient are verdicts too.

    Example: bench-db compare 1a2b3c4 --baseline release --fail-on regression
    """
    from bench_db.report.markdown import CommentContext, comment
    from bench_db.report.terminal import comparisons_text

    judged = verdicts(
        open_store(uri),
        candidate,
        baseline=baseline,
        method=method,
        min_effect=min_effect,
        chosen=selection(**conditions),
        as_of=as_of,
    )
    context = CommentContext(candidate=candidate, baseline=baseline or "the level since the last change", plan=method)
    text = comment(judged, context) if markdown else comparisons_text(judged, everything=everything)
    emit(output, as_json(judged), lambda: text)
    ctx.exit(REGRESSION_FOUND if fail_on and regressed(judged) else 0)
