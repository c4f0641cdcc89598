from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from bench_db.analysis.histories import histories
from bench_db.query.series import Points
from tests.analysis.test_judge import points

if TYPE_CHECKING:
    from bench_db.analysis.histories import Histories


def two_series(**changes: int) -> Points:
    """Return series b of three points and series a of two, and a third without points."""
    one = points([3.0, 1.0, 2.0])
    columns = {"series_key": 8, "benchmark_name": "a"} | changes
    other = one.series.with_columns(pl.lit(value).alias(name) for name, value in columns.items())
    empty = one.series.with_columns(pl.lit(9, pl.Int64).alias("series_key"), pl.lit("z").alias("benchmark_name"))
    key = pl.lit(8, pl.Int64).alias("series_key")
    rows = pl.concat([one.rows, points([5.0, math.nan]).rows.with_columns(key)])
    return Points(series=pl.concat([one.series, other, empty], how="vertical_relaxed"), rows=rows)


def of(found: Histories) -> list[list[float]]:
    return [found.values[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


class TestHistories:
    """Series are in the order of their names, points in commit order, and every point belongs to one series."""

    def test_order(self) -> None:
        found = histories(two_series())
        assert [series.benchmark_name for series in found.series] == ["a", "f"]
        assert of(found)[1] == [3.0, 1.0, 2.0]
        assert found.points["commit"].to_list() == [f"{t:040x}" for t in (0, 1, 0, 1, 2)]
        assert len(found) == 2

    def test_a_failed_run_is_a_gap(self) -> None:
        (first, failed) = of(histories(two_series()))[0]
        assert first == 5.0
        assert math.isnan(failed)

    @pytest.mark.parametrize(("newest", "expected"), [(1, [1, 1]), (2, [2, 2]), (9, [2, 3])])
    def test_newest_of_each(self, newest: int, expected: list[int]) -> None:
        found = histories(two_series(), newest=newest)
        assert np.diff(found.offsets).tolist() == expected
        assert of(found)[1] == [3.0, 1.0, 2.0][-newest:]

    def test_runs_are_numbered_in_the_order_of_time(self) -> None:
        last = points([3.0, 1.0, 2.0])
        turned = last.rows.with_columns((10_000 - pl.col("run_key")).alias("run_key"))
        assert histories(Points(series=last.series, rows=turned)).runs.tolist() == [0, 1, 2]

    def test_a_file_with_two_suites_is_a_run_of_each(self) -> None:
        one = points([3.0, 1.0, 2.0])
        other = one.series.with_columns(pl.lit(8, pl.Int64).alias("series_key"), pl.lit("other").alias("suite"))
        rows = pl.concat([one.rows, one.rows.with_columns(pl.lit(8, pl.Int64).alias("series_key"))])
        found = histories(Points(series=pl.concat([one.series, other]), rows=rows))
        assert sorted(found.suites.tolist()) == [1, 2]
        assert sorted(found.runs.tolist()) == [0, 1, 2, 3, 4, 5]

    def test_each_device_bed_and_suite_is_a_suite(self) -> None:
        assert histories(two_series()).suites.tolist() == [1, 1]

    def test_runs_are_shared_between_series(self) -> None:
        found = histories(two_series())
        assert found.runs.tolist() == [0, 1, 0, 1, 2]
        assert found.of(1)["run_key"].to_list() == [0, 1, 2]

    def test_no_points(self) -> None:
        empty = Points(series=two_series().series, rows=two_series().rows.clear())
        found = histories(empty)
        assert (len(found), found.offsets.tolist(), found.series) == (0, [0], [])
