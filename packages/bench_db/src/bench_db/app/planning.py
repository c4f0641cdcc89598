"""What `schedule` and `backfill` have in common: options, the configuration, what is known, and the plan."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.ci.github.client import PUBLIC_API, GitHub
from bench_db.ci.github.commits import of_github
from bench_db.ci.github.repository import Repository
from bench_db.clock import unix_time
from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.model import Reason
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.schedule import config
from bench_db.schedule.evidence import Evidence
from bench_db.schedule.plan import Order, Policy
from bench_db.schedule.ranges import Scope, parse_period, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_db.clock import Clock
    from bench_db.model import Commit, Plan, Step
    from bench_db.schedule.config import Config
    from bench_db.schedule.evidence import Known
    from bench_db.schedule.ranges import Range
    from bench_db.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The values of the options of `planning`."""

    config_file: str | None
    range_text: str | None
    clone: str | None
    repository: str | None
    branch: str | None
    suites: tuple[str, ...]
    testbed_name: str | None
    since: str | None
    until: str | None
    steps: int | None
    every: int | None
    date_period: str | None
    max_commits: int | None
    max_attempts: int | None
    skip_failed: bool
    order: str | None


def configuration(wanted: Wanted) -> Config:
    """The configuration; without a file, one made from the options alone."""
    path = Path(wanted.config_file or config.FILE)
    if wanted.config_file is None and not path.exists() and wanted.repository:
        return config.Config(
            project=config.Project(name=wanted.repository.partition("/")[2], repository=wanted.repository)
        )
    return config.load(path)


def root_of(wanted: Wanted) -> Path:
    """The directory of the configuration."""
    return Path(wanted.config_file or config.FILE).resolve().parent


def chosen_range(wanted: Wanted, config: Config, default: str | None = None) -> Range:
    """The range asked for, else the default of the verb, else that of the configuration."""
    return parse_range(wanted.range_text or default or config.schedule.range)


def policy_of(
    wanted: Wanted, config: Config, chosen: Range, *, test_bed: str = "", environment: Mapping[str, str] = os.environ
) -> Policy:
    """The policy: options first, then the environment, then the configuration."""
    bed = wanted.testbed_name or test_bed or config.project.test_bed
    return Policy(
        scope=chosen if isinstance(chosen, Scope) else Scope.ALL,
        suites=tuple(config.suites(wanted.suites)) if config.suite else wanted.suites,
        test_beds=(bed,) if bed else (),
        since=unix_time(wanted.since, "--since"),
        until=unix_time(wanted.until, "--until", end=True),
        every=wanted.every or _number(environment, "COMMIT_INTERVAL", 1) or config.schedule.every,
        period_seconds=parse_period(wanted.date_period) if wanted.date_period else None,
        steps=wanted.steps,
        max_commits=_max_commits(wanted, config, environment),
        max_attempts=wanted.max_attempts or config.schedule.max_attempts,
        retry_failed=not wanted.skip_failed,
        order=Order(wanted.order) if wanted.order else None,
    )


def _max_commits(wanted: Wanted, config: Config, environment: Mapping[str, str]) -> int | None:
    if wanted.max_commits is not None:
        return wanted.max_commits
    stated = _number(environment, "MAX_COMMITS", 0)
    return stated if stated is not None else None if wanted.steps else config.schedule.max_commits


def _number(environment: Mapping[str, str], name: str, least: int) -> int | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        message = f"{name}={text}: must be a whole number of at least {least}"
        raise UserError(message)
    return int(text)


def evidence_of(store: Database) -> tuple[Evidence, ...]:
    """What the store holds of each commit, suite and test bed, from one scan of four columns."""
    failed = pl.col("error").is_not_null()
    rows = (
        store.scan()
        .filter(pl.col("commit").is_not_null())
        .group_by("commit", "suite", "test_bed_name")
        .agg((~failed).sum().alias("results"), failed.sum().alias("failures"))
        .collect()
    )
    return tuple(
        Evidence(commit=commit, suite=suite or "", test_bed=bed or "", results=results, failures=failures)
        for commit, suite, bed, results, failures in rows.iter_rows()
    )


def commits_of(  # noqa: PLR0917 what is wanted and what is known
    wanted: Wanted,
    config: Config,
    chosen: Range,
    known: Known,
    policy: Policy,
    github: GitHub | None,
    *,
    note: Callable[[str], None],
) -> list[Commit]:
    """The commits of the range, from the clone named, else from GitHub."""
    clone = Path(wanted.clone or ".")
    if wanted.clone or github is None:
        return git.of_range(clone, chosen, wanted.branch or _branch_of(clone, config, note))
    name = wanted.repository or config.project.repository or os.environ.get("GITHUB_REPOSITORY")
    if not name:
        message = (
            "whose commits? name --repository OWNER/NAME or --clone DIR, or set project.repository in bench-db.toml"
        )
        raise UserError(message)

    def is_measured(sha: str) -> bool:
        return bool(known.standing([sha], policy.targets)[sha].measured)

    since = None if policy.since is None else f"{datetime.fromtimestamp(policy.since, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return of_github(Repository(github, name), chosen, wanted.branch or config.project.branch, is_measured, since)


def _branch_of(clone: Path, config: Config, note: Callable[[str], None]) -> str:
    """The branch of the project where the clone has it; else what is checked out, as in a clone of one commit in CI."""
    if git.is_shallow(clone):
        note(f"{clone}: a shallow clone, the history ends where it was cut off; git fetch --unshallow gets the rest")
    return config.project.branch if git.knows(clone, f"refs/heads/{config.project.branch}") else "HEAD"


def connection(clock: Clock, environment: Mapping[str, str] = os.environ) -> GitHub:
    """A connection to GitHub as GITHUB_TOKEN (or GH_TOKEN), at GITHUB_API_URL. `UserError` without a token."""
    token = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN")
    if not token:
        message = "GITHUB_TOKEN is not set; it needs the permissions actions: write and contents: read (docs/how-to.md)"
        raise UserError(message)
    return GitHub(token, base_url=environment.get("GITHUB_API_URL") or PUBLIC_API, clock=clock)


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as JSON has it: steps in their order, and every commit left out with its reason."""
    return {
        "steps": [step_document(step) for step in plan.steps],
        "left_out": [{"commit": out.commit.sha, "reason": str(out.reason)} for out in plan.left_out],
    }


def step_document(step: Step) -> dict[str, Any]:
    """A step as JSON has it."""
    return {
        "commit": step.commit.sha,
        "time": step.commit.time,
        "subject": step.commit.subject,
        "suites": list(step.suites),
        "reason": str(step.reason),
        "explanation": step.explanation,
        "attempt": step.attempt,
    }


def plan_text(plan: Plan) -> str:
    """A plan for people: every step, and how many commits were left out for which reason."""
    lines = [
        f"{step.commit.sha[: RULES.sha_length]}  {visible(step.commit.subject)[:50]:<50}  {visible(step.explanation)}"
        for step in plan.steps
    ]
    return "\n".join([f"{len(plan.steps)} to measure", *lines, *left_out_text(plan)])


def left_out_text(plan: Plan) -> list[str]:
    """How many commits were left out for which reason, a line each."""
    flags = {
        Reason.OVER_LIMIT: " (--max-commits says how many)",
        Reason.GIVEN_UP: " (a higher --max-attempts tries again)",
    }
    reasons = Counter(out.reason for out in plan.left_out)
    return [f"{n} left out: {why}{flags.get(why, '')}" for why, n in reasons.items()]
