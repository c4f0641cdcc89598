"""The local engine of `bench-db backfill`: plan, measure and publish on this machine, one backfill at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.app.delivery import Delivery
from bench_db.app.planning import root_of
from bench_db.app.progress import Progress
from bench_db.clock import Clock
from bench_db.errors import PluginError, UnreadableOutputError, UserError
from bench_db.ingest import AUTO, adapter_named
from bench_db.measure import runner, worktree
from bench_db.measure.journal import Journal
from bench_db.measure.outbox import Outbox, Pending
from bench_db.model import Attempt, AttemptState, Plan, Step
from bench_db.report.text import duration, visible
from bench_db.rules import RULES
from bench_db.schedule.config import FILE, Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench_db.app.planning import Wanted
    from bench_db.measure.runner import Measured
    from bench_db.store.database import Database


def backfill(
    wanted: Wanted,
    config: Config,
    planned: Callable[[Journal], Plan],
    *,
    opened: Callable[[], Database],
    file: Path,
    test_bed: str,
    pr_number: int | None,
    clock: Clock,
    progress: Progress,
) -> tuple[Plan, list[Attempt]]:
    """The plan, made when nobody else measures here any more, and what became of it; `file` is the journal."""
    check_suites(config)
    repository, home = Path(wanted.clone or ".").resolve(), file.parent
    outbox = Outbox(home / "measured")

    def delivery() -> Delivery:
        return Delivery(
            store=opened(),
            outbox=outbox,
            config=config,
            test_bed=test_bed,
            branch=wanted.branch or config.project.branch,
            pr_number=pr_number,
        )

    with worktree.alone(repository, home, clock) as locks:
        journal = Journal(file)
        outbox.tidy()
        ended = [] if outbox.is_empty else publish_pending(delivery(), journal, progress, clock)
        plan = planned(journal)
        if not plan.steps:
            return plan, ended
        bench = runner.Bench(
            repository=repository,
            home=home,
            root=root_of(wanted),
            suites=config.suite,
            environment=os.environ,
            clock=clock,
        )
        work = _Work(plan=plan, delivery=delivery(), journal=journal, progress=progress, clock=clock, ended=ended)
        try:
            runner.run(work.steps(), bench, locks, work.deliver)
        except (KeyboardInterrupt, SystemExit):
            progress.say(f"stopped after {work.done} of {work.jobs}; the same command goes on from here")
            raise
    return plan, ended


def publish_pending(delivery: Delivery, journal: Journal, progress: Progress, clock: Clock) -> list[Attempt]:
    """What an earlier call measured for this store and could not publish."""
    ended = []
    for pending in delivery.outbox.of_store(delivery.store.uri):
        ended.append(settle(pending, delivery, journal, clock))
        progress.say(
            visible(
                f"{pending.commit[: RULES.sha_length]}  {pending.suite}  measured by an earlier call, published now"
            )
        )
    return ended


def settle(pending: Pending, delivery: Delivery, journal: Journal, clock: Clock) -> Attempt:
    """A pending suite published, noted, and then no longer pending."""
    delivery.keep_log(pending)
    error = delivery.publish(pending)
    entry = Attempt(
        commit=pending.commit,
        state=AttemptState.FAILED if error else AttemptState.SUCCEEDED,
        at=int(clock.now()),
        started_at=pending.began,
        attempt=pending.attempt,
        suites=(pending.suite,),
        detail=error or "",
        url=pending.log,
    )
    journal.add(entry)
    delivery.outbox.remove(pending)
    return entry


def check_suites(config: Config) -> None:
    """Raise for a file without suites, and for a suite whose format does not exist, before anything is measured."""
    if not config.suite:
        message = f"{FILE} has no suite; say what to measure in a table [suite.NAME] (docs/how-to.md shows one)"
        raise UserError(message)
    for name, suite in config.suite.items():
        try:
            if suite.format != AUTO:
                adapter_named(suite.format)
        except (PluginError, UserError) as error:
            raise UnreadableOutputError(str(error), file=FILE, json_path=f"$.suite.{name}.format") from error


@dataclass(kw_only=True)
class _Work:
    """A plan being carried out; `ended` grows."""

    plan: Plan
    delivery: Delivery
    journal: Journal
    progress: Progress
    clock: Clock
    ended: list[Attempt]
    done: int = 0

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
                self.progress.say(f"{sha[: RULES.sha_length]}  {name}  measured by somebody else meanwhile")
            if rest:
                self.progress(self.done, self.jobs, f"{sha[: RULES.sha_length]} {step.commit.subject[:40]}")
                yield replace(step, targets=tuple(target for target in step.targets if target.suite in ("", *rest)))

    def deliver(self, measured: Measured) -> None:
        """What was measured, in the store and in the journal."""
        attempt = next(step.attempt for step in self.plan.steps if step.commit == measured.commit)
        entry = settle(self.delivery.accept(measured, attempt), self.delivery, self.journal, self.clock)
        self.ended.append(entry)
        self.done += 1
        outcome = f"failed: {entry.detail.splitlines()[0]}" if entry.detail else "measured"
        took = f"{duration(measured.seconds)}, {self.done} of {self.jobs}"
        self.progress.say(visible(f"{entry.commit[: RULES.sha_length]}  {measured.suite}  {outcome}  {took}"))
        self.progress(self.done, self.jobs)
