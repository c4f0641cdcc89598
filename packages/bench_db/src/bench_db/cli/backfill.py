"""`bench-db backfill`: measure a history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench_db.app.planning import (
    Wanted,
    chosen_range,
    commits_of,
    configuration,
    connection,
    evidence_of,
    left_out_text,
    plan_document,
    plan_text,
    policy_of,
)
from bench_db.cli.options import common, emit, open_store
from bench_db.cli.planning import planning
from bench_db.cli.progress import leave_when_asked, progress_bar
from bench_db.cli.schedule import workflow_of
from bench_db.errors import StoreNotFoundError
from bench_db.report.text import duration
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.measure.journal import Journal
    from bench_db.model import Attempt, Plan
    from bench_db.schedule.config import Config
    from bench_db.schedule.evidence import Evidence


@click.command("backfill")
@planning
@click.option("--engine", type=click.Choice(["local", "github"]), default="local", show_default=True)
@click.option(
    "--work-dir", metavar="DIR", default=".bench-db", show_default=True, help="Work trees, logs and the journal."
)
@click.option("--pr", "pr_number", type=int, help="Mark the results as those of a pull request.")
@click.option("--fail-on-error", is_flag=True, help="Exit with 1 when a commit could not be measured.")
@click.option("--workflow", metavar="FILE", help="With github: the workflow that measures.")
@click.option("--workflow-repository", metavar="OWNER/NAME", help="With github: where it is [env: LANCE_BENCH_REPO].")
@click.option("--ref", help="With github: the branch of the workflow.")
@click.option("--parallel", type=click.IntRange(1), metavar="N", help="With github: so many runs at once.")
@click.option("--timeout-minutes", type=float, help="With github: how long one run is waited for.")
@click.option("--poll-seconds", type=float, default=15.0, show_default=True, help="With github: how often to look.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    uri: str | None,
    output: str,
    engine: str,
    work_dir: str,
    pr_number: int | None,
    workflow: str | None,
    workflow_repository: str | None,
    ref: str | None,
    parallel: int | None,
    timeout_minutes: float | None,
    poll_seconds: float,
    *,
    dry_run: bool,
    fail_on_error: bool,
    **options: Any,
) -> None:
    """Measure the commits of a range that are not measured yet, here or on GitHub; run it again to go on where it stopped.

    The engine local makes a git work tree per commit and runs the commands of bench-db.toml; a commit that fails becomes rows
    with the error. The engine github starts a workflow per commit and waits for it.

    Example: bench-db backfill --range v1.0..main --steps 20 --order bisect
    """
    from bench_db.clock import Clock
    from bench_db.measure.journal import Journal

    wanted, clock = Wanted(**options), Clock()
    began = clock.now()
    config, file = configuration(wanted), Path(work_dir).resolve() / f"{engine}.jsonl"
    leave_when_asked()
    if engine == "github":
        from bench_db.app import remote_backfill as backfill
        from bench_db.ci.github import dispatch

        journal = Journal(file)
        pace = backfill.Pace(
            parallel=parallel or config.schedule.parallel,
            timeout_seconds=60 * (timeout_minutes or config.schedule.timeout_minutes),
            poll_seconds=poll_seconds,
        )
        with connection(clock) as github:
            there = workflow_of(github, config, workflow, workflow_repository, ref)
            if not dry_run:
                backfill.resume(there, journal, clock)
            flying = dispatch.commits_in_flight(there)
            # a store that cannot be read, or is not there, is no reason to start anything
            plan = _plan(wanted, config, evidence_of(open_store(uri)), journal, github, flying)
            ended: list[Attempt] = []
            if not dry_run:
                with progress_bar("backfill") as progress:
                    ended = backfill.run(plan.steps, there, journal, clock, pace, progress=progress)
    elif dry_run:
        plan, ended = _plan(wanted, config, _evidence(uri), Journal(file), None), []
    else:
        from bench_db.app import local_backfill

        with progress_bar("backfill") as progress:
            plan, ended = local_backfill.backfill(
                wanted,
                config,
                lambda journal: _plan(wanted, config, _evidence(uri), journal, None),
                opened=lambda: open_store(uri, create=True),
                file=file,
                test_bed=_test_bed(wanted, config),
                pr_number=pr_number,
                clock=clock,
                progress=progress,
            )
    document = {**plan_document(plan), "ended": [_ended_document(entry) for entry in ended]}
    emit(output, document, lambda: plan_text(plan) if dry_run else _ended_text(plan, ended, clock.now() - began))
    ctx.exit(1 if fail_on_error and any(entry.state != "succeeded" for entry in ended) else 0)


def _evidence(uri: str | None) -> tuple[Evidence, ...]:
    """What the store holds; nothing when there is no store yet, which the first publish makes."""
    try:
        return evidence_of(open_store(uri))
    except StoreNotFoundError:
        return ()


def _plan(
    wanted: Wanted,
    config: Config,
    evidence: tuple[Evidence, ...],
    journal: Journal,
    github: Any,
    flying: frozenset[str] = frozenset(),
) -> Plan:
    from bench_db.schedule.evidence import Known
    from bench_db.schedule.plan import plan

    chosen = chosen_range(wanted, config, "ALL")
    bed = _test_bed(wanted, config) if github is None else ""
    policy = policy_of(wanted, config, chosen, test_bed=bed)
    waited_for = (entry.commit for entry in journal.open if github is not None)
    # a run on GitHub that succeeded and left nothing in the store was in vain; here success is published, to some store
    attempts = journal.failures if github is None else journal.attempts
    known = Known(evidence=evidence, in_flight=flying.union(waited_for), attempts=attempts)
    return plan(commits_of(wanted, config, chosen, known, policy, github, note=_note), known, policy)


def _note(line: str) -> None:
    click.echo(line, err=True)


def _test_bed(wanted: Wanted, config: Config) -> str:
    from bench_db.ingest import this_machine

    return wanted.testbed_name or config.project.test_bed or this_machine().name


def _ended_document(entry: Attempt) -> dict[str, Any]:
    return {
        "commit": entry.commit,
        "suites": list(entry.suites),
        "state": str(entry.state),
        "detail": entry.detail,
        "url": entry.url,
    }


def _ended_text(plan: Plan, ended: list[Attempt], seconds: float) -> str:
    """What became of a plan: how many succeeded, why the others did not, and what was left out."""
    from bench_db.report.text import visible

    failed = [entry for entry in ended if entry.state != "succeeded"]
    head = f"{len(ended) - len(failed)} measured" + (f", {len(failed)} failed" if failed else "")
    took = f" in {duration(seconds)}" if ended else ""
    lines = [
        visible(
            f"{e.commit[: RULES.sha_length]}  {', '.join(e.suites)}  {e.state}: {(e.detail or '?').splitlines()[0]}"
        )
        + f"\n    {e.url}"
        for e in failed
    ]
    return "\n".join([head + took, *lines, *left_out_text(plan)])
