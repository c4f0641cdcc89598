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
    "--fail-on-error", is_flag=True, help="Exit with 1 when any commit could not be measured, not only when none could."
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
    is_failure = answer.failed and (fail_on_error or len(answer.failed) == len(answer.ended))
    ctx.exit(_STOPPED if answer.stopped else _FAILED if is_failure else 0)


def _text(answer: Backfilled, *, is_plan: bool) -> str:
    from bench_db.report.plans import ended_text, plan_text

    return plan_text(answer.plan) if is_plan else ended_text(answer.plan, answer.ended, answer.seconds)
