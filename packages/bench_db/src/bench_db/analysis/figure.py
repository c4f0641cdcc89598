"""The figure by which a series is judged: of minimum, quartile and median the one that its own history repeats best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.model import Figure
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from bench_db.analysis.jit import Floats, Ints

# Of a time, and of a rate, from the usual figure to the least disturbed one: `_CHOICES[rate][choice]`.
_CHOICES = (
    (Figure.MEDIAN, Figure.LOWER_QUARTILE, Figure.MINIMUM),
    (Figure.MEDIAN, Figure.UPPER_QUARTILE, Figure.MAXIMUM),
)
_POSITIVE = ("min", "q1", "median", "q3", "max")
_SCALES = ("median", "quartile", "best")


def figures(points: pl.DataFrame, names: pl.DataFrame) -> list[Figure]:
    """Return the figure of each series, in the order of `names`; the median where nothing speaks for another.

    `points` has the `number` of the series, from 0, and the columns of `query.series.HISTORY`, oldest point of a series first. Only
    series of positive values, with all figures and `rules.figure_samples` samples in every run, can have another figure. It is chosen at the
    first `rules.figure_runs` runs with a result, and again each time when their number has doubled, so that it seldom changes.
    Another figure takes over when its noise is below `rules.figure_noise` of the noise of the present one. The noise
    is the median change from run to run. A figure with no noise at all beside a median that has some is not used: it
    shows the resolution of the clock.
    """
    rate = (names["direction"] == Direction.HIGHER).to_numpy()
    chosen = np.zeros(len(names), np.int64)
    steps = _steps(points, rate)
    runs = RULES.figure_runs
    while len(steps := steps.filter(pl.col("runs") >= runs)):
        noise = (
            steps.filter(pl.col("run") < runs)
            .group_by("number", maintain_order=True)
            .agg(pl.col(_SCALES).abs().median())
        )
        numbers = noise["number"].to_numpy()
        chosen[numbers] = _better(chosen[numbers], noise.select(_SCALES).to_numpy())
        runs *= 2
    return [_CHOICES[of_rate][choice] for of_rate, choice in zip(rate.tolist(), chosen.tolist(), strict=True)]


def figure_values(points: pl.DataFrame, of_series: list[Figure]) -> pl.Series:
    """Return the value of each point by the figure of its series; null for a failed point."""
    used = sorted(set(of_series))
    number = pl.Series([used.index(figure) for figure in of_series], dtype=pl.Int64)
    if used in ([], [Figure.MEDIAN]):
        return points["median"]
    which = number.gather(points["number"])
    value = pl.when(pl.col("median").is_finite()).then(
        pl.coalesce(pl.when(which == n).then(pl.col(str(figure))) for n, figure in enumerate(used))
    )
    return points.select(value.alias("value")).to_series()


def _steps(points: pl.DataFrame, rate: np.ndarray) -> pl.DataFrame:
    """Return the changes of the logarithms from run to run of each series that may have another figure."""
    finite = points.filter(pl.col("median").is_finite())
    is_rate = pl.lit(pl.Series(rate)).gather(pl.col("number"))
    quartile = pl.when(is_rate).then("q3").otherwise("q1")
    best = pl.when(is_rate).then("max").otherwise("min")
    enough = (pl.col("n") >= RULES.figure_samples) & pl.all_horizontal(pl.col(*_POSITIVE) > 0)
    fit = (enough.fill_null(value=False).all().over("number")) & (pl.len().over("number") >= RULES.figure_runs)
    return (
        finite.filter(fit)
        .select("number", "median", quartile.alias("quartile"), best.alias("best"))
        .select(
            "number",
            pl.int_range(pl.len()).over("number").alias("run"),
            pl.len().over("number").alias("runs"),
            *(pl.col(name).log().diff().over("number") for name in _SCALES),
        )
    )


def _better(present: Ints, noise: Floats) -> Ints:
    """Return the present choices, changed where another figure has clearly less noise; `noise` has a row a series."""
    comparable = np.where((noise == 0) & (noise[:, :1] > 0), np.inf, noise)
    best = comparable.argmin(axis=1)
    rows = np.arange(len(present))
    clearly = comparable[rows, best] < RULES.figure_noise * comparable[rows, present]
    return np.where(clearly, best, present)
