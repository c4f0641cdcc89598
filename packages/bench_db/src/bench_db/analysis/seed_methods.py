"""The two methods of lance-bench, for comparison: the same statistics, without the defects.

Both respect direction, minimum effect, zero variance and too few runs, as `compare` does. Two faults remain: the t-test calls any
history that ever moved a change, and one quiet run in fifteen exceeds |z| > 2.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from bench_db.analysis.student import two_sided_p
from bench_db.model import Comparison, Verdict
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

RECENT_RUNS = 4
T_TEST_ALPHA = 0.05
NEWEST_RUNS = 20
Z_THRESHOLD = 2.0


def lance_bench_ttest(
    values: Sequence[float],
    direction: Direction = Direction.LOWER,
    *,
    recent: int = RECENT_RUNS,
    alpha: float = T_TEST_ALPHA,
) -> Comparison:
    """Apply Student's t-test of equal variances: the last `recent` runs, in commit order, against all older ones."""
    kept = [x for x in values if math.isfinite(x)]
    new, old = kept[-recent:], kept[:-recent]
    if len(old) < 2:  # noqa: PLR2004
        return Comparison(verdict=Verdict.INSUFFICIENT, n_baseline=len(old), n_candidate=len(new))
    degrees = len(old) + len(new) - 2
    pooled = math.sqrt((_square(old) + _square(new)) / degrees)
    error = pooled * math.sqrt(1.0 / len(old) + 1.0 / len(new))
    difference = fmean(new) - fmean(old)
    p_value = two_sided_p(difference / error, degrees) if error > 0.0 else float(difference == 0.0)
    return _comparison(new, old, p_value, direction, significant=p_value < alpha)


def lance_bench_z(candidate: float, history: Sequence[float], direction: Direction = Direction.LOWER) -> Comparison:
    """Compare one run by its z against the mean and standard deviation of the newest 20 others, in commit order."""
    old = [x for x in history if math.isfinite(x)][-NEWEST_RUNS:]
    if not math.isfinite(candidate):
        return Comparison(verdict=Verdict.MISSING, n_baseline=len(old), n_candidate=0)
    if len(old) < RULES.baseline_runs:
        return Comparison(verdict=Verdict.INSUFFICIENT if old else Verdict.NEW, n_baseline=len(old), n_candidate=1)
    spread, difference = _deviation(old), candidate - fmean(old)
    z = difference / spread if spread > 0.0 else math.copysign(math.inf, difference) if difference else 0.0
    p_value = math.erfc(abs(z) / math.sqrt(2.0))
    return _comparison([candidate], old, p_value, direction, significant=abs(z) > Z_THRESHOLD)


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(set(values)) > 1 else 0.0


def _square(values: Sequence[float]) -> float:
    return _deviation(values) ** 2 * (len(values) - 1) if len(values) > 1 else 0.0


def _comparison(
    new: Sequence[float], old: Sequence[float], p_value: float, direction: Direction, *, significant: bool
) -> Comparison:
    level, difference = fmean(old), fmean(new) - fmean(old)
    effect = difference / abs(level) if level else math.copysign(math.inf, difference) if difference else 0.0
    passed = significant and abs(effect) >= RULES.minimum_effect
    better = (difference < 0.0) is (direction is Direction.LOWER)
    moved = Verdict.IMPROVED if better else Verdict.REGRESSED
    return Comparison(
        verdict=moved if passed and direction is not Direction.INFO else Verdict.UNCHANGED,
        effect=effect,
        p_value=p_value,
        n_baseline=len(old),
        n_candidate=len(new),
        significant=passed,
    )
