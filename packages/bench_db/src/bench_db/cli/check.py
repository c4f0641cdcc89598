"""`bench-db check`: the gate of a CI job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import click

from bench_db.cli.comparing import BASELINE_BRANCH, CLONE, METHOD, MINIMUM_EFFECT, REGRESSION_FOUND
from bench_db.cli.options import PERCENT, Minutes, common, emit, open_store, screen, selecting, selection, whose
from bench_db.cli.progress import Lines, leave_when_asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Unpack

    from bench_db.app.gate import Gate
    from bench_db.cli.options import Stated
    from bench_db.model import Comparison


@click.command("check")
@click.argument("candidate", default="latest")
@click.option(
    "--baseline",
    metavar="WHAT",
    help="A named baseline, a commit, last:N, merge-base:BRANCH, or level. [default: the one named main if it is set, else level]",
)
@click.option("--set-baseline", is_flag=True, help="Point the named baseline at CANDIDATE when it passes.")
@click.option(
    "--threshold",
    type=PERCENT,
    metavar="PERCENT",
    help="Make no test: a series is worse when it moved by more than this, such as 5 or 5%, from the baseline's own runs.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["suspected", "missing", "insufficient"]),
    multiple=True,
    help="Fail on series that one run shows worse, that are missing, or that have too few runs, too; may be repeated.",
)
@click.option(
    "--confirm",
    type=click.Choice(["off", "same", "fresh"]),
    help="Measure what got worse or is suspected again, in pairs with the baseline's commit, before the check fails: on the same machine "
    "as the candidate, or on a fresh one, in a job of its own. [default: as bench-db.toml, else off]",
)
@click.option(
    "--budget",
    "budget_minutes",
    type=Minutes(),
    metavar="TIME",
    help="End measuring again after this time: 30m, 90s, 1.5h. [default: as bench-db.toml, else 30m]",
)
@click.option("--config", "config_file", metavar="FILE", default="bench-db.toml", show_default=True)
@click.option("--work-dir", metavar="DIR", default=".bench-db", show_default=True, help="Work trees and logs.")
@click.option("--markdown", is_flag=True, help="Text as a comment on a pull request.")
@METHOD
@MINIMUM_EFFECT
@BASELINE_BRANCH
@CLONE
@selecting(without="everything")
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    candidate: str,
    baseline: str | None,
    uri: str | None,
    output: str,
    threshold: float | None,
    fail_on: tuple[str, ...],
    method: str,
    min_effect: float | None,
    baseline_branch: str | None,
    clone: Path,
    *,
    set_baseline: bool,
    confirm: Literal["off", "same", "fresh"] | None,
    budget_minutes: float | None,
    config_file: str,
    work_dir: str,
    markdown: bool,
    **conditions: Unpack[Stated],
) -> None:
    """Compare CANDIDATE, by default the newest measured commit, with a baseline: exit code 0 when it passes, 1 when not.

    A series that got worse fails the check, and so does one whose runs gave no number. A missing series is reported. So is a suspected
    change, which only one run shows: measure the commit again. With --set-baseline a commit that passes, and that has no suspected
    regression, becomes the baseline, so that the next is compared with the last known good one. With --confirm a regression that pairs do
    not confirm passes, and one that they cannot decide on fails as before.

    Example: bench-db check 1a2b3c4 --baseline main --set-baseline
    """
    from bench_db.app.baselines import USUAL
    from bench_db.app.gate import Confirming, check
    from bench_db.query.series import comparisons_told_apart

    leave_when_asked()
    store, again = open_store(uri), confirm or "configured"
    how = Confirming(
        mode=again,
        environment=os.environ,
        config_file=config_file,
        clone=clone,
        work_dir=work_dir,
        budget_minutes=budget_minutes,
        progress=Lines(),
    )
    gate = check(
        store,
        candidate,
        baseline=baseline,
        threshold=threshold,
        method=method,
        min_effect=min_effect,
        fail_on=fail_on,
        selection=selection(**conditions),
        baseline_branch=baseline_branch,
        clone=clone,
        set_baseline=set_baseline,
        confirming=how,
    )
    emit(
        output,
        lambda: gate.document,
        lambda: _text(
            gate, comparisons_told_apart(gate.comparisons, store.machines), baseline or USUAL, markdown=markdown
        ),
        history=lambda: whose(gate, store, conditions.get("branch"), baseline, baseline_branch),
    )
    ctx.exit(0 if gate.passed else REGRESSION_FOUND)


def _text(gate: Gate, comparisons: Sequence[Comparison], name: str, *, markdown: bool) -> str:
    if markdown:
        return _comment(gate, comparisons)
    from bench_db.analysis.judge import counted
    from bench_db.model import Verdict
    from bench_db.report.terminal import against, comparisons_text
    from bench_db.report.text import visible

    failing = ", ".join(f"{number} {verdict}" for verdict, number in counted(gate.failing).items())
    judged = any(c.effect is not None for c in gate.comparisons)
    suspected = gate.counts.get(Verdict.SUSPECTED, 0)
    sure = f"PASSED: {suspected} suspected, measure this commit again" if suspected else "PASSED: no series got worse"
    passed = sure if judged else "PASSED: but no series could be judged"
    head = passed if gate.passed else f"FAILED: {failing}"
    moved = f"\n{name} is now {gate.candidate}" if gate.moved else ""
    listed = comparisons_text(comparisons, gate.counts, blame=gate.blame, screen=screen())
    again = f"\n\n{_again(gate)}" if gate.confirmed else ""
    body = f"{head}\n{against(gate.candidate, gate.baseline)}: {listed}{again}{moved}"
    return "\n".join((body, *map(visible, gate.threshold_faults)))


def _again(gate: Gate) -> str:
    from bench_db.report.pairs import confirmed_text

    return "" if gate.confirmed is None else confirmed_text(gate.confirmed, screen())


def _comment(gate: Gate, comparisons: Sequence[Comparison]) -> str:
    from bench_db.report.markdown import CommentContext, comment
    from bench_db.report.pairs import confirmed_markdown, outcomes_text

    context = CommentContext(
        candidate=gate.candidate,
        baseline=gate.baseline,
        plan=gate.plan,
        store_version=gate.store_version,
        notes=gate.threshold_faults,
        outcomes=outcomes_text(gate.confirmed),
    )
    again = "" if gate.confirmed is None else confirmed_markdown(gate.confirmed)
    return comment(comparisons, gate.counts, context, gate.blame, again)
