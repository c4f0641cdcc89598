"""Series as arrays, and the choice of the figure by which a series is judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.analysis.changes import changes_of
from bench_db.analysis.histories import figure_values, figures, histories, joined
from bench_db.analysis.judge import judge
from bench_db.model import Comparison, Figure, Verdict
from bench_db.query.series import COMMIT_ORDER, HISTORY, IDENTITY, Points
from bench_db.rules import RULES
from tests.analysis.test_judge import points
from tests.support.campaigns import sized

if TYPE_CHECKING:
    from bench_db.analysis.histories import Histories

LOADED = (0.02, 0.06, 0.2)  # noise of minimum, lower quartile and median of a run on a shared machine
QUIET = (0.02, 0.02, 0.02)


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

    @pytest.mark.parametrize("order", [1, -1])
    def test_points_of_one_run_are_in_the_order_of_their_medians(self, order: int) -> None:
        """A joined series has several points of a run, and how they are stored decides nothing."""
        known = points([3.0, 1.0, 2.0])
        of_one_run = known.rows.with_columns(pl.col(name).first() for name in COMMIT_ORDER)[::order]
        assert of(histories(Points(series=known.series, rows=of_one_run))) == [[1.0, 2.0, 3.0]]

    @given(st.permutations(range(5)))
    def test_how_points_are_stored_decides_nothing(self, places: list[int]) -> None:
        """Points of a series that lie in order, in several pieces and in no order at all are arranged alike."""
        known = two_series()
        found, expected = histories(Points(series=known.series, rows=known.rows[places])), histories(known)
        assert found.points.equals(expected.points)
        assert found.offsets.tolist() == expected.offsets.tolist()
        assert np.array_equal(found.values, expected.values, equal_nan=True)

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


def noisy(
    noise: tuple[float, float, float], *, runs: int = 40, samples: int = 20, rate: bool = False, seed: int = 1
) -> Points:
    """Return one series of runs; of a rate, the largest one is the least disturbed."""
    draw = np.random.default_rng(seed)
    best, quartile, median = (
        100 * np.exp(sign * np.abs(draw.normal(0, scale, runs))) for sign, scale in _signed(noise, rate=rate)
    )
    names = ("max", "q3", "median", "q1", "min") if rate else ("min", "q1", "median", "q3", "max")
    columns = dict(zip(names, (best, quartile, median, median, median), strict=True))
    at = np.arange(runs)
    rows = pl.DataFrame(
        {
            "series_key": np.full(runs, 7),
            "commit_order": at,
            "run_time": at,
            "run_key": at,
            "dut_timestamp": at,
            "commit": [f"{t:040x}" for t in at],
            "n": np.full(runs, samples, np.int32),
            "error": pl.Series([None] * runs, dtype=pl.String),
            **columns,
        }
    )
    series = (7, "bench_db", "ci", "suite", "f", "time", "", "ns", "higher" if rate else "lower")
    return Points(series=pl.DataFrame([series], schema=list(IDENTITY), orient="row"), rows=rows.select(HISTORY))


def _signed(noise: tuple[float, float, float], *, rate: bool) -> list[tuple[int, float]]:
    return [(-1 if rate else 1, scale) for scale in noise]


def changed(some: Points, *expressions: pl.Expr) -> Points:
    return Points(series=some.series, rows=some.rows.with_columns(*expressions))


def figure_of(some: Points) -> Figure:
    (figure,) = histories(some).figures
    return figure


def compared(some: Points, candidate: int, **how: object) -> Comparison:
    (one,) = judge(some, [candidate], **how)  # type: ignore[arg-type]
    return one


class TestFigures:
    """The figure with the least noise, if it is clearly less and every run has the samples for it."""

    @pytest.mark.parametrize("seed", range(5))
    def test_the_least_disturbed(self, seed: int) -> None:
        assert figure_of(noisy(LOADED, seed=seed)) is Figure.MINIMUM
        assert figure_of(noisy(LOADED, seed=seed, rate=True)) is Figure.MAXIMUM

    def test_the_quartile(self) -> None:
        assert figure_of(noisy((0.3, 0.02, 0.2))) is Figure.LOWER_QUARTILE
        assert figure_of(noisy((0.3, 0.02, 0.2), rate=True)) is Figure.UPPER_QUARTILE

    def test_alike(self) -> None:
        some = noisy(QUIET)
        alike = changed(some, *(pl.col("median").alias(name) for name in ("min", "q1")))
        assert figure_of(alike) is Figure.MEDIAN

    def test_few_runs(self) -> None:
        assert figure_of(noisy(LOADED, runs=RULES.figure_runs - 1)) is Figure.MEDIAN
        assert figure_of(noisy(LOADED, runs=RULES.figure_runs)) is Figure.MINIMUM

    def test_few_samples(self) -> None:
        at = pl.when(pl.col("run_key") == 3).then(RULES.figure_samples - 1).otherwise("n")
        assert figure_of(changed(noisy(LOADED), at.cast(pl.Int32).alias("n"))) is Figure.MEDIAN

    @pytest.mark.parametrize("lacking", [None, 0.0, -1.0])
    def test_a_run_that_lacks_the_figure(self, lacking: float | None) -> None:
        at = pl.when(pl.col("run_key") == 3).then(pl.lit(lacking, pl.Float64)).otherwise("min")
        assert figure_of(changed(noisy(LOADED), at.alias("min"))) is Figure.MEDIAN

    def test_the_resolution_of_the_clock(self) -> None:
        assert figure_of(changed(noisy((0.02, 0.3, 0.2)), pl.lit(100.0).alias("min"))) is Figure.MEDIAN

    def test_it_changes_only_when_runs_have_doubled(self) -> None:
        calm, loaded = noisy(LOADED, runs=79), noisy((0.5, 0.5, 0.01), runs=79)
        mixed = Points(series=calm.series, rows=pl.concat([calm.rows[:10], loaded.rows[10:]]))
        chosen = [figure_of(Points(series=mixed.series, rows=mixed.rows[:runs])) for runs in range(10, 80)]
        assert chosen[:10] == [Figure.MINIMUM] * 10
        assert chosen[10:] == [Figure.MEDIAN] * 60

    def test_no_series(self) -> None:
        empty = histories(Points(series=noisy(LOADED).series, rows=noisy(LOADED).rows[:0]))
        assert (empty.figures, len(empty.values)) == ([], 0)


class TestFigureValues:
    """The figures of the runs, and no number for a failed one."""

    def test_failed(self) -> None:
        failed = pl.when(pl.col("run_key") == 3).then(None).otherwise("median")
        some = histories(changed(noisy(LOADED), failed.alias("median")))
        assert np.flatnonzero(np.isnan(some.values)).tolist() == [3]
        assert some.values[4] == some.points["min"][4]

    def test_each_series_has_its_own(self) -> None:
        one, other = noisy(LOADED), noisy((0.3, 0.02, 0.2))
        rows = pl.concat([one.rows.with_columns(number=pl.lit(0)), other.rows.with_columns(number=pl.lit(1))])
        names = pl.concat([one.series, other.series])
        chosen = figures(rows, names)
        assert chosen == [Figure.MINIMUM, Figure.LOWER_QUARTILE]
        values = figure_values(rows, chosen)
        assert values.to_list() == [*one.rows["min"], *other.rows["q1"]]


class TestVerdict:
    """A step that the median hides is found in the figure, and the answer says so."""

    STEP = pl.col("run_key") == 39

    def stepped(self, factor: float = 1.3) -> Points:
        scaled = (pl.when(self.STEP).then(pl.col(f) * factor).otherwise(f).alias(f) for f in Figure)
        return changed(noisy(LOADED), *scaled)

    def test_found(self) -> None:
        found = compared(self.stepped(), 39)
        assert (found.verdict, found.figure) == (Verdict.REGRESSED, Figure.MINIMUM)
        assert found.effect == pytest.approx(0.3, abs=0.06)
        assert found.baseline_value == pytest.approx(101, abs=2)
        assert found.candidate_value == pytest.approx(131, abs=5)
        assert found.baseline_median == pytest.approx(113, abs=8)

    @pytest.mark.parametrize("method", ["threshold", "lance-bench-t", "lance-bench-z"])
    def test_other_methods_compare_medians(self, method: str) -> None:
        found = compared(self.stepped(), 39, method=method)
        assert (found.figure, found.baseline_value) == (Figure.MEDIAN, found.baseline_median)

    @pytest.mark.parametrize("lacking", ["n", "min"])
    def test_a_candidate_without_the_figure(self, lacking: str) -> None:
        without = pl.when(self.STEP).then(None).otherwise(lacking).alias(lacking)
        found = compared(changed(self.stepped(1.0), without), 39)
        assert (found.verdict, found.figure) == (Verdict.UNCHANGED, Figure.MEDIAN)
        assert found.candidate_value == found.candidate_median

    def test_a_change_of_level(self) -> None:
        scaled = (pl.when(pl.col("run_key") >= 20).then(pl.col(f) * 1.15).otherwise(f).alias(f) for f in Figure)
        some = histories(changed(noisy(LOADED), *scaled))
        assert [(c.index, c.figure) for c in changes_of(some)[0]] == [(20, Figure.MINIMUM)]
        by_median = histories(changed(noisy(LOADED), *scaled), figure=Figure.MEDIAN)
        assert changes_of(by_median)[0] == []


class TestJoined:
    """Points that come in parts of whole series make the histories that they make together."""

    @settings(sized("laws", 8, full=200))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["f", "g"]),
                st.sampled_from(["s", "t"]),
                st.lists(
                    st.tuples(st.integers(0, 5), st.none() | st.integers(0, 3), st.floats(0.5, 2) | st.just(math.nan)),
                    max_size=6,
                ),
            ),
            min_size=1,
            max_size=7,
        ),
        st.lists(st.integers(0, 3), min_size=7, max_size=7),
    )
    def test_any_parts(
        self, made: list[tuple[str, str, list[tuple[int, int | None, float]]]], part_of: list[int]
    ) -> None:
        frames = [
            Points(
                series=pl.DataFrame(
                    [(key, "d", "bed", suite, name, "time", "", "ns", "lower")], schema=list(IDENTITY), orient="row"
                ),
                rows=_rows_of(key, some),
            )
            for key, (name, suite, some) in enumerate(made)
        ]
        whole = _concat(frames)
        found = joined(
            _concat([one for one, of in zip(frames, part_of, strict=False) if of == number])
            for number in range(4)
            if number in part_of[: len(frames)]
        )
        expected = histories(whole)
        assert found.names.equals(expected.names)
        assert found.figures == expected.figures
        for name in ("values", "offsets", "runs", "suites"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
            assert getattr(found, name).dtype == getattr(expected, name).dtype
        for name in ("commit", "commit_order"):
            assert found.column(name).to_list() == expected.column(name).to_list()
            for number in range(len(expected)):
                assert found.of(number)[name].to_list() == expected.of(number)[name].to_list()
        assert found.place is not None
        assert found.place.itemsize + found.values.itemsize == 12


def _rows_of(key: int, some: list[tuple[int, int | None, float]]) -> pl.DataFrame:
    """Return points of a series by the number of the commit, the time of the run and the median; those of one run are one."""
    runs = {(commit, time): value for commit, time, value in some}
    rows = [
        {
            "series_key": key,
            "commit_order": commit,
            "run_time": time,
            "run_key": commit * 10 + (time or 9),
            "dut_timestamp": commit,
            "commit": None if commit == 3 else f"{commit:040x}",
            **dict.fromkeys(("min", "q1", "median", "q3", "max"), None if math.isnan(value) else value),
            "n": 1,
            "error": "broken" if math.isnan(value) else None,
        }
        for (commit, time), value in runs.items()
    ]
    return pl.DataFrame(rows, schema=points([1.0]).rows.schema)


def _concat(some: list[Points]) -> Points:
    return Points(series=pl.concat([one.series for one in some]), rows=pl.concat([one.rows for one in some]))
