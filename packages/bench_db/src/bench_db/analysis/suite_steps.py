"""Steps of a whole suite: change points of its index, the mean of all its series, where no single series need show one."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.common_kernel import DIFFERENCE_OF_NORMALS, FEWEST_SERIES
from bench_db.analysis.compare import relative
from bench_db.analysis.constants import for_index
from bench_db.analysis.detect import detect_all, discoveries
from bench_db.model import Movement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.analysis.jit import Codes, Floats, Ints

FEWEST_AFTER = 4  # runs from the step on: a machine that is slow for three runs is no level yet
BROAD = 2 / 3  # share of the series that must have moved the same way
FEWEST_POINTS = 8  # of a series that takes part in the index of its suite
CLIP = 2.5  # noise scales, so that a large step of one series is a small one of the index
NOISE_FLOOR = 0.005  # so that series without noise, such as bytes, do not outweigh all others in the index
_SERIES_AT_ONCE = 256  # a point of them takes about 100 bytes while it is looked at


def suite_steps(  # noqa: PLR0913, PLR0917 the arrays of a scan
    values: Floats, starts: Ints, runs: Ints | Codes, signs: Floats, suites: Ints, rate: float, threads: int | None
) -> tuple[list[Movement], Ints, float]:
    """Return the steps of all suites, the level of its suite at each run, from 0, and the share of the tested suites with a step.

    The false discovery rate is `rate`. The other arguments are those of `scan`; `suites` numbers the suite of each series. A suite of fewer than 10 series
    or 8 runs has no index.
    """
    n_runs = int(runs.max()) + 1 if len(runs) else 0
    levels = np.zeros(n_runs, np.int64)
    index = suite_index(values, starts, runs, signs, n_runs)
    suite_of, lengths = np.full(n_runs, -1), np.diff(starts)
    measured = np.zeros(n_runs, np.int64)
    for first, last in _blocks(len(suites)):
        of = slice(starts[first], starts[last])
        suite_of[runs[of]] = np.repeat(suites[first:last], lengths[first:last])
        measured += np.bincount(runs[of][np.isfinite(values[of])], minlength=n_runs)
    usable = np.isfinite(index) & (measured >= FEWEST_SERIES)
    order = np.flatnonzero(usable)[np.argsort(suite_of[usable], kind="stable")]
    if not len(order):
        return [], levels, 0.0
    cuts = np.flatnonzero(np.diff(suite_of[order], prepend=-1, append=-1))
    constants = for_index()
    changes = detect_all(np.exp(index[order]), cuts, constants=constants, threads=threads)
    tested = int((np.diff(cuts) >= constants.minimum_points).sum())
    accepted, _ = discoveries(changes, tested, rate)
    steps: list[Movement] = []
    for row in accepted.tolist():
        low, high = cuts[changes.series[row]], cuts[changes.series[row] + 1]
        at = int(low + changes.index[row])
        sides = np.zeros(n_runs)
        sides[order[max(low, at - constants.reach) : at]] = -1.0
        sides[order[at : min(high, at + constants.reach)]] = 1.0
        moved = signs * _moves(values, starts, sides, runs)
        moved = moved[np.isfinite(moved) & (np.abs(moved) > constants.rounding)]  # bytes that never change say nothing
        same = int((moved * changes.effect[row] > 0.0).sum())
        if same >= BROAD * len(moved) and high - at >= FEWEST_AFTER:
            effect = relative(float(np.median(moved)), 0.0, 0.0, logarithmic=True)
            steps.append(Movement(run=int(order[at]), effect=effect, series=same, lasting=True))
            # runs of few series, which have no index, too
            levels[(np.arange(n_runs) >= order[at]) & (suite_of == suite_of[order[at]])] += 1
    return steps, levels, len({int(suite_of[step.run]) for step in steps}) / max(tested, 1)


def suite_index(values: Floats, starts: Ints, runs: Ints | Codes, signs: Floats, n_runs: int) -> Floats:
    """Return the index of its suite at each run: the mean of what all series say, each weighted by 1 / noise^2; NaN without any.

    A series says its log about its mean, clipped. Its noise is the mean absolute difference of neighbours over that of normal values. A
    series that is not positive, or has fewer than `FEWEST_POINTS` points, says nothing.
    """
    sums, weights = np.zeros(n_runs), np.zeros(n_runs)
    for first, last in _blocks(len(signs)):
        of, n = slice(starts[first], starts[last]), last - first
        finite = np.isfinite(values[of])
        series, x, at = _series(starts, first, last)[finite], values[of][finite], runs[of][finite].astype(np.int64)
        count = np.bincount(series, minlength=n)
        usable = (np.bincount(series[x <= 0.0], minlength=n) == 0) & (count >= FEWEST_POINTS)
        chosen = usable[series]
        series, y, at = series[chosen], np.log(x[chosen]), at[chosen]
        mean = np.bincount(series, y, minlength=n) / np.maximum(count, 1)
        within = series[1:] == series[:-1]
        apart = np.bincount(series[1:][within], np.abs(np.diff(y))[within], minlength=n)
        noise = np.maximum(apart / np.maximum(count - 1, 1) / DIFFERENCE_OF_NORMALS, NOISE_FLOOR)
        most, squared = (CLIP * noise)[series], (noise * noise)[series]
        departure = signs[first:last][series] * (y - mean[series])
        # one by one in the order of the series, so that the bits do not depend on the blocks
        np.add.at(sums, at, np.clip(departure, -most, most) / squared)
        np.add.at(weights, at, 1.0 / squared)
    index: Floats = np.divide(sums, weights, out=np.full(n_runs, math.nan), where=weights > 0.0)
    return index


def _blocks(series: int) -> Iterator[tuple[int, int]]:
    """Yield the numbers of some series after others: the first, and that behind the last."""
    return pairwise([*range(0, series, _SERIES_AT_ONCE), series] if series else [])


def _series(starts: Ints, first: int, last: int) -> Ints:
    """Return the number of the series of each point of some series, from 0."""
    return np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))


def _moves(values: Floats, starts: Ints, sides: Floats, runs: Ints | Codes) -> Floats:
    """Return the difference of the mean logs after and before, per series; NaN where either is missing."""
    found = []
    for first, last in _blocks(len(starts) - 1):
        of = slice(starts[first], starts[last])
        positive = np.isfinite(values[of]) & (values[of] > 0.0)
        series, logs = _series(starts, first, last)[positive], np.log(values[of][positive])
        side = sides[runs[of][positive]]
        before, after = (_means(series[chosen], logs[chosen], last - first) for chosen in (side < 0.0, side > 0.0))
        found.append(after - before)
    return np.concatenate(found)


def _means(series: Ints, logs: Floats, n: int) -> Floats:
    count = np.bincount(series, minlength=n)
    total = np.bincount(series, logs, minlength=n)
    means: Floats = np.divide(total, count, out=np.full(n, math.nan), where=count > 0)
    return means
