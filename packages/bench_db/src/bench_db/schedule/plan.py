"""The plan: which commits of a range to measure, of what, in which order and why. A pure function of evidence and a policy."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.identity import ABBREVIATED_SHA
from bench_db.model import Commit, LeftOut, Plan, Reason, Step, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bench_db.model import Commit

_SECONDS = {"h": 3_600, "d": 86_400, "w": 604_800, "m": 2_592_000, "y": 31_536_000}
_PERIOD = re.compile(r"([1-9]\d{0,4})([hdwmy])")
_UNFIT = re.compile(r"[\x00-\x20\x7f?*\[\\]")
GRAMMAR = "NEW, ALL, EXISTING, TAGS, TAGS:v1.*, A..B, or commits separated by commas"
_FULL = 40
# Commits that nobody asked for, or that somebody measures now: their failures are none of this plan.
_ELSEWHERE = frozenset({Reason.OUT_OF_TIME, Reason.NOT_CHOSEN, Reason.NOT_NEW, Reason.NEVER_MEASURED, Reason.IN_FLIGHT})
_Chosen = dict[int, tuple[Target, ...]]
_Reasons = dict[int, Reason]


class Scope(StrEnum):
    """Commits of the branch, by what is measured of them."""

    NEW = "NEW"
    ALL = "ALL"
    EXISTING = "EXISTING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The commits that tags of a glob pattern name."""

    pattern: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The commits reachable from `end` and not from `start`, as `git log start..end`."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """The commits of these names, each a sha, a tag, a branch, or an expression such as HEAD~3."""

    names: tuple[str, ...]


Range = Scope | Tags | Between | Commits


def parse_range(text: str) -> Range:
    """Parse a range. Raise `UserError` with the grammar when the text is none."""
    text = text.strip()
    if text in Scope.__members__:
        return Scope(text)
    if text == "TAGS" or text.startswith("TAGS:"):
        return Tags(pattern=text.partition(":")[2] or "*")
    if "..." in text:
        message = f"range {text!r}: three dots are not supported; write A..B for the commits of B that A does not have"
        raise UserError(message)
    start, dots, end = text.partition("..")
    if dots:
        return Between(start=_name(start or "HEAD", text), end=_name(end or "HEAD", text))
    return Commits(names=tuple(_name(part.strip(), text) for part in text.split(",")))


def _name(name: str, text: str) -> str:
    if not name or name.startswith("-") or ".." in name or _UNFIT.search(name):
        message = f"range {text!r}: {name!r} cannot name a commit; a range is {GRAMMAR}"
        raise UserError(message)
    if name in {*Scope, "TAGS"}:
        message = f"range {text!r}: {name} takes no other names beside it; a range is {GRAMMAR}"
        raise UserError(message)
    return name


def parse_period(text: str) -> int:
    """Parse a period into seconds: a number and h, d, w, m (30 days) or y (365 days), as in `1w`."""
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        message = f"`date_period` {text}: a period is a number and h, d, w, m or y, such as 12h, 1w or 1m"
        raise UserError(message)
    return int(found[1]) * _SECONDS[found[2]]


def oldest_first(commits: Iterable[Commit]) -> list[Commit]:
    """Return commits without a common history by time, each once."""
    return sorted({commit.sha: commit for commit in commits}.values(), key=lambda commit: (commit.time, commit.sha))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The numbers of results and failures in the store, by commit, suite and test bed; `commit` may be abbreviated."""

    commit: str
    suite: str = ""
    test_bed: str = ""
    results: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state of one commit: targets with results, those of them with failures beside, targets that only failed, and the attempts at each."""

    measured: frozenset[Target] = frozenset()
    partial: frozenset[Target] = frozenset()
    failed: frozenset[Target] = frozenset()
    attempts: Mapping[Target, int] = field(default_factory=dict)
    in_flight: bool = False

    @property
    def begun(self) -> bool:
        """Whether there was any attempt."""
        return bool(self.measured or self.failed or any(self.attempts.values()))

    def without_partial(self) -> Standing:
        """Return the state in which targets with failures beside results failed."""
        return replace(self, measured=self.measured - self.partial, failed=self.failed | self.partial)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The evidence before a plan is made.

    `in_flight` are commits that are being measured; `attempts` counts attempts by commit and suite, and an empty suite counts
    for every suite.
    """

    evidence: tuple[Evidence, ...] = ()
    in_flight: frozenset[str] = frozenset()
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def standing(
        self, shas: Iterable[str], targets: Collection[Target], *, retry_partial: bool = False
    ) -> dict[str, Standing]:
        """Return the state of each commit for these targets; with `retry_partial` failures beside results count as failed."""
        by_prefix: dict[str, list[Evidence]] = defaultdict(list)
        for item in self.evidence:
            by_prefix[item.commit[:ABBREVIATED_SHA]].append(item)
        known = {sha: self._of(sha, targets, by_prefix.get(sha[:ABBREVIATED_SHA], [])) for sha in shas}
        return {sha: one.without_partial() for sha, one in known.items()} if retry_partial else known

    def _of(self, sha: str, targets: Collection[Target], near: list[Evidence]) -> Standing:
        mine = [item for item in near if abbreviates(item.commit, sha)]
        measured = {t for t in targets if any(e.results and t.covers(e.suite, e.test_bed) for e in mine)}
        failed = {t for t in targets if any(e.failures and t.covers(e.suite, e.test_bed) for e in mine)}
        of_all = self.attempts.get((sha, ""), 0)
        tried = {t: of_all + (self.attempts.get((sha, t.suite), 0) if t.suite else 0) for t in targets}
        return Standing(
            measured=frozenset(measured),
            failed=frozenset(failed - measured),
            partial=frozenset(failed & measured),
            attempts={t: count or int(t in failed) for t, count in tried.items()},
            in_flight=any(abbreviates(flying, sha) for flying in self.in_flight),
        )


def abbreviates(stored: str, sha: str) -> bool:
    """Return whether a stored commit is this one: the same text, or at least seven hexadecimal digits that begin it."""
    return stored == sha or (ABBREVIATED_SHA <= len(stored) < _FULL and sha.startswith(stored))


class Order(StrEnum):
    """The order of steps: the oldest commit first, the newest, or the middle of the widest unmeasured gap."""

    OLDEST = "oldest"
    NEWEST = "newest"
    BISECT = "bisect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which commits to measure, of what, and how many.

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
    retry_partial: bool = False
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
                message = f"`{name}` must be at least {least}, not {value}"
                raise UserError(message)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of every commit."""
        return tuple(
            Target(suite=suite, test_bed=bed) for suite in self.suites or ("",) for bed in self.test_beds or ("",)
        )

    @property
    def effective_order(self) -> Order:
        """The order, by default oldest first for NEW, so that a limit never skips a commit, and newest first for others."""
        return self.order or (Order.OLDEST if self.scope is Scope.NEW else Order.NEWEST)


def plan(commits: Sequence[Commit], known: Known, policy: Policy) -> Plan:
    """Return an ordered plan over commits, which are oldest first.

    It never repeats a measured commit, retries only failed and missing targets, and gives every commit a reason.
    """
    standings = known.standing([commit.sha for commit in commits], policy.targets, retry_partial=policy.retry_partial)
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
    tried = {i: open_[i] for i in ordered[:limit]}
    return Plan(
        steps=tuple(_step(commits[i], standing[i], targets) for i, targets in tried.items()),
        left_out=tuple(LeftOut(commit=commits[i], reason=left[i]) for i in sorted(left)),
        incomplete=tuple(commits[i] for i in _incomplete(standing, tried, policy, left)),
    )


def _within(commits: Sequence[Commit], policy: Policy, left: _Reasons) -> list[int]:
    """Return the positions of the commits within the dates."""
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
    """Return the positions in scope with their unmeasured targets. Measured positions stay, because they count for `steps`."""
    chosen: _Chosen = {}
    for i in inside:
        open_targets = tuple(t for t in policy.targets if t not in standing[i].measured)
        if policy.scope is Scope.EXISTING and not standing[i].begun:
            left[i] = Reason.NEVER_MEASURED
        else:
            chosen[i] = open_targets
    return _only_new(chosen, standing, policy, left) if policy.scope is Scope.NEW else chosen


def _only_new(chosen: _Chosen, standing: Sequence[Standing], policy: Policy, left: _Reasons) -> _Chosen:
    """Keep, per target, the commits after the newest measured one, and earlier commits that were begun and not finished.

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
    """Return every Nth position counted from the oldest measured one, else from the newest: newer commits shift no grid."""
    anchor = next((k for k, i in enumerate(line) if standing[i].measured), len(line) - 1)
    return [i for k, i in enumerate(line) if (k - anchor) % policy.every == 0]


def _each_period(
    commits: Sequence[Commit], line: list[int], standing: Sequence[Standing], policy: Policy
) -> Collection[int]:
    """Return the newest position of each period, or its oldest measured one: a current period is measured once."""
    if not policy.period_seconds:
        return set(line)
    best: dict[int, int] = {}
    for i in line:
        period = commits[i].time // policy.period_seconds
        if period not in best or not standing[best[period]].measured:
            best[period] = i
    return set(best.values())


def _thinned(chosen: _Chosen, grid: Collection[int], policy: Policy, left: _Reasons) -> _Chosen:
    """Keep the positions on the grid, and of them N evenly spread with both ends."""
    positions = [i for i in chosen if i in grid]
    if policy.steps is not None and policy.steps < len(positions):
        positions = _spread(positions, policy.steps)
    kept = set(positions)
    left.update({i: Reason.NOT_CHOSEN for i in chosen if i not in kept})
    return {i: chosen[i] for i in positions}


def _spread(positions: list[int], count: int) -> list[int]:
    """Return `count` positions at equal distances with both ends; the newest when `count` is 1."""
    if count == 1:
        return positions[-1:]
    last = len(positions) - 1
    return [positions[(2 * k * last + count - 1) // (2 * (count - 1))] for k in range(count)]


def _to_do(
    i: int, standing: Standing, targets: tuple[Target, ...], policy: Policy, left: _Reasons
) -> tuple[Target, ...]:
    """Return the targets to measure; for none, record the reason."""
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


def _incomplete(standing: Sequence[Standing], tried: _Chosen, policy: Policy, left: _Reasons) -> list[int]:
    """Return the positions with a failed target that is not tried. With the scope NEW a newer result settles a failure in part."""
    newest = {t: max((i for i, one in enumerate(standing) if t in one.measured), default=0) for t in policy.targets}

    def stays(i: int, target: Target) -> bool:
        if target in standing[i].measured:
            is_settled = policy.scope is Scope.NEW and i < newest[target]
            return target in standing[i].partial and not is_settled
        return target in standing[i].failed or standing[i].attempts.get(target, 0) >= policy.max_attempts

    asked = (i for i in range(len(standing)) if left.get(i) not in _ELSEWHERE)
    return [i for i in asked if any(stays(i, t) for t in policy.targets if t not in tried.get(i, ()))]


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
    """Order positions so that each of the first `count` halves the widest gap between the taken; the rest newest first."""
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
