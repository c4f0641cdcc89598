"""Kernel: the noise of one series. Scale, local scale, winsorised outliers, inflation by autocorrelation."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.jit import Floats, Ints, compiled, compiled_as, divided, floats

if TYPE_CHECKING:
    from bench_db.analysis.constants import Constants

ROOT_2 = math.sqrt(2.0)
NORMAL_Q75_OF_ABSOLUTE = 1.1503493803760083  # 75 % quantile of |z|, z standard normal
NORMAL_MEDIAN_OF_ABSOLUTE = 0.6744897501960817
LEAST_SHARE = 1e-100  # of the mean: squares of numbers in a smaller unit are no float64
FEWEST_BLOCKS = 6  # of one length, for five differences of neighbours
PAIRED = 64  # fewest points of a long series whose distances are measured


@compiled
def place(ordered: Floats, count: int, value: float) -> int:
    """Return the index of the first of `count` ascending values that is not below `value`.

    Counting few values, without a branch to mispredict, takes a third of the time of bisection.
    """
    at = 0
    for j in range(count):
        at += int(ordered[j] < value)
    return at


@compiled
def ordered_quantile(ordered: Floats | list[float], count: int, probability: float) -> float:
    """Return the type 7 quantile of the first `count` values, which must be ascending."""
    position = probability * (count - 1)
    below = int(position)
    if below + 1 >= count:
        return float(ordered[below])
    share = position - below
    return float(ordered[below] * (1.0 - share) + ordered[below + 1] * share)


@compiled
def selected(values: Floats, count: int, rank: int) -> float:
    """Return the value of rank `rank` among the first `count`; reorder them so that smaller ones come first."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return float(values[rank])


@compiled
def selected_quantile(values: Floats, count: int, probability: float) -> float:
    """Return the type 7 quantile of the first `count` values by selection; reorder them."""
    return selected_between(values, count, probability * (count - 1))


@compiled
def selected_between(values: Floats, count: int, position: float) -> float:
    """Return what lies at a position between two ranks of the first `count` values, linear between them; reorder the values."""
    below = int(position)
    low = selected(values, count, below)
    if position <= below:
        return low
    high = values[below + 1]
    for i in range(below + 2, count):
        high = min(high, values[i])
    return float(low + (high - low) * (position - below))


@compiled_as(selected_quantile)
def quantile(values: Floats, count: int, probability: float) -> float:
    """Return the type 7 quantile of the first `count` values, which machine code reorders."""
    ordered = sorted(values[:count])
    position = probability * (count - 1)
    below = int(position)
    if position <= below:
        return float(ordered[below])
    return float(ordered[below] + (ordered[below + 1] - ordered[below]) * (position - below))


@compiled
def replaced(ordered: Floats, count: int, old: float, new: float) -> None:
    """Replace one of `count` ascending values by another; move those between both."""
    at = place(ordered, count, old)
    while at + 1 < count and ordered[at + 1] < new:
        ordered[at] = ordered[at + 1]
        at += 1
    while at > 0 and ordered[at - 1] > new:
        ordered[at] = ordered[at - 1]
        at -= 1
    ordered[at] = new


@compiled
def inserted_quantile(values: Floats, before: int, after: int, probability: float, out: Floats) -> None:
    """Insert into and delete from an array, to set out[i] to the quantile of values[i - before : i + after], truncated at the ends."""
    ordered = floats(before + after)
    count = low = high = 0
    for i in range(len(out)):
        while high < min(len(values), i + after):
            if low < i - before:
                replaced(ordered, count, values[low], values[high])
                low += 1
                high += 1
                continue
            at = place(ordered, count, values[high])
            for j in range(count, at, -1):
                ordered[j] = ordered[j - 1]
            ordered[at] = values[high]
            count += 1
            high += 1
        while low < i - before:
            at = place(ordered, count, values[low])
            for j in range(at, count - 1):
                ordered[j] = ordered[j + 1]
            count -= 1
            low += 1
        out[i] = ordered_quantile(ordered, count, probability)


@compiled_as(inserted_quantile)
def rolling_quantile(values: Floats, before: int, after: int, probability: float, out: Floats) -> None:
    """Set out[i] to the quantile of values[i - before : i + after], truncated at the ends."""
    ordered: list[float] = []
    low = high = 0
    for i in range(len(out)):
        while high < min(len(values), i + after):
            insort(ordered, values[high])
            high += 1
        while low < i - before:
            del ordered[bisect_left(ordered, values[low])]
            low += 1
        out[i] = ordered_quantile(ordered, high - low, probability)


@compiled
def on_log_scale(x: Floats, y: Floats) -> bool:
    """Transform to y = log x and True if every x > 0, else y = x / median|x| (mean|x| where that is next to 0) and False."""
    positive = True
    for i in range(len(x)):
        positive = positive and x[i] > 0.0
    if positive:
        for i in range(len(x)):
            y[i] = math.log(x[i])
        return True
    mean = 0.0
    for i in range(len(x)):
        y[i] = abs(x[i])
        mean += y[i] / len(x)
    unit = quantile(y, len(x), 0.5)
    if unit <= LEAST_SHARE * mean:
        unit = mean if mean > 0.0 else 1.0
    for i in range(len(x)):
        y[i] = x[i] / unit
    return False


@compiled
def noise_scale(y: Floats, c: Constants, scale: Floats) -> float:
    """Compute the local noise scale of each point from differences of neighbours, which ignore steps; return the global scale."""
    n = len(y)
    jumps = floats(n - 1)
    for i in range(n - 1):
        jumps[i] = abs(y[i + 1] - y[i])
    rolling_quantile(jumps, c.scale_reach, c.scale_reach, 0.75, scale)
    unit = NORMAL_Q75_OF_ABSOLUTE * ROOT_2
    whole = quantile(jumps, n - 1, 0.75) / unit
    least = max(c.scale_floor * whole, c.rounding)
    for i in range(n):
        scale[i] = max(scale[i] / unit, least)
    return max(whole, least)


@compiled
def winsorise(y: Floats, scale: Floats, c: Constants) -> None:
    """Move each point to within `winsor` scales of the running median, in place: outliers are clamped, not deleted."""
    middle = floats(len(y))
    rolling_quantile(y, c.median_reach, c.median_reach + 1, 0.5, middle)
    for i in range(len(y)):
        margin = c.winsor * scale[i]
        y[i] = min(max(y[i], middle[i] - margin), middle[i] + margin)


@compiled
def inflation(y: Floats, scale: Floats, c: Constants) -> float:
    """Return long-run over short-run noise: the excess spread of means of neighbouring blocks, 1 for independent noise."""
    n, length, factor = len(y), 2, 1.0
    ratios = floats(n // 2 + 1)
    while length <= c.inflation_blocks and n // length >= FEWEST_BLOCKS:
        blocks, mean_before, share = n // length, 0.0, 1.0 / length  # exact: lengths are powers of 2
        first = n - blocks * length
        for block in range(blocks):
            mean = spread = 0.0
            for i in range(first + block * length, first + (block + 1) * length):
                mean += y[i] * share
                spread += scale[i] * share
            if block > 0:
                ratios[block - 1] = abs(mean - mean_before) / (spread * math.sqrt(2.0 / length))
            mean_before = mean
        factor = max(factor, quantile(ratios, blocks - 1, 0.5) / NORMAL_MEDIAN_OF_ABSOLUTE)
        length *= 2
    return min(factor, c.inflation_most)


@compiled
def autocorrelation(residual: Floats, scale: Floats) -> float:
    """Return the correlation of neighbours of standardised residuals, 0 if all are 0."""
    square = product = before = 0.0
    for i in range(len(residual)):
        here = residual[i] / scale[i]
        square += here * here
        product += here * before
        before = here
    return product / square if square > 0.0 else 0.0


@compiled
def autoregressive_inflation(residual: Floats, scale: Floats, segments: int, c: Constants) -> float:
    """Return the inflation by a first-order autoregression whose coefficient is at its upper confidence bound.

    The residuals are about the means of `segments`, which biases their correlation by -(1 + rho) / n per mean, and the estimate
    by -2 rho / n (Kendall 1954; Marriott and Pope 1954). The standard error is that of Bartlett 1946.
    """
    n = len(residual)
    rho = autocorrelation(residual, scale)
    positive = max(rho, 0.0)
    rho += (segments * (1.0 + positive) + 2.0 * positive) / n
    rho += c.bound * math.sqrt(max(1.0 - rho * rho, 0.05) / n)
    rho = min(max(rho, 0.0), 0.95)
    return math.sqrt((1.0 + rho) / (1.0 - rho))


@compiled
def of_two_modes(y: Floats, c: Constants) -> bool:
    """Return whether neighbours either nearly agree or lie far apart, as in a series of two modes with little noise in each."""
    n = len(y)
    jumps = floats(n - 1)
    for i in range(n - 1):
        jumps[i] = abs(y[i + 1] - y[i])
    small = quantile(jumps, n - 1, 0.25)
    return quantile(jumps, n - 1, 0.75) > c.modes * max(small, c.rounding)


@compiled
def pairs_within(ordered: Floats, count: int, limit: float) -> int:
    """Count the pairs of ascending values that are at most `limit` apart."""
    pairs = first = 0
    for j in range(count):
        while ordered[j] - ordered[first] > limit:
            first += 1
        pairs += j - first
    return pairs


@compiled
def thinned(y: Floats, every: int, ordered: Floats) -> int:
    """Collect every so many values in ascending order; return the count."""
    n = 0
    for i in range(0, len(y), every):
        at = place(ordered, n, y[i])
        for j in range(n, at, -1):
            ordered[j] = ordered[j - 1]
        ordered[at] = y[i]
        n += 1
    return n


@compiled
def squares_between(ordered: Floats, n: int, low: float, high: float, squares: Floats) -> int:
    """Collect the squared distances of the pairs that are above `low` and at most `high` apart; return the count."""
    count = first = 0
    for j in range(n):
        while ordered[j] - ordered[first] > high:
            first += 1
        for i in range(first, j):
            apart = ordered[j] - ordered[i]
            if apart <= low:
                break
            squares[count] = apart * apart
            count += 1
    return count


@compiled
def narrowed_distance(y: Floats) -> float:
    """Return the distance of pairs without all pairs: halve the range of distances around the median until few pairs are left.

    Selection from all pairs takes five times as long.
    """
    ordered = floats(2 * PAIRED)
    n = thinned(y, max(1, len(y) // PAIRED), ordered)
    pairs = n * (n - 1) // 2
    below, most = (pairs - 1) // 2, pairs // 2 + 1  # pairs before the lower median, and to the upper one
    low, few = 0.0, pairs_within(ordered, n, 0.0)
    if few >= most:
        return 0.0
    if few > below:  # the lower median is 0, the upper one is not
        low, few = -1.0, 0
    high, many = ordered[n - 1] - ordered[0], pairs
    while low >= 0.0 and many - few > 2 * n:
        middle = low + 0.5 * (high - low)
        if not low < middle < high:
            break
        within = pairs_within(ordered, n, middle)
        if within <= below:
            low, few = middle, within
        elif within >= most:
            high, many = middle, within
        else:
            break
    squares = floats(many - few)
    count = squares_between(ordered, n, low, high, squares)
    return math.sqrt(0.5 * selected_between(squares, count, 0.5 * (pairs - 1) - few))


@compiled_as(narrowed_distance)
def distance_of_pairs(y: Floats) -> float:
    """Return the root of half the median squared distance of two points: the usual width of a kernel.

    A long series is thinned out to 64 to 127 points.
    """
    chosen = np.asarray(y)[:: max(1, len(y) // PAIRED)]
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.subtract.outer(chosen, chosen)[np.tri(len(chosen), k=-1, dtype=np.bool_)]
        squares = apart * apart
    return math.sqrt(0.5 * quantile(squares.tolist(), len(squares), 0.5))


@compiled
def about_medians(y: Floats, bounds: Ints, count: int, out: Floats) -> None:
    """Set out to y minus the median of its segment; `bounds` has `count` numbers: 0, the changes, and len(y)."""
    part = floats(len(y))
    for j in range(count - 1):
        low, high = bounds[j], bounds[j + 1]
        for i in range(low, high):
            part[i - low] = y[i]
        middle = quantile(part, high - low, 0.5)
        for i in range(low, high):
            out[i] = y[i] - middle


@compiled
def about_means(y: Floats, scale: Floats, bounds: Ints, count: int, out: Floats) -> None:
    """Set out to y minus the weighted mean of its segment (weights 1 / scale^2); `bounds` as for `about_medians`."""
    for j in range(count - 1):
        weight = moment = 0.0
        for i in range(bounds[j], bounds[j + 1]):
            w = 1.0 / (scale[i] * scale[i])
            weight += w
            moment += w * y[i]
        for i in range(bounds[j], bounds[j + 1]):
            out[i] = y[i] - divided(moment, weight)
