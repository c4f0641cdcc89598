"""Steps of a whole suite: change points of its index, the mean of all its series, where no single series need show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.common_kernel import FEWEST_SERIES, suite_index
from bench_db.analysis.compare import relative
from bench_db.analysis.constants import for_index
from bench_db.analysis.detect import detect_all, discoveries
from bench_db.model import Movement

if TYPE_CHECKING:
    from bench_db.analysis.jit import Floats, Ints

FEWEST_AFTER = 4  # runs from the step on: a machine that is slow for three runs is no level yet
BROAD = 2 / 3  # share of the series that must have moved the same way


def suite_steps(  # noqa: PLR0913, PLR0917 the arrays of a scan
    values: Floats, starts: Ints, runs: Ints, signs: Floats, suites: Ints, rate: float, threads: int | None
) -> tuple[list[Movement], Ints, float]:
    """Return the steps of all suites, the level of its suite at each run, from 0, and the share of the tested suites with a step.

    The false discovery rate is `rate`. The other arguments are those of `scan`; `suites` numbers the suite of each series. A suite of fewer than 10 series
    or 8 runs has no index.
    """
    n_runs = int(runs.max()) + 1 if len(runs) else 0
    levels = np.zeros(n_runs, np.int64)
    index = suite_index(values, starts, runs, signs, n_runs)
    suite_of, lengths = np.full(n_runs, -1), np.diff(starts)
    suite_of[runs] = np.repeat(suites, lengths)
    usable = np.isfinite(index) & (np.bincount(runs[np.isfinite(values)], minlength=n_runs) >= FEWEST_SERIES)
    order = np.flatnonzero(usable)[np.argsort(suite_of[usable], kind="stable")]
    if not len(order):
        return [], levels, 0.0
    cuts = np.flatnonzero(np.diff(suite_of[order], prepend=-1, append=-1))
    constants = for_index()
    changes = detect_all(np.exp(index[order]), cuts, constants=constants, threads=threads)
    tested = int((np.diff(cuts) >= constants.minimum_points).sum())
    accepted, _ = discoveries(changes, tested, rate)
    logs = np.full(len(values), np.nan)
    if len(accepted):
        np.log(values, out=logs, where=values > 0.0)
    steps: list[Movement] = []
    for row in accepted.tolist():
        low, high = cuts[changes.series[row]], cuts[changes.series[row] + 1]
        at = int(low + changes.index[row])
        sides = np.zeros(n_runs)
        sides[order[max(low, at - constants.reach) : at]] = -1.0
        sides[order[at : min(high, at + constants.reach)]] = 1.0
        moved = signs * _steps(logs, starts, sides[runs])
        moved = moved[np.isfinite(moved) & (np.abs(moved) > constants.rounding)]  # bytes that never change say nothing
        same = int((moved * changes.effect[row] > 0.0).sum())
        if same >= BROAD * len(moved) and high - at >= FEWEST_AFTER:
            effect = relative(float(np.median(moved)), 0.0, 0.0, logarithmic=True)
            steps.append(Movement(run=int(order[at]), effect=effect, series=same, lasting=True))
            # runs of few series, which have no index, too
            levels[(np.arange(n_runs) >= order[at]) & (suite_of == suite_of[order[at]])] += 1
    return steps, levels, len({int(suite_of[step.run]) for step in steps}) / max(tested, 1)


def _steps(logs: Floats, starts: Ints, sides: Floats) -> Floats:
    """Return the difference of the mean logs after and before, per series; NaN where either is missing."""
    before, after = _means(logs, starts, sides < 0.0), _means(logs, starts, sides > 0.0)
    steps: Floats = after - before
    return steps


def _means(logs: Floats, starts: Ints, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    series = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    used = chosen & np.isfinite(logs)
    count = np.bincount(series[used], minlength=len(starts) - 1)
    total = np.bincount(series[used], logs[used], minlength=len(starts) - 1)
    means: Floats = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return means
