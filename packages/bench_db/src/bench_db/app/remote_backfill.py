"""Carrying out a plan on GitHub: some runs at a time, each waited for no longer than it may take, resumed after a kill."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench_db.ci.github.dispatch import CLOCK_SKEW, Started, Workflow, correlation_of, find, start
from bench_db.errors import GitHubError
from bench_db.model import Attempt, AttemptState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench_db.clock import Clock
    from bench_db.measure.journal import Journal
    from bench_db.model import Step

_CONSECUTIVE_FAULTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many runs at once, how long one may take, and how often to look."""

    parallel: int = 1
    timeout_seconds: float = 6 * 3600.0
    poll_seconds: float = 15.0


def resume(workflow: Workflow, journal: Journal, clock: Clock) -> list[Attempt]:
    """The attempts of an interrupted backfill that are still going on; those that never began or are gone are noted."""
    for entry in journal.open:
        if entry.state is AttemptState.DISPATCHING:
            since = datetime.fromtimestamp(entry.at, UTC) - CLOCK_SKEW
            brief = Workflow(repository=workflow.repository, file=workflow.file, ref=workflow.ref, patience_seconds=0)
            found = find(brief, entry.correlation, since, clock)
            if found is None:
                _note(journal, entry, AttemptState.LOST, clock, "interrupted before it was dispatched")
            else:
                journal.add(_as_started(entry, found, clock))
    return journal.open


def run(
    steps: Sequence[Step],
    workflow: Workflow,
    journal: Journal,
    clock: Clock,
    pace: Pace,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Attempt]:
    """What became of every step and of every attempt that was resumed, in the order they ended.

    A commit that fails does not stop the others. Raises `GitHubError` when GitHub refuses, and after three faults in a row.
    """
    active = {entry.commit: entry for entry in resume(workflow, journal, clock)}
    waiting = deque(step for step in steps if step.commit.sha not in active)
    total, ended, faults = len(active) + len(waiting), list[Attempt](), 0
    while active or waiting:
        progress(len(ended), total)
        while waiting and len(active) < pace.parallel:
            entry = _begin(waiting.popleft(), workflow, journal, clock, may_fail=faults + 1 < _CONSECUTIVE_FAULTS)
            faults = 0 if entry.state.is_open else faults + 1
            if entry.state.is_open:
                active[entry.commit] = entry
            else:
                ended.append(entry)
        for entry in list(_ended(list(active.values()), workflow, journal, clock, pace)):
            del active[entry.commit]
            ended.append(entry)
        if active and not (waiting and len(active) < pace.parallel):
            clock.sleep(pace.poll_seconds)
    progress(total, total)
    return ended


def _begin(step: Step, workflow: Workflow, journal: Journal, clock: Clock, *, may_fail: bool) -> Attempt:
    at = int(clock.now())
    entry = journal.add(
        Attempt(
            commit=step.commit.sha,
            state=AttemptState.DISPATCHING,
            at=at,
            started_at=at,
            attempt=step.attempt,
            suites=step.suites,
            correlation=correlation_of(step, at),
        )
    )
    try:
        started = start(workflow, workflow.inputs(step), entry.correlation, clock)
    except GitHubError as error:
        failed = _note(journal, entry, AttemptState.FAILED, clock, str(error))
        if error.is_refusal or not may_fail:
            raise
        return failed
    return journal.add(_as_started(entry, started, clock))


def _ended(active: list[Attempt], workflow: Workflow, journal: Journal, clock: Clock, pace: Pace) -> Iterator[Attempt]:
    """The attempts that have ended by now, noted."""
    for entry in active:
        run = None if entry.run_id is None else workflow.repository.run(entry.run_id)
        if run is None and clock.now() - entry.started_at <= workflow.patience_seconds:
            continue  # it may take a while to be seen
        if run is None:
            yield _note(journal, entry, AttemptState.LOST, clock, "the run is gone")
        elif run.is_finished:
            good = run.conclusion == "success"
            detail = "" if good else _why(workflow, run.id, run.conclusion or "no conclusion")
            yield _note(journal, entry, AttemptState.SUCCEEDED if good else AttemptState.FAILED, clock, detail)
        elif clock.now() - entry.started_at > pace.timeout_seconds:
            waited = f"{run.status} for more than {pace.timeout_seconds / 60:.0f} minutes"
            yield _note(journal, entry, AttemptState.TIMED_OUT, clock, waited)


def _why(workflow: Workflow, run_id: int, conclusion: str) -> str:
    jobs = [job.name for job in workflow.repository.jobs(run_id) if job.conclusion == "failure"]
    return f"{conclusion}: {', '.join(jobs)}" if jobs else conclusion


def _note(journal: Journal, entry: Attempt, state: AttemptState, clock: Clock, detail: str) -> Attempt:
    return journal.add(replace(entry, state=state, at=int(clock.now()), detail=detail))


def _as_started(entry: Attempt, started: Started, clock: Clock) -> Attempt:
    return replace(entry, state=AttemptState.STARTED, at=int(clock.now()), run_id=started.run_id, url=started.url)
