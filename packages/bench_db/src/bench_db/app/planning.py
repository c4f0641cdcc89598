"""The plan and the workflow that `schedule` and `backfill` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.app.parameters import Planning
from bench_db.ci.forge import Workflow
from bench_db.clock import Clock, bounds
from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.schedule.config import Config
from bench_db.schedule.plan import Order, Policy, Scope, parse_period, parse_range, plan

if TYPE_CHECKING:
    from bench_db.app.parameters import Dispatching
    from bench_db.ci.forge import Forge
    from bench_db.model import Commit, Plan
    from bench_db.schedule.plan import Known, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """The planning parameters with the configuration and the environment, from which plans are made.

    `test_bed` is that of this machine where it measures itself, else empty.
    """

    wanted: Planning
    config: Config
    environment: Mapping[str, str]
    test_bed: str = ""
    default_range: str = ""
    note: Callable[[str], None]
    clock: Clock

    def plan(self, known: Known, forge: Forge | None) -> Plan:
        """Return the plan over the commits of the clone that is named, else of the forge."""
        chosen = parse_range(self.wanted.get("range") or self.default_range or self.config.schedule.range)
        policy = self._policy(chosen)
        return plan(self._commits(chosen, known, policy, forge), known, policy)

    def _policy(self, chosen: Range) -> Policy:
        """Return the policy: parameters first, then the environment, then the configuration."""
        wanted, config = self.wanted, self.config
        bed, order, suites = self.bed, wanted.get("order"), wanted.get("suites", ())
        period = wanted.get("date_period")
        since, until = bounds(wanted.get("since") or None, wanted.get("until") or None, self.clock.now())
        return Policy(
            scope=chosen if isinstance(chosen, Scope) else Scope.ALL,
            suites=tuple(config.suites(suites)) if config.suite else suites,
            test_beds=(bed,) if bed else (),
            since=since,
            until=until,
            every=wanted.get("every") or self._number("COMMIT_INTERVAL", 1) or config.schedule.every,
            period_seconds=parse_period(period) if period else None,
            steps=wanted.get("steps"),
            max_commits=self._max_commits(),
            max_attempts=wanted.get("max_attempts") or config.schedule.max_attempts,
            retry_failed=not wanted.get("skip_failed", False),
            retry_partial=wanted.get("retry_partial", False),
            order=Order(order) if order else None,
        )

    @property
    def bed(self) -> str:
        """The test bed that must have measured a commit; empty for any."""
        return self.wanted.get("test_bed_name") or self.config.project.test_bed or self.test_bed

    def _max_commits(self) -> int | None:
        asked = self.wanted.get("max_commits")
        stated = self._number("MAX_COMMITS", 0) if asked is None else asked
        if stated is not None:
            return stated
        return None if self.wanted.get("steps") else self.config.schedule.max_commits

    def _number(self, name: str, least: int) -> int | None:
        text = self.environment.get(name, "").strip()
        if not text:
            return None
        if not text.isdecimal() or int(text) < least:
            message = f"{name}={text}: must be a whole number of at least {least}"
            raise UserError(message)
        return int(text)

    def _commits(self, chosen: Range, known: Known, policy: Policy, forge: Forge | None) -> list[Commit]:
        clone, project = self.wanted.get("clone"), self.config.project
        branch = self.wanted.get("branch")
        if clone is not None or forge is None:
            there = Path(clone or ".")
            return git.of_range(there, chosen, branch or self._branch_of(there))
        name = self.wanted.get("repository") or project.repository or self.environment.get("GITHUB_REPOSITORY")
        if not name:
            message = "whose commits? name `repository` or `clone`, or set project.repository in bench-db.toml"
            raise UserError(message)

        def is_measured(sha: str) -> bool:
            return bool(known.standing([sha], policy.targets)[sha].measured)

        return forge.commits(name, chosen, branch or project.main_branch, is_measured=is_measured, since=policy.since)

    def _branch_of(self, clone: Path) -> str:
        """Return the branch of the project where the clone has it; else HEAD, as in a clone of one commit in CI."""
        if git.is_shallow(clone):
            self.note(f"{clone}: a shallow clone ends where it was cut off; git fetch --unshallow gets the rest")
        branch = self.config.project.main_branch
        return branch if git.knows(clone, f"refs/heads/{branch}") else "HEAD"


def workflow_of(wanted: Dispatching, config: Config, environment: Mapping[str, str]) -> Workflow:
    """Return the workflow that the parameters, the environment or the configuration name, in this order."""
    stated = (
        wanted.get("workflow_repository")
        or environment.get("LANCE_BENCH_REPO")
        or config.schedule.workflow_repository
        or environment.get("GITHUB_REPOSITORY")
        or config.project.repository
    )
    if not stated:
        message = "where is the workflow? name `workflow_repository`, or set LANCE_BENCH_REPO"
        raise UserError(message)
    return Workflow(
        repository=stated,
        file=wanted.get("workflow") or config.schedule.workflow,
        ref=wanted.get("ref") or config.schedule.ref,
        correlation_input=config.schedule.correlation_input,
    )
