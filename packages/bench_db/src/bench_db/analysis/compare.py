"""The comparison of a candidate with a baseline: figures of runs in, a verdict with its effect, interval and p-value out."""

from __future__ import annotations

import math
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench_db.analysis.student import t_quantile, two_sided_p
from bench_db.model import Comparison, MeanChange, Verdict
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEVIATION_SHARE = 0.85
NORMAL_CONSISTENCY = 1.4826022185056018  # 1 / 75 % quantile of the standard normal distribution
# what makes the MAD of few normal values unbiased: Croux and Rousseeuw 1992
_SMALL_SAMPLE = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.2, 7: 1.14, 8: 1.129, 9: 1.107}
# the largest relative change that is stated: about 1e304, a float64 with room for a percentage
_LARGEST_LOG = 700.0
_LARGEST = math.expm1(_LARGEST_LOG)
_LEAST_SHARE = 1e-100


class StepTest(NamedTuple):
    """What `compare` finds out from figures alone, with the names of the columns of `Comparison`."""

    verdict: Verdict
    n_baseline: int
    n_candidate: int
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    significant: bool = False


def compare(  # noqa: PLR0913 all but the first three by keyword
    candidate: Sequence[float],
    baseline: Sequence[float],
    direction: Direction = Direction.LOWER,
    *,
    failed: bool = False,
    alpha: float = RULES.significance,
    minimum_effect: float = RULES.minimum_effect,
    minimum_difference: float = 0.0,
) -> Comparison:
    """Compare the figures of candidate runs with those of baseline runs. NaN and infinity are runs without a result.

    A change counts from `minimum_effect`, a share, and from `minimum_difference`, in the unit of the figures; it has to reach both.
    One run is tested against the median and the robust spread of the baseline, several by the t-test of means with pooled variance.

    `failed` says that the candidate ran and gave an error. The interval covers 1 - `alpha`. A significant change of several runs is
    suspected when only one of them shows half of it; whether one run alone proves a change depends on other series (`judge`).
    """
    found = step_test(candidate, baseline, direction, failed, alpha, minimum_effect, minimum_difference)
    return Comparison(**found._asdict())


def step_test(  # noqa: PLR0913, PLR0917 those of `compare`
    candidate: Sequence[float],
    baseline: Sequence[float],
    direction: Direction = Direction.LOWER,
    failed: bool = False,  # noqa: FBT001, FBT002
    alpha: float = RULES.significance,
    minimum_effect: float = RULES.minimum_effect,
    minimum_difference: float = 0.0,
) -> StepTest:
    """Compare as `compare` does, without the record, which takes as long as half of the test."""
    new, old = list(filter(math.isfinite, candidate)), list(filter(math.isfinite, baseline))
    without = _without_test(new, old, failed=failed)
    if without is not None:
        return StepTest(without, len(old), len(new))
    return _tested(new, old, direction, alpha, (minimum_effect, minimum_difference))


def _without_test(new: list[float], old: list[float], *, failed: bool) -> Verdict | None:
    if not new:
        return Verdict.FAILED if failed else Verdict.MISSING
    if not old:
        return Verdict.NEW
    return Verdict.INSUFFICIENT if len(old) < RULES.baseline_runs else None


def _tested(
    new: list[float], old: list[float], direction: Direction, alpha: float, minimum: tuple[float, float]
) -> StepTest:
    logarithmic = min(*new, *old) > 0.0
    if logarithmic:
        unit, y_new, y_old = 1.0, list(map(math.log, new)), list(map(math.log, old))
    else:
        unit = size_of(new, old)
        y_new, y_old = [x / unit for x in new], [x / unit for x in old]
    centre, level = _centres(y_new, y_old)
    step = centre - level
    scale = robust_scale(y_old) if len(new) == 1 else _pooled(y_new, y_old)
    error, df = scale * math.sqrt(1.0 / len(old) + 1.0 / len(new)), degrees(len(new), len(old))
    p_value = two_sided_p(step / error, df) if error > 0.0 else float(step == 0.0)
    margin = error * t_quantile(alpha, df)
    significant = p_value < alpha and _reaches(step, level, unit, minimum, logarithmic=logarithmic)
    effect, low, high = (
        relative(s, level, level + step, logarithmic=logarithmic) for s in (step, step - margin, step + margin)
    )
    verdict = _verdict(step, direction) if significant else Verdict.UNCHANGED
    if verdict is not Verdict.UNCHANGED and len(new) > 1 and _showing(step, level, y_new) == 1:
        verdict = Verdict.SUSPECTED
    return StepTest(verdict, len(old), len(new), effect, low, high, p_value, significant)


def _reaches(step: float, level: float, unit: float, minimum: tuple[float, float], *, logarithmic: bool) -> bool:
    """Tell whether a step reaches the smallest share and the smallest difference that count; rounding must not decide a tie."""
    difference = math.exp(level + step) - math.exp(level) if logarithmic else step * unit
    least = (math.log1p(minimum[0]) if logarithmic else minimum[0], minimum[1])
    return all(abs(is_) >= needed * (1.0 - 1e-9) for is_, needed in zip((step, difference), least, strict=True))


def means(comparisons: Iterable[Comparison]) -> list[MeanChange]:
    """Return the geometric mean change of each device, test bed, suite, metric, unit and direction, in the order of these.

    The benchmarks are a sample: the interval is Student's t of their log ratios, at `rules.significance`.
    """
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for c in comparisons:
        groups.setdefault(_OF_MEAN(c.series), []).append(c)
    return [_mean(group) for _, group in sorted(groups.items())]


_OF_MEAN = attrgetter("dut_name", "test_bed_name", "suite", "metric", "units", "direction")


def _mean(group: Sequence[Comparison]) -> MeanChange:
    sides = [(c.baseline_value, c.candidate_value) for c in group]
    both = [(old, new) for old, new in sides if old is not None and new is not None]
    logs = [math.log(new) - math.log(old) for old, new in both if min(old, new) > 0.0]
    effect = math.fsum(logs) / len(logs) if logs else None
    low = high = None
    if effect is not None and len(logs) > 1:
        squares = math.fsum((x - effect) ** 2 for x in logs) / (len(logs) - 1)
        margin = t_quantile(RULES.significance, len(logs) - 1) * math.sqrt(squares / len(logs))
        low, high = (relative(end, 0.0, 0.0, logarithmic=True) for end in (effect - margin, effect + margin))
    series = group[0].series
    return MeanChange(
        dut_name=series.dut_name,
        test_bed_name=series.test_bed_name,
        suite=series.suite,
        metric=series.metric,
        units=series.units,
        direction=series.direction,
        effect=None if effect is None else relative(effect, 0.0, 0.0, logarithmic=True),
        low=low,
        high=high,
        benchmarks=len(logs),
        missing=sum(old is not None and new is None for old, new in sides),
        new=sum(old is None and new is not None for old, new in sides),
        not_positive=len(both) - len(logs),
    )


def step_and_margin(tested: Comparison) -> tuple[float, float]:
    """Return the change of a tested comparison and half the width of its interval, as logarithms where it has them."""
    effect, low, high = (0.0 if end is None else end for end in (tested.effect, tested.low, tested.high))
    if min(effect, low, high) > -1.0:
        effect, low, high = math.log1p(effect), math.log1p(low), math.log1p(high)
    return effect, (high - low) / 2


def centres(new: Sequence[float], old: Sequence[float]) -> tuple[float, float]:
    """Return the values that `compare` compares, of the candidate and of the baseline.

    They are the median of the baseline beside one run, and the means of both sides for several: geometric means, unless a value is not above 0.
    """
    if len(new) == 1 or min(*new, *old) <= 0.0:
        return _centres(new, old)
    of_new, of_old = _centres([math.log(x) for x in new], [math.log(x) for x in old])
    return math.exp(of_new), math.exp(of_old)


def _centres(new: Sequence[float], old: Sequence[float]) -> tuple[float, float]:
    return (new[0], median(old)) if len(new) == 1 else (_mean_of(new), _mean_of(old))


def _mean_of(values: Sequence[float]) -> float:
    if min(values) == max(values):
        return values[0]  # the mean of equal numbers may miss them by a bit
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # of the sum: the mean is a float64
        return math.fsum(x / len(values) for x in values)


def _pooled(new: Sequence[float], old: Sequence[float]) -> float:
    """Return the pooled standard deviation of both sides."""
    squares = math.fsum((x - mean) ** 2 for side in (new, old) for mean in [_mean_of(side)] for x in side)
    return math.sqrt(squares / (len(new) + len(old) - 2))


def _showing(step: float, level: float, new: list[float]) -> int:
    """Count the candidate runs that show at least half of a step."""
    return sum((x - level) * step >= step * step / 2 for x in new)


def size_of(new: list[float], old: list[float]) -> float:
    """Return the unit of numbers that may be zero or negative: a size that both sides share, so that sides may be swapped.

    In this unit no number is above 1e100: its square is a float64.
    """
    size = median(map(abs, new)) / 2 + median(map(abs, old)) / 2
    largest = max(map(abs, (*new, *old)))
    return size if 0.0 < size >= largest * _LEAST_SHARE else largest or 1.0


def robust_scale(values: Sequence[float]) -> float:
    """Return the robust run-to-run scale max(MAD, 0.85 SD) of the runs of a level, about their median."""
    centre = median(values)
    residuals = [x - centre for x in values]
    if not any(residuals):
        return 0.0
    mad = NORMAL_CONSISTENCY * median(map(abs, residuals)) * _SMALL_SAMPLE.get(len(values), _of_many(len(values)))
    mean = math.fsum(values) / len(values)
    return max(mad, DEVIATION_SHARE * math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1)))


def degrees(new: int, old: int) -> int:
    """Return the degrees of freedom of the test on so many runs: for one run half those of the standard deviation, at least 3."""
    return max(3, (old - 1) // 2) if new == 1 else old + new - 2


def _of_many(n: int) -> float:
    return n / (n - 0.8)


def relative(step: float, before: float, after: float, *, logarithmic: bool) -> float:
    """Return a step relative to the level before, or to the level after where that is 0; 0 where both are."""
    if logarithmic:
        return math.expm1(min(step, _LARGEST_LOG))  # an interval may be wider than a float64
    return max(-_LARGEST, min(step / (abs(before) or abs(after) or 1.0), _LARGEST))


def _verdict(step: float, direction: Direction) -> Verdict:
    if direction is Direction.INFO:
        return Verdict.UNCHANGED
    better = (step < 0.0) is (direction is Direction.LOWER)
    return Verdict.IMPROVED if better else Verdict.REGRESSED
