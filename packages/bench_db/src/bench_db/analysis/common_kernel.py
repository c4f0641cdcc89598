"""Kernel: what moved together. The movement of each run over all its series, and histories with it taken out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench_db.analysis.jit import Floats, Ints, cached, compiled, source_digest
from bench_db.analysis.noise_kernel import NORMAL_MEDIAN_OF_ABSOLUTE, quantile, rolling_quantile

LEVEL_REACH = 5  # points on either side of the running median a point is measured against
FEWEST_SERIES = 10  # of a run, for a median over them to mean the run
STANDARD_ERRORS = 3.0
MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2.0)  # standard error of a median over that of a mean, normal values


@compiled
def departures(x: Floats, out: Floats) -> None:
    """Log x less its running median; NaN throughout for a series that is not positive, and where x is not finite."""
    n, count = len(x), 0
    y, where = np.empty(n), np.empty(n, np.int64)
    positive = True
    for i in range(n):
        out[i] = math.nan
        if math.isfinite(x[i]):
            positive = positive and x[i] > 0.0
            if positive:
                y[count], where[count] = math.log(x[i]), i
                count += 1
    if positive and count > 0:
        level = np.empty(count)
        rolling_quantile(y[:count], LEVEL_REACH, LEVEL_REACH + 1, 0.5, level)
        for j in range(count):
            # at the ends the nearest full window serves: in a cut one, the last three slow runs would be half of the level
            out[where[j]] = y[j] - level[max(min(j, count - 1 - LEVEL_REACH), min(LEVEL_REACH, count - 1))]


@compiled
def movement(of_run: Floats, count: int) -> float:
    """Median departure of the `count` series of one run; 0 if they are few or it lies within 3 standard errors. Reorders."""
    if count < FEWEST_SERIES:
        return 0.0
    middle = quantile(of_run, count, 0.5)
    apart = np.empty(count)
    for j in range(count):
        apart[j] = abs(of_run[j] - middle)
    scale = quantile(apart, count, 0.5) / NORMAL_MEDIAN_OF_ABSOLUTE
    return middle if abs(middle) > STANDARD_ERRORS * MEDIAN_EFFICIENCY * scale / math.sqrt(count) else 0.0


def _entry(digest: int) -> Any:
    @cached
    def entry(values: Floats, offsets: Ints, runs: Ints, n_runs: int, out: Floats) -> tuple[Floats, Ints]:
        _ = digest
        for s in range(len(offsets) - 1):
            departures(values[offsets[s] : offsets[s + 1]], out[offsets[s] : offsets[s + 1]])
        starts, counts, moved = np.zeros(n_runs + 1, np.int64), np.zeros(n_runs, np.int64), np.zeros(n_runs)
        for i in range(len(out)):
            if not math.isnan(out[i]):
                counts[runs[i]] += 1
        for r in range(n_runs):
            starts[r + 1] = starts[r] + counts[r]
            counts[r] = 0
        by_run = np.empty(starts[n_runs])
        for i in range(len(out)):
            if not math.isnan(out[i]):
                by_run[starts[runs[i]] + counts[runs[i]]] = out[i]
                counts[runs[i]] += 1
        for r in range(n_runs):
            moved[r] = movement(by_run[starts[r] : starts[r + 1]], counts[r])
        for i in range(len(out)):
            out[i] = values[i] if math.isnan(out[i]) else values[i] * math.exp(-moved[runs[i]])
        return moved, counts

    return entry


# (values end to end, offsets, run of each point, number of runs, out) -> log movement and series of each run; `out` is values without it
without_common = _entry(source_digest())
