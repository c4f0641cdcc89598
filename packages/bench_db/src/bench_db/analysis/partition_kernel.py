"""Kernel: the partition of a series: candidate positions, the optimal partitionings over them, and the elimination of bounds without evidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench_db.analysis.jit import Floats, Ints, compiled, divided, filled, floats, integers
from bench_db.analysis.noise_kernel import ROOT_2
from bench_db.analysis.student import two_sided_p

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
# Reasons to drop a change, above any p-value over alpha; the largest is dropped first
UNLIKE_A_STEP, SEEN_BEFORE, TOO_SHORT, TOO_SMALL = 1e3, 2e3, 4e3, 8e3
NO_SPREAD = 1e-12  # of kernel features: every point of either side is the same


@compiled
def candidates(y: Floats, scale: Floats, least: float, c: Constants, places: Ints) -> int:
    """Collect 0, every local maximum >= `least` of the standardised difference of means, and len(y); return the count."""
    n = len(y)
    total, difference = filled(n + 1, 0.0), filled(n + 1, 0.0)
    chosen = integers(n + 1)
    for i in range(n):
        total[i + 1] = total[i] + y[i]
    for window in WINDOWS:
        usual = math.sqrt(1.0 / window + 1.0 / window)
        for i in range(2, n - 1):
            left, right = min(window, i), min(window, n - i)
            step = (total[i + right] - total[i]) / right - (total[i] - total[i - left]) / left
            root = usual if left == window and right == window else math.sqrt(1.0 / left + 1.0 / right)
            difference[i] = abs(step) / (scale[i] * root)
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
def weighted_sums(y: Floats, scale: Floats, places: Ints, count: int) -> tuple[Floats, Floats, Floats]:
    """Return the sums of weights 1 / scale^2, and of these times y and y^2, up to each place."""
    weight, moment, square = filled(count, 0.0), filled(count, 0.0), filled(count, 0.0)
    for j in range(1, count):
        weight[j], moment[j], square[j] = weight[j - 1], moment[j - 1], square[j - 1]
        for i in range(places[j - 1], places[j]):
            w = 1.0 / (scale[i] * scale[i])
            weight[j] += w
            moment[j] += w * y[i]
            square[j] += w * y[i] * y[i]
    return weight, moment, square


@compiled
def least_squares(sums: tuple[Floats, Floats, Floats], places: Ints, count: int, penalty: float, bounds: Ints) -> int:
    """Find the partitioning of least weighted squares about segment means plus `penalty` per change, from the `weighted_sums`.

    Optimal partitioning (Jackson et al. 2005) with the pruning of PELT (Killick et al. 2012).
    """
    weight, moment, square = sums
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


@compiled
def welch(y: Floats, scale: Floats, low: int, at: int, high: int, inflation: float, c: Constants) -> tuple[float, ...]:
    """Return step, standard error, degrees of freedom, p-value and points used of Welch's t over `reach` points per side.

    Each variance is shrunk towards the local noise scale, which counts as `prior` degrees of freedom (Smyth 2004). The p-value
    is multiplied by the points used, because the position was chosen among them.
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
        square_left += (y[i] - mean_left) * (y[i] - mean_left)
    for i in range(at, last):
        square_right += (y[i] - mean_right) * (y[i] - mean_right)
    df_left, df_right = c.prior + n_left - 1.0, c.prior + n_right - 1.0
    left = (c.prior * local + square_left) / df_left / n_left
    right = (c.prior * local + square_right) / df_right / n_right
    step, error = mean_right - mean_left, inflation * math.sqrt(left + right)
    df = (left + right) * (left + right) / (left * left / df_left + right * right / df_right)
    return step, error, df, two_sided_p(step / error, df) * (last - first), float(last - first)


@compiled
def kernel_features(y: Floats, first: int, at: int, last: int, bandwidth: float, features: Floats) -> float:
    """Compute the kernel features of each point about the mean of its side; return the squared distance of the two means."""
    left, right = filled(FEATURES, 0.0), filled(FEATURES, 0.0)
    for i in range(first, last):
        row = (i - first) * FEATURES
        add_features(y[i] - y[at], bandwidth, features, row)
        for f in range(FEATURES):
            if i < at:
                left[f] += features[row + f] / (at - first)
            else:
                right[f] += features[row + f] / (last - at)
    distance = 0.0
    for f in range(FEATURES):
        distance += (left[f] - right[f]) * (left[f] - right[f])
        for i in range(last - first):
            features[i * FEATURES + f] -= left[f] if i < at - first else right[f]
    return distance


@compiled
def distribution_p(y: Floats, low: int, at: int, high: int, bandwidth: float, inflation: float, reach: int) -> float:
    """Return the p-value of one distribution on both sides: the distance of mean kernel features (Gretton et al. 2012).

    The distance is compared with a gamma distribution of its mean and variance under equality, in the cube-root approximation
    (Wilson and Hilferty 1931). As in `welch`, p is multiplied by the points used.
    """
    first, last = max(low, at - reach), min(high, at + reach)
    n_left, n_right, n = at - first, last - at, last - first
    features = filled(n * FEATURES, 0.0)
    distance = kernel_features(y, first, at, last, bandwidth, features)
    distance *= n_left * n_right / (n * inflation * inflation)
    mean = square = 0.0
    for f in range(FEATURES):
        for g in range(f + 1):
            covariance = 0.0
            for i in range(n):
                covariance += features[i * FEATURES + f] * features[i * FEATURES + g]
            covariance /= max(n - 2, 1)
            square += covariance * covariance * (1.0 if f == g else 2.0)
            mean += covariance if f == g else 0.0
    if mean <= NO_SPREAD:
        return 0.0 if distance > NO_SPREAD else 1.0
    spread = 2.0 * square / (9.0 * mean * mean)
    z = ((distance / mean) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / ROOT_2) * n


@compiled
def like_a_slope(y: Floats, scale: Floats, low: int, at: int, high: int, c: Constants) -> bool:
    """Return whether a straight line through the points of the test fits nearly as well as the step: drift, not a change.

    False if the step remains when line and step are fitted together: then it is a step on a drift, or near an end.
    """
    first, last = max(low, at - c.reach), min(high, at + c.reach)
    n, middle, mean = last - first, 0.5 * (first + last - 1), 0.0
    for i in range(first, last):
        mean += y[i] / n
    cross = across = square = left = local = 0.0
    for i in range(first, last):
        cross += (i - middle) * (y[i] - mean)
        across += (i - middle) * (i - middle)
        square += (y[i] - mean) * (y[i] - mean)
        local += scale[i] * scale[i] / n
        if i < at:
            left += y[i] - mean
    about_line = square - cross * cross / across
    about_step = square - left * left * (1.0 / (at - first) + 1.0 / (last - at))
    if about_line >= c.slope * about_step:
        return False
    product = float((at - first) * (last - at))
    lever = 0.5 * product  # covariance of step and line: the sum of step x position
    beside = left + cross / across * lever
    gain = beside * beside / (product / n - lever * lever / across)
    variance = (c.prior * local + about_line - gain) / (c.prior + n - 3.0)
    return gain < c.beside * c.beside * variance


@compiled
def seen_before(y: Floats, low: int, at: int, high: int, c: Constants) -> bool:
    """Return whether a stretch of half the length on the longer side covers `precedent` of the step: a recurring mode."""
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
def visited(y: Floats, raw: Floats, low: int, at: int, high: int, c: Constants) -> bool:
    """Return whether the series was at the level of the shorter side before or after it, if only for a point: a rare mode.

    `raw` are the values before winsorising, which hides such visits. A stay of more than `visit_most` points is none, and so is
    one that continues the shorter side, as the next step of a staircase does.
    """
    if at - low >= high - at:
        first, last, start, end = low, at, at, high
    else:
        first, last, start, end = at, high, low, at
    if end - start > c.visit_most:
        return False
    level = short = 0.0
    for i in range(first, last):
        level += y[i] / (last - first)
    for i in range(start, end):
        short += y[i] / (end - start)
    step, stay, own = short - level, 0, False
    for i in range(len(y) + 1):
        if i < len(y) and (start <= i < end or (raw[i] - level) * step >= c.visit * step * step):
            stay += 1
            own = own or start <= i < end
        elif 0 < stay <= c.visit_most and not own:
            return True
        else:
            stay, own = 0, False
    return False


@compiled
def weakness(
    y: Floats,
    raw: Floats,
    scale: Floats,
    bounds: Ints,
    count: int,
    j: int,
    inflation: float,
    alpha: float,
    bandwidth: float,
    modes: bool,
    c: Constants,
) -> float:
    """Return the weakness of change `j` of `bounds`: its p-value over alpha, above 1 to drop it, far above for a reason.

    The test is that of means or, with a `bandwidth`, that of distributions, in a series of two `modes` over more points and
    without a slope, because a mean says little there.
    """
    low, at, high = bounds[j - 1], bounds[j], bounds[j + 1]
    if bandwidth > 0.0:
        reach = c.modes_reach if modes else c.reach
        fine = distribution_p(y, low, at, high, 0.5 * bandwidth, inflation, reach)
        p = 2.0 * min(fine, distribution_p(y, low, at, high, bandwidth, inflation, reach))
    else:
        step, _, _, p, _ = welch(y, scale, low, at, high, inflation, c)
        if abs(step) < c.rounding:
            return TOO_SMALL + 1.0 / (abs(step) + 1e-12)
    if (high - at < c.shortest and j + 2 < count) or (at - low < c.shortest and j > 1):
        return TOO_SHORT + divided(p, alpha)
    if p > alpha:
        return divided(p, alpha)
    if seen_before(y, low, at, high, c) or (len(y) < c.visit_until and visited(y, raw, low, at, high, c)):
        return SEEN_BEFORE + divided(p, alpha)
    if not (modes and bandwidth > 0.0) and like_a_slope(y, scale, low, at, high, c):
        return UNLIKE_A_STEP + divided(p, alpha)
    return divided(p, alpha)


@compiled
def eliminated(
    y: Floats,
    raw: Floats,
    scale: Floats,
    bounds: Ints,
    count: int,
    inflation: float,
    alpha: float,
    bandwidth: float,
    modes: bool,
    c: Constants,
) -> int:
    """Drop changes from `bounds`, weakest first, until each remaining one has its evidence; return the count."""
    weak = filled(count, -1.0)
    while count > 2:
        worst = 1
        for j in range(1, count - 1):
            if weak[j] < 0.0:
                weak[j] = weakness(y, raw, scale, bounds, count, j, inflation, alpha, bandwidth, modes, c)
            if weak[j] > weak[worst]:
                worst = j
        if weak[worst] <= 1.0:
            break
        for j in range(worst, count - 1):
            bounds[j], weak[j] = bounds[j + 1], weak[j + 1]
        count -= 1
        weak[worst] = weak[worst - 1] = -1.0
    return count
