"""`bench-db backfill`: measure a history."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench_db.app.parameters import Backfilling
from bench_db.cli.flags import as_flags
from bench_db.cli.options import common, declared, default_uri, emit
from bench_db.cli.progress import leave_when_asked, progress_bar

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.app.backfill import Backfilled

_FAILED, _STOPPED = 1, 2


@click.command("backfill")
@declared(Backfilling)
@click.option(
    "--fail-on-error",
    is_flag=True,
    help="Exit with 1 when any commit failed, in part or altogether, now or before, not only when none could be measured.",
)
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    uri: str | None,
    output: str,
    *,
    fail_on_error: bool,
    **parameters: Unpack[Backfilling],
) -> None:
    """Measure the commits of a range that are not measured yet, here or through a forge. Run it again to resume.

    The engine local makes a git work tree per commit and runs the commands of bench-db.toml; a commit that fails becomes rows
    with the error. Any other engine is a forge: it starts a workflow per commit and waits for it.

    The exit code is 1 when nothing of what it tried could be measured, and when it tries nothing because the newest commits of the range
    failed too often. A suite that failed beside results it wrote counts as measured.

    When the first 5 commits fail in set-up in the same way, it stops with exit code 2, unless --keep-going.

    Example: bench-db backfill --range v1.0..main --steps 20 --order bisect
    """
    from bench_db.app.backfill import backfill

    leave_when_asked()
    with progress_bar("backfill") as progress:
        answer = backfill(uri or default_uri(), environment=os.environ, progress=progress, **parameters)
    emit(output, answer.document, lambda: _text(answer, is_plan=parameters.get("dry_run", False)))
    if answer.stopped:
        click.echo(f"bench-db: {as_flags(answer.stopped)}", err=True)
    if parameters.get("dry_run", False):
        return
    if answer.is_fruitless and not answer.ended:
        click.echo(f"bench-db: {_nothing_tried(answer)}", err=True)
    is_failure = answer.is_fruitless or (fail_on_error and answer.is_incomplete)
    ctx.exit(_STOPPED if answer.stopped else _FAILED if is_failure else 0)


def _nothing_tried(answer: Backfilled) -> str:
    from bench_db.rules import RULES

    oldest, count = answer.given_up[0].sha[: RULES.sha_length], len(answer.given_up)
    newest = (
        f"the newest {count} commits of the range, from {oldest} on,"
        if count > 1
        else f"the newest commit of the range, {oldest},"
    )
    return (
        f"nothing was measured: {newest} failed too often. 'bench-db show {oldest}' has the error; "
        "correct the cause and try again with a higher --max-attempts"
    )


def _text(answer: Backfilled, *, is_plan: bool) -> str:
    from bench_db.report.plans import ended_text, plan_text

    return plan_text(answer.plan) if is_plan else ended_text(answer.plan, answer.ended, answer.seconds)
