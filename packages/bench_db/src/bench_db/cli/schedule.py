"""`bench-db schedule`: start the measuring of every commit that needs it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from bench_db.app.planning import (
    Wanted,
    chosen_range,
    commits_of,
    configuration,
    connection,
    evidence_of,
    plan_document,
    plan_text,
    policy_of,
)
from bench_db.cli.options import common, emit, open_store
from bench_db.cli.planning import planning
from bench_db.errors import UserError
from bench_db.rules import RULES

_REMEMBERED = timedelta(days=14)


@click.command("schedule")
@planning
@click.option("--workflow", metavar="FILE", help="The workflow that measures. [default: run-benchmarks.yml]")
@click.option(
    "--workflow-repository", metavar="OWNER/NAME", help="Where it is [env: LANCE_BENCH_REPO, GITHUB_REPOSITORY]."
)
@click.option("--ref", help="The branch of the workflow.")
@common
def command(
    uri: str | None,
    output: str,
    workflow: str | None,
    workflow_repository: str | None,
    ref: str | None,
    *,
    dry_run: bool,
    **options: Any,
) -> None:
    """Start the measuring of every commit since the last measured one, through a GitHub workflow.

    Commits being measured now are left alone, what failed is tried again, and a store that cannot be read is an error, never
    a reason to start anything. The token is GITHUB_TOKEN.

    Example: bench-db schedule --dry-run --repository owner/name
    """
    from bench_db.ci.github.dispatch import attempts_made, commits_in_flight, correlation_of, start
    from bench_db.clock import Clock
    from bench_db.schedule.evidence import Known
    from bench_db.schedule.plan import plan

    wanted, clock = Wanted(**options), Clock()
    config = configuration(wanted)
    chosen = chosen_range(wanted, config)
    policy = policy_of(wanted, config, chosen)
    evidence = evidence_of(open_store(uri))
    with connection(clock) as github:
        there = workflow_of(github, config, workflow, workflow_repository, ref)
        known = Known(
            evidence=evidence,
            in_flight=commits_in_flight(there),
            attempts=attempts_made(there, datetime.fromtimestamp(clock.now(), UTC) - _REMEMBERED),
        )
        found = plan(commits_of(wanted, config, chosen, known, policy, github, note=_note), known, policy)
        started = []
        for step in () if dry_run else found.steps:
            run = start(there, there.inputs(step), correlation_of(step, int(clock.now())), clock)
            started.append({"commit": step.commit.sha, "run_id": run.run_id, "url": run.url})
            click.echo(f"{step.commit.sha[: RULES.sha_length]} started: {run.url}", err=True)
    emit(output, {**plan_document(found), "started": started}, lambda: plan_text(found))


def workflow_of(github: Any, config: Any, file: str | None, repository: str | None, ref: str | None) -> Any:
    """The workflow that options, the environment or the configuration name."""
    from bench_db.ci.github.dispatch import Workflow
    from bench_db.ci.github.repository import Repository

    stated = repository or os.environ.get("LANCE_BENCH_REPO") or config.schedule.workflow_repository
    name = stated or os.environ.get("GITHUB_REPOSITORY") or config.project.repository
    if not name:
        message = "where is the workflow? name --workflow-repository OWNER/NAME, or set LANCE_BENCH_REPO"
        raise UserError(message)
    return Workflow(
        repository=Repository(github, name),
        file=file or config.schedule.workflow,
        ref=ref or config.schedule.ref,
        correlation_input=config.schedule.correlation_input,
        kinds={suite: settings.kind for suite, settings in config.suite.items()},
    )


def _note(line: str) -> None:
    click.echo(line, err=True)
