"""The newest result of each series."""

from __future__ import annotations

import polars as pl

from bench_db.query.series import COMMIT_ORDER


def newest(results: pl.LazyFrame) -> pl.LazyFrame:
    """Return the newest row of each series in commit order, failures included; unknown run times sort first."""
    commit_time = pl.col(COMMIT_ORDER[0]).fill_null(-1)
    of_newest_commit = results.filter(commit_time == commit_time.max().over("series_key"))
    return of_newest_commit.sort(COMMIT_ORDER, nulls_last=False).unique("series_key", keep="last", maintain_order=True)
