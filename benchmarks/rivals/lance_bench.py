# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1"]
# ///
"""The two methods of lance-bench. They judge only the newest runs, so they run at each point; consecutive alarms count once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student

from benchmarks.rivals.exchange import serve

Array = np.ndarray[Any, Any]
RECENT, ALPHA = 4, 0.05
NEWEST, FEWEST, THRESHOLD = 20, 5, 2.0


def change_points(values: Array, method: str) -> list[int]:
    """Return the start of each alarm: the first of the recent runs for the t-test, the run itself for z."""
    alarms = {"t-test": t_test, "z": z}[method](values)
    return [int(i) for i in np.flatnonzero(alarms & ~np.concatenate([[False], alarms[:-1]]))]


def t_test(values: Array) -> Array:
    """Return at which points the next four runs differ from all older ones by Student's t-test of equal variances."""
    alarms = np.zeros(len(values), bool)
    old = np.arange(2, len(values) - RECENT + 1)  # number of runs before each tested point
    x = (values - np.mean(values)) / (np.std(values) or 1.0)
    total, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (x, x * x))
    before, after = total[old] / old, (total[old + RECENT] - total[old]) / RECENT
    residual = squares[old + RECENT] - old * before**2 - RECENT * after**2
    degrees = old + RECENT - 2
    rounding = np.finfo(float).eps * (old + RECENT)
    error = np.sqrt(np.maximum(residual, rounding) / degrees * (1 / old + 1 / RECENT))
    alarms[old] = np.abs(after - before) > student.isf(ALPHA / 2, degrees) * error
    return alarms


def z(values: Array) -> Array:
    """Return which runs are more than two standard deviations from the mean of the 20 runs before."""
    alarms = np.zeros(len(values), bool)
    padded = np.concatenate([np.full(NEWEST, np.nan), values])
    before = np.lib.stride_tricks.sliding_window_view(padded, NEWEST)[FEWEST:-1]
    deviation = np.nanstd(before, axis=1, ddof=1)
    alarms[FEWEST:] = np.abs(values[FEWEST:] - np.nanmean(before, axis=1)) > THRESHOLD * deviation
    return alarms


if __name__ == "__main__":
    serve(change_points)
