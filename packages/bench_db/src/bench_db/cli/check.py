"""`bench-db check`: the gate of a CI job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench_db.cli.comparing import BASELINE_BRANCH, CLONE, METHOD, MINIMUM_EFFECT, REGRESSION_FOUND
from bench_db.cli.options import PERCENT, common, emit, open_store, screen, selecting, selection

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
    default="main",
    show_default=True,
    metavar="WHAT",
    help="A named baseline, a commit, last:N, merge-base:BRANCH, or level.",
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
    baseline: str,
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
    **conditions: Unpack[Stated],
) -> None:
    """Compare CANDIDATE, by default the newest measured commit, with a named baseline: exit code 0 when it passes, 1 when not.

    A series that got worse fails the check, and so does one whose runs gave no number. A missing series is reported. So is a suspected
    change, which only one run shows: measure the commit again. With --set-baseline a commit that passes, and that has no suspected
    regression, becomes the baseline, so that the next is compared with the last known good one.

    Example: bench-db check 1a2b3c4 --baseline main --set-baseline
    """
    from bench_db.app.gate import check
    from bench_db.query.series import comparisons_told_apart

    store = open_store(uri)
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
    )
    emit(
        output,
        lambda: gate.document,
        lambda: _text(gate, comparisons_told_apart(gate.comparisons, store.machines), baseline),
        history=lambda: gate.history,
    )
    ctx.exit(0 if gate.passed else REGRESSION_FOUND)


def _text(gate: Gate, comparisons: Sequence[Comparison], name: str) -> str:
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
    body = f"{head}\n{against(gate.candidate, gate.baseline)}: {listed}{moved}"
    return "\n".join((body, *map(visible, gate.threshold_faults)))
