"""Find the commit of a change: ask on which side of it the middle of the suspects is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench_db.errors import UserError
from bench_db.model import Bisection, Commit, Look, Side

Ends = Callable[[Commit, Commit], tuple[Look, Look]]
"""Compare the ends. Raises `UserError` when one cannot be measured, or they do not differ."""

Ask = Callable[[Commit], Look]
"""Look at one commit; its side may be UNSURE or UNMEASURABLE."""


def bisect(commits: Sequence[Commit], ends: Ends, ask: Ask) -> Bisection:
    """Return the commit of the change between the first commit, good, and the last, bad; commits are oldest first.

    Raises `UserError` when an end cannot be measured, or the ends do not differ.
    """
    if len(commits) < 2:  # noqa: PLR2004 a good and a bad one
        message = "nothing to bisect: the bad commit must come after the good one on the same branch"
        raise UserError(message)
    low, high = 0, len(commits) - 1
    looks = dict(zip((low, high), ends(commits[low], commits[high]), strict=True))
    while fresh := [i for i in range(low + 1, high) if i not in looks]:
        middle = min(fresh, key=lambda i: (abs(2 * i - low - high), i))
        looks[middle] = ask(commits[middle])
        side = looks[middle].side
        low, high = (middle if side is Side.GOOD else low), (middle if side is Side.BAD else high)
    return Bisection(suspects=tuple(commits[low + 1 : high + 1]), looks=tuple(looks[i] for i in sorted(looks)))
