"""Starting a workflow for a commit and knowing which run it became: by GitHub's answer, else by a correlation id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from bench_db.ci.github.repository import Repository
from bench_db.errors import GitHubError
from bench_db.identity import is_full_sha

if TYPE_CHECKING:
    from bench_db.ci.github.records import WorkflowRun
    from bench_db.clock import Clock
    from bench_db.model import Step

_LOOK_EVERY_SECONDS = 3.0
CLOCK_SKEW = timedelta(hours=1)  # a run is told by its correlation id, this only ends the search
_UNPROCESSABLE = 422
# Runs move on while they are asked for: in the order of their lives none slips by, and one may wait again for an approval.
_UNFINISHED = ("requested", "pending", "queued", "in_progress", "waiting", "in_progress")
_PULL_REQUEST = "Pull request "


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The workflow that measures: where it is, on which ref, and how its inputs are called.

    Its `run-name` should hold the commit and the correlation id: by them a run is found again. A run that measures a pull
    request and so publishes nothing says "Pull request" first. `kinds` says of each suite whether it is rust; all others are
    measured as the Python ones.
    """

    repository: Repository
    file: str = "run-benchmarks.yml"
    ref: str = "main"
    correlation_input: str = "correlation_id"
    kinds: Mapping[str, str] = field(default_factory=dict)
    patience_seconds: float = 120.0

    def inputs(self, step: Step) -> dict[str, str]:
        """The inputs that measure what a step asks for; without suites the workflow's defaults measure everything."""
        found, wanted = {"git_sha": step.commit.sha}, step.suites
        if wanted and all(suite in self.kinds for suite in wanted):
            rust, rest = _parted(wanted, self.kinds)
            found |= {"run_rust": str(bool(rust)).lower(), "run_python": str(bool(rest)).lower()}
            found |= {"rust_crates": ",".join(rust)} if rust else {}
            if rest and set(rest) != set(_parted(self.kinds, self.kinds)[1]):
                found["python_suites"] = ",".join(rest)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run that a dispatch became."""

    run_id: int
    url: str


def correlation_of(step: Step, at: int) -> str:
    """The correlation id of one attempt begun at a time (unix seconds): the same arguments give the same id."""
    text = "\0".join((step.commit.sha, *map(str, step.targets), str(step.attempt), str(at)))
    return sha256(text.encode()).hexdigest()[:16]


def start(workflow: Workflow, inputs: Mapping[str, str], correlation: str, clock: Clock) -> Started:
    """The run a dispatch became. `GitHubError` when it did not start, or cannot be told from others."""
    began = datetime.fromtimestamp(clock.now(), UTC) - CLOCK_SKEW
    lost_answer: GitHubError | None = None
    try:
        dispatched = _dispatch(workflow, inputs, correlation)
    except GitHubError as error:
        if error.is_refusal:
            raise
        dispatched, lost_answer = None, error  # GitHub may have acted on it all the same
    if dispatched is not None:
        return dispatched
    found = find(workflow, correlation, began, clock)
    if found is None and lost_answer is not None:
        raise lost_answer
    if found is None:
        message = (
            f"{workflow.repository.full_name}: {workflow.file} was dispatched, but no run with {correlation} in its name "
            f"appeared within {workflow.patience_seconds:.0f} s; put ${{{{ inputs.{workflow.correlation_input} }}}} into its run-name"
        )
        raise GitHubError(message)
    return found


def _dispatch(workflow: Workflow, inputs: Mapping[str, str], correlation: str) -> Started | None:
    name = workflow.correlation_input
    given = {**inputs, name: correlation} if name else dict(inputs)
    try:
        answer = workflow.repository.dispatch(workflow.file, workflow.ref, given)
    except GitHubError as error:
        if not name or error.status != _UNPROCESSABLE or name not in str(error):
            raise
        answer = workflow.repository.dispatch(workflow.file, workflow.ref, inputs)  # the workflow has no such input
    return None if answer is None else Started(run_id=answer.workflow_run_id, url=answer.html_url)


def find(workflow: Workflow, correlation: str, since: datetime, clock: Clock) -> Started | None:
    """The run whose name holds a correlation id, waited for; None when there is none. Never merely the newest run."""
    give_up = clock.now() + workflow.patience_seconds
    while True:
        for run in workflow.repository.runs(workflow.file, since=since):
            if correlation in run.display_title:
                return Started(run_id=run.id, url=run.html_url)
        if clock.now() + _LOOK_EVERY_SECONDS > give_up:
            return None
        clock.sleep(_LOOK_EVERY_SECONDS)


def commits_in_flight(workflow: Workflow) -> frozenset[str]:
    """Commits with a run that has not ended and will publish, by the shas in the runs' names."""
    runs: dict[int, WorkflowRun] = {}
    for status in _UNFINISHED:
        runs |= {run.id: run for run in workflow.repository.runs(workflow.file, status=status)}
    return frozenset(sha for run in runs.values() for sha in shas_published(run.display_title))


def attempts_made(workflow: Workflow, since: datetime) -> dict[tuple[str, str], int]:
    """How many ended runs that publish each commit had since a time, by the shas in the runs' names; of which suites is not said."""
    counted: dict[tuple[str, str], int] = {}
    for run in workflow.repository.runs(workflow.file, since=since):
        if run.is_finished:
            for sha in shas_published(run.display_title):
                counted[sha, ""] = counted.get((sha, ""), 0) + 1
    return counted


def shas_published(title: str) -> list[str]:
    """The commits whose results a run of this name publishes."""
    if title.startswith(_PULL_REQUEST):
        return []
    return [word for word in title.replace("[", " ").replace("]", " ").split() if is_full_sha(word)]


def _parted(suites: Iterable[str], kinds: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The Rust suites and the others."""
    names = list(suites)
    return [name for name in names if kinds[name] == "rust"], [name for name in names if kinds[name] != "rust"]
