from __future__ import annotations

import numpy as np
import polars as pl

from bench_db.report.site.pulls import NO_PULLS, PULLS, newest_pulls, pull_document
from tests.report.example_site import history


def pull(number: int, medians: list[float], *, name: str = "f", first: int = 0, run: int = 100) -> pl.DataFrame:
    rows = history(name, np.array(medians), first_commit=first)
    return rows.with_columns(pr_number=pl.lit(number), run_key=pl.lit(run) + pl.int_range(pl.len())).select(PULLS)


class TestNewest:
    """Those that were measured last, by the newest run of each."""

    def test_order(self) -> None:
        points = pl.concat([pull(7, [1.0], first=9), pull(8, [1.0], first=3), pull(9, [1.0, 2.0], first=11)])
        assert newest_pulls(points, 9) == [9, 7, 8]
        assert newest_pulls(points, 2) == [9, 7]

    def test_none(self) -> None:
        assert newest_pulls(NO_PULLS, 9) == []


class TestDocument:
    """Each point names its run, and points are in commit order whatever the order of rows."""

    def test_runs_are_shared(self) -> None:
        points = pl.concat([pull(7, [1.0, 2.0]), pull(7, [3.0], name="g")])
        document = pull_document(points.reverse())
        assert document["runs"] == pull_document(points)["runs"]
        assert [run[2] for run in document["runs"]] == [1_760_000_000, 1_760_040_000]
        assert sorted([[point[:2] for point in one] for one in document["series"].values()]) == [
            [[0, 1.0], [1, 2.0]],
            [[0, 3.0]],
        ]

    def test_numbers_are_short_and_failures_null(self) -> None:
        document = pull_document(pull(7, [123.456789, float("nan")]))
        (points,) = document["series"].values()
        assert points[0][1] == 123.457
        assert points[1] == [1, None, None, None, 0]

    def test_not_finite(self) -> None:
        points = pull(7, [1.0]).with_columns(median=pl.lit(float("inf")))
        assert next(iter(pull_document(points)["series"].values()))[0][1] is None

    def test_names_do_not_move_a_cursor(self) -> None:
        points = pull(7, [1.0]).with_columns(commit=pl.lit("a\u202eb"))
        assert "\u202e" not in pull_document(points)["runs"][0][0]
