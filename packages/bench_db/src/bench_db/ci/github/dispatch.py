"""Starting a workflow and finding its run: by GitHub's answer, else by a correlation id.

The `run-name` of the workflow should hold the commit and the correlation id: by them a run is found again. The name of a run
that measures a pull request, and so publishes nothing, begins with "Pull request".
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench_db.ci.forge import Started
from bench_db.errors import GitHubError
from bench_db.identity import is_full_sha

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench_db.ci.forge import Workflow
    from bench_db.ci.github.records import WorkflowRun
    from bench_db.ci.github.repository import Repository
    from bench_db.clock import Clock

_LOG = logging.getLogger(__name__)
_LOOK_EVERY_SECONDS = 3.0
CLOCK_SKEW = timedelta(hours=1)  # the correlation id identifies a run, this only ends the search
_UNPROCESSABLE = 422
# Runs move on while they are listed: asked in the order of their states none is missed, and one may wait again for an approval.
_UNFINISHED = ("requested", "pending", "queued", "in_progress", "waiting", "in_progress")
_PULL_REQUEST = "Pull request "


def start(
    repository: Repository, workflow: Workflow, inputs: Mapping[str, str], correlation: str, clock: Clock
) -> Started:
    """Start a workflow and return its run. Raise `GitHubError` when it did not start, or its run cannot be identified."""
    began = datetime.fromtimestamp(clock.now(), UTC)
    lost_answer: GitHubError | None = None
    try:
        dispatched = _dispatch(repository, workflow, inputs, correlation)
    except GitHubError as error:
        if error.is_refusal:
            raise
        dispatched, lost_answer = None, error  # GitHub may have acted on it all the same
    if dispatched is not None:
        return dispatched
    found = find(repository, workflow, correlation, began, clock)
    if found is None and lost_answer is not None:
        raise lost_answer
    if found is None:
        message = (
            f"{workflow.repository}: {workflow.file} was dispatched, but no run with {correlation} in its name "
            f"appeared within {workflow.patience_seconds:.0f} s; put ${{{{ inputs.{workflow.correlation_input} }}}} into its run-name"
        )
        raise GitHubError(message)
    return found


def _dispatch(
    repository: Repository, workflow: Workflow, inputs: Mapping[str, str], correlation: str
) -> Started | None:
    name = workflow.correlation_input
    given = {**inputs, name: correlation} if name else dict(inputs)
    try:
        answer = repository.dispatch(workflow.file, workflow.ref, given)
    except GitHubError as error:
        if not name or error.status != _UNPROCESSABLE or name not in str(error):
            raise
        answer = repository.dispatch(workflow.file, workflow.ref, inputs)  # the workflow has no such input
    return None if answer is None else Started(run_id=answer.workflow_run_id, url=answer.html_url)


def find(repository: Repository, workflow: Workflow, correlation: str, since: datetime, clock: Clock) -> Started | None:
    """Wait for the run whose name holds a correlation id; None when there is none. Never take merely the newest run."""
    give_up = clock.now() + workflow.patience_seconds
    while True:
        for run in repository.runs(workflow.file, since=since - CLOCK_SKEW):
            if correlation in run.display_title:
                return Started(run_id=run.id, url=run.html_url)
        if clock.now() + _LOOK_EVERY_SECONDS > give_up:
            return None
        _LOG.info("%s: no run with %s yet; looking again in %.1f s", workflow.file, correlation, _LOOK_EVERY_SECONDS)
        clock.sleep(_LOOK_EVERY_SECONDS)


def commits_in_flight(repository: Repository, file: str) -> frozenset[str]:
    """Return the commits with a run that has not ended and will publish, by the shas in the names of runs."""
    runs: dict[int, WorkflowRun] = {}
    for status in _UNFINISHED:
        runs |= {run.id: run for run in repository.runs(file, status=status)}
    return frozenset(sha for run in runs.values() for sha in shas_published(run.display_title))


def attempts_made(repository: Repository, file: str, since: datetime) -> dict[tuple[str, str], int]:
    """Return the number of ended runs that publish each commit since a time, by the shas in their names.

    The suite of the keys is empty, because names of runs do not say it.
    """
    counted: dict[tuple[str, str], int] = {}
    for run in repository.runs(file, since=since):
        if run.is_finished:
            for sha in shas_published(run.display_title):
                counted[sha, ""] = counted.get((sha, ""), 0) + 1
    return counted


def shas_published(title: str) -> list[str]:
    """Return the commits whose results a run of this name publishes."""
    if title.startswith(_PULL_REQUEST):
        return []
    return [word for word in title.replace("[", " ").replace("]", " ").split() if is_full_sha(word)]
