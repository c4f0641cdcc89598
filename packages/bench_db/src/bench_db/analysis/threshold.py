"""The plain gate: a threshold on the change of the median, in exact arithmetic and without a test of significance."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

from bench_db.model import Comparison, Verdict
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

# A float64 keeps 15 decimal digits; what conversion to base units and a median of two do to the last few decides nothing.
_DIGITS = 12
# What rounding both sides to so many digits can add to their ratio, as a share of it, at most.
_ROUNDING = Fraction(11, 10**_DIGITS)


def within_threshold(
    candidate: Sequence[float],
    baseline: Sequence[float],
    direction: Direction = Direction.LOWER,
    *,
    threshold: float,
    failed: bool = False,
) -> Comparison:
    """Compare the median of candidate runs with that of baseline runs: a change of up to a share of `threshold` is unchanged.

    One run on either side is enough. NaN and infinity are runs without a result.
    """
    new, old = [x for x in candidate if math.isfinite(x)], [x for x in baseline if math.isfinite(x)]
    if not new or not old:
        absent = Verdict.FAILED if failed else Verdict.MISSING
        return Comparison(verdict=Verdict.NEW if new else absent, n_baseline=len(old), n_candidate=len(new))
    before, after = exact(median(old)), exact(median(new))
    step = after - before
    relative = step / (abs(before) or abs(after) or 1)
    beyond = abs(relative) > exact(threshold) + _ROUNDING * (1 + abs(relative))
    better = (step < 0) is (direction is Direction.LOWER)
    moved = Verdict.IMPROVED if better else Verdict.REGRESSED
    return Comparison(
        verdict=moved if beyond and direction is not Direction.INFO else Verdict.UNCHANGED,
        effect=float(relative),
        n_baseline=len(old),
        n_candidate=len(new),
        significant=beyond,
    )


def exact(number: float) -> Fraction:
    """Return the decimal number of a float, to 12 digits."""
    return Fraction(f"{number:.{_DIGITS}g}")
