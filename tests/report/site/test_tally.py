"""What a build has counted, from which the next one goes on."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from bench_db.query.availability import by_day
from bench_db.query.series import IDENTITY
from bench_db.report.escape import script_json
from bench_db.report.site.arrange import NARROW, arranged
from bench_db.report.site.measured import MeasuredCommits
from bench_db.report.site.tally import Tally, days_of, known_of, tally_of
from tests.report.example_site import history, reading
from tests.report.examples import commit_of

ONE = np.array([1.0])
# Two series of a suite, one of another suite, and one of another test bed.
SERIES = (history("a", ONE), history("b", ONE), history("a", ONE, suite="cpu"), history("a", ONE, bed="laptop"))
# Commit, build and repetition of each run: the first three series have any of the first six, and the last has the others.
RUNS = ((0, 0, 0), (1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (3, 0, 0), (0, 0, 0), (3, 0, 0))
_LATEST = {5, 7}
Points = dict[tuple[int, int], float | None]


def point(series: int, run: int, median: float | None) -> pl.DataFrame:
    """Return a point of a series, a failure without a median."""
    commit, build, again = RUNS[run]
    time = 1_760_000_000 + 40_000 * commit
    return SERIES[series].with_columns(
        run_key=pl.lit(run, pl.Int64),
        commit=pl.lit(commit_of(commit)),
        dut_version=pl.lit(f"1.{commit}.{build}"),
        commit_order=pl.lit(time, pl.Int64),
        dut_timestamp=pl.lit(time, pl.Int64),
        run_time=pl.lit(time + again, pl.Int64),
        median=pl.lit(median, pl.Float64),
        error=pl.lit(f"secret {series} {run}" if median is None else None, pl.String),
    )


def frame(points: Points) -> pl.DataFrame:
    return pl.concat([SERIES[0].clear(), *(point(*at, median) for at, median in points.items())])


def tally(points: pl.DataFrame) -> Tally:
    """Return the tally of a build, written and read again."""
    series, measured = points.select(IDENTITY).unique("series_key"), MeasuredCommits()
    found = arranged(points.select(NARROW), reading(points), series)
    measured.add(points.select(NARROW), found.runs, series)
    made = Tally(known=known_of([found]), failures=measured.failures, days=by_day(points, series))
    read = tally_of(script_json(made.document("release")).encode(), "release")
    assert read is not None
    return read


def is_as_whole(points: Points, newer: set[int]) -> bool:
    """Return whether a build goes on from the tally of earlier runs; then it finds what one finds that reads all points."""
    every, after = frame(points), frame({at: median for at, median in points.items() if at[1] in newer})
    before = tally(frame({at: median for at, median in points.items() if at[1] not in newer}))
    series = every.select(IDENTITY).unique("series_key", maintain_order=True)
    found = arranged(after.select(NARROW), reading(every), series, before.known)
    if not found.is_sound:
        return False
    whole = arranged(every.select(NARROW), reading(every), series)
    order = ("group", "run_key")
    assert found.runs.sort(order).equals(whole.runs.select(found.runs.columns).sort(order))
    assert (found.sums, found.measured) == (whole.sums, whole.measured)
    assert {group: builds.rows() for group, builds in found.builds.items()} == {
        group: builds.rows() for group, builds in whole.builds.items()
    }
    measured, truth = MeasuredCommits(), MeasuredCommits()
    measured.add_failures(before.failures)
    measured.add(after.select(NARROW), found.runs, series)
    truth.add(every.select(NARROW), whole.runs, series)
    assert measured.newest_first({}) == truth.newest_first({})
    days = days_of(before.days, by_day(after, series))
    assert days.equals(by_day(every, series))
    made = (
        Tally(known=known_of([one]), failures=of.failures, days=days) for one, of in ((found, measured), (whole, truth))
    )
    assert len({script_json(one.document("release")) for one in made}) == 1
    return True


_POINTS = st.dictionaries(
    st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 5)), st.tuples(st.just(3), st.integers(6, 7))),
    st.sampled_from([1.0, 2.0, None]),
    min_size=1,
)
EVERY: Points = {**{(series, run): 1.0 + series for series in range(3) for run in range(6)}, (3, 6): 1.0, (3, 7): None}


class TestTally:
    """A build that goes on from a tally finds what one finds that reads all points."""

    @given(points=_POINTS, newer=st.sets(st.integers(0, 7)))
    @example(points=EVERY, newer=_LATEST)
    def test_as_whole(self, points: Points, newer: set[int]) -> None:
        is_as_whole(points, newer)

    def test_what_newer_points_may_be(self) -> None:
        """Those of a later commit; one before others moves their places, and one measured again changes the runs of its commit."""
        found = [is_as_whole(EVERY, newer) for newer in (set(), _LATEST, {4, *_LATEST}, {4}, {2}, {3}, {6})]
        assert found == [True, True, True, False, False, False, False]

    def test_a_run_whose_points_come_later(self) -> None:
        before = tally(frame({(0, 5): 1.0}))
        every = frame({(0, 5): 1.0, (1, 5): 1.0})
        newer = every.filter(pl.col("benchmark_name") == "b").select(NARROW)
        assert not arranged(newer, reading(every), every.select(IDENTITY), before.known).is_sound

    def test_a_group_that_is_gone(self) -> None:
        before = tally(frame({(0, 5): 1.0, (3, 7): 1.0}))
        left = frame({(0, 5): 1.0})
        assert not arranged(left.clear().select(NARROW), reading(left), left.select(IDENTITY), before.known).is_sound

    def test_of_another_release(self) -> None:
        text = script_json(tally(frame(EVERY)).document("release")).encode()
        assert tally_of(text, "another") is None

    def test_of_another_form(self) -> None:
        """Another release has written it, whatever else it has."""
        assert tally_of(b'{"made_by":"another","runs":[]}', "release") is None
