from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db import threads
from bench_db.model import Comparison, Verdict
from bench_db.query.selection import Selection
from bench_db.query.series import (
    COMMIT_ORDER,
    FIGURES,
    IDENTITY,
    Points,
    comparisons_told_apart,
    identified,
    last_points,
    newest,
    newest_points,
    oldest_first,
    relative_change,
    series_told_apart,
    statistics,
    told_apart,
    unmeasured,
    with_change_since_first,
    with_changes,
)
from bench_db.rules import RULES
from bench_db.store.database import Database, connect
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

_TIMES = st.integers(-3, 3)
_POINTS = st.lists(
    st.fixed_dictionaries(
        {
            "series_key": st.integers(1, 3),
            "commit_order": _TIMES,
            "run_time": st.none() | _TIMES,
            "median": st.none() | st.floats(-1e6, 1e6),
        }
    ),
    max_size=12,
)
Point = dict[str, object]


def _frame(points: list[Point]) -> pl.LazyFrame:
    """Points as flat rows, each of a run of its own, in the given order."""
    same = {name: pl.lit("") for name in IDENTITY if name != "series_key"}
    same |= {name: pl.lit(1.0) for name in FIGURES if name != "median"}
    schema = {
        "series_key": pl.Int64,
        "commit_order": pl.Int64,
        "dut_timestamp": pl.Int64,
        "run_time": pl.Int64,
        "median": pl.Float64,
    }
    rows = (
        pl.LazyFrame(points, schema=schema)
        .with_row_index("run_key")
        .with_columns(pl.col("run_key").cast(pl.Int64), **same)
    )
    return rows.with_columns(commit=pl.col("run_key").cast(pl.String), dut_version=pl.lit(""))


def _order(row: Point) -> tuple[tuple[bool, int], ...]:
    """The order of points said in plain Python: an unknown time is before every known one."""
    times = [row[name] for name in COMMIT_ORDER]
    return tuple((time is not None, int(str(time or 0))) for time in times)


class TestOldestFirst:
    """Points are in commit order, then run order; publish order decides nothing, and unknown run times come first."""

    @given(_POINTS)
    def test_order(self, points: list[Point]) -> None:
        rows = oldest_first(_frame(points)).collect().to_dicts()
        assert rows == sorted(_frame(points).collect().to_dicts(), key=lambda row: (row["series_key"], _order(row)))

    def test_a_backfilled_old_commit_is_not_the_newest(self) -> None:
        backfilled: Point = {"series_key": 1, "commit_order": 1, "run_time": 99, "median": 1.0}
        recent: Point = {"series_key": 1, "commit_order": 2, "run_time": 2, "median": 2.0}
        ordered = oldest_first(_frame([recent, backfilled])).collect()
        assert ordered["median"].to_list() == [1.0, 2.0]

    def test_points_of_one_run_of_a_joined_series_are_ordered_by_their_figures(self) -> None:
        points: list[Point] = [{"series_key": 1, "commit_order": 1, "median": median} for median in (2.0, None, 1.0)]
        for given_order in (points, points[::-1]):
            ordered = oldest_first(_frame(given_order).with_columns(run_key=pl.lit(7))).collect()
            assert ordered["median"].to_list() == [None, 1.0, 2.0]

    @pytest.mark.parametrize("order", [1, -1])
    def test_points_of_one_run_are_ordered_by_their_medians(self, order: int) -> None:
        """An alias gives a series several points of a run, and how they are stored decides nothing."""
        medians = [3.0, float("nan"), 1.0][::order]
        points = _frame([{"series_key": 1, "commit_order": 1, "run_time": 1, "median": one} for one in medians])
        of_one_run = points.with_columns(run_key=pl.lit(7))
        assert oldest_first(of_one_run).collect()["median"].to_list()[:2] == [1.0, 3.0]
        assert newest_points(of_one_run, 2).collect()["median"].to_list()[0] == 3.0

    def test_the_last_of_one_run_is_its_newest_by_every_reading(self) -> None:
        """Their other figures may be in another order, as those of a point with more samples."""
        points: list[Point] = [{"series_key": 1, "commit_order": 1, "run_time": 1, "median": one} for one in (1.0, 3.0)]
        of_one_run = _frame(points).with_columns(
            run_key=pl.lit(7), n=6.0 - pl.col("median"), min=4.0 - pl.col("median")
        )
        last = (oldest_first(of_one_run).last(), newest_points(of_one_run, 1), newest(of_one_run.collect()).lazy())
        assert [one.collect()["median"].to_list() for one in last] == [[3.0]] * 3

    @pytest.mark.parametrize("order", [1, -1])
    def test_the_newest_of_one_run_is_that_of_the_highest_median(self, order: int) -> None:
        points = _frame(
            [{"series_key": 1, "commit_order": 1, "run_time": 1, "median": one} for one in (3.0, 1.0)[::order]]
        )
        assert newest(points.with_columns(run_key=pl.lit(7)).collect())["median"].to_list() == [3.0]


class TestLastPoints:
    """The newest points of each series, still oldest first."""

    @given(_POINTS, st.integers(0, 4))
    def test_each_series_keeps_its_newest(self, points: list[Point], count: int) -> None:
        ordered = oldest_first(_frame(points))
        rows = ordered.collect().to_dicts()
        series = [[row for row in rows if row["series_key"] == key] for key in (1, 2, 3)]
        expected = [row for of_one in series for row in of_one[max(0, len(of_one) - count) :]]
        assert last_points(ordered, count).collect().to_dicts() == expected


class TestNewest:
    """One row a series: the last of its points in commit order, failed or not."""

    @given(_POINTS)
    def test_the_last_of_each_series(self, points: list[Point]) -> None:
        rows = _frame(points).collect().to_dicts()
        expected = {row["series_key"]: row for row in sorted(rows, key=_order)}
        assert {row["series_key"]: row for row in newest(_frame(points).collect()).to_dicts()} == expected

    @given(_POINTS)
    def test_idempotent_and_unchanged_by_order(self, points: list[Point]) -> None:
        once = newest(_frame(points).collect()).sort("series_key")
        again = newest(once).sort("series_key")
        reverse = newest(_frame(points).reverse().collect()).sort("series_key")
        assert again.equals(once)
        assert reverse.equals(once)

    def test_a_series_without_any_run_time_is_still_there(self) -> None:
        point: Point = {"series_key": 1, "commit_order": -1, "run_time": None, "median": 1.0}
        assert newest(_frame([point]).collect())["median"].to_list() == [1.0]


def _statistics(points: list[Point]) -> pl.DataFrame:
    """The statistics of points, as the store asks for them."""
    return statistics(_frame(points).select("series_key", "median").collect(), newest(_frame(points).collect()))


class TestStatistics:
    """Each point counts once by its median: linear quantiles, ddof 1, a single point without spread, failures without count."""

    @given(_POINTS)
    def test_as_numpy_says(self, points: list[Point]) -> None:
        rows = _frame(points).collect().to_dicts()
        for row in _statistics(points).to_dicts():
            medians = [r["median"] for r in rows if r["series_key"] == row["series_key"] and r["median"] is not None]
            assert row["n"] == len(medians)
            found = [row[name] for name in ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")]
            if not medians:
                assert found == [None] * 7
                continue
            values = np.array(medians)
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            expected = [*np.quantile(values, [0, 0.25, 0.5, 0.75, 1]), values.mean(), spread]
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)

    @given(_POINTS)
    def test_the_commit_shown_is_that_of_the_newest_point(self, points: list[Point]) -> None:
        newest_rows = newest(_frame(points).collect())
        expected = dict(zip(newest_rows["series_key"], newest_rows["commit"], strict=True))
        found = _statistics(points)
        assert dict(zip(found["series_key"], found["commit"], strict=True)) == expected

    def test_nothing_of_nothing(self) -> None:
        assert _statistics([]).height == 0


class TestRelativeChange:
    """A change has the sign of the movement, whatever the sign of the base; without a base there is none."""

    @pytest.mark.parametrize(
        ("new", "old", "expected"),
        [
            (110.0, 100.0, 0.1),
            (90.0, 100.0, -0.1),
            (-90.0, -100.0, 0.1),
            (1.0, 0.0, None),
            (1.0, None, None),
            (None, 1.0, None),
        ],
    )
    def test_cases(self, new: float | None, old: float | None, expected: float | None) -> None:
        frame = pl.DataFrame({"new": [new], "old": [old]}, schema={"new": pl.Float64, "old": pl.Float64})
        assert frame.select(relative_change(pl.col("new"), pl.col("old"))).item() == pytest.approx(expected)


class TestChanges:
    """Each point changes against the newest point before it that has a median, and never against another series."""

    def _changes(self, medians: list[float | None], key: int = 1) -> pl.LazyFrame:
        points: list[Point] = [
            {"series_key": key, "dut_timestamp": time, "run_time": None, "timestamp": 0, "median": median}
            for time, median in enumerate(medians)
        ]
        return with_changes(oldest_first(_frame(points)))

    def test_against_the_newest_median_before(self) -> None:
        rows = self._changes([None, 100.0, 150.0, None, float("nan"), 75.0]).collect()
        assert rows["index"].to_list() == [0, 1, 2, 3, 4, 5]
        assert rows["change"].to_list() == [None, None, 0.5, None, None, -0.5]

    def test_since_the_first_of_those_returned(self) -> None:
        rows = with_change_since_first(last_points(self._changes([1.0, 100.0, 150.0, 75.0]), 3)).collect()
        assert rows["change_since_first"].to_list() == [0.0, 0.5, -0.25]
        assert rows["change"].to_list() == [99.0, 0.5, -0.5]

    def test_never_across_series(self) -> None:
        both = pl.concat([self._changes([100.0], 1), self._changes([200.0], 2)])
        again = with_changes(oldest_first(both.drop("index", "change"))).collect()
        assert again["change"].to_list() == [None, None]

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
    def test_any_number_of_threads(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        points: list[Point] = [
            {"series_key": key, "dut_timestamp": at, "run_time": None, "timestamp": 0, "median": 1.1 * key + at * at}
            for key in range(9)
            for at in range(key)
        ]
        frame = _frame(points).collect()
        newest_rows = frame.unique("series_key", keep="last")
        monkeypatch.setattr(threads, "_asked", [2])
        two = statistics(frame, newest_rows).sort("series_key")
        monkeypatch.setattr(threads, "_asked", [count])
        assert statistics(frame, newest_rows).sort("series_key").equals(two)

    def test_spread_is_relative_and_unknown_for_a_mean_of_nothing(self) -> None:
        points = _frame(
            [
                {"series_key": key, "dut_timestamp": time, "run_time": None, "timestamp": 0, "median": median}
                for key, medians in ((1, (90.0, 110.0)), (2, (-1.0, 1.0)))
                for time, median in enumerate(medians)
            ]
        ).collect()
        rows = statistics(points, points.unique("series_key", keep="last")).sort("series_key")
        assert rows["spread"].to_list() == [pytest.approx(0.1414213562), None]


class TestToldApart:
    """Series that have all names in common show what differs; the others keep the name of their test bed."""

    @pytest.fixture
    def alike(self, tmp_path: Path) -> Database:
        made = connect(tmp_path / "store", create=True)
        publish(made, 0, {"f": 1.0, "g": 1.0}, dut_name="one")
        publish(made, 0, {"f": 1.0}, dut_name="two")
        return made

    def test_devices(self, alike: Database) -> None:
        (bed,) = set(alike.latest()["test_bed_name"])
        beds = sorted(told_apart(alike.latest(), alike.machines)["test_bed_name"])
        assert beds == [bed, f"{bed} (one)", f"{bed} (two)"]

    def test_as_series_and_comparisons(self, alike: Database) -> None:
        series = identified(alike.latest())
        beds = {key: one.test_bed_name for key, one in series_told_apart(series, alike.machines).items()}
        assert beds == dict(
            told_apart(alike.latest(), alike.machines).select("series_key", "test_bed_name").iter_rows()
        )
        compared = [Comparison(series=one, verdict=Verdict.NEW, n_baseline=0, n_candidate=1) for one in series]
        shown = comparisons_told_apart(compared, alike.machines)
        assert {c.series.series_key: c.series.test_bed_name for c in shown} == beds
        assert series_told_apart([], alike.machines) == {}

    def test_nothing_is_looked_up_for_one(self, alike: Database) -> None:
        one = alike.latest(Selection(benchmark="g"))
        assert told_apart(one, lambda keys: pytest.fail(f"asked for {keys}")).equals(one)


class TestUnmeasured:
    """A candidate that was measured on a part of what its device is measured on says where not, until that is out of use."""

    SERIES = pl.DataFrame(
        [(1, "d", "x86", "s"), (2, "d", "x86", "t"), (3, "d", "arm", "s"), (4, "d", "arm", ""), (5, "e", "ppc", "s")],
        schema=["series_key", "dut_name", "test_bed_name", "suite"],
        orient="row",
    )

    def found(self, *measured: tuple[int, int]) -> list[str]:
        """Return where the newest order is not measured, of pairs of a series and an order, which is the run, too."""
        rows = pl.DataFrame(measured, schema=["series_key", "commit_order"], orient="row")
        points = Points(series=self.SERIES, rows=rows.with_columns(run_key="commit_order"))
        return unmeasured(points, [max(order for _, order in measured)])

    def test_everywhere(self) -> None:
        assert self.found(*product((1, 2, 3, 4), (1, 2))) == []

    def test_not_on_a_test_bed(self) -> None:
        assert self.found((1, 1), (3, 1), (4, 1), (1, 2)) == ["arm"]

    def test_not_of_a_suite(self) -> None:
        assert self.found(*product((1, 2, 3, 4), (1,)), (1, 2), (3, 2)) == ["(no suite) on arm", "t on x86"]

    def test_another_device(self) -> None:
        assert self.found((1, 1), (5, 1), (1, 2)) == []

    def test_out_of_use(self) -> None:
        before = [(1, order) for order in range(2, 2 + RULES.recent_commits)]
        assert self.found((3, 1), *before) == ["arm"]
        assert self.found((3, 1), *before, (1, 99)) == []

    def test_a_later_commit_says_nothing(self) -> None:
        rows = pl.DataFrame([(1, 1), (3, 2)], schema=["series_key", "commit_order"], orient="row")
        points = Points(series=self.SERIES, rows=rows.with_columns(run_key="commit_order"))
        assert unmeasured(points, [1]) == []
