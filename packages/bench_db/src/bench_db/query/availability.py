"""Availability: on which days a device has results of a suite on a test bed."""

from __future__ import annotations

import polars as pl

from bench_db.clock import CALENDAR_SECONDS

OF = ("dut_name", "test_bed_name", "suite")
# The columns of points that decide; the day is the first of the times that is known.
COLUMNS = ("series_key", "run_key", "run_time", "dut_timestamp", "timestamp", "error")
_TIMES = ("run_time", "dut_timestamp", "timestamp")


def no_days() -> pl.DataFrame:
    """Return the columns of `by_day` without a row."""
    return pl.DataFrame(
        schema={**dict.fromkeys(OF, pl.String), "day": pl.Date, "results": pl.Int64, "failed": pl.Int64}
    )


def by_day(points: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each device, test bed, suite and day (UTC) with points, in this order: `results`, and how many of them `failed`.

    `points` have the columns `COLUMNS`, `series` the key and the columns `OF` of each series. The day is that of the measurement, else
    that of the commit, else that of the publish; points without any are left out.
    """
    groups = series.select(OF).unique().with_row_index("_group")
    of_series = series.join(groups, on=OF, nulls_equal=True).select("series_key", "_group")
    day = pl.coalesce(
        pl.when((pl.col(name) != 0) & pl.col(name).is_between(*CALENDAR_SECONDS)).then(name) for name in _TIMES
    )
    # rows are grouped by numbers before anything has a name
    counted = (
        points.lazy()
        .select("series_key", _day=(day // 86_400).cast(pl.Int32), _failed=pl.col("error").is_not_null())
        .drop_nulls("_day")
        .join(of_series.lazy(), on="series_key")
        .group_by("_group", "_day")
        .agg(results=pl.len().cast(pl.Int64), failed=pl.col("_failed").sum().cast(pl.Int64))
    )
    named = counted.join(groups.lazy(), on="_group").select(
        *OF, day=pl.col("_day").cast(pl.Date), results="results", failed="failed"
    )
    return named.sort(*OF, "day").collect()
