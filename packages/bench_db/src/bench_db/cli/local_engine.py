"""The local engine of `bench-db backfill`: plan, measure and publish on this machine, one backfill at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.cli.local import Delivery
from bench_db.cli.options import default_uri, open_store
from bench_db.cli.planning import root_of
from bench_db.cli.progress import Progress, duration, progress_bar
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import ADAPTERS
from bench_db.report.text import visible
from bench_db.schedule import runner, worktree
from bench_db.schedule.config import FILE, Config
from bench_db.schedule.journal import Entry, Journal, State
from bench_db.schedule.limits import Clock
from bench_db.schedule.policy import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench_db.cli.planning import Wanted
    from bench_db.schedule.policy import Step
    from bench_db.schedule.runner import Measured


def backfill(
    wanted: Wanted,
    config: Config,
    planned: Callable[[Journal], Plan],
    *,
    uri: str | None,
    file: Path,
    test_bed: str,
    pr_number: int | None,
    clock: Clock,
) -> tuple[Plan, list[Entry]]:
    """The plan, made when nobody else measures here any more, and what became of it; `file` is the journal."""
    check_suites(config)
    repository, home = Path(wanted.clone or ".").resolve(), file.parent
    with worktree.alone(repository, home, clock) as locks:
        journal = Journal(file)
        plan = planned(journal)
        if not plan.steps:
            return plan, []
        delivery = Delivery(
            store=open_store(uri or default_uri(), create=True),
            config=config,
            test_bed=test_bed,
            branch=wanted.branch or config.project.branch,
            pr_number=pr_number,
        )
        bench = runner.Bench(
            repository=repository,
            home=home,
            root=root_of(wanted),
            suites=config.suite,
            environment=os.environ,
            clock=clock,
        )
        with progress_bar("backfill") as progress:
            work = _Work(plan=plan, delivery=delivery, journal=journal, progress=progress, clock=clock)
            try:
                runner.run(work.steps(), bench, locks, work.deliver)
            except (KeyboardInterrupt, SystemExit):
                progress.say(f"stopped after {work.done} of {work.jobs}; the same command goes on from here")
                raise
    return plan, work.ended


def check_suites(config: Config) -> None:
    """An error for no suite at all, and for one of a format that does not exist, before anything is measured."""
    if not config.suite:
        message = f"{FILE} has no suite; say what to measure in a table [suite.NAME] (docs/how-to.md shows one)"
        raise UserError(message)
    known = ["auto", *(adapter.name for adapter in ADAPTERS)]
    for name, suite in config.suite.items():
        if suite.format not in known:
            reason = f"no format {suite.format!r}; known: {', '.join(known)}"
            raise UnreadableOutputError(reason, file=FILE, json_path=f"$.suite.{name}.format")


@dataclass(kw_only=True)
class _Work:
    """A plan being carried out."""

    plan: Plan
    delivery: Delivery
    journal: Journal
    progress: Progress
    clock: Clock
    done: int = 0
    ended: list[Entry] = field(default_factory=list)

    @property
    def jobs(self) -> int:
        return sum(len(self.suites(step)) for step in self.plan.steps)

    def suites(self, step: Step) -> tuple[str, ...]:
        return step.suites or tuple(self.delivery.config.suite)

    def steps(self) -> Iterator[Step]:
        """The steps of the plan, without what somebody else has measured since it was made, such as another machine."""
        for step in self.plan.steps:
            sha, bed = step.commit.sha, self.delivery.test_bed
            rest = [name for name in self.suites(step) if not self.delivery.store.has(sha, [name], bed).present]
            for name in set(self.suites(step)).difference(rest):
                self.done += 1
                self.progress.say(f"{sha[:10]}  {name}  measured by somebody else meanwhile")
            if rest:
                self.progress(self.done, self.jobs, f"{sha[:10]} {step.commit.subject[:40]}")
                yield replace(step, targets=tuple(target for target in step.targets if target.suite in ("", *rest)))

    def deliver(self, measured: Measured) -> None:
        """What was measured, in the store and in the journal."""
        kept = self.delivery.keep_log(measured)
        error = self.delivery.publish(measured)
        attempt = next(step.attempt for step in self.plan.steps if step.commit == measured.commit)
        entry = Entry(
            commit=measured.commit.sha,
            state=State.FAILED if error else State.SUCCEEDED,
            at=int(self.clock.now()),
            started_at=measured.began,
            attempt=attempt,
            suites=(measured.suite,),
            detail=error or "",
            url=kept,
        )
        self.ended.append(self.journal.add(entry))
        self.done += 1
        self.progress(self.done, self.jobs)
        outcome = f"failed: {error.splitlines()[0]}" if error else "measured"
        line = f"{entry.commit[:10]}  {measured.suite}  {outcome}  {duration(measured.seconds)}, {self.done} of {self.jobs}"
        self.progress.say(visible(line))
