"""One series: all results of one benchmark, metric and tags of one device on one class of test bed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

# Commit time, then run time: a backfill of an old commit never becomes the newest. Publish time and run only break ties.
COMMIT_ORDER = ("dut_timestamp", "run_time", "timestamp", "run_key")

IDENTITY = (
    "series_key",
    "dut_name",
    "test_bed_name",
    "suite",
    "benchmark_name",
    "metric",
    "tags_key",
    "units",
    "direction",
)
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


def oldest_first(results: pl.LazyFrame) -> pl.LazyFrame:
    """The points of each series in commit order, series after series by name; unknown run times come first."""
    return results.sort("benchmark_name", "test_bed_name", "series_key", *COMMIT_ORDER, nulls_last=False)


def last_points(results: pl.LazyFrame, count: int) -> pl.LazyFrame:
    """The newest `count` points of each series, still oldest first."""
    place = pl.int_range(pl.len(), dtype=pl.Int64).over("series_key")
    return results.filter(place >= pl.len().cast(pl.Int64).over("series_key") - count)


def statistics(results: pl.LazyFrame) -> pl.LazyFrame:
    """Statistics of each series over its history, a row a series: each point counts once, by its median.

    `n` counts the points that have a median; a series of failures alone has n = 0 and null statistics. Quantiles are linear,
    the standard deviation has ddof 1 and is 0 for a single point.
    """
    median = pl.col("median")
    newest = pl.struct(COMMIT_ORDER)
    return (
        results.group_by("series_key")
        .agg(
            *(pl.col(name).first() for name in IDENTITY[1:]),
            *(pl.col(name).sort_by(newest).last() for name in ("commit", "dut_version", "dut_timestamp")),
            median.count().alias("n"),
            median.min().alias("min"),
            median.quantile(0.25, "linear").alias("q1"),
            median.quantile(0.75, "linear").alias("q3"),
            median.max().alias("max"),
            median.mean().alias("mean"),
            median.std(ddof=1).alias("standard_deviation"),
            median.median().alias("median"),
        )
        .with_columns(
            pl.when(pl.col("n") == 1).then(0.0).otherwise(pl.col("standard_deviation")).alias("standard_deviation")
        )
    )


def label(row: Mapping[str, Any]) -> str:
    """What a reader calls a series: suite, benchmark, then metric and tags where they say something."""
    metric = "" if row["metric"] == "time" else f" {row['metric']}"
    tags = f" {{{row['tags_key']}}}" if row["tags_key"] else ""
    suite = f"{row['suite']}: " if row["suite"] else ""
    return f"{suite}{row['benchmark_name']}{metric}{tags}"
