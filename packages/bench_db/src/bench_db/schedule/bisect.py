"""Find the commit of a change: measure the middle of the suspects, and again where noise hides the answer."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev

from bench_db.errors import UserError
from bench_db.model import Bisection, Commit, Look, Side
from bench_db.rules import RULES

Rounds = Sequence[Sequence[float]]
"""Samples of one commit, one sequence a round: rounds differ more than the samples within one."""

Measure = Callable[[Commit], Sequence[float]]
"""One more round of a commit; no samples when it cannot be measured, or does not have the benchmark."""


Judge = Callable[[Rounds, Rounds, Rounds], Side]
"""The side of the third argument, given the good and the bad rounds; UNSURE asks for another round."""

_NEAR, _FAR = 0.35, 0.65
_NOISE_FACTOR = 3.0
# One round does not show how much rounds differ: with 2 % noise half of all searches found a change.
_ROUNDS_OF_ENDS = 3


def bisect(commits: Sequence[Commit], measure: Measure, judge: Judge, *, most_rounds: int = 4) -> Bisection:
    """Return the commit of the change between the first commit, good, and the last, bad; commits are oldest first.

    Raises `UserError` when an end cannot be measured, or the ends do not differ by more than the noise.
    """
    if len(commits) < 2:  # noqa: PLR2004 a good and a bad one
        message = "nothing to bisect: the bad commit must come after the good one on the same branch"
        raise UserError(message)
    search = _Search(commits=commits, measure=measure, judge=judge, most_rounds=most_rounds)
    search.compare_ends()
    low, high = 0, len(commits) - 1
    while (middle := search.next_between(low, high)) is not None:
        side = search.look(middle)
        low, high = (middle if side is Side.GOOD else low), (middle if side is Side.BAD else high)
    looks = tuple(search.looks[i] for i in sorted(search.looks))
    return Bisection(suspects=tuple(commits[low + 1 : high + 1]), looks=looks)


@dataclass(kw_only=True)
class _Search:
    commits: Sequence[Commit]
    measure: Measure
    judge: Judge
    most_rounds: int
    rounds: defaultdict[int, list[Sequence[float]]] = field(default_factory=lambda: defaultdict(list))
    tries: Counter[int] = field(default_factory=Counter)
    looks: dict[int, Look] = field(default_factory=dict)

    @property
    def bad(self) -> int:
        return len(self.commits) - 1

    def compare_ends(self) -> None:
        for i in (0, self.bad) * min(_ROUNDS_OF_ENDS, self.most_rounds):
            if not self.more(i):
                message = f"commit {self.commits[i].sha[: RULES.sha_length]} cannot be measured, or does not have the benchmark; choose another end"
                raise UserError(message)
        if not self.settled(self.bad, Side.BAD):
            good, bad = (typical(self.rounds[i]) for i in (0, self.bad))
            message = (
                f"the ends do not differ by more than the noise ({good:.6g} and {bad:.6g}): there is no change to find"
            )
            raise UserError(message)
        self.note(0, Side.GOOD)
        self.note(self.bad, Side.BAD)

    def look(self, i: int) -> Side:
        if not self.more(i):
            return self.note(i, Side.UNMEASURABLE)
        self.settled(i, Side.GOOD, Side.BAD)
        return self.note(i, self.judge(self.rounds[0], self.rounds[self.bad], self.rounds[i]))

    def settled(self, i: int, *sides: Side) -> bool:
        """Measure this commit and the ends until the judge names one of these sides; return whether it does."""
        while self.judge(self.rounds[0], self.rounds[self.bad], self.rounds[i]) not in sides:
            behind = [j for j in dict.fromkeys((i, 0, self.bad)) if self.tries[j] < self.most_rounds]
            if not behind:
                return False
            for j in behind:
                self.more(j)
        return True

    def more(self, i: int) -> bool:
        """Measure one more round; return whether the commit has samples."""
        self.tries[i] += 1
        if samples := self.measure(self.commits[i]):
            self.rounds[i].append(samples)
        return bool(self.rounds[i])

    def note(self, i: int, side: Side) -> Side:
        known = self.rounds[i]
        look = Look(commit=self.commits[i], side=side, rounds=len(known), typical=typical(known) if known else None)
        self.looks[i] = look
        return side

    def next_between(self, low: int, high: int) -> int | None:
        """Return the unmeasured commit nearest to the middle; None when there is none left."""
        fresh = [i for i in range(low + 1, high) if i not in self.looks]
        return min(fresh, key=lambda i: (abs(2 * i - low - high), i), default=None)


def typical(rounds: Rounds) -> float:
    """Return the median of the medians of the rounds."""
    return median(median(samples) for samples in rounds)


def nearest_side(good: Rounds, bad: Rounds, candidate: Rounds, *, least_change: float = RULES.minimum_effect) -> Side:
    """Return the nearer end on a logarithmic scale; UNSURE in the middle third, and when the ends do not clearly differ.

    The ends differ clearly when they differ by `least_change` (a fraction) and by three times the noise: the widest standard
    deviation of one commit's rounds, or for single rounds the standard error of a median.
    """
    g, b, c = (math.log(max(typical(rounds), math.ulp(0.0))) for rounds in (good, bad, candidate))
    noise = max(_noise(rounds) for rounds in (good, bad, candidate))
    if abs(b - g) < max(math.log1p(least_change), _NOISE_FACTOR * noise):
        return Side.UNSURE
    place = (c - g) / (b - g)
    if _NEAR < place < _FAR:
        return Side.UNSURE
    return Side.GOOD if place <= _NEAR else Side.BAD


def _noise(rounds: Rounds) -> float:
    """Return the spread of one commit, as a fraction."""
    middles = [median(samples) for samples in rounds]
    center = median(middles) or math.ulp(0.0)
    between = stdev(middles) / center if len(middles) > 1 else 0.0
    errors = [median(abs(x - median(r)) for x in r) * 1.4826 * 1.2533 / math.sqrt(len(r)) / center for r in rounds]
    return max(between, median(errors))
