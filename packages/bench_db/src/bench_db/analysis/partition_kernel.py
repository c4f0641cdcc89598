"""Kernel: candidate positions of changes, and the two optimal partitionings over them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench_db.analysis.jit import Floats, Ints, compiled, divided, filled, floats, integers

if TYPE_CHECKING:
    from bench_db.analysis.constants import Constants

WINDOWS = (3, 8, 20)  # points on either side in the difference of means
FREQUENCY = 0.6  # distance of the frequencies of a Gaussian kernel, in units of 1 / bandwidth
HARMONICS = 4
# square roots of the weights of these frequencies: the normal density at each, twice, times their distance
ROOTS = tuple(
    math.sqrt(2.0 * FREQUENCY / math.sqrt(2.0 * math.pi) * math.exp(-0.5 * (k * FREQUENCY) ** 2))
    for k in range(1, HARMONICS + 1)
)
FEATURES = 2 * HARMONICS  # cosine and sine of each
POWER = sum(root * root for root in ROOTS)  # squares of all features of a point


@compiled
def candidates(y: Floats, scale: Floats, least: float, c: Constants, places: Ints) -> int:
    """Collect 0, every local maximum >= `least` of the standardised difference of means, and len(y); return the count."""
    n = len(y)
    total, difference = filled(n + 1, 0.0), filled(n + 1, 0.0)
    chosen = integers(n + 1)
    for i in range(n):
        total[i + 1] = total[i] + y[i]
    for window in WINDOWS:
        for i in range(2, n - 1):
            left, right = min(window, i), min(window, n - i)
            step = (total[i + right] - total[i]) / right - (total[i] - total[i - left]) / left
            difference[i] = abs(step) / (scale[i] * math.sqrt(1.0 / left + 1.0 / right))
        for i in range(max(2, c.tail), n - c.tail + 1):
            if difference[i] >= max(least, difference[i - 1], difference[i + 1]):
                chosen[i] = 1
    places[0], count = 0, 1
    for i in range(1, n):
        if chosen[i]:
            places[count] = i
            count += 1
    places[count] = n
    return count + 1


@compiled
def traced(before: Ints, places: Ints, count: int, bounds: Ints) -> int:
    """Write the positions on the best path to `bounds`, ascending with both ends; return the count."""
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
    """Find the partitioning of least weighted squares about segment means (weights 1 / scale^2) plus `penalty` per change.

    Optimal partitioning (Jackson et al. 2005) with the pruning of PELT (Killick et al. 2012).
    """
    weight, moment, square = filled(count, 0.0), filled(count, 0.0), filled(count, 0.0)
    for j in range(1, count):
        weight[j], moment[j], square[j] = weight[j - 1], moment[j - 1], square[j - 1]
        for i in range(places[j - 1], places[j]):
            w = 1.0 / (scale[i] * scale[i])
            weight[j] += w
            moment[j] += w * y[i]
            square[j] += w * y[i] * y[i]
    best, before = filled(count, math.inf), integers(count)
    best[0] = -penalty
    alive, cost, living = integers(count), floats(count), 1
    for j in range(1, count):
        for k in range(living):
            i = alive[k]
            m = moment[j] - moment[i]
            cost[k] = best[i] + (square[j] - square[i]) - divided(m * m, weight[j] - weight[i])
            if cost[k] + penalty < best[j]:
                best[j], before[j] = cost[k] + penalty, i
        living = pruned(alive, cost, living, best[j])
        alive[living] = j
        living += 1
    return traced(before, places, count, bounds)


@compiled
def add_features(y: float, bandwidth: float, out: Floats, first: int) -> None:
    """Add the features of one value to out[first : first + FEATURES]: one angle and its multiples, each by a rotation."""
    angle = FREQUENCY * y / bandwidth
    angle = angle if math.isfinite(angle) else math.nan
    cosine, sine = math.cos(angle), math.sin(angle)
    real, imaginary = cosine, sine
    for k in range(HARMONICS):
        out[first + 2 * k] += ROOTS[k] * real
        out[first + 2 * k + 1] += ROOTS[k] * imaginary
        real, imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine


@compiled
def fourier(y: Floats, places: Ints, count: int, bandwidths: tuple[float, ...], penalty: float, bounds: Ints) -> int:
    """Find the partitioning of least spread in Gaussian kernels of some bandwidths, plus `penalty` per change.

    The cost of a segment is n - |sum of features|^2 / n for each kernel (Harchaoui and Cappe 2007; Arlot et al. 2019), through
    Fourier features (Rahimi and Recht 2007) at equally spaced frequencies: no random number is drawn.
    """
    n_features = FEATURES * len(bandwidths)
    power = POWER * len(bandwidths)
    total = filled(count * n_features, 0.0)
    for j in range(1, count):
        for f in range(n_features):
            total[j * n_features + f] = total[(j - 1) * n_features + f]
        for i in range(places[j - 1], places[j]):
            for k in range(len(bandwidths)):
                add_features(y[i], bandwidths[k], total, j * n_features + k * FEATURES)
    best, before = filled(count, math.inf), integers(count)
    best[0] = -penalty
    alive, cost, living = integers(count), floats(count), 1
    for j in range(1, count):
        for k in range(living):
            i = alive[k]
            length, together = places[j] - places[i], 0.0
            for f in range(n_features):
                feature = total[j * n_features + f] - total[i * n_features + f]
                together += feature * feature
            cost[k] = best[i] + power * length - together / length
            if cost[k] + penalty < best[j]:
                best[j], before[j] = cost[k] + penalty, i
        living = pruned(alive, cost, living, best[j])
        alive[living] = j
        living += 1
    return traced(before, places, count, bounds)


@compiled
def pruned(alive: Ints, cost: Floats, living: int, best: float) -> int:
    """Move the starts that can still begin a last segment of a best partitioning to the front; return the count."""
    kept = 0
    for k in range(living):
        if cost[k] <= best:
            alive[kept] = alive[k]
            kept += 1
    return kept
