"""`bench-db schedule`: start the measuring of every commit that needs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench_db.app.parameters import Scheduling
from bench_db.cli.options import common, declared, default_uri, emit
from bench_db.cli.progress import Lines

if TYPE_CHECKING:
    from typing import Unpack


@click.command("schedule")
@declared(Scheduling)
@common
def command(uri: str | None, output: str, **parameters: Unpack[Scheduling]) -> None:
    """Start the workflow for every commit since the last measured one, through the forge.

    Commits that are being measured are left alone, and failed ones are tried again. A store that cannot be read is an error,
    and nothing starts. For GitHub the token is GITHUB_TOKEN.

    Example: bench-db schedule --dry-run --repository owner/name
    """
    from bench_db.app.schedule import schedule_runs
    from bench_db.report.plans import plan_text

    answer = schedule_runs(uri or default_uri(), environment=os.environ, progress=Lines(), **parameters)
    emit(output, answer.document, lambda: plan_text(answer.plan))
