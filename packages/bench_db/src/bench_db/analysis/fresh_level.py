"""The newest runs of a level that show the change of a candidate already: a step that is too young to be a change point."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench_db.analysis.compare import compare
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence


def fresh_runs(
    candidate: Sequence[float],
    level: Sequence[float],
    *,
    minimum_effect: float = RULES.minimum_effect,
    minimum_difference: float = 0.0,
) -> int:
    """Return how many of the newest runs of an oldest-first level began the change that the candidate shows; 0 without such a change.

    `minimum_effect` and `minimum_difference` are those of `compare`.
    They are fewer than `rules.level_runs`, lie with the candidate on one side of all runs before them, and each of them differs
    significantly from those. At least `rules.baseline_runs` runs remain. Without this the first slow run widens the spread
    of the baseline, and the second one passes.
    """
    tested = partial(compare, minimum_effect=minimum_effect, minimum_difference=minimum_difference)
    for fresh in range(min(RULES.level_runs - 1, len(level) - RULES.baseline_runs), 0, -1):
        rest, newest = level[:-fresh], level[-fresh:]
        beyond = [*newest, *candidate]
        if not (min(beyond) > max(rest) or max(beyond) < min(rest)):
            continue
        if all(tested(runs, rest).significant for runs in (candidate, *([x] for x in newest))):
            return fresh
    return 0
