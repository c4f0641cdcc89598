"""Series as arrays for the statistics, with the series and the points that each number is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bench_db.analysis.figure import figure_values, figures
from bench_db.model import Figure
from bench_db.query.series import COMMIT_ORDER, FIGURES, HISTORY, SERIES_ORDER, Points, identified
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.model import Series

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Series that lie end to end, oldest point first: series s is points offsets[s] to offsets[s + 1].

    `names` has the columns of `query.series.IDENTITY`, a row a series; `points` those of `query.series.HISTORY`; `figures` says
    by which figure each series is judged, and `values` are these figures of the runs, NaN for a failed one.
    """

    names: pl.DataFrame
    points: pl.DataFrame
    figures: Sequence[Figure]
    values: Floats
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def series(self) -> list[Series]:
        """The identity of each series."""
        return identified(self.names)

    @cached_property
    def runs(self) -> Ints:
        """The run of each point, numbered from 0 in the order of commits and times; a file with several suites is a run of each."""
        placed = self.points.select(*COMMIT_ORDER).with_columns(
            pl.Series("suite", np.repeat(self.suites, np.diff(self.offsets)))
        )
        runs = (
            placed.group_by("run_key", "suite")
            .agg(pl.col(set(COMMIT_ORDER) - {"run_key"}).min())
            .sort(*COMMIT_ORDER, "suite", nulls_last=False)
        )
        numbered = runs.select("run_key", "suite").with_row_index("run")
        return (
            placed.select("run_key", "suite")
            .join(numbered, on=["run_key", "suite"], maintain_order="left")["run"]
            .cast(pl.Int64)
            .to_numpy()
        )

    @cached_property
    def suites(self) -> Ints:
        """The number of the device, test bed and suite of each series."""
        return (
            self.names.select(pl.struct("dut_name", "test_bed_name", "suite").rank("dense"))
            .to_series()
            .cast(pl.Int64)
            .to_numpy()
        )

    def of(self, series: int) -> pl.DataFrame:
        """Return the points of one series."""
        return self.points[int(self.offsets[series]) : int(self.offsets[series + 1])]


def histories(points: Points, *, newest: int | None = None, figure: Figure | None = None) -> Histories:
    """Arrange points in any order as histories, series by series in the order of their names, with the `newest` points of each.

    `figure` is that of every series; without one, each has the one that `analysis.figure` chooses from all its points.
    """
    present = points.series.join(points.rows, on="series_key", how="semi")
    names = present.sort(SERIES_ORDER).with_row_index("number")
    ordered = (
        points.rows.join(names.select("series_key", "number"), on="series_key")
        .sort("number", *COMMIT_ORDER, nulls_last=False)
        .select("number", *HISTORY)
    )
    of_series = figures(ordered, names) if figure is None else [figure] * len(names)
    ordered = ordered.with_columns(figure_values(ordered, of_series).alias("value"))
    if newest is not None:
        ordered = ordered.filter(pl.int_range(pl.len()).reverse().over("number") < newest)
    lengths = ordered["number"].rle().struct.field("len").to_numpy()
    return Histories(
        names=names.drop("number"),
        points=ordered.select(HISTORY),
        figures=of_series,
        values=ordered["value"].fill_null(float("nan")).to_numpy().astype(np.float64),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def observations(points: Points) -> Points:
    """Return points in which the runs of a commit that were measured in one go are one: the median of each of their figures.

    Runs of one commit, device, test bed and suite are in one go when each begins at most `rules.one_go_minutes` after the one
    before. A run without a time is one by itself, and failed points stay as they are. The column `in_one_go` has the number of runs
    behind a point.
    """
    rows = points.rows.with_columns(in_one_go=pl.lit(1, pl.UInt32))
    times = rows.select("commit_order", "run_time", "run_key").unique()
    if not _gaps(times, "commit_order")["gap"].is_not_null().any():
        return Points(series=points.series, rows=rows)
    of_place = points.series.select(
        "series_key", pl.struct("dut_name", "test_bed_name", "suite").rank("dense").alias("_place")
    )
    placed = rows.join(of_place, on="series_key", maintain_order="left")
    runs = _gaps(placed.select("_place", "commit_order", "run_time", "run_key").unique(), "_place", "commit_order")
    if not runs["gap"].is_not_null().any():  # runs of several test beds that began within minutes of each other
        return Points(series=points.series, rows=rows)
    begins = pl.col("gap").is_null()
    numbered = runs.select("_place", "run_key", begins.cum_sum().alias("_go"))
    in_goes = placed.join(numbered, on=["_place", "run_key"], maintain_order="left")
    has_result = pl.col("median").is_finite().fill_null(value=False)
    others = [name for name in rows.columns if name not in {"series_key", "in_one_go", *FIGURES}]
    merged = (
        in_goes.filter(has_result)
        .group_by("series_key", "_go", maintain_order=True)
        .agg(pl.col(others).first(), pl.col("n").min(), pl.col(FIGURES[1:]).median(), pl.len().alias("in_one_go"))
    )
    kept = [merged.select(rows.columns), in_goes.filter(~has_result).select(rows.columns)]
    return Points(series=points.series, rows=pl.concat(kept))


def _gaps(runs: pl.DataFrame, *of: str) -> pl.DataFrame:
    """Sort runs by time, with the `gap` to the run before of the same place and commit; null where that is not in one go."""
    gap = pl.col("run_time").diff().over(of)
    ordered = runs.sort(*of, "run_time", "run_key")
    return ordered.with_columns(gap=pl.when(gap <= 60 * RULES.one_go_minutes).then(gap))
