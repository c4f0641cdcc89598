"""Kernel: the noise of one series. Scale, local scale, outliers limited, inflation by autocorrelation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.jit import Floats, Ints, compiled

if TYPE_CHECKING:
    from bench_db.analysis.constants import Constants

ROOT_2 = math.sqrt(2.0)
NORMAL_Q75_OF_ABSOLUTE = 1.1503493803760083  # 75 % quantile of |z|, z standard normal
NORMAL_MEDIAN_OF_ABSOLUTE = 0.6744897501960817
FEWEST_BLOCKS = 6  # of one length, for five differences of neighbours


@compiled
def place(ordered: Floats, count: int, value: float) -> int:
    """Index of the first of `count` ascending values that is not below `value`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def ordered_quantile(ordered: Floats, count: int, probability: float) -> float:
    """Type 7 quantile of the first `count` values, which ascend."""
    position = probability * (count - 1)
    below = int(position)
    if below + 1 >= count:
        return float(ordered[below])
    share = position - below
    return float(ordered[below] * (1.0 - share) + ordered[below + 1] * share)


@compiled
def selected(values: Floats, count: int, rank: int) -> float:
    """Return the value of rank `rank` among the first `count`, and reorder these so that smaller ones come before it."""
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
def quantile(values: Floats, count: int, probability: float) -> float:
    """Type 7 quantile of the first `count` values, which are reordered."""
    position = probability * (count - 1)
    below = int(position)
    low = selected(values, count, below)
    if position <= below:
        return low
    high = values[below + 1]
    for i in range(below + 2, count):
        high = min(high, values[i])
    return float(low + (high - low) * (position - below))


@compiled
def rolling_quantile(values: Floats, before: int, after: int, probability: float, out: Floats) -> None:
    """out[i] = quantile of values[i - before : i + after], cut at the ends."""
    ordered = np.empty(before + after + 1)
    count = low = high = 0
    for i in range(len(out)):
        while high < min(len(values), i + after):
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


@compiled
def on_log_scale(x: Floats, y: Floats) -> bool:
    """Transform to y = log x and True if every x > 0, else y = x / median|x| (mean|x| where that is 0) and False."""
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
    if unit == 0.0:
        unit = mean if mean > 0.0 else 1.0
    for i in range(len(x)):
        y[i] = x[i] / unit
    return False


@compiled
def noise_scale(y: Floats, c: Constants, scale: Floats) -> float:
    """Local noise scale of each point, from differences of neighbours so that steps do not count; returns that of the whole."""
    n = len(y)
    jumps = np.empty(n - 1)
    for i in range(n - 1):
        jumps[i] = abs(y[i + 1] - y[i])
    rolling_quantile(jumps, c.scale_reach, c.scale_reach, 0.75, scale)
    unit = NORMAL_Q75_OF_ABSOLUTE * ROOT_2
    whole = quantile(jumps, n - 1, 0.75) / unit
    least = max(c.scale_floor * whole, c.effect_floor * c.minimum_effect)
    for i in range(n):
        scale[i] = max(scale[i] / unit, least)
    return max(whole, least)


@compiled
def winsorise(y: Floats, scale: Floats, c: Constants) -> None:
    """Each point moved to within `winsor` scales of the running median, in place: outliers are quarantined, not deleted."""
    middle = np.empty(len(y))
    rolling_quantile(y, c.median_reach, c.median_reach + 1, 0.5, middle)
    for i in range(len(y)):
        margin = c.winsor * scale[i]
        y[i] = min(max(y[i], middle[i] - margin), middle[i] + margin)


@compiled
def inflation(y: Floats, scale: Floats, c: Constants) -> float:
    """Long-run over short-run noise: how much wider means of neighbouring blocks lie than they should.

    1 for independent noise of a long history; a short one is given the benefit of the doubt.
    """
    n, length = len(y), 2
    factor = 1.0 + c.doubt / n
    ratios = np.empty(n // 2 + 1)
    while length <= c.inflation_blocks and n // length >= FEWEST_BLOCKS:
        blocks, mean_before = n // length, 0.0
        first = n - blocks * length
        for block in range(blocks):
            mean = spread = 0.0
            for i in range(first + block * length, first + (block + 1) * length):
                mean += y[i] / length
                spread += scale[i] / length
            if block > 0:
                ratios[block - 1] = abs(mean - mean_before) / (spread * math.sqrt(2.0 / length))
            mean_before = mean
        factor = max(factor, quantile(ratios, blocks - 1, 0.5) / NORMAL_MEDIAN_OF_ABSOLUTE)
        length *= 2
    return min(factor, c.inflation_most)


@compiled
def about_medians(y: Floats, bounds: Ints, count: int, out: Floats) -> None:
    """Residuals: out = y less the median of its segment; `bounds` holds 0, the changes, and len(y): `count` numbers."""
    part = np.empty(len(y))
    for j in range(count - 1):
        low, high = bounds[j], bounds[j + 1]
        for i in range(low, high):
            part[i - low] = y[i]
        middle = quantile(part, high - low, 0.5)
        for i in range(low, high):
            out[i] = y[i] - middle
