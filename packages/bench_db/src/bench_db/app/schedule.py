"""The use case `schedule`: start the workflow for every commit that is not measured yet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Unpack

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.backfill import evidence_of
from bench_db.app.configuration import configuration
from bench_db.app.planning import Planner, workflow_of
from bench_db.app.progress import Progress, Silent
from bench_db.ci import forge as forges
from bench_db.clock import Clock
from bench_db.model import Plan
from bench_db.report.plans import plan_document
from bench_db.rules import RULES
from bench_db.schedule.inputs import correlation_of, of_step
from bench_db.schedule.plan import Known
from bench_db.store.database import connect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench_db.app.parameters import Scheduling
    from bench_db.ci.forge import Forge

_REMEMBERED_SECONDS = 14 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """The run that was started for a commit."""

    commit: str
    run_id: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled(Answer):
    """A plan and the runs that were started for its steps."""

    plan: Plan
    started: tuple[Dispatched, ...] = ()

    @property
    def document(self) -> dict[str, object]:
        """The answer as JSON."""
        return {**plan_document(self.plan), "started": [asdict(run) for run in self.started]}

    def frame(self) -> pl.DataFrame:
        """Return a row a started run."""
        rows = [(run.commit, run.run_id, run.url) for run in self.started]
        return pl.DataFrame(rows, {"commit": pl.String, "run_id": pl.Int64, "url": pl.String}, orient="row")


def schedule_runs(
    uri: str | Path,
    *,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    progress: Progress = Silent(),  # noqa: B008 without state
    forge: Forge | None = None,
    **parameters: Unpack[Scheduling],
) -> Scheduled:
    """Start the workflow for every commit since the last measured one, by the store `uri`.

    Commits that are being measured are left alone, failed ones are tried again. A store that cannot be read is an error, and
    nothing starts. `environment` holds the token of the forge. Raises `UserError`, or `ForgeError` when the forge refuses.
    """
    config = configuration(parameters.get("config_file"), parameters.get("repository"))
    planner = Planner(wanted=parameters, config=config, environment=environment, note=progress.say, clock=clock)
    evidence = evidence_of(connect(uri))
    with forge or forges.connect(config.project.forge, environment, clock) as there:
        workflow = workflow_of(parameters, config, environment)
        since = int(clock.now()) - _REMEMBERED_SECONDS
        known = Known(evidence=evidence, in_flight=there.in_flight(workflow), attempts=there.attempts(workflow, since))
        plan = planner.plan(known, there)
        started = []
        for step in () if parameters.get("dry_run") else plan.steps:
            run = there.dispatch(workflow, of_step(step, config), correlation_of(step, int(clock.now())))
            started.append(Dispatched(commit=step.commit.sha, run_id=run.run_id, url=run.url))
            progress.say(f"{step.commit.sha[: RULES.sha_length]} started: {run.url}")
    return Scheduled(plan=plan, started=tuple(started))
