"""What a plan follows and what it says: the policy in, steps and left-out commits with their reasons out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench_db.errors import UserError
from bench_db.model import Commit
from bench_db.schedule.evidence import Target
from bench_db.schedule.ranges import Scope


class Order(StrEnum):
    """Which step comes first: the oldest commit, the newest, or the middle of the widest unmeasured gap."""

    OLDEST = "oldest"
    NEWEST = "newest"
    BISECT = "bisect"


class Reason(StrEnum):
    """Why a commit is a step, or is left out; a closed set."""

    NOT_MEASURED = "not measured"
    INCOMPLETE = "measured in part"
    FAILED_BEFORE = "failed before"
    MEASURED = "measured"
    IN_FLIGHT = "being measured now"
    GIVEN_UP = "failed too often"
    FAILED_KEPT = "failed before, and failures are not tried again"
    NOT_NEW = "older than the newest measured commit"
    NEVER_MEASURED = "never measured, and only existing ones were asked for"
    OUT_OF_TIME = "outside the dates asked for"
    NOT_CHOSEN = "between two chosen commits"
    OVER_LIMIT = "more than one plan may hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to measure of which commits, and how many.

    `suites` and `test_beds` empty ask for any result at all. `since` and `until` are unix seconds, inclusive. `every`,
    `period_seconds` and `steps` thin the commits out, in that order; `max_commits` bounds the steps of one plan.
    """

    scope: Scope = Scope.ALL
    suites: tuple[str, ...] = ()
    test_beds: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    every: int = 1
    period_seconds: int | None = None
    steps: int | None = None
    max_commits: int | None = None
    max_attempts: int = 3
    retry_failed: bool = True
    order: Order | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("every", self.every, 1),
            ("steps", self.steps, 1),
            ("max_commits", self.max_commits, 0),
            ("max_attempts", self.max_attempts, 1),
            ("period_seconds", self.period_seconds, 1),
        ):
            if value is not None and value < least:
                message = f"{name.replace('_', '-')} must be at least {least}, not {value}"
                raise UserError(message)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Everything a commit is to be measured for."""
        return tuple(
            Target(suite=suite, test_bed=bed) for suite in self.suites or ("",) for bed in self.test_beds or ("",)
        )

    @property
    def effective_order(self) -> Order:
        """The order asked for; else oldest first for NEW, so that a limit never jumps over a commit, and newest first."""
        return self.order or (Order.OLDEST if self.scope is Scope.NEW else Order.NEWEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One commit to measure, what of it, and why."""

    commit: Commit
    targets: tuple[Target, ...]
    reason: Reason
    attempt: int = 1

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites to measure, each once; empty for everything."""
        return tuple(dict.fromkeys(target.suite for target in self.targets if target.suite))

    @property
    def explanation(self) -> str:
        """The reason as a sentence's end."""
        wanted = ", ".join(map(str, self.targets))
        again = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        return f"{self.reason}: {wanted}{again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One commit a plan leaves out, and why."""

    commit: Commit
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in this order; every commit of the range is a step or left out."""

    steps: tuple[Step, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
