"""The series that a step of their suite moved: each is tested at that run alone, which the suite has already found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.compare import relative
from bench_db.analysis.constants import PROFILES, Profile
from bench_db.analysis.detect import few_follow
from bench_db.analysis.student import benjamini_hochberg, quantile, two_sided_p
from bench_db.model import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.jit import Bools, Codes, Floats, Ints
    from bench_db.model import Movement

FEWEST = 3  # points on either side of the step
MOST_RUNS = (
    40  # of the suite: in a longer history a series shows its own changes, and a drifting machine looks like steps
)
LEAST_SHARE = (
    0.5  # share that must have changed: a step of few series moves the index too, and they show it by themselves
)
_INTERVAL = 0.05  # the interval of a change covers 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A change of one series, by its number, at a step of its suite at run `run`, with its q-value; `before` is its level before."""

    series: int
    run: int
    change: Change
    q_value: float
    before: float


def members(  # noqa: PLR0913, PLR0917 the arrays of a scan
    steps: Sequence[Movement], levels: Ints, values: Floats, starts: Ints, runs: Ints | Codes, suites: Ints, rate: float
) -> list[Member]:
    """Return the series that changed at the steps of their suites, at a false discovery rate of `rate` for each step.

    `levels` numbers the level of its suite at each run, and `values` are corrected for passing movements. A suite of more than 40 runs,
    or of which fewer than half of the series changed, has no members. The test is the t-test of the means of the logs of up to 24
    points on either side, within the levels beside the step, with half the degrees of freedom. A series with a value that is not
    positive is not tested. The rate is that of Benjamini-Hochberg over the series of one suite; the caller scales it by the share of
    suites with a step (Benjamini and Bogomolov 2014).
    """
    logs = np.full(len(values), np.nan)
    np.log(values, out=logs, where=values > 0.0)
    lengths = np.diff(starts)
    of_point, suite_of_run = np.repeat(np.arange(len(lengths)), lengths), np.full(len(levels), -1)
    positive = np.ones(len(lengths), np.bool_)  # as the index: without its zeros a count is another one
    positive[of_point[np.isfinite(values) & (values <= 0.0)]] = False
    suite_of_run[runs] = suites[of_point]
    found: list[Member] = []
    for step in steps:
        suite, level = suite_of_run[step.run], levels[step.run]
        if np.count_nonzero(suite_of_run == suite) > MOST_RUNS:
            continue
        inside = (suites[of_point] == suite) & np.isfinite(logs) & positive[of_point]
        before = _nearest(inside & (levels[runs] == level - 1), of_point, backwards=True)
        after = _nearest(inside & (levels[runs] == level), of_point, backwards=False)
        found += _changed(step, logs, starts, of_point, before, after, rate)
    return found


def _nearest(chosen: Bools, of_point: Ints, *, backwards: bool) -> Ints:
    """Return the chosen points nearest to the step: of each series the last or the first ones, within the reach of a test."""
    points = np.flatnonzero(chosen)
    points = points[::-1] if backwards else points
    series = of_point[points]
    first = np.flatnonzero(np.diff(series, prepend=-1))
    place = np.arange(len(points)) - np.repeat(first, np.diff([*first, len(points)]))
    return points[place < PROFILES[Profile.DEFAULT].reach]


def _changed(  # noqa: PLR0913, PLR0917 the points on both sides
    step: Movement, logs: Floats, starts: Ints, of_point: Ints, before: Ints, after: Ints, rate: float
) -> list[Member]:
    n_series = len(starts) - 1
    (n_old, old, spread_old), (n_new, new, spread_new) = (
        _moments(logs, of_point, side, n_series) for side in (before, after)
    )
    tested = np.flatnonzero((n_old >= FEWEST) & (n_new >= FEWEST))
    at = np.full(n_series, np.iinfo(np.int64).max)
    np.minimum.at(at, of_point[after], after)
    rows: list[tuple[int, float, float, float, float]] = []
    for series in tested.tolist():
        free = n_old[series] + n_new[series] - 2.0
        error = math.sqrt(
            (spread_old[series] + spread_new[series]) / free * (1.0 / n_old[series] + 1.0 / n_new[series])
        )
        effect, df = float(new[series] - old[series]), max(float(FEWEST), free / 2.0)
        is_rounding = abs(effect) <= PROFILES[Profile.DEFAULT].rounding
        p_value = two_sided_p(effect / error, df) if error > 0.0 and not is_rounding else float(is_rounding)
        rows.append((series, effect, error, df, p_value))
    q_values = benjamini_hochberg(np.array([row[-1] for row in rows]), len(rows)) if rows else np.empty(0)
    if np.count_nonzero(q_values <= rate) < LEAST_SHARE * len(rows):
        return []
    return [
        Member(
            series=series,
            run=step.run,
            change=_change(
                int(at[series] - starts[series]),
                effect,
                error,
                df,
                p_value,
                provisional=few_follow(float(old[series]), logs[at[series] : starts[series + 1]]),
            ),
            q_value=float(q_value),
            before=math.exp(old[series]),
        )
        for (series, effect, error, df, p_value), q_value in zip(rows, q_values, strict=True)
        if q_value <= rate
    ]


def _moments(logs: Floats, of_point: Ints, side: Ints, n_series: int) -> tuple[Floats, Floats, Floats]:
    """Return the number, the mean and the sum of squares about it of the logs of some points, per series."""
    series = of_point[side]
    count = np.bincount(series, minlength=n_series).astype(np.float64)
    mean = np.bincount(series, logs[side], minlength=n_series) / np.maximum(count, 1.0)
    squares = np.bincount(series, (logs[side] - mean[series]) ** 2, minlength=n_series).astype(np.float64)
    return count, mean, squares


def _change(  # noqa: PLR0913 the figures of a change
    index: int, effect: float, error: float, df: float, p_value: float, *, provisional: bool
) -> Change:
    margin = error * quantile(_INTERVAL, df)
    low, middle, high = (relative(x, 0.0, 0.0, logarithmic=True) for x in (effect - margin, effect, effect + margin))
    return Change(index=index, effect=middle, low=low, high=high, p_value=p_value, provisional=provisional)
