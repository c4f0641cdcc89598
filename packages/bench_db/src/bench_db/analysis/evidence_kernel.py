"""Kernel: the evidence for one change between its neighbours, and the elimination of changes that lack it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.jit import Floats, Ints, compiled
from bench_db.analysis.student_kernel import two_sided_p

if TYPE_CHECKING:
    from bench_db.analysis.constants import Constants

# Reasons to drop a change, above any p-value over alpha: the most hopeless goes first
UNLIKE_A_STEP, SEEN_BEFORE, TOO_SHORT, TOO_SMALL = 1e3, 2e3, 4e3, 8e3


@compiled
def welch(y: Floats, scale: Floats, low: int, at: int, high: int, inflation: float, c: Constants) -> tuple[float, ...]:
    """Step, its standard error, degrees of freedom, p-value and points used: Welch's t over `reach` points on either side.

    Each variance is shrunk towards the local noise scale, which counts as `prior` degrees of freedom (Smyth 2004). The p-value
    is times the points used: the place was chosen among them.
    """
    first, last = max(low, at - c.reach), min(high, at + c.reach)
    n_left, n_right = at - first, last - at
    mean_left = mean_right = square_left = square_right = local = 0.0
    for i in range(first, last):
        local += scale[i] * scale[i] / (last - first)
        if i < at:
            mean_left += y[i] / n_left
        else:
            mean_right += y[i] / n_right
    for i in range(first, at):
        square_left += (y[i] - mean_left) ** 2
    for i in range(at, last):
        square_right += (y[i] - mean_right) ** 2
    df_left, df_right = c.prior + n_left - 1.0, c.prior + n_right - 1.0
    left = (c.prior * local + square_left) / df_left / n_left
    right = (c.prior * local + square_right) / df_right / n_right
    step, error = mean_right - mean_left, inflation * math.sqrt(left + right)
    df = (left + right) ** 2 / (left * left / df_left + right * right / df_right)
    return step, error, df, two_sided_p(step / error, df) * (last - first), float(last - first)


@compiled
def like_a_slope(y: Floats, scale: Floats, low: int, at: int, high: int, c: Constants) -> bool:
    """Whether a straight line through the points of the test fits nearly as well as the step: drift, not a change.

    Unless the step remains beside the line, fitted together: then it is a step on a drift, or one short of points on one side.
    """
    first, last = max(low, at - c.reach), min(high, at + c.reach)
    n, middle, mean = last - first, 0.5 * (first + last - 1), 0.0
    for i in range(first, last):
        mean += y[i] / n
    cross = across = square = left = local = 0.0
    for i in range(first, last):
        cross += (i - middle) * (y[i] - mean)
        across += (i - middle) ** 2
        square += (y[i] - mean) ** 2
        local += scale[i] * scale[i] / n
        if i < at:
            left += y[i] - mean
    about_line = square - cross * cross / across
    about_step = square - left * left * (1.0 / (at - first) + 1.0 / (last - at))
    if about_line >= c.slope * about_step:
        return False
    product = float((at - first) * (last - at))
    lever = 0.5 * product  # what step and line have in common: the sum of step x place
    gain = (left + cross / across * lever) ** 2 / (product / n - lever * lever / across)
    variance = (c.prior * local + about_line - gain) / (c.prior + n - 3.0)
    return gain < c.beside * c.beside * variance


@compiled
def seen_before(y: Floats, low: int, at: int, high: int, c: Constants) -> bool:
    """Whether the longer side of a short stretch holds one half as long that went `precedent` of the way: a recurring mode."""
    if at - low >= high - at:
        first, last, length, start = low, at, high - at, at
    else:
        first, last, length, start = at, high, at - low, low
    if length > c.precedent_most or last - first < 2 * length:
        return False
    level = short = sliding = 0.0
    for i in range(first, last):
        level += y[i] / (last - first)
    for i in range(start, start + length):
        short += y[i] / length
    step, length = short - level, (length + 1) // 2
    for i in range(first, first + length):
        sliding += y[i] / length
    for i in range(first + length, last + 1):
        if (sliding - level) * step >= c.precedent * step * step:
            return True
        if i < last:
            sliding += (y[i] - y[i - length]) / length
    return False


@compiled
def weakness(
    y: Floats, scale: Floats, bounds: Ints, count: int, j: int, inflation: float, alpha: float, c: Constants
) -> float:
    """How little speaks for change `j` of `bounds`: its p-value over alpha, above 1 if it is to go, far above for a stated reason."""
    low, at, high = bounds[j - 1], bounds[j], bounds[j + 1]
    step, _, _, p, _ = welch(y, scale, low, at, high, inflation, c)
    if abs(step) < c.minimum_effect:
        return TOO_SMALL + 1.0 / (abs(step) + 1e-12)
    if (high - at < c.shortest and j + 2 < count) or (at - low < c.shortest and j > 1):
        return TOO_SHORT + p / alpha
    if p <= alpha and seen_before(y, low, at, high, c):
        return SEEN_BEFORE + p / alpha
    if p <= alpha and like_a_slope(y, scale, low, at, high, c):
        return UNLIKE_A_STEP + p / alpha
    return p / alpha


@compiled
def eliminated(y: Floats, scale: Floats, bounds: Ints, count: int, inflation: float, alpha: float, c: Constants) -> int:
    """Drop changes from `bounds`, weakest first, until each has evidence between its neighbours. Return the number left."""
    weak = np.full(count, -1.0)
    while count > 2:
        worst = 1
        for j in range(1, count - 1):
            if weak[j] < 0.0:
                weak[j] = weakness(y, scale, bounds, count, j, inflation, alpha, c)
            if weak[j] > weak[worst]:
                worst = j
        if weak[worst] <= 1.0:
            break
        for j in range(worst, count - 1):
            bounds[j], weak[j] = bounds[j + 1], weak[j + 1]
        count -= 1
        weak[worst] = weak[worst - 1] = -1.0
    return count
