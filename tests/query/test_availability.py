from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.query.availability import by_day

DAY = 86_400
FIRST = 1_700_006_400
SERIES = {1: ("d", "bed", "s"), 2: ("d", "bed", "s"), 3: ("d", "bed", None), 4: ("d", "other", "s")}
_TIME = st.one_of(st.none(), st.just(0), st.integers(FIRST, FIRST + 3 * DAY))
_POINTS = st.lists(st.tuples(st.sampled_from(list(SERIES)), _TIME, _TIME, _TIME, st.sampled_from([None, "failed"])))


def frames(points: list[Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    columns = {"series_key": pl.Int64, "run_time": pl.Int64, "dut_timestamp": pl.Int64, "timestamp": pl.Int64}
    rows = pl.DataFrame(points, {**columns, "error": pl.String}, orient="row").with_columns(run_key=pl.lit(1))
    series = pl.DataFrame(
        [(key, *names) for key, names in SERIES.items()],
        ["series_key", "dut_name", "test_bed_name", "suite"],
        orient="row",
    )
    return rows, series


class TestByDay:
    """Every point with a time counts on one day, that of the first time that is known."""

    @settings(max_examples=100, deadline=None)
    @given(_POINTS)
    def test_by_counting(self, points: list[Any]) -> None:
        results, failed = Counter[Any](), Counter[Any]()
        for key, *times, error in points:
            known = [time for time in times if time]
            if known:
                place = (*SERIES[key], datetime.fromtimestamp(known[0], UTC).date())
                results[place] += 1
                failed[place] += error is not None
        found = by_day(*frames(points))
        assert {tuple(row[:4]): row[4] for row in found.rows()} == results
        assert {tuple(row[:4]): row[5] for row in found.rows()} == {place: failed[place] for place in results}
        assert found.equals(found.sort("dut_name", "test_bed_name", "suite", "day"))
