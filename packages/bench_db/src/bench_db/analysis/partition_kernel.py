"""Kernel: where a series may change, and the two optimal partitionings over those places."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.jit import Floats, Ints, compiled

if TYPE_CHECKING:
    from bench_db.analysis.constants import Constants

WINDOWS = (3, 8, 20)  # points on either side in the difference of means
FREQUENCIES = (0.15731068, 0.48877641, 0.88714656, 1.53412054)  # normal quantiles at 9/16, 11/16, 13/16, 15/16
FEATURES = 16  # 4 frequencies x (cos, sin) x 2 bandwidths


@compiled
def candidates(y: Floats, scale: Floats, c: Constants, places: Ints) -> int:
    """0, then every local maximum of the standardised difference of means of at least 1, then len(y); returns how many."""
    n = len(y)
    total, difference = np.zeros(n + 1), np.zeros(n + 1)
    chosen = np.zeros(n + 1, np.bool_)
    for i in range(n):
        total[i + 1] = total[i] + y[i]
    for window in WINDOWS:
        for i in range(2, n - 1):
            left, right = min(window, i), min(window, n - i)
            step = (total[i + right] - total[i]) / right - (total[i] - total[i - left]) / left
            difference[i] = abs(step) / (scale[i] * math.sqrt(1.0 / left + 1.0 / right))
        for i in range(max(2, c.tail), n - c.tail + 1):
            if difference[i] >= max(1.0, difference[i - 1], difference[i + 1]):
                chosen[i] = True
    places[0], count = 0, 1
    for i in range(1, n):
        if chosen[i]:
            places[count] = i
            count += 1
    places[count] = n
    return count + 1


@compiled
def traced(before: Ints, places: Ints, count: int, bounds: Ints) -> int:
    """Places on the best path, ascending with both ends, written to `bounds`; returns how many."""
    length, j = 1, count - 1
    while j > 0:
        length += 1
        j = before[j]
    j = count - 1
    for at in range(length - 1, -1, -1):
        bounds[at] = places[j]
        j = before[j]
    return length


@compiled
def least_squares(y: Floats, scale: Floats, places: Ints, count: int, penalty: float, bounds: Ints) -> int:
    """Partitioning of least weighted squares about segment means (weights 1 / scale^2) plus `penalty` a change.

    Optimal partitioning (Jackson et al. 2005) with the pruning of PELT (Killick et al. 2012).
    """
    weight, moment, square = np.zeros(count), np.zeros(count), np.zeros(count)
    for j in range(1, count):
        weight[j], moment[j], square[j] = weight[j - 1], moment[j - 1], square[j - 1]
        for i in range(places[j - 1], places[j]):
            w = 1.0 / (scale[i] * scale[i])
            weight[j] += w
            moment[j] += w * y[i]
            square[j] += w * y[i] * y[i]
    best, before = np.full(count, np.inf), np.zeros(count, np.int64)
    best[0] = -penalty
    alive, cost, living = np.zeros(count, np.int64), np.empty(count), 1
    for j in range(1, count):
        for k in range(living):
            i = alive[k]
            m = moment[j] - moment[i]
            cost[k] = best[i] + (square[j] - square[i]) - m * m / (weight[j] - weight[i])
            if cost[k] + penalty < best[j]:
                best[j], before[j] = cost[k] + penalty, i
        living = pruned(alive, cost, living, best[j])
        alive[living] = j
        living += 1
    return traced(before, places, count, bounds)


@compiled
def fourier(y: Floats, places: Ints, count: int, narrow: float, wide: float, penalty: float, bounds: Ints) -> int:
    """Partitioning of least spread in two Gaussian kernels of bandwidths `narrow` and `wide`, plus `penalty` a change.

    The cost of a segment is n - |sum of features|^2 / n (Harchaoui and Cappe 2007; Arlot et al. 2019), each kernel through 4
    Fourier features (Rahimi and Recht 2007) at fixed quantiles of the normal distribution: no random number is drawn.
    """
    total = np.zeros((count, FEATURES))
    for j in range(1, count):
        for f in range(FEATURES):
            total[j, f] = total[j - 1, f]
        for i in range(places[j - 1], places[j]):
            for f in range(4):
                a, b = FREQUENCIES[f] * y[i] / narrow, FREQUENCIES[f] * y[i] / wide
                total[j, f] += math.cos(a)
                total[j, 4 + f] += math.sin(a)
                total[j, 8 + f] += math.cos(b)
                total[j, 12 + f] += math.sin(b)
    best, before = np.full(count, np.inf), np.zeros(count, np.int64)
    best[0] = -penalty
    alive, cost, living = np.zeros(count, np.int64), np.empty(count), 1
    for j in range(1, count):
        for k in range(living):
            i = alive[k]
            length, together = places[j] - places[i], 0.0
            for f in range(FEATURES):
                feature = total[j, f] - total[i, f]
                together += feature * feature
            cost[k] = best[i] + 2.0 * length - together / (4.0 * length)
            if cost[k] + penalty < best[j]:
                best[j], before[j] = cost[k] + penalty, i
        living = pruned(alive, cost, living, best[j])
        alive[living] = j
        living += 1
    return traced(before, places, count, bounds)


@compiled
def pruned(alive: Ints, cost: Floats, living: int, best: float) -> int:
    """Move the starts that can still begin a last segment of a best partitioning to the front. Return their number."""
    kept = 0
    for k in range(living):
        if cost[k] <= best:
            alive[kept] = alive[k]
            kept += 1
    return kept
