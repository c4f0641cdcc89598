"""The plan: which commits to measure, of what, in which order and why. A pure function of the evidence and a policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.model import LeftOut, Plan, Reason, Step, Target
from bench_db.schedule.ranges import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bench_db.model import Commit
    from bench_db.schedule.evidence import Known, Standing

_Chosen = dict[int, tuple[Target, ...]]
_Reasons = dict[int, Reason]


class Order(StrEnum):
    """Which step comes first: the oldest commit, the newest, or the middle of the widest unmeasured gap."""

    OLDEST = "oldest"
    NEWEST = "newest"
    BISECT = "bisect"


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


def plan(commits: Sequence[Commit], known: Known, policy: Policy) -> Plan:
    """An ordered plan over commits given oldest first.

    It never repeats what is measured, tries again only what failed or is missing, and gives every commit a reason.
    """
    standings = known.standing([commit.sha for commit in commits], policy.targets)
    standing = [standings[commit.sha] for commit in commits]
    left: _Reasons = {}
    inside = _within(commits, policy, left)
    wanted = _in_scope(inside, standing, policy, left)
    line = inside if policy.scope is Scope.NEW else list(wanted)
    grid = _each_period(commits, _every(line, standing, policy), standing, policy)
    thinned = _thinned(wanted, grid, policy, left)
    open_ = {i: rest for i, targets in thinned.items() if (rest := _to_do(i, standing[i], targets, policy, left))}
    ordered = _ordered(open_, standing, policy)
    limit = len(ordered) if policy.max_commits is None else policy.max_commits
    left.update(dict.fromkeys(ordered[limit:], Reason.OVER_LIMIT))
    return Plan(
        steps=tuple(_step(commits[i], standing[i], open_[i]) for i in ordered[:limit]),
        left_out=tuple(LeftOut(commit=commits[i], reason=left[i]) for i in sorted(left)),
    )


def _within(commits: Sequence[Commit], policy: Policy, left: _Reasons) -> list[int]:
    """Positions of the commits within the dates."""
    inside = []
    for i, commit in enumerate(commits):
        early = policy.since is not None and commit.time < policy.since
        late = policy.until is not None and commit.time > policy.until
        if early or late:
            left[i] = Reason.OUT_OF_TIME
        else:
            inside.append(i)
    return inside


def _in_scope(inside: list[int], standing: Sequence[Standing], policy: Policy, left: _Reasons) -> _Chosen:
    """The positions in scope, with the targets that are not measured there; a measured one stays, it may be a step taken."""
    chosen: _Chosen = {}
    for i in inside:
        open_targets = tuple(t for t in policy.targets if t not in standing[i].measured)
        if policy.scope is Scope.EXISTING and not standing[i].begun:
            left[i] = Reason.NEVER_MEASURED
        else:
            chosen[i] = open_targets
    return _only_new(chosen, standing, policy, left) if policy.scope is Scope.NEW else chosen


def _only_new(chosen: _Chosen, standing: Sequence[Standing], policy: Policy, left: _Reasons) -> _Chosen:
    """Per target: the commits after the newest measured one, and those before it that were begun and not finished.

    A target never measured starts with the newest commit, not with the whole history.
    """
    positions = list(chosen)
    measured = {t: [i for i in positions if t in standing[i].measured] for t in policy.targets}

    def is_new(i: int, target: Target) -> bool:
        if not measured[target]:
            return i == positions[-1] or target in standing[i].failed
        return i > measured[target][-1] or (standing[i].begun and i > measured[target][0])

    kept: _Chosen = {}
    for i, targets in chosen.items():
        new = tuple(t for t in targets if is_new(i, t))
        if new:
            kept[i] = new
        else:
            left[i] = Reason.NOT_NEW if targets else Reason.MEASURED
    return kept


def _every(line: list[int], standing: Sequence[Standing], policy: Policy) -> list[int]:
    """Every Nth counted from the oldest measured one, from the newest while none is: newer commits shift no grid."""
    anchor = next((k for k, i in enumerate(line) if standing[i].measured), len(line) - 1)
    return [i for k, i in enumerate(line) if (k - anchor) % policy.every == 0]


def _each_period(
    commits: Sequence[Commit], line: list[int], standing: Sequence[Standing], policy: Policy
) -> Collection[int]:
    """The newest of each period, or the oldest measured one: a period that goes on is not measured again and again."""
    if not policy.period_seconds:
        return set(line)
    best: dict[int, int] = {}
    for i in line:
        period = commits[i].time // policy.period_seconds
        if period not in best or not standing[best[period]].measured:
            best[period] = i
    return set(best.values())


def _thinned(chosen: _Chosen, grid: Collection[int], policy: Policy, left: _Reasons) -> _Chosen:
    """Those on the grid, and of them N evenly spread with both ends."""
    positions = [i for i in chosen if i in grid]
    if policy.steps is not None and policy.steps < len(positions):
        positions = _spread(positions, policy.steps)
    kept = set(positions)
    left.update({i: Reason.NOT_CHOSEN for i in chosen if i not in kept})
    return {i: chosen[i] for i in positions}


def _spread(positions: list[int], count: int) -> list[int]:
    """`count` positions at equal distances with both ends; the newest alone when only one may stay."""
    if count == 1:
        return positions[-1:]
    last = len(positions) - 1
    return [positions[(2 * k * last + count - 1) // (2 * (count - 1))] for k in range(count)]


def _to_do(
    i: int, standing: Standing, targets: tuple[Target, ...], policy: Policy, left: _Reasons
) -> tuple[Target, ...]:
    """What is to be done here now; when it is nothing, noting why."""
    wanted = tuple(t for t in targets if policy.retry_failed or t not in standing.failed)
    hopeful = tuple(t for t in wanted if standing.attempts.get(t, 0) < policy.max_attempts)
    if not targets:
        left[i] = Reason.MEASURED
    elif standing.in_flight:
        left[i] = Reason.IN_FLIGHT
    elif not wanted:
        left[i] = Reason.FAILED_KEPT
    elif not hopeful:
        left[i] = Reason.GIVEN_UP
    return () if i in left else hopeful


def _ordered(open_: _Chosen, standing: Sequence[Standing], policy: Policy) -> list[int]:
    positions = sorted(open_)
    match policy.effective_order:
        case Order.OLDEST:
            return positions
        case Order.NEWEST:
            return positions[::-1]
        case Order.BISECT:
            count = len(positions) if policy.max_commits is None else policy.max_commits
            taken = [i for i, known in enumerate(standing) if known.measured or known.in_flight]
            return _widest_first(positions, taken, count)


def _widest_first(positions: list[int], taken: list[int], count: int) -> list[int]:
    """Positions ordered so that each of the first `count` halves the widest gap between the taken; the rest newest first."""
    far = max(positions, default=0) + 1
    gaps = {i: min((abs(i - j) for j in taken), default=far) for i in positions}
    ordered: list[int] = []
    while gaps and len(ordered) < count:
        best = max(gaps, key=lambda i: (gaps[i], i))
        ordered.append(best)
        del gaps[best]
        gaps = {i: min(gap, abs(i - best)) for i, gap in gaps.items()}
    return ordered + sorted(gaps, reverse=True)


def _step(commit: Commit, standing: Standing, targets: tuple[Target, ...]) -> Step:
    if standing.failed.intersection(targets):
        reason = Reason.FAILED_BEFORE
    else:
        reason = Reason.INCOMPLETE if standing.measured else Reason.NOT_MEASURED
    attempt = 1 + max(standing.attempts.get(target, 0) for target in targets)
    return Step(commit=commit, targets=targets, reason=reason, attempt=attempt)
