"""`bench-db compare`: a candidate against its baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bench_db.app.comparing import FAILING, REGRESSION_FOUND, as_json, fails, verdicts
from bench_db.cli.comparing import BASELINE, BASELINE_BRANCH, CLONE, METHOD, MINIMUM_EFFECT
from bench_db.cli.options import TABLE, emit, open_store, reading, selecting, selection

if TYPE_CHECKING:
    from pathlib import Path


@click.command("compare")
@click.argument("candidate")
@BASELINE
@METHOD
@MINIMUM_EFFECT
@click.option(
    "--fail-on",
    type=click.Choice(list(FAILING)),
    multiple=True,
    help="Exit with 1 when a series has this verdict; may be repeated.",
)
@click.option("--markdown", is_flag=True, help="Text as the comment on a pull request.")
@TABLE
@click.option("--all", "everything", is_flag=True, help="Show what is unchanged, too.")
@BASELINE_BRANCH
@CLONE
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
    fail_on: tuple[str, ...],
    baseline: str | None,
    method: str,
    min_effect: float | None,
    table: str | None,
    baseline_branch: str | None,
    clone: Path,
    *,
    markdown: bool,
    everything: bool,
    **conditions: Any,
) -> None:
    """Compare the results of the commit CANDIDATE (or latest) with a baseline, series by series, each run counting once.

    A verdict needs significance at 1 % and a change of at least 2 %. Missing, new, failed and insufficient are verdicts too.

    Example: bench-db compare 1a2b3c4 --baseline release --fail-on regression
    """
    from bench_db.analysis.judge import plan
    from bench_db.app import baselines
    from bench_db.report import figures
    from bench_db.report.markdown import CommentContext, comment
    from bench_db.report.terminal import comparisons_text
    from bench_db.report.text import visible

    store, chosen = open_store(uri), selection(**conditions)
    version = as_of or (str(store.version) if markdown else "")
    commit = baselines.candidate_of(store, candidate, chosen, as_of)
    asked = baselines.Asked(
        candidate=commit, what=baseline, chosen=chosen, branch=baseline_branch, clone=clone, as_of=as_of
    )
    held = baselines.held(store, asked)
    judged = verdicts(store, commit, held=held, method=method, min_effect=min_effect, chosen=chosen, as_of=as_of)

    def text() -> str:
        if table is not None:
            return figures.comparisons(judged, table)
        if markdown:
            about = CommentContext(
                candidate=commit,
                baseline=held.about,
                plan=plan(method, None if min_effect is None else min_effect / 100),
                store_version=version,
            )
            return comment(judged, about)
        against = visible(f"{commit[:9]} against {held.about}")
        return f"{against}: {comparisons_text(judged, everything=everything)}"

    about = {"candidate": commit, "baseline": held.about, "baseline_commits": held.commits, "method": method}
    emit(output, {**about, **as_json(judged)}, text)
    ctx.exit(REGRESSION_FOUND if fails(judged, fail_on) else 0)
