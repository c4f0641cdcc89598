"""The comparison of two sides measured in pairs: rounds with a figure of each side in, a verdict with its effect and interval out.

docs/statistics.md describes the method, with the source and the calibration of each constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench_db.analysis.compare import relative, size_of
from bench_db.analysis.student import benjamini_hochberg, t_quantile, two_sided_p
from bench_db.model import PairVerdict
from bench_db.query.thresholds import Threshold
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKS = (5, 8, 12)
# Together an error of 1 %, because the tests at the looks agree with each other; .01 at each look gives 3.4 %.
_LEVELS = (0.001, 0.003, 0.0072)
# One-sided levels of a confirmation. Their sum bounds its error at any spread: where the spread of a round is large, an estimate without an
# effect reaches the minimum effect too often for that to protect. Figures of a coarse clock exceed it a little (docs/statistics.md).
_CONFIRMING = (0.001, 0.003, 0.011)
# The share of the error spent at a look of any other schedule is the share of the rounds, to this power.
_SPENDING = 2.5
_OUTSIDE_INTERVAL = 0.05
# A relative decrease of 1 has no logarithm.
_MOST_DECREASE = 0.99
_ROBUST_ROUNDS = 8
_TRIMMED = 0.2
# A smaller deviation of logarithms is a rounding error.
_ROUNDING = 1e-12


class Round(NamedTuple):
    """The figures of both sides in one round; `shift` is the position of head in the round minus that of base."""

    base: float
    head: float
    shift: int


class Claim(NamedTuple):
    """A regression that a confirmation tests: whether it is an increase, and the smallest relative change that counts.

    With `on_a_side` the question is on which side of that change the series is, and both answers are tested.
    """

    is_increase: bool
    least: float
    on_a_side: bool = False


class Look(NamedTuple):
    """A number of rounds after which the series are judged, and the level of the tests then."""

    rounds: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict on one series after a look; effects are relative, and null without two rounds.

    `scaled` is the p-value times `rules.significance` over the level of its look, so that series of several looks compare.
    `needed` is the number of further rounds that would tell, null when that is more than `rules.pair_most_needed`.
    """

    verdict: PairVerdict = PairVerdict.UNDECIDED
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    scaled: float = 1.0
    rounds: int = 0
    needed: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether further rounds do not change the verdict."""
        return self.verdict in {PairVerdict.REGRESSED, PairVerdict.IMPROVED, PairVerdict.UNCHANGED}


def schedule(rounds: int, looks: Sequence[int] = LOOKS, *, confirming: bool = False) -> tuple[Look, ...]:
    """Return the looks at up to so many rounds, with levels that keep the error of all looks at `rules.significance`.

    When `confirming` the levels are one-sided, and those of `confirm`: at most 1.5 % together.
    """
    at = (*sorted({look for look in looks if 1 < look < rounds}), rounds)
    levels, error = (_CONFIRMING, sum(_CONFIRMING)) if confirming else (_LEVELS, RULES.significance)
    if at == LOOKS:
        return tuple(map(Look, at, levels))
    spent = [error * (n / rounds) ** _SPENDING for n in at]
    return tuple(Look(n, now - before) for n, now, before in zip(at, spent, [0.0, *spent], strict=False))


def judge(
    suite: Sequence[Sequence[Round]],
    directions: Sequence[Direction],
    before: Sequence[Judged],
    level: float,
    *,
    least: Sequence[Threshold] = (),
) -> list[Judged]:
    """Return the verdicts on the series of a suite at one look; a series with a final verdict in `before` keeps it.

    A change counts from `least` of its series, by default from `rules.minimum_effect`. The Benjamini-Hochberg procedure over the suite decides what is regressed or improved; a series whose test only reaches the
    level of the look is suspected. Figures that are not finite are no rounds of their series.
    """
    tests = [None if known.is_final else _tested(rounds) for rounds, known in zip(suite, before, strict=True)]
    scaled = [
        known.scaled if test is None else min(1.0, test.p_value * RULES.significance / level)
        for test, known in zip(tests, before, strict=True)
    ]
    found = benjamini_hochberg(np.array(scaled)) <= RULES.significance
    least = least or [Threshold(relative=RULES.minimum_effect)] * len(suite)
    return [
        known if test is None else _judged(test, direction, level, test.least_of(smallest), is_found=bool(is_found))
        for test, direction, known, smallest, is_found in zip(tests, directions, before, least, found, strict=True)
    ]


def confirm(
    suite: Sequence[Sequence[Round]], claims: Sequence[Claim], before: Sequence[Judged], level: float
) -> list[Judged]:
    """Return whether each claimed regression shows at one look; a series with a final verdict in `before` keeps it.

    Regressed: the one-sided test reaches the level, and the effect the least one of the claim. Unchanged: the whole interval is
    better than that. Undecided: neither. `p_value` is one-sided. Of a claim `on_a_side` regressed means that the change is larger
    than its least one, and unchanged that it is smaller, each at the level.
    """
    return [
        known if known.is_final else _confirmed(_tested(rounds), claim, level)
        for rounds, claim, known in zip(suite, claims, before, strict=True)
    ]


def _confirmed(test: _Test | None, claim: Claim, level: float) -> Judged:
    if test is None:
        return Judged()
    way = 1.0 if claim.is_increase else -1.0
    best, least = test.best, test.least(claim.least) if claim.is_increase else test.least_decrease(claim.least)
    margin = best.margin(test.share(_OUTSIDE_INTERVAL))
    p_value = test.one_sided(way)
    verdict = PairVerdict.UNDECIDED
    if claim.on_a_side:
        wide = best.margin(test.share(level))
        if abs(way * best.step - least) > wide:
            verdict = PairVerdict.REGRESSED if way * best.step > least else PairVerdict.UNCHANGED
    elif p_value <= level and way * best.step >= least * (1.0 - 1e-9):  # rounding must not decide a tie
        verdict = PairVerdict.REGRESSED
    elif way * best.step + margin < least:
        verdict = PairVerdict.UNCHANGED
    return Judged(
        verdict=verdict,
        effect=test.relative(best.step),
        low=test.relative(best.step - margin),
        high=test.relative(best.step + margin),
        p_value=p_value,
        rounds=test.rounds,
        needed=_needed(test, least, _LEVELS[-1] if claim.on_a_side else 2.0 * _CONFIRMING[-1])
        if verdict is PairVerdict.UNDECIDED
        else None,
    )


class _Estimate(NamedTuple):
    """A step and its standard error with degrees of freedom."""

    step: float
    error: float
    df: int

    @property
    def p_value(self) -> float:
        return two_sided_p(self.step / self.error, self.df) if self.error > 0.0 else float(self.step == 0.0)

    def one_sided(self, way: float) -> float:
        """Return the p-value of a step that has the sign of `way`."""
        half = self.p_value / 2.0
        return half if self.step * way > 0.0 else 1.0 - half

    def margin(self, two_sided: float) -> float:
        return self.error * t_quantile(two_sided, self.df)


class _Test(NamedTuple):
    """The estimates of one series: from the mean, and from 8 rounds on from the trimmed mean, unless figures are coarse.

    `unit` is null for log ratios. `signs` are the numbers of steps up and down of coarse figures, null of others.
    """

    estimates: tuple[_Estimate, ...]
    signs: tuple[int, int] | None
    rounds: int
    level: float
    unit: float | None
    base: float

    @property
    def p_value(self) -> float:
        of_estimates = min(1.0, len(self.estimates) * min(estimate.p_value for estimate in self.estimates))
        return max(of_estimates, min(1.0, 2.0 * min(self.of_signs(way) for way in (1.0, -1.0))))

    def one_sided(self, way: float) -> float:
        """Return the p-value of a step that has the sign of `way`."""
        of_estimates = min(1.0, len(self.estimates) * min(estimate.one_sided(way) for estimate in self.estimates))
        return max(of_estimates, self.of_signs(way))

    def of_signs(self, way: float) -> float:
        """Return the p-value of the sign test of coarse figures, 0 for others: few values may have next to no spread by chance."""
        if self.signs is None:
            return 0.0
        same, n = self.signs[0 if way > 0.0 else 1], sum(self.signs)
        return math.fsum(math.comb(n, k) for k in range(same, n + 1)) / 2.0**n

    @property
    def best(self) -> _Estimate:
        """The estimate with the narrowest interval."""
        return min(self.estimates, key=lambda estimate: estimate.margin(self.share(_OUTSIDE_INTERVAL)))

    def share(self, two_sided: float) -> float:
        """Return the level of each estimate, of which the better one counts."""
        return two_sided / len(self.estimates)

    def least(self, minimum_effect: float) -> float:
        return math.log1p(minimum_effect) if self.unit is None else minimum_effect

    def least_of(self, threshold: Threshold) -> float:
        """Return the smallest step that reaches all of a threshold: its share, and its difference from the median of the base."""
        if self.unit is None:
            return self.least(threshold.share_of(self.base))
        return max(threshold.relative or 0.0, (threshold.absolute or 0.0) / self.unit)

    def least_decrease(self, minimum_effect: float) -> float:
        """Return the size of the step of a relative decrease, which a logarithm makes larger than that of an increase."""
        return -math.log1p(-min(minimum_effect, _MOST_DECREASE)) if self.unit is None else minimum_effect

    def relative(self, step: float) -> float:
        return relative(step, self.level, self.level + step, logarithmic=self.unit is None)


def _tested(rounds: Sequence[Round]) -> _Test | None:
    both = [one for one in rounds if math.isfinite(one.base) and math.isfinite(one.head)]
    if len(both) < 2:  # noqa: PLR2004 a spread needs two
        return None
    base, head = [one.base for one in both], [one.head for one in both]
    unit = None if min(*base, *head) > 0.0 else size_of(head, base)
    steps = [math.log(h / b) if unit is None else (h - b) / unit for b, h in zip(base, head, strict=True)]
    of_mean, *others = _estimates(steps, [one.shift for one in both])
    coarse = _are_coarse(base, head, steps)
    return _Test(
        estimates=(of_mean,) if coarse else (of_mean, *others),
        signs=(sum(step > 0.0 for step in steps), sum(step < 0.0 for step in steps)) if coarse else None,
        rounds=len(both),
        level=0.0 if unit is None else median(base) / unit,
        unit=unit,
        base=median(base),
    )


def _are_coarse(base: Sequence[float], head: Sequence[float], steps: Sequence[float]) -> bool:
    """Return whether most steps are ties of figures that both sides have: winsorising them leaves next to no spread.

    Ties of sides without a figure in common are of a change between two exact figures, such as counts.
    """
    return 2 * len(set(steps)) <= len(steps) and not set(base).isdisjoint(head)


def _estimates(steps: Sequence[float], shifts: Sequence[int]) -> tuple[_Estimate, ...]:
    if len(steps) < _ROBUST_ROUNDS:
        return (_of_mean(steps, len(steps) - 1, 1.0 / len(steps)),)
    n, centre = len(steps), math.fsum(shifts) / len(shifts)
    square = math.fsum((shift - centre) ** 2 for shift in shifts)
    if square == 0.0:
        return _of_mean(steps, n - 1, 1.0 / n), _of_trimmed_mean(steps, 0)
    slope = math.fsum((shift - centre) * step for shift, step in zip(shifts, steps, strict=True)) / square
    of_mean = _of_mean(_without_slots(steps, shifts, slope), n - 2, 1.0 / n + centre**2 / square)
    return of_mean, _of_trimmed_mean(_without_slots(steps, shifts, _robust_slope(steps, shifts)), 1)


def _robust_slope(steps: Sequence[float], shifts: Sequence[int]) -> float:
    """Return the effect of the position from the medians of both orders: one disturbed round would spoil least squares."""
    orders = [[(s, at) for s, at in zip(steps, shifts, strict=True) if (at > 0) is late] for late in (False, True)]
    if not all(orders):
        return 0.0
    (before, left), (after, right) = (
        (median(s for s, _ in one), sum(at for _, at in one) / len(one)) for one in orders
    )
    return (after - before) / (right - left)


def _without_slots(steps: Sequence[float], shifts: Sequence[int], slope: float) -> list[float]:
    return [step - slope * shift for step, shift in zip(steps, shifts, strict=True)]


def _of_mean(steps: Sequence[float], df: int, factor: float) -> _Estimate:
    mean = math.fsum(steps) / len(steps)
    return _Estimate(mean, _error(math.fsum((step - mean) ** 2 for step in steps) * factor / df), df)


def _of_trimmed_mean(steps: Sequence[float], taken: int) -> _Estimate:
    """Return the 20 % trimmed mean with the standard error of Yuen (1974), which comes from the winsorised steps."""
    n = len(steps)
    cut = int(_TRIMMED * n)
    inner = sorted(steps)[cut : n - cut]
    kept, df = len(inner), len(inner) - 1 - taken
    winsorised = [inner[0]] * cut + inner + [inner[-1]] * cut
    mean = math.fsum(winsorised) / n
    square = math.fsum((step - mean) ** 2 for step in winsorised)
    return _Estimate(math.fsum(inner) / kept, _error(square / (kept * df)), df)


def _error(square: float) -> float:
    error = math.sqrt(square)
    return error if error > _ROUNDING else 0.0


def _judged(test: _Test, direction: Direction, level: float, least: float, *, is_found: bool) -> Judged:
    best = test.best
    margin = best.margin(test.share(_OUTSIDE_INTERVAL))
    low, high = best.step - margin, best.step + margin
    verdict = PairVerdict.UNDECIDED
    if direction is Direction.INFO or (-least < low and high < least):
        verdict = PairVerdict.UNCHANGED
    elif test.p_value <= level and abs(best.step) >= least * (1.0 - 1e-9):  # rounding must not decide a tie
        verdict = _changed(best.step, direction) if is_found else PairVerdict.SUSPECTED
    return Judged(
        verdict=verdict,
        effect=test.relative(best.step),
        low=test.relative(low),
        high=test.relative(high),
        p_value=test.p_value,
        scaled=min(1.0, test.p_value * RULES.significance / level),
        rounds=test.rounds,
        needed=_needed(test, least, _LEVELS[-1]) if verdict is PairVerdict.UNDECIDED else None,
    )


def _changed(step: float, direction: Direction) -> PairVerdict:
    better = (step < 0.0) is (direction is Direction.LOWER)
    return PairVerdict.IMPROVED if better else PairVerdict.REGRESSED


def _needed(test: _Test, least: float, last: float) -> int | None:
    """Return how many further rounds would tell at the two-sided level of the last look, if estimate and spread stay as they are."""
    best, lost = test.best, test.rounds - test.best.df
    spread, step = best.error * math.sqrt(test.rounds), abs(best.step)
    room, level = (step, last) if step >= least else (least - step, _OUTSIDE_INTERVAL)
    for further in range(1, RULES.pair_most_needed + 1):
        rounds = test.rounds + further
        if spread / math.sqrt(rounds) * t_quantile(test.share(level), rounds - lost) <= room:
            return further
    return None
