"""`bench-db check`: the gate of a CI job."""

from __future__ import annotations

import time
from typing import Any

import click

from bench_db.cli.comparing import METHOD, MINIMUM_EFFECT, REGRESSION_FOUND, as_json, regressed, verdicts
from bench_db.cli.options import common, emit, open_store, selecting, selection


@click.command("check")
@click.argument("candidate")
@click.option("--baseline", default="main", show_default=True, metavar="NAME", help="The baseline to compare with.")
@click.option("--set-baseline", is_flag=True, help="When nothing got worse, point the baseline at CANDIDATE.")
@METHOD
@MINIMUM_EFFECT
@selecting()
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    candidate: str,
    baseline: str,
    uri: str | None,
    output: str,
    method: str,
    min_effect: float | None,
    *,
    set_baseline: bool,
    **conditions: Any,
) -> None:
    """Compare CANDIDATE with a named baseline: exit code 0 when nothing got worse, 1 when something did.

    A series that vanished is reported; one that failed, or has nothing to compare with, never passes as unchanged.

    Example: bench-db check 1a2b3c4 --baseline main --set-baseline
    """
    from bench_db.model import Baseline
    from bench_db.report.terminal import comparisons_text

    store = open_store(uri)
    judged = verdicts(
        store, candidate, baseline=baseline, method=method, min_effect=min_effect, chosen=selection(**conditions)
    )
    failed = regressed(judged)
    if set_baseline and not failed:
        store.set_baseline(Baseline(name=baseline, commit=candidate, set_at=int(time.time()), set_by="check"))
    count = sum(j.verdict == "regressed" for j in judged)
    head = f"FAILED: {count} series got worse" if failed else f"PASSED: no series got worse than {baseline}"
    emit(output, {"passed": not failed, **as_json(judged)}, lambda: f"{head}\n{comparisons_text(judged)}")
    ctx.exit(REGRESSION_FOUND if failed else 0)
