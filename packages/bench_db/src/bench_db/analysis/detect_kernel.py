"""Kernel: the changes of one series, and of many concatenated in one array."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench_db.analysis.jit import Floats, Ints, Kernel, compiled, expm1, floats, integers
from bench_db.analysis.noise_kernel import (
    about_means,
    about_medians,
    autocorrelation,
    autoregressive_inflation,
    distance_of_pairs,
    inflation,
    noise_scale,
    of_two_modes,
    on_log_scale,
    quantile,
    winsorise,
)
from bench_db.analysis.partition_kernel import candidates, eliminated, fourier, least_squares, weighted_sums, welch
from bench_db.analysis.student import quantile as t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.analysis.constants import Constants

# columns of one found change
EFFECT, LOW, HIGH, P_VALUE = range(4)
COLUMNS = 4
INTERVAL = 0.05  # two-sided 95 %
NOTHING = 1e-9  # share of a level that is rounding
NO_VARIANCE = 1e-12  # of standardised residuals: they are rounding


@compiled
def criterion(residual: Floats, scale: Floats, steps: int, c: Constants) -> float:
    """Return n log of the variance that a first-order autoregression of the residuals leaves, plus `step_weight` log n per step."""
    n, rho = len(residual), min(max(autocorrelation(residual, scale), 0.0), 0.95)
    left = before = 0.0
    for i in range(n):
        here = residual[i] / scale[i]
        innovation = here - rho * before
        left += innovation * innovation
        before = here
    return n * math.log(max(left / n, NO_VARIANCE)) + c.step_weight * steps * math.log(n)


@compiled
def squares_bounds(y: Floats, scale: Floats, places: Ints, count: int, c: Constants, bounds: Ints) -> tuple[int, float]:
    """Return the bounds of steps by least squares, and the inflation of the noise about them.

    Steps look like autocorrelation, and autocorrelation like steps. So the penalty grows from one that would suit little
    inflation to one for much, and an information criterion that knows autocorrelation chooses among the partitionings.
    """
    n, kept, least, some = len(y), 2, math.inf, 0
    residual, candidate = floats(n), integers(n + 2)
    sums = weighted_sums(y, scale, places, count)
    bounds[0], bounds[1], rung = 0, n, c.rung_first
    for _ in range(c.rungs):
        steps = least_squares(sums, places, count, c.squares_penalty * math.log(n) * rung * rung, candidate)
        rung *= c.rung_ratio
        if steps != some:
            some = steps
            about_means(y, scale, candidate, some, residual)
            value = criterion(residual, scale, some - 2, c)
            if value < least:
                least, kept = value, some
                for j in range(some):
                    bounds[j] = candidate[j]
        if some == 2:
            break
    about_medians(y, bounds, kept, residual)
    factor = inflation(residual, scale, c)
    if c.autoregressive:
        about_means(y, scale, bounds, kept, residual)
        factor = min(c.inflation_most, max(factor, autoregressive_inflation(residual, scale, kept - 1, c)))
    return kept, factor


@compiled
def united(left: Ints, n_left: int, right: Ints, n_right: int, apart: int, out: Ints) -> int:
    """Merge the bounds of `left` and those of `right` at least `apart` from all of them, ascending; return the count."""
    count = 0
    for j in range(n_left):
        out[count] = left[j]
        count += 1
    for k in range(1, n_right - 1):
        near = False
        for j in range(1, n_left - 1):
            near = near or abs(left[j] - right[k]) < apart
        if not near:
            at = count
            while out[at - 1] > right[k]:
                out[at] = out[at - 1]
                at -= 1
            out[at] = right[k]
            count += 1
    return count


@compiled
def changes(x: Floats, c: Constants, found: Ints, figures: Floats) -> int:
    """Find the changes of one series without gaps: first index of each new level, and its figures; return the count."""
    n = len(x)
    if n < c.minimum_points:
        return 0
    y, scale, raw, part = floats(n), floats(n), floats(n), floats(n)
    logarithmic = on_log_scale(x, y)
    whole = noise_scale(y, c, scale)
    for i in range(n):
        part[i] = y[i]
    middle = quantile(part, n, 0.5)
    for i in range(n):
        y[i] -= middle
        raw[i] = y[i]
    winsorise(y, scale, c)
    modes = of_two_modes(y, c)
    places, bounds, other, both = integers(n + 2), integers(n + 2), integers(n + 2), integers(n + 2)
    count = candidates(y, scale, c.candidate_of_modes if modes else c.candidate, c, places)
    kept, factor = squares_bounds(y, scale, places, count, c, bounds)
    kept = eliminated(y, raw, scale, bounds, kept, factor, c.squares_alpha, 0.0, modes, c)
    if not c.squares:
        bounds[1], kept = n, 2
    penalty = c.fourier_penalty * math.log(n) * math.sqrt(factor)
    others = fourier(y, places, count, (c.narrow * whole, c.wide * whole), penalty, other)
    others = eliminated(y, raw, scale, other, others, 1.0, c.fourier_alpha, 0.0, modes, c)
    total = united(bounds, kept, other, others, c.shortest, both)
    total = eliminated(y, raw, scale, both, total, 1.0, c.alpha, 0.0, modes, c)
    width = max(c.pairs * distance_of_pairs(y), c.rounding)
    others = fourier(y, places, count, (width,), c.pairs_penalty * math.log(n), other)
    others = eliminated(y, raw, scale, other, others, factor, c.pairs_alpha, width, modes, c)
    total = united(both, total, other, others, c.shortest, bounds)
    relocate(raw, scale, bounds, total, c)
    total = merged(raw, scale, bounds, total, c)
    for j in range(1, total - 1):
        low, at, high = bounds[j - 1], bounds[j], bounds[j + 1]
        found[j - 1], row = at, (j - 1) * COLUMNS
        doubted = max(factor, 1.0 + c.short_side * (1.0 / (at - low) + 1.0 / (high - at)))
        step, error, df, p, _ = welch(y, scale, low, at, high, doubted, c)
        level = 0.0
        first = max(low, at - c.reach)
        for i in range(first, at):
            level += (y[i] + middle) / (at - first)
        margin = error * t_quantile(INTERVAL, df)
        figures[row + EFFECT] = relative(step, level, level + step, logarithmic)
        figures[row + LOW] = relative(step - margin, level, level + step, logarithmic)
        figures[row + HIGH] = relative(step + margin, level, level + step, logarithmic)
        figures[row + P_VALUE] = min(1.0, p)
    return total - 2


@compiled
def relocate(raw: Floats, scale: Floats, bounds: Ints, count: int, c: Constants) -> None:
    """Move each clear step to the nearby position of least capped deviations from the medians of both sides.

    `raw` are the values before winsorising: between a step and outliers beside it, that smooths the step away. A step of less than
    `cap` scales (of less than `clear` beside at least `outliers` points that are `cap` scales from both medians) stays where it is, and
    so does one whose deviations would fall by less. The lengths of excursions stay at least what they must be.
    """
    part = floats(len(raw))
    for j in range(1, count - 1):
        low, at, high = bounds[j - 1], bounds[j], bounds[j + 1]
        first = max(low + min(c.shortest, at - low), at - c.relocate)
        last = min(high - min(c.shortest, high - at), at + c.relocate)
        for i in range(low, high):
            part[i] = raw[i]
        before, after = quantile(part[low:at], at - low, 0.5), quantile(part[at:high], high - at, 0.5)
        outliers = 0
        for i in range(first, last):
            if min(abs(raw[i] - before), abs(raw[i] - after)) >= c.cap * scale[i]:
                outliers += 1
        clear = c.clear if outliers >= c.outliers else c.cap
        if abs(after - before) < clear * scale[at]:
            continue
        cost, least, best = 0.0, -c.cap, at
        for i in range(at, last):
            cost += capped(raw[i] - before, scale[i], c) - capped(raw[i] - after, scale[i], c)
            if cost < least:
                least, best = cost, i + 1
        cost = 0.0
        for i in range(at - 1, first - 1, -1):
            cost += capped(raw[i] - after, scale[i], c) - capped(raw[i] - before, scale[i], c)
            if cost < least:
                least, best = cost, i
        bounds[j] = best


@compiled
def merged(raw: Floats, scale: Floats, bounds: Ints, count: int, c: Constants) -> int:
    """Replace two steps at most `relocate` points apart by one, where capped deviations grow by at most one capped point; return the count.

    Outliers soon after a step, against it, make the running median cross the step in two parts.
    """
    part = floats(len(raw))
    j = 1
    while j + 2 < count:
        low, first, last, high = bounds[j - 1], bounds[j], bounds[j + 1], bounds[j + 2]
        if last - first > c.relocate:
            j += 1
            continue
        for i in range(low, high):
            part[i] = raw[i]
        before, between = quantile(part[low:first], first - low, 0.5), quantile(part[first:last], last - first, 0.5)
        after = quantile(part[last:high], high - last, 0.5)
        cost = 0.0
        for i in range(first, last):
            cost += capped(raw[i] - after, scale[i], c) - capped(raw[i] - between, scale[i], c)
        least, best = cost, first
        for i in range(first, last):
            cost += capped(raw[i] - before, scale[i], c) - capped(raw[i] - after, scale[i], c)
            if cost < least:
                least, best = cost, i + 1
        if least <= c.cap:
            bounds[j] = best
            for k in range(j + 1, count - 1):
                bounds[k] = bounds[k + 1]
            count -= 1
        else:
            j += 1
    return count


@compiled
def capped(deviation: float, scale: float, c: Constants) -> float:
    """Return an absolute deviation in scales, at most `cap`."""
    return min(abs(deviation) / scale, c.cap)


@compiled
def relative(step: float, before: float, after: float, logarithmic: bool) -> float:
    """Return the step relative to the level before it, or to the level after if that is 0."""
    if logarithmic:
        return expm1(step)
    return step / (abs(before) if abs(before) > NOTHING * abs(after) else abs(after))


@compiled
def finite(values: Floats, x: Floats, where: Ints) -> int:
    """Collect finite values and their positions; return the count. A NaN is a run without a result."""
    count = 0
    for i in range(len(values)):
        if math.isfinite(values[i]):
            x[count], where[count] = values[i], i
            count += 1
    return count


@compiled
def enlarged(found: Ints, figures: Floats, total: int, room: int) -> tuple[Ints, Floats]:
    """Return larger copies; copy with loops, because assigning slices adds three seconds to the compilation."""
    more, more_figures = integers(room), floats(room * COLUMNS)
    for j in range(total):
        more[j] = found[j]
    for j in range(total * COLUMNS):
        more_figures[j] = figures[j]
    return more, more_figures


def _entry(digest: int) -> Callable[..., tuple[Ints, Ints, Ints, Floats]]:
    def entry(values: Floats, offsets: Ints, c: Constants) -> tuple[Ints, Ints, Ints, Floats]:
        _ = digest
        n_series = len(offsets) - 1
        per_series, points = integers(n_series), integers(n_series)
        room = 16 + len(values) // 64
        found, figures = integers(room), floats(room * COLUMNS)
        longest = 0
        for s in range(n_series):
            longest = max(longest, offsets[s + 1] - offsets[s])
        x, where = floats(longest), integers(longest)
        here, here_figures = integers(longest + 2), floats((longest // 2 + 2) * COLUMNS)
        total = 0
        for s in range(n_series):
            points[s] = finite(values[offsets[s] : offsets[s + 1]], x, where)
            count = changes(x[: points[s]], c, here, here_figures)
            if total + count > room:
                room = 2 * room + count
                found, figures = enlarged(found, figures, total, room)
            for j in range(count):
                found[total + j] = where[here[j]]
            for j in range(count * COLUMNS):
                figures[total * COLUMNS + j] = here_figures[j]
            per_series[s] = count
            total += count
        return per_series, points, found[:total], figures[: total * COLUMNS]

    return entry


# (concatenated values, offsets, constants) -> changes per series, finite points per series, index in its series, figures (k x 4)
all_changes = Kernel(_entry, lambda *given: 1.2e-5 * len(given[0]) + 5e-5 * len(given[1]), 12.0)
