"""The points of pull requests, which the page of a series shows in its chart alone."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from bench_db.query.series import COMMIT_ORDER, POINT_ORDER
from bench_db.report.text import visible

# The columns of the results of pull requests.
PULLS = (
    "series_key",
    "pr_number",
    *COMMIT_ORDER,
    "commit",
    "dut_version",
    "dut_timestamp",
    "n",
    "q1",
    "median",
    "q3",
    "error",
)
NO_PULLS = pl.DataFrame(schema=dict.fromkeys(PULLS, pl.Null))
_DIGITS = 6


def newest_pulls(points: pl.DataFrame, count: int) -> list[int]:
    """Return the numbers of the `count` pull requests that were measured last, the newest first."""
    last = points.group_by("pr_number").agg(pl.col("run_time").max())
    return last.sort("run_time", "pr_number", descending=True, nulls_last=True)["pr_number"].head(count).to_list()


def pull_document(points: pl.DataFrame) -> dict[str, Any]:
    """Return the points of one pull request: its runs as commit, version and time, and the points of each series in commit order.

    A point is the place of its run, the median, the quartiles and the number of samples; null stands for an unknown number, as that of
    a failure. `points` have the columns `PULLS`.
    """
    ordered = points.sort("series_key", *POINT_ORDER, nulls_last=False)
    runs = ordered.select("run_key", "commit", "dut_version", "dut_timestamp").unique("run_key", maintain_order=True)
    place = {key: number for number, key in enumerate(runs["run_key"])}
    series: dict[str, list[list[float | int | None]]] = {}
    for row in ordered.iter_rows(named=True):
        numbers = [None if row["error"] is not None else _short(row[name]) for name in ("median", "q1", "q3")]
        series.setdefault(f"{row['series_key']:016x}", []).append([place[row["run_key"]], *numbers, row["n"] or 0])
    return {
        "runs": [
            [visible(commit or ""), visible(version or ""), time or 0] for _, commit, version, time in runs.iter_rows()
        ],
        "series": series,
    }


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
