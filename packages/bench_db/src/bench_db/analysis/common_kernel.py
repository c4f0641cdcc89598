"""Kernel: what moved together. The movement of each run over all its series, and histories with it taken out of those that made it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench_db.analysis.jit import Floats, Ints, cached, compiled, source_digest
from bench_db.analysis.noise_kernel import NORMAL_MEDIAN_OF_ABSOLUTE, quantile, rolling_quantile

LEVEL_REACH = 5  # points on either side of the running median a point is measured against
FEWEST_SERIES = 10  # of a run, for a median over them to mean the run
STANDARD_ERRORS = 3.0
PASSES = 2  # the second measures against levels that the first has freed of the movement
SHARES = 4
FOLLOWS = 0.5
MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2.0)  # standard error of a median over that of a mean, normal values


@compiled
def departures(x: Floats, runs: Ints, moved: Floats, sign: float, share: float, out: Floats) -> None:
    """`sign` times log x, less the running median of what is left of it without `share` of each run's movement.

    NaN throughout for a series that is not positive, and where x is not finite.
    """
    n, count = len(x), 0
    y, rest, where = np.empty(n), np.empty(n), np.empty(n, np.int64)
    positive = True
    for i in range(n):
        out[i] = math.nan
        if math.isfinite(x[i]):
            positive = positive and x[i] > 0.0
            if positive:
                y[count], where[count] = sign * math.log(x[i]), i
                rest[count] = y[count] - share * moved[runs[i]]
                count += 1
    if positive and count > 0:
        level = np.empty(count)
        rolling_quantile(rest[:count], LEVEL_REACH, LEVEL_REACH + 1, 0.5, level)
        for j in range(count):
            # at the ends the nearest full window serves: in a cut one, the last three slow runs would be half of the level
            out[where[j]] = y[j] - level[max(min(j, count - 1 - LEVEL_REACH), min(LEVEL_REACH, count - 1))]


@compiled
def followed(departure: Floats, runs: Ints, moved: Floats) -> float:
    """Return the share of the movements that a series follows, in quarters: the one with the least absolute departures."""
    left = np.zeros(SHARES + 1)
    for i in range(len(departure)):
        rest, part = departure[i], moved[runs[i]] / SHARES
        if part != 0.0 and not math.isnan(rest):
            for k in range(SHARES + 1):
                left[k] += abs(rest)
                rest -= part
    return float(left.argmin() / SHARES)


@compiled
def movement(of_run: Floats, count: int) -> float:
    """Median departure of the `count` series of one run; 0 if it lies within 3 standard errors. Reorders."""
    if count == 0:
        return 0.0
    middle = quantile(of_run, count, 0.5)
    apart = np.empty(count)
    for j in range(count):
        apart[j] = abs(of_run[j] - middle)
    scale = quantile(apart, count, 0.5) / NORMAL_MEDIAN_OF_ABSOLUTE
    return middle if abs(middle) > STANDARD_ERRORS * MEDIAN_EFFICIENCY * scale / math.sqrt(count) else 0.0


@compiled
def movements(departure: Floats, offsets: Ints, runs: Ints, shares: Floats, measured: Ints, moved: Floats) -> None:
    """Movement of each run, over the series that follow the others by half at least; 0 for a run of few series."""
    n_runs = len(moved)
    starts, counts = np.zeros(n_runs + 1, np.int64), np.zeros(n_runs, np.int64)
    for r in range(n_runs):
        starts[r + 1] = starts[r] + measured[r]
    by_run = np.empty(starts[n_runs])
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            if shares[s] >= FOLLOWS and not math.isnan(departure[i]):
                by_run[starts[runs[i]] + counts[runs[i]]] = departure[i]
                counts[runs[i]] += 1
    for r in range(n_runs):
        moved[r] = movement(by_run[starts[r] : starts[r + 1]], counts[r]) if measured[r] >= FEWEST_SERIES else 0.0


def _entry(digest: int) -> Any:
    @cached
    def entry(
        values: Floats, offsets: Ints, runs: Ints, signs: Floats, n_runs: int, out: Floats
    ) -> tuple[Floats, Ints]:
        _ = digest
        n_series = len(offsets) - 1
        moved, measured, shares = np.zeros(n_runs), np.zeros(n_runs, np.int64), np.ones(n_series)
        for turn in range(PASSES):
            for s in range(n_series):
                a, b = offsets[s], offsets[s + 1]
                departures(values[a:b], runs[a:b], moved, signs[s], shares[s], out[a:b])
            if turn == 0:
                for i in range(len(out)):
                    measured[runs[i]] += not math.isnan(out[i])
            movements(out, offsets, runs, shares, measured, moved)
            if not moved.any():
                break
            for s in range(n_series):
                a, b = offsets[s], offsets[s + 1]
                shares[s] = followed(out[a:b], runs[a:b], moved)
        for s in range(n_series):
            part = -signs[s] * shares[s]
            for i in range(offsets[s], offsets[s + 1]):
                out[i] = values[i] if math.isnan(out[i]) else values[i] * math.exp(part * moved[runs[i]])
        return moved, measured

    return entry


# (values end to end, offsets, run of each point, +1 or -1 for each series: a time or a rate, number of runs, out)
# -> log movement of times and number of series, for each run; `out` is values without the movement
without_common = _entry(source_digest())
