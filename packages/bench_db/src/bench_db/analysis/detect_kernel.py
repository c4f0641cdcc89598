"""Kernel: the changes of one series, and of many that lie end to end in one array."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bench_db.analysis.evidence_kernel import eliminated, welch
from bench_db.analysis.jit import Floats, Ints, cached, compiled, source_digest
from bench_db.analysis.noise_kernel import about_medians, inflation, noise_scale, on_log_scale, quantile, winsorise
from bench_db.analysis.partition_kernel import candidates, fourier, least_squares
from bench_db.analysis.student_kernel import t_quantile

if TYPE_CHECKING:
    from bench_db.analysis.constants import Constants

# columns of one found change
EFFECT, LOW, HIGH, P_VALUE = range(4)
COLUMNS = 4
INTERVAL = 0.05  # two-sided 95 %
NOTHING = 1e-9  # share of a level that is rounding
SETTLED = 0.95  # a new inflation above this share of the old one ends the passes


@compiled
def squares_changes(
    y: Floats, scale: Floats, places: Ints, count: int, c: Constants, bounds: Ints
) -> tuple[int, float]:
    """Bounds found by least squares, and the inflation of the noise about them.

    Steps look like autocorrelation, so the inflation falls from pass to pass as they are taken out, never below that of the rest.
    """
    residual = np.empty(len(y))
    factor, kept = inflation(y, scale, c), 2
    for turn in range(c.inflation_passes):
        kept = least_squares(y, scale, places, count, c.squares_penalty * math.log(len(y)) * factor * factor, bounds)
        kept = eliminated(y, scale, bounds, kept, factor, c.squares_alpha, c)
        if kept == 2 or turn + 1 == c.inflation_passes:
            break
        about_medians(y, bounds, kept, residual)
        smaller = inflation(residual, scale, c)
        if smaller >= SETTLED * factor:
            break
        factor = smaller
    return kept, factor


@compiled
def united(left: Ints, n_left: int, right: Ints, n_right: int, apart: int, out: Ints) -> int:
    """Bounds of `left`, and those of `right` that lie at least `apart` from all of them; ascending; returns how many."""
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
    """Find the changes of one series without gaps: the first index of each new level, and its figures. Return their number."""
    n = len(x)
    if n < c.minimum_points:
        return 0
    y, scale = np.empty(n), np.empty(n)
    logarithmic = on_log_scale(x, y)
    whole = noise_scale(y, c, scale)
    winsorise(y, scale, c)
    middle = quantile(y.copy(), n, 0.5)
    for i in range(n):
        y[i] -= middle
    places, bounds = np.empty(n + 2, np.int64), np.empty(n + 2, np.int64)
    count = candidates(y, scale, c, places)
    kept, factor = squares_changes(y, scale, places, count, c, bounds)
    penalty = c.fourier_penalty * math.log(n) * math.sqrt(factor)
    other, both = np.empty(n + 2, np.int64), np.empty(n + 2, np.int64)
    others = fourier(y, places, count, c.narrow * whole, c.wide * whole, penalty, other)
    others = eliminated(y, scale, other, others, 1.0, c.fourier_alpha, c)
    if not c.squares:
        bounds[1], kept = n, 2
    total = united(bounds, kept, other, others, c.shortest, both)
    total = eliminated(y, scale, both, total, 1.0, c.alpha, c)
    for j in range(1, total - 1):
        found[j - 1] = both[j]
        step, error, df, p, _ = welch(y, scale, both[j - 1], both[j], both[j + 1], factor, c)
        level = 0.0
        first = max(both[j - 1], both[j] - c.reach)
        for i in range(first, both[j]):
            level += (y[i] + middle) / (both[j] - first)
        margin = error * t_quantile(INTERVAL, df)
        figures[j - 1, EFFECT] = relative(step, level, level + step, logarithmic)
        figures[j - 1, LOW] = relative(step - margin, level, level + step, logarithmic)
        figures[j - 1, HIGH] = relative(step + margin, level, level + step, logarithmic)
        figures[j - 1, P_VALUE] = min(1.0, p)
    return total - 2


@compiled
def relative(step: float, before: float, after: float, logarithmic: bool) -> float:
    """Step as a change relative to the level before it, or to the level after where the one before is 0."""
    if logarithmic:
        return math.expm1(step)
    return step / (abs(before) if abs(before) > NOTHING * abs(after) else abs(after))


@compiled
def finite(values: Floats, x: Floats, where: Ints) -> int:
    """Finite values and their positions; returns how many. A NaN is a run without a result."""
    count = 0
    for i in range(len(values)):
        if math.isfinite(values[i]):
            x[count], where[count] = values[i], i
            count += 1
    return count


@compiled
def enlarged(found: Ints, figures: Floats, total: int, room: int) -> tuple[Ints, Floats]:
    """Copy into larger arrays; by loops, because an assignment of slices adds three seconds to the compilation."""
    more, more_figures = np.empty(room, np.int64), np.empty((room, COLUMNS))
    for j in range(total):
        more[j] = found[j]
        for k in range(COLUMNS):
            more_figures[j, k] = figures[j, k]
    return more, more_figures


def _entry(digest: int) -> Any:
    @cached
    def entry(values: Floats, offsets: Ints, c: Constants) -> tuple[Ints, Ints, Ints, Floats]:
        _ = digest
        n_series = len(offsets) - 1
        per_series, points = np.zeros(n_series, np.int64), np.zeros(n_series, np.int64)
        room = 16 + len(values) // 64
        found, figures = np.empty(room, np.int64), np.empty((room, COLUMNS))
        longest = 0
        for s in range(n_series):
            longest = max(longest, offsets[s + 1] - offsets[s])
        x, where = np.empty(longest), np.empty(longest, np.int64)
        here, here_figures = np.empty(longest + 2, np.int64), np.empty((longest // 2 + 2, COLUMNS))
        total = 0
        for s in range(n_series):
            points[s] = finite(values[offsets[s] : offsets[s + 1]], x, where)
            count = changes(x[: points[s]], c, here, here_figures)
            if total + count > room:
                room = 2 * room + count
                found, figures = enlarged(found, figures, total, room)
            for j in range(count):
                found[total + j] = where[here[j]]
                for k in range(COLUMNS):
                    figures[total + j, k] = here_figures[j, k]
            per_series[s] = count
            total += count
        return per_series, points, found[:total], figures[:total]

    return entry


# (values end to end, offsets, constants) -> changes per series, finite points per series, index in its series, figures (k, 4)
all_changes = _entry(source_digest())
