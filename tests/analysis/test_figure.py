"""The choice of the figure by which a series is judged, and what the verdict says of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from bench_db.analysis.changes import changes_of
from bench_db.analysis.figure import figure_values, figures
from bench_db.analysis.histories import histories
from bench_db.analysis.judge import judge
from bench_db.model import Comparison, Figure, Verdict
from bench_db.query.series import HISTORY, IDENTITY, Points
from bench_db.rules import RULES

LOADED = (0.02, 0.06, 0.2)  # noise of minimum, lower quartile and median of a run on a shared machine
QUIET = (0.02, 0.02, 0.02)


def points(
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


def of(some: Points) -> Figure:
    (figure,) = histories(some).figures
    return figure


def compared(some: Points, candidate: int, **how: object) -> Comparison:
    (one,) = judge(some, [candidate], **how)  # type: ignore[arg-type]
    return one


class TestFigures:
    """The figure with the least noise, if it is clearly less and every run has the samples for it."""

    @pytest.mark.parametrize("seed", range(5))
    def test_the_least_disturbed(self, seed: int) -> None:
        assert of(points(LOADED, seed=seed)) is Figure.MINIMUM
        assert of(points(LOADED, seed=seed, rate=True)) is Figure.MAXIMUM

    def test_the_quartile(self) -> None:
        assert of(points((0.3, 0.02, 0.2))) is Figure.LOWER_QUARTILE
        assert of(points((0.3, 0.02, 0.2), rate=True)) is Figure.UPPER_QUARTILE

    def test_alike(self) -> None:
        some = points(QUIET)
        alike = changed(some, *(pl.col("median").alias(name) for name in ("min", "q1")))
        assert of(alike) is Figure.MEDIAN

    def test_few_runs(self) -> None:
        assert of(points(LOADED, runs=RULES.figure_runs - 1)) is Figure.MEDIAN
        assert of(points(LOADED, runs=RULES.figure_runs)) is Figure.MINIMUM

    def test_few_samples(self) -> None:
        at = pl.when(pl.col("run_key") == 3).then(RULES.figure_samples - 1).otherwise("n")
        assert of(changed(points(LOADED), at.cast(pl.Int32).alias("n"))) is Figure.MEDIAN

    @pytest.mark.parametrize("lacking", [None, 0.0, -1.0])
    def test_a_run_that_lacks_the_figure(self, lacking: float | None) -> None:
        at = pl.when(pl.col("run_key") == 3).then(pl.lit(lacking, pl.Float64)).otherwise("min")
        assert of(changed(points(LOADED), at.alias("min"))) is Figure.MEDIAN

    def test_the_resolution_of_the_clock(self) -> None:
        assert of(changed(points((0.02, 0.3, 0.2)), pl.lit(100.0).alias("min"))) is Figure.MEDIAN

    def test_it_changes_only_when_runs_have_doubled(self) -> None:
        calm, loaded = points(LOADED, runs=79), points((0.5, 0.5, 0.01), runs=79)
        mixed = Points(series=calm.series, rows=pl.concat([calm.rows[:10], loaded.rows[10:]]))
        chosen = [of(Points(series=mixed.series, rows=mixed.rows[:runs])) for runs in range(10, 80)]
        assert chosen[:10] == [Figure.MINIMUM] * 10
        assert chosen[10:] == [Figure.MEDIAN] * 60

    def test_no_series(self) -> None:
        empty = histories(Points(series=points(LOADED).series, rows=points(LOADED).rows[:0]))
        assert (empty.figures, len(empty.values)) == ([], 0)


class TestFigureValues:
    """The figures of the runs, and no number for a failed one."""

    def test_failed(self) -> None:
        failed = pl.when(pl.col("run_key") == 3).then(None).otherwise("median")
        some = histories(changed(points(LOADED), failed.alias("median")))
        assert np.flatnonzero(np.isnan(some.values)).tolist() == [3]
        assert some.values[4] == some.points["min"][4]

    def test_each_series_has_its_own(self) -> None:
        one, other = points(LOADED), points((0.3, 0.02, 0.2))
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
        return changed(points(LOADED), *scaled)

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
        some = histories(changed(points(LOADED), *scaled))
        assert [(c.index, c.figure) for c in changes_of(some)] == [(20, Figure.MINIMUM)]
        by_median = histories(changed(points(LOADED), *scaled), figure=Figure.MEDIAN)
        assert changes_of(by_median) == []
