"""One series: all results of one benchmark, metric and tags of one device on one class of test bed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.identity import series_label
from bench_db.model import Series
from bench_db.summary import STATISTICS, summarise_column
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping

# Commit time, then run time, so that a backfill of an old commit is never the newest. Publish time and run break ties.
COMMIT_ORDER = ("dut_timestamp", "run_time", "timestamp", "run_key")
SERIES_ORDER = ("benchmark_name", "test_bed_name", "series_key")

IDENTITY = tuple(f.name for f in fields(Series))
POINT = (
    "commit",
    "branch",
    "dut_version",
    "dut_timestamp",
    "run_time",
    "timestamp",
    "run_key",
    "n",
    "min",
    "q1",
    "median",
    "q3",
    "max",
    "mean",
    "standard_deviation",
    "lower",
    "upper",
    "error",
)
COLUMNS = (*IDENTITY, *POINT)
# The columns of a point that statistics of many series need.
HISTORY = ("series_key", *COMMIT_ORDER, "commit", "median", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points of many series, in any order, with the identity of a series stored once and not per point.

    `series` has the columns of `IDENTITY` and may have series without points. `rows` has at least the columns of `HISTORY`.
    A failed point has a null median.
    """

    series: pl.DataFrame
    rows: pl.DataFrame

    def with_points(self, other: Points) -> Points:
        """Return the points of both, duplicates included."""
        series = pl.concat([self.series, other.series]).unique("series_key", keep="first", maintain_order=True)
        return Points(series=series, rows=pl.concat([self.rows, other.rows]))


def oldest_first(results: pl.LazyFrame) -> pl.LazyFrame:
    """Sort points by series name, then in commit order; unknown run times come first."""
    return results.sort(*SERIES_ORDER, *COMMIT_ORDER, nulls_last=False)


def last_points(results: pl.LazyFrame, count: int) -> pl.LazyFrame:
    """Return the newest `count` points of each series, oldest first."""
    index = pl.int_range(pl.len(), dtype=pl.Int64).over("series_key")
    return results.filter(index >= pl.len().cast(pl.Int64).over("series_key") - count)


def newest_points(results: pl.LazyFrame, count: int) -> pl.LazyFrame:
    """Return the newest `count` points of each series, sorted by series key."""
    return last_points(results.sort("series_key", *COMMIT_ORDER, nulls_last=False), count)


def is_stale() -> pl.Expr:
    """Mark newest points that are older than the newest commit of their device, test bed and suite."""
    time = pl.col("dut_timestamp").fill_null(0)
    return time < time.max().over("dut_name", "test_bed_name", "suite")


def statistics(medians: pl.DataFrame, newest: pl.DataFrame) -> pl.DataFrame:
    """Return one row per series with the statistics of its history; each point counts once, by its median.

    `medians` has the series key and the median of each point, `newest` the newest point of each series. `n` counts the
    points with a finite median. A series with only failures has n = 0 and null statistics.
    """
    known = medians.with_columns(pl.when(pl.col("median").is_finite()).then("median").alias("median"))
    lists = known.group_by("series_key").agg(pl.col("median").drop_nulls())
    column = lists["median"].to_arrow()
    half = len(column) // 2  # one half per thread
    found = summarise_column([part for part in (column[:half], column[half:]) if len(part)])
    rows = lists.select("series_key").hstack(found.select("n", *STATISTICS))
    return newest.select(*IDENTITY, "commit", "dut_version", "dut_timestamp").join(rows, on="series_key")


def label(row: Mapping[str, Any]) -> str:
    """Return the name of a series for readers: suite, benchmark, then metric unless `time`, then tags."""
    return series_label(row["suite"], row["benchmark_name"], row["metric"], row["tags_key"])


def identified(names: pl.DataFrame) -> list[Series]:
    """Return the series of a frame with the columns of `IDENTITY`, a record a row."""
    rows = names.select(IDENTITY).with_columns(pl.col("suite", "tags_key").fill_null("")).iter_rows(named=True)
    return [Series(**{**row, "direction": Direction(row["direction"])}) for row in rows]
