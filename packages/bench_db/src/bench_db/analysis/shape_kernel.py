"""Kernel: changes of the spread of a series, and of its share of slow runs, beside the changes of its level."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, cast

from bench_db.analysis.jit import Floats, Ints, Kernel, compiled, compiled_as, exp, floats, integers
from bench_db.analysis.noise_kernel import NORMAL_Q75_OF_ABSOLUTE, ROOT_2, on_log_scale, quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.analysis.constants import ShapeConstants

# columns of one found change
KIND, BEFORE, AFTER, P_VALUE = range(4)
COLUMNS = 4
SPREAD, MODES = 1.0, 2.0
LEAST_INFLATION = 1.18  # neighbouring differences share a point: at least this for normal noise
ROOT_2_PI = math.sqrt(2.0 * math.pi)


@compiled
def sorted_in_place(values: Floats, count: int) -> None:
    """Sort the first `count` values."""
    values[:count].sort()


@compiled_as(sorted_in_place)
def sort(values: Floats, count: int) -> None:
    """Sort the first `count` values."""
    values[:count] = cast("Floats", memoryview(array("d", sorted(values[:count]))))


@compiled
def jumps_within(y: Floats, bounds: Ints, count: int, jumps: Floats, place: Ints) -> int:
    """Collect |y[i] - y[i - 1]| within levels, and i; return the count. `bounds` has `count` numbers: 0, the changes, and len(y)."""
    m = 0
    for j in range(count - 1):
        for i in range(bounds[j] + 1, bounds[j + 1]):
            jumps[m], place[m] = abs(y[i] - y[i - 1]), i
            m += 1
    return m


@compiled
def scored(jumps: Floats, m: int, part: Floats, score: Floats) -> float:
    """Set score to the place of each jump among the quartiles of all, about the mean; return the variance."""
    for k in range(m):
        part[k] = jumps[k]
    first, second, third = quantile(part, m, 0.25), quantile(part, m, 0.5), quantile(part, m, 0.75)
    total = square = 0.0
    for k in range(m):
        jump = jumps[k]
        place = 0  # a sum of NumPy's bools would be a bool
        for limit in (first, second, third):
            place += int(jump > limit) + int(jump >= limit)
        score[k] = place
        total += place
    mean = total / m
    for k in range(m):
        score[k] -= mean
        square += score[k] * score[k]
    return square / m


@compiled
def best_split(score: Floats, low: int, high: int, least: int) -> tuple[int, float]:
    """Return where two parts of at least `least` scores have means most standard errors apart, and how many; (low, 0) for nowhere."""
    n = high - low
    total = square = 0.0
    for k in range(low, high):
        total += score[k]
        square += score[k] * score[k]
    mean = total / n
    variance = square / n - mean * mean
    if variance <= 0.0:
        return low, 0.0
    here = most = 0.0
    best = low
    for k in range(low, high - least):
        here += score[k] - mean
        left = k + 1 - low
        if left >= least:
            size = here * here * n / (left * (n - left))
            if size > most:
                most, best = size, k + 1
    return best, math.sqrt(most / variance)


@compiled
def settled_split(score: Floats, low: int, high: int, c: ShapeConstants) -> tuple[int, float]:
    """Return the best split as `best_split` does, (low, 0) if it has at most `least` scores on a side, down to `fewest`.

    A change at a newer point has its best split with `least` scores at the edge or near it, at an earlier point that changed nothing.
    """
    at, z = best_split(score, low, high, c.fewest)
    return (at, z) if min(at - low, high - at) > c.least else (low, 0.0)


@compiled
def inflated(score: Floats, low: int, at: int, high: int, c: ShapeConstants) -> float:
    """Return by how much the standard error of a difference of means grows because scores follow one another alike.

    It is that of an autoregression whose coefficient is `bound` standard errors above its estimate, or that of the correlations at up to
    `lags` scores apart, whichever is larger. Scores are about the means of both parts.
    """
    n = high - low
    first = second = 0.0
    for k in range(low, at):
        first += score[k] / (at - low)
    for k in range(at, high):
        second += score[k] / (high - at)
    square = 0.0
    for k in range(low, high):
        here = score[k] - (first if k < at else second)
        square += here * here
    if square <= 0.0:
        return 1.0
    several, rho = 1.0, 0.0
    for lag in range(1, min(c.lags, n // 4) + 1):
        product = 0.0
        for k in range(low + lag, high):
            here, before = (
                score[k] - (first if k < at else second),
                score[k - lag] - (first if k - lag < at else second),
            )
            product += here * before
        several += 2.0 * (product / square)
        if lag == 1:
            rho = product / square
    rho += c.bound * math.sqrt(max(1.0 - rho * rho, 0.05) / n)
    rho = min(max(rho, 0.0), 0.95)
    return math.sqrt(max((1.0 + rho) / (1.0 - rho), several))


@compiled
def chance(z: float, n: int, least: int) -> float:
    """Return the probability that a best split of n scores without a change is at least z standard errors apart.

    The formula is that of Miller and Siegmund 1982 for the maximum over splits with at least `least` scores on either side.
    """
    if z < 1.0:
        return 1.0
    ends = 2.0 * math.log((n - least) / least)
    return min(1.0, math.exp(-0.5 * z * z) / ROOT_2_PI * ((z - 1.0 / z) * ends + 4.0 / z))


@compiled
def spread_changes(score: Floats, m: int, c: ShapeConstants, found: Ints, chances: Floats) -> int:
    """Split the scores again and again where the best split is less likely than `alpha`; return the number of splits, ascending."""
    lows, highs = integers(m + 2), integers(m + 2)
    lows[0], highs[0] = 0, m
    waiting, count = 1, 0
    while waiting > 0:
        waiting -= 1
        low, high = lows[waiting], highs[waiting]
        if high - low < 2 * c.least:
            continue
        at, z = settled_split(score, low, high, c)
        if z < c.screen * LEAST_INFLATION:
            continue
        p = chance(z / inflated(score, low, at, high, c), high - low, c.least)
        if p > c.alpha:
            continue
        j = count
        while j > 0 and found[j - 1] > at:
            found[j], chances[j] = found[j - 1], chances[j - 1]
            j -= 1
        found[j], chances[j] = at, p
        count += 1
        lows[waiting], highs[waiting] = low, at
        lows[waiting + 1], highs[waiting + 1] = at, high
        waiting += 2
    return count


@compiled
def noise_of(jumps: Floats, low: int, high: int, part: Floats) -> float:
    """Return the standard deviation of normal noise whose jumps have the same 75 % quantile."""
    for k in range(low, high):
        part[k - low] = jumps[k]
    return quantile(part, high - low, 0.75) / (NORMAL_Q75_OF_ABSOLUTE * ROOT_2)


@compiled
def middle_of(y: Floats, low: int, high: int, part: Floats) -> float:
    """Return the median of some points."""
    for i in range(low, high):
        part[i - low] = y[i]
    return quantile(part, high - low, 0.5)


@compiled
def two_modes(y: Floats, low: int, high: int, gap: float, part: Floats, c: ShapeConstants) -> tuple[float, float]:
    """Return the border between the two modes of some points and their distance; (0, 0) for one mode.

    The border is that of the least squares about both means (Otsu 1979). Two modes are at least `apart` standard deviations of the wider one
    apart, and at least `gap`.
    """
    n = high - low
    for i in range(low, high):
        part[i - low] = y[i]
    sort(part, n)
    centre = part[n // 2]
    total = square = 0.0
    for i in range(n):
        total += part[i] - centre
        square += (part[i] - centre) * (part[i] - centre)
    left = most = 0.0
    best = 0
    for i in range(1, n):
        left += part[i - 1] - centre
        of = left * n - total * i
        between = of * of / (i * (n - i))
        if between > most:
            most, best = between, i
    if best < c.members or n - best < c.members:
        return 0.0, 0.0
    left = squares_left = 0.0
    for i in range(best):
        left += part[i] - centre
        squares_left += (part[i] - centre) * (part[i] - centre)
    slow, fast = (total - left) / (n - best), left / best
    variance = max(squares_left / best - fast * fast, (square - squares_left) / (n - best) - slow * slow)
    apart = slow - fast
    if apart < gap or apart * apart < c.apart * c.apart * max(variance, 0.0):
        return 0.0, 0.0
    return 0.5 * (part[best - 1] + part[best]), apart


@compiled
def share_split(y: Floats, n: int, part: Floats, c: ShapeConstants) -> float:
    """Return by how many standard errors the shares above the middle of the 10 and the 90 % quantile differ at the best split."""
    for i in range(n):
        part[i] = y[i]
    border = 0.5 * quantile(part, n, 0.1) + 0.5 * quantile(part, n, 0.9)
    for i in range(n):
        part[i] = 1.0 if y[i] > border else 0.0
    return best_split(part, 0, n, c.least)[1]


@compiled
def is_mixed(y: Floats, low: int, high: int, border: float, c: ShapeConstants) -> bool:
    """Return whether slow and fast runs alternate here: both are frequent, and follow one another nearly as often as by chance."""
    slow = turns = 0
    for i in range(low, high):
        slow += y[i] > border
        turns += i > low and (y[i] > border) != (y[i - 1] > border)
    n = high - low
    share = slow / n
    return c.frequent <= share <= 1.0 - c.frequent and turns >= c.turns * 2.0 * share * (1.0 - share) * (n - 1)


@compiled
def shares(y: Floats, low: int, at: int, high: int, border: float) -> tuple[float, float]:
    """Return the share of slow runs before and from a point on."""
    before = after = 0
    for i in range(low, at):
        before += y[i] > border
    for i in range(at, high):
        after += y[i] > border
    return before / (at - low), after / (high - at)


@compiled
def is_share(y: Floats, low: int, at: int, high: int, border: float, apart: float, c: ShapeConstants) -> bool:
    """Return whether the share of slow runs alone changes: enough, runs of both modes follow one another, and the modes stay where they are."""
    before, after = shares(y, low, at, high, border)
    if abs(after - before) < c.share:
        return False
    if not (is_mixed(y, low, at, border, c) or is_mixed(y, at, high, border, c)):
        return False
    for slow in range(2):
        first = second = 0.0
        n_first = n_second = 0
        for i in range(low, high):
            if (y[i] > border) == (slow == 1):
                if i < at:
                    first += y[i]
                    n_first += 1
                else:
                    second += y[i]
                    n_second += 1
        if (
            n_first >= c.members
            and n_second >= c.members
            and abs(second / n_second - first / n_first) > c.stays * apart
        ):
            return False
    return True


@compiled
def put(figures: Floats, row: int, kind: float, before: float, after: float, p: float) -> None:
    """Write the figures of the change of a row."""
    at = row * COLUMNS
    figures[at + KIND], figures[at + BEFORE], figures[at + AFTER], figures[at + P_VALUE] = kind, before, after, p


@compiled
def modes_at_levels(
    y: Floats,
    bounds: Ints,
    count: int,
    gap: float,
    part: Floats,
    c: ShapeConstants,
    found: Ints,
    figures: Floats,
    of_modes: Ints,
) -> int:
    """Find the changes of modes at changes of level, which need not be reported ones; return the count. Mark their levels in `of_modes`."""
    total = 0
    for j in range(1, count - 1):
        low, at, high = bounds[j - 1], bounds[j], bounds[j + 1]
        border, apart = two_modes(y, low, high, gap, part, c) if min(at - low, high - at) >= c.least else (0.0, 0.0)
        if apart == 0.0 or not is_share(y, low, at, high, border, apart, c):
            continue
        for i in range(low, high):
            part[i] = 1.0 if y[i] > border else 0.0
        if settled_split(part, low, high, c)[1] < c.screen:
            continue
        before, after = shares(y, low, at, high, border)
        common = (before * (at - low) + after * (high - at)) / (high - low)
        error = math.sqrt(common * (1.0 - common) * (1.0 / (at - low) + 1.0 / (high - at)))
        p = 2.0 * chance(abs(after - before) / error / inflated(part, low, at, high, c), high - low, c.least)
        if p <= c.alpha:
            found[total] = at
            put(figures, total, MODES, before, after, p)
            of_modes[j - 1] = of_modes[j] = 1
            total += 1
    return total


@compiled
def modes_changes(
    y: Floats,
    bounds: Ints,
    count: int,
    gap: float,
    part: Floats,
    c: ShapeConstants,
    found: Ints,
    figures: Floats,
    of_modes: Ints,
) -> int:
    """Find the changes of modes at changes of level and within levels; return the count. Mark their levels in `of_modes`."""
    total = modes_at_levels(y, bounds, count, gap, part, c, found, figures, of_modes)
    for j in range(count - 1):
        low, high = bounds[j], bounds[j + 1]
        border, apart = two_modes(y, low, high, gap, part, c) if high - low >= 2 * c.least else (0.0, 0.0)
        if apart == 0.0:
            continue
        for i in range(low, high):
            part[i] = 1.0 if y[i] > border else 0.0
        at, z = settled_split(part, low, high, c)
        if z < c.screen or not is_share(y, low, at, high, border, apart, c):
            continue
        p = 2.0 * chance(z / inflated(part, low, at, high, c), high - low, c.least)
        if p <= c.alpha:
            before, after = shares(y, low, at, high, border)
            found[total] = at
            put(figures, total, MODES, before, after, p)
            of_modes[j] = 1
            total += 1
    return total


@compiled
def is_other_noise(before: float, after: float, moved: float, finest: float, c: ShapeConstants) -> bool:
    """Return whether two levels of noise differ enough, relative to the level and absolutely, and the larger one is `ticks` times what a clock shows.

    `moved` is the step of the level on the log scale, and `finest` the smallest difference of neighbours other than 0.
    """
    if max(before, after) < max(c.spread, c.ticks * finest):
        return False
    absolute = after * exp(moved)
    most = min(after, absolute) if after > before else max(after, absolute)
    return most >= c.ratio * before if after > before else before >= c.ratio * most


@compiled
def smallest(jumps: Floats, m: int) -> float:
    """Return the smallest jump other than 0, infinity without one."""
    least = math.inf
    for k in range(m):
        if 0.0 < jumps[k] < least:
            least = jumps[k]
    return least


@compiled
def shape_changes(x: Floats, bounds: Ints, count: int, c: ShapeConstants, found: Ints, figures: Floats) -> int:
    """Find the changes of spread and modes of one series without gaps; return the count. `bounds` are those of its levels."""
    n = len(x)
    y, jumps, part, score = floats(n), floats(n), floats(n), floats(n)
    place, splits, chances, of_modes = integers(n), integers(n), floats(n), integers(count)
    logarithmic = on_log_scale(x, y)
    m = jumps_within(y, bounds, count, jumps, place)
    if m < 2 * c.least:
        return 0
    scored(jumps, m, part, score)
    screened = best_split(score, 0, m, c.least)[1] >= c.screen * LEAST_INFLATION
    if not screened and count == 2 and share_split(y, n, part, c) < c.screen:
        return 0
    finest, level = smallest(jumps, m), 0
    gap = max(c.gap, c.ticks * finest)
    total = modes_changes(y, bounds, count, gap, part, c, found, figures, of_modes)
    several = spread_changes(score, m, c, splits, chances) if screened else 0
    for j in range(several):
        low, high = splits[j - 1] if j > 0 else 0, splits[j + 1] if j + 1 < several else m
        before, after = noise_of(jumps, low, splits[j], part), noise_of(jumps, splits[j], high, part)
        at, moved = place[splits[j]], 0.0
        while bounds[level + 1] <= at:
            level += 1
        if logarithmic:
            moved = middle_of(y, at, place[high - 1] + 1, part) - middle_of(y, place[low] - 1, at, part)
        if of_modes[level] == 0 and is_other_noise(before, after, moved, finest, c):
            found[total] = at
            put(figures, total, SPREAD, before, after, min(1.0, 2.0 * chances[j]))
            total += 1
    return total


def _entry(digest: int) -> Callable[..., tuple[Ints, Ints, Floats]]:
    def entry(values: Floats, offsets: Ints, counts: Ints, index: Ints, c: ShapeConstants) -> tuple[Ints, Ints, Floats]:
        _ = digest
        n_series = len(offsets) - 1
        per_series, longest = integers(n_series), 0
        for s in range(n_series):
            longest = max(longest, offsets[s + 1] - offsets[s])
        x, where, bounds = floats(longest), integers(longest), integers(longest + 2)
        here, here_figures = integers(longest + 2), floats((longest + 2) * COLUMNS)
        room = 16 + len(values) // c.least + len(index)
        found, figures = integers(room), floats(room * COLUMNS)
        total = change = 0
        for s in range(n_series):
            n, count, until = 0, 1, change + counts[s]
            for i in range(offsets[s], offsets[s + 1]):
                if change < until and i - offsets[s] == index[change]:
                    bounds[count] = n
                    count += 1
                    change += 1
                if math.isfinite(values[i]):
                    x[n], where[n] = values[i], i - offsets[s]
                    n += 1
            bounds[count] = n
            per_series[s] = shape_changes(x[:n], bounds, count + 1, c, here, here_figures)
            for j in range(per_series[s]):
                found[total + j] = where[here[j]]
            for j in range(per_series[s] * COLUMNS):
                figures[total * COLUMNS + j] = here_figures[j]
            total += per_series[s]
        return per_series, found[:total], figures[: total * COLUMNS]

    return entry


# (concatenated values, offsets, level changes per series, index of each, constants) -> changes of shape per series, index, figures (k x 4)
all_shapes = Kernel(_entry, lambda *given: 2e-6 * len(given[0]) + 2e-5 * len(given[1]), 6.0)
