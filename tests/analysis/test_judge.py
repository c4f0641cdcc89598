"""The runs of candidate and baseline in a series."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from bench_db.analysis.judge import counted, judge, too_noisy
from bench_db.analysis.renames import Named
from bench_db.model import Comparison, Series, Verdict
from bench_db.query.series import HISTORY, IDENTITY, Points
from bench_db.query.thresholds import Threshold
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.jit import Floats

pytestmark = pytest.mark.few(2)

NAN = math.nan
_SERIES = (7, "bench_db", "ci", "suite", "f", "time", "", "ns", "lower")


def points(medians: Sequence[float], times: Sequence[int] | None = None) -> Points:
    """Return one series of unordered runs with the keys 0, 1, ...; each has another commit unless `times` are given."""
    at = list(range(len(medians))) if times is None else list(times)
    keys = list(range(len(medians)))
    errors = ["broken" if math.isnan(x) else None for x in medians]
    columns = {
        "series_key": [7] * len(at),
        "commit_order": at,
        "run_time": [86_400 * key for key in keys],
        "run_key": keys,
        "dut_timestamp": at,
        "commit": [f"{t:040x}" for t in at],
        **{name: list(medians) for name in ("min", "q1", "median", "q3", "max")},
        "n": [1] * len(at),
        "error": errors,
    }
    rows = pl.DataFrame(columns, schema_overrides={"error": pl.String}).select(HISTORY)
    series = pl.DataFrame([_SERIES], schema=list(IDENTITY), orient="row")
    return Points(series=series, rows=rows.sample(fraction=1, shuffle=True, seed=3))


def judged(held: Points, candidate: Sequence[int], **how: object) -> Comparison:
    (one,) = judge(held, candidate, **how)  # type: ignore[arg-type]
    return one


def level(count: int) -> list[float]:
    """Return values without trend; the last digits identify each."""
    return [100 + 0.1 * (i % 3) + 1e-6 * i for i in range(count)]


class TestBaseline:
    """The runs before the candidate, without its own and those without a number."""

    @pytest.mark.parametrize(("candidate", "last", "runs"), [(30, 1, [29]), (30, 3, [27, 28, 29]), (2, 9, [0, 1])])
    def test_last(self, candidate: int, last: int, runs: list[int]) -> None:
        values = level(40)
        one = judged(points(values), [candidate], last=last)
        assert (one.n_baseline, one.n_candidate) == (len(runs), 1)
        assert one.baseline_median == median(values[i] for i in runs)

    @pytest.mark.parametrize("runs", [1, 2, 7, 8])
    def test_medians_are_those_of_numpy(self, runs: int) -> None:
        """The same bits, for numbers of any size and sign."""
        rng = np.random.default_rng(runs)
        values = (10 ** rng.uniform(-50, 50, 23) * rng.choice([-1, 1], 23)).tolist()
        one = judged(points(values, [*range(20), 20, 20, 20]), [20, 21, 22], last=runs)
        assert one.baseline_median == np.median(values[20 - runs : 20])
        assert one.candidate_median == np.median(values[20:])

    def test_a_commit_measured_again_is_all_candidate(self) -> None:
        values = level(23)
        one = judged(points(values, [*range(20), 20, 20, 20]), [20, 21, 22], last=1)
        assert (one.n_baseline, one.baseline_median, one.n_candidate) == (1, values[19], 3)

    @pytest.mark.parametrize("method", ["runs", "threshold"])
    def test_the_newest_twenty_of_the_level_older_than_the_candidate(self, method: str) -> None:
        values = level(60)
        one = judged(points([*values[:30], *(9 * x for x in values[30:])]), [25], method=method)
        assert (one.n_baseline, one.verdict) == (20, Verdict.UNCHANGED)
        assert one.baseline_median == median(values[5:25])

    def test_failed_runs_take_no_place_among_them(self) -> None:
        values = level(60)
        values[32:56] = [NAN] * 24
        assert judged(points(values), [59]).n_baseline == 20

    def test_a_benchmark_that_works_again_is_held_against_what_it_was(self) -> None:
        values = level(200)
        values[40:199] = [NAN] * 159
        one = judged(points(values), [199])
        assert (one.verdict, one.n_baseline) == (Verdict.UNCHANGED, 20)

    def test_last_counts_runs_with_a_result(self) -> None:
        values = level(300)
        values[250:299] = [NAN] * 49
        assert judged(points(values), [299], last=100).n_baseline == 100


def test_the_newest_run_of_the_candidate_stands_for_it_in_z() -> None:
    values = [*level(20), *range(200, 210)]
    held = points(values, [*range(20), *[20] * 10])
    rerun = Points(series=held.series, rows=held.rows.with_columns(pl.col("run_key").alias("run_time")))
    assert judged(rerun, range(20, 30), method="lance-bench-z").effect == pytest.approx(209 / 100.1 - 1, rel=1e-3)


STEPPED = [*level(30), *(1.3 * x for x in level(8))]


class TestAfterAStep:
    """Fewer than seven runs after a step are no level: the candidate is compared with the level before."""

    @pytest.mark.parametrize("since", range(8))
    def test_slow_still(self, since: int) -> None:
        one = judged(points(STEPPED[: 31 + since]), [30 + since])
        settled = since == 7
        assert one.verdict is (Verdict.UNCHANGED if settled else Verdict.REGRESSED)
        # before three runs of it a step is no change point, and those that show it are left out of the newest 20
        assert one.n_baseline == (7 if settled else 20 - since * (since < 3))

    @pytest.mark.parametrize("slow", range(1, 7))
    def test_slow_still_after_a_short_history(self, slow: int) -> None:
        values = [*level(7), *(750 * x for x in level(slow))]
        one = judged(points(values), [6 + slow])
        assert one.verdict is Verdict.REGRESSED
        assert one.n_baseline == 7
        assert ("shows the change, too" in one.note) is (slow in {2, 3})  # then it is a change point

    @pytest.mark.parametrize("slow", [1, 2])
    def test_slow_still_by_a_threshold_of_the_series(self, slow: int) -> None:
        held = points([*[100.0] * 7, *[101.0] * slow])
        one = judged(held, [6 + slow], thresholds={7: Threshold(relative=0.005)})
        assert one.verdict is Verdict.REGRESSED

    def test_a_pinned_baseline_ends_where_it_was_pinned(self) -> None:
        one = judged(points(STEPPED[:36]), [35], until=pl.col("dut_timestamp") <= 34, pinned=True)
        assert (one.verdict, one.n_baseline) == (Verdict.UNCHANGED, 20)

    @pytest.mark.parametrize("pinned", [False, True])
    @pytest.mark.parametrize(
        ("since", "verdict", "runs"),
        [
            (0, Verdict.REGRESSED, 20),
            (1, Verdict.INSUFFICIENT, 1),
            (4, Verdict.INSUFFICIENT, 4),
            (5, Verdict.UNCHANGED, 5),
        ],
    )
    def test_an_accepted_step_is_the_level_from_its_first_run(
        self, since: int, verdict: Verdict, runs: int, *, pinned: bool
    ) -> None:
        one = judged(points(STEPPED[: 31 + since]), [30 + since], accepted={7: {f"{30:040x}"}}, pinned=pinned)
        assert (one.verdict, one.n_baseline) == (verdict, runs)

    def test_the_next_step_is_held_against_the_accepted_level(self) -> None:
        values = [*level(20), *(1.3 * x for x in level(6)), *(1.6 * x for x in level(5))]
        one = judged(points(values), [30], accepted={7: {f"{20:040x}", "gone"}})
        assert (one.verdict, one.n_baseline) == (Verdict.REGRESSED, 6)


@pytest.mark.parametrize(
    ("direction", "low", "high", "expected"),
    [
        (Direction.LOWER, -0.9, 0.49, 0),
        (Direction.LOWER, 0.0, 0.5, 1),
        (Direction.HIGHER, -0.33, 9.0, 0),
        (Direction.HIGHER, -0.34, 0.0, 1),
        (Direction.INFO, -0.9, 9.0, 0),
        (Direction.LOWER, None, None, 0),
    ],
)
def test_too_noisy_is_an_interval_that_reaches_much_worse(
    direction: Direction, low: float | None, high: float | None, expected: int
) -> None:
    series = Series(benchmark_name="f", test_bed_name="x", direction=direction)
    one = Comparison(series=series, verdict=Verdict.UNCHANGED, low=low, high=high, n_baseline=9, n_candidate=1)
    assert too_noisy([one]) == expected
    assert too_noisy([replace(one, verdict=Verdict.SUSPECTED)]) == 0


def suite(runs: Floats) -> Points:
    """Return series of commits in order; `runs` has a row a commit and a column a series."""
    parts = [points(column.tolist()) for column in runs.T]
    rows = [p.rows.with_columns(series_key=pl.lit(number, pl.Int64)) for number, p in enumerate(parts)]
    names = [(number, *_SERIES[1:4], f"f{number:03}", *_SERIES[5:]) for number in range(len(parts))]
    return Points(series=pl.DataFrame(names, schema=list(IDENTITY), orient="row"), rows=pl.concat(rows))


def quiet(series: int, noise: float, seed: int) -> Floats:
    """Return 21 runs of series that do not change, with normal noise."""
    return np.asarray(np.exp(np.random.default_rng(seed).normal(0, noise, (21, series))) * 100)


def one_changed(series: int, factor: float, noise: float = 0.01) -> Points:
    """Return 21 runs of series with about this noise; the first has a change in the newest run."""
    spread = noise * np.tile([-1.0, 1.2, 0.0, 0.9, -1.1], 4)
    runs = np.exp(np.column_stack([np.append(np.roll(spread, n), 0.0) for n in range(series)])) * 100
    runs[-1, 0] *= factor
    return suite(runs)


def noisy_runner(commits: int = 60) -> Floats:
    """Return 40 series of an unchanged project on shared runners: runs and series are noisy, and some of each are disturbed."""
    rng = np.random.default_rng(11)
    run = rng.normal(0, 0.08, (commits, 1)) + (rng.random((commits, 1)) < 0.12) * np.log(
        rng.uniform(1.2, 1.7, (commits, 1))
    )
    own = rng.normal(0, 0.06, (commits, 40)) + (rng.random((commits, 40)) < 0.03) * np.log(
        rng.uniform(1.3, 2, (commits, 40))
    )
    return 100 * np.exp(run + own)


def verdicts(runs: Floats, commit: int, **how: object) -> list[Verdict]:
    return [c.verdict for c in judge(suite(runs[: commit + 1]), [commit], last=20, **how)]  # type: ignore[arg-type]


class TestOneRunIsNoProof:
    """A change that one run shows is suspected, unless it is clear or upheld among all series of the run."""

    def test_few_commits_of_a_noisy_runner_regress(self) -> None:
        runs = noisy_runner()
        found = [verdicts(runs, commit) for commit in range(15, 60, 4)]
        assert sum(Verdict.REGRESSED in one for one in found) <= 1
        assert sum(Verdict.SUSPECTED in one for one in found) >= 4

    @pytest.mark.parametrize("changed", [1, 20])
    def test_a_change_of_quiet_series_regresses_at_once(self, changed: int) -> None:
        runs = 100 * np.exp(np.random.default_rng(3).normal(0, 0.01, (21, 40)))
        runs[-1, :changed] *= 1.12
        assert verdicts(runs, 20)[:changed] == [Verdict.REGRESSED] * changed

    def test_many_small_changes_uphold_each_other(self) -> None:
        runs = 100 * np.exp(np.random.default_rng(3).normal(0, 0.01, (21, 40)))
        runs[-1, 0] *= 1.05
        assert verdicts(runs, 20)[0] is Verdict.SUSPECTED
        runs[-1] *= 1.05
        assert Counter(verdicts(runs, 20))[Verdict.REGRESSED] >= 35

    @pytest.mark.parametrize(
        ("again", "verdict"), [(105.0, Verdict.REGRESSED), (100.2, Verdict.SUSPECTED)], ids=["again", "gone"]
    )
    def test_a_second_run_decides(self, again: float, verdict: Verdict) -> None:
        values = [*level(20), 106.0, again]
        assert judged(points(values, [*range(20), 20, 20]), [20, 21]).verdict is verdict

    def test_the_run_before_counts_when_it_shows_the_change_already(self) -> None:
        spread = [100.0 * (1 + 0.05 * (i % 3 - 1)) for i in range(20)]
        assert judged(points([*spread, 100.0, 138.0]), [21], last=21).verdict is Verdict.SUSPECTED
        assert judged(points([*spread, 130.0, 138.0]), [21], last=21).verdict is Verdict.REGRESSED

    def test_other_methods_suspect_nothing(self) -> None:
        assert Verdict.SUSPECTED not in verdicts(noisy_runner(), 40, method="threshold")

    def test_the_note_says_what_to_do(self) -> None:
        runs = 100 * np.exp(np.random.default_rng(3).normal(0, 0.01, (21, 40)))
        runs[-1, 0] *= 1.05
        (first, *_) = judge(suite(runs), [20], last=20)
        assert (first.significant, first.note) == (
            True,
            "one run shows it: measure this commit again, at least 10 minutes later",
        )


def drifting(seed: int, commits: int, runs: int) -> Floats:
    """Return runs of commits; those of one commit follow each other on a machine that drifts by 3 %, with noise of 1 %."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 1, (commits, runs))
    for run in range(1, runs):
        drift[:, run] = 0.95 * drift[:, run - 1] + math.sqrt(1 - 0.95**2) * drift[:, run]
    return 100 * np.exp(0.03 * drift + rng.normal(0, 0.01, (commits, runs)))


class TestOneGo:
    """Runs of a commit that were measured in one go are one observation."""

    @staticmethod
    def measured(runs: Floats, minutes: int) -> tuple[Points, list[int]]:
        """Return runs that begin so many minutes apart, and the keys of those of the last commit."""
        commits, count = runs.shape
        held = points(runs.ravel().tolist(), [commit for commit in range(commits) for _ in range(count)])
        key = pl.col("run_key")
        apart = held.rows.with_columns(run_time=86_400 * (key // count) + 60 * minutes * (key % count))
        return Points(series=held.series, rows=apart), list(range((commits - 1) * count, commits * count))

    def test_drift_is_no_change(self) -> None:
        """12 sequential runs a commit of one code: as independent runs, more than a third of the comparisons alarm."""
        histories = [drifting(seed, 15, 12) for seed in range(40)]
        alarms = {m: sum(judged(*self.measured(runs, m), last=20).significant for runs in histories) for m in (2, 60)}
        assert alarms[2] <= 1
        assert alarms[60] >= 12

    @pytest.mark.parametrize(("minutes", "counted"), [(10, (14, 1)), (11, (20, 12))])
    def test_the_gap_decides(self, minutes: int, counted: tuple[int, int]) -> None:
        one = judged(*self.measured(drifting(1, 15, 12), minutes), last=20)
        assert (one.n_baseline, one.n_candidate) == counted
        assert ("12 runs measured in one go count as one" in one.note) is (minutes == 10)

    def test_two_builds_in_one_go_each_say_what_to_do(self) -> None:
        one = judged(*self.measured(drifting(1, 2, 12), 2), last=20)
        assert (one.verdict, one.n_baseline) == ("insufficient", 1)
        assert "its 12 runs measured in one go count as one: measure both with `bench-db pairs`" in one.note

    def test_unknown_times_and_other_beds_are_apart(self) -> None:
        held, own = self.measured(drifting(1, 15, 12), 2)
        timeless = held.rows.with_columns(run_time=pl.lit(None, pl.Int64))
        assert judged(Points(series=held.series, rows=timeless), own, last=20).n_candidate == 12
        other = held.series.with_columns(series_key=pl.lit(8, pl.Int64), test_bed_name=pl.lit("other"))
        moved = held.rows.with_columns(
            series_key=pl.col("series_key") + pl.col("run_key") % 2,
            run_time=pl.col("run_time") * 3,
        )
        both = judge(Points(series=pl.concat([held.series, other]), rows=moved), own, last=20)
        assert [c.n_candidate for c in both] == [6, 6]

    def test_a_failed_run_is_counted(self) -> None:
        runs = drifting(1, 15, 3)
        runs[-1, 1] = NAN
        one = judged(*self.measured(runs, 2), last=20)
        assert (one.n_candidate, one.note) == (
            1,
            "1 of 3 runs failed: broken; 2 runs measured in one go count as one",
        )


class TestAmongManySeries:
    """The rate of false alarms is that of a commit, however many series it has; what is clear is found among many, too."""

    @pytest.mark.slow
    @pytest.mark.parametrize("noise", [0.01, 0.03])
    def test_few_unchanged_commits_have_a_verdict(self, noise: float) -> None:
        moved = [
            any(c.verdict in {"regressed", "improved"} for c in judge(suite(quiet(200, noise, seed=seed)), [20]))
            for seed in range(20)
        ]
        assert sum(moved) <= 1

    @pytest.mark.parametrize("series", [3, 40, 200])
    def test_a_clear_change(self, series: int) -> None:
        changed = [c for c in judge(one_changed(series, 1.1), [20]) if c.verdict != "unchanged"]
        assert [(c.verdict, c.series.benchmark_name) for c in changed] == [("regressed", "f000")]

    def test_what_may_be_chance_says_so(self) -> None:
        one, many = (judge(one_changed(n, 1.11, 0.0175), [20])[0] for n in (1, 200))
        assert (one.verdict, many.verdict, one.p_value) == ("regressed", "suspected", many.p_value)
        assert many.note.startswith("one of 200 series may show it by chance: measure this commit again")

    def test_many_changes_of_one_commit(self) -> None:
        """A change of many series is not there by chance, where one of a single series might be."""
        runs = quiet(40, 0.01, seed=5)
        runs[-1, :20] *= 1.045
        counts = counted(judge(suite(runs), [20]))
        assert counts["regressed"] >= 15

    def test_a_change_without_spread(self) -> None:
        runs = np.full((21, 300), 100.0)
        runs[-1, 0] = 103.0
        assert counted(judge(suite(runs), [20])) == {"regressed": 1, "unchanged": 299}


class TestMovesByThemselves:
    """One run is no proof where series make moves as large without a change of the code."""

    @staticmethod
    def of(
        accidents: Sequence[tuple[int, int, float]],
        *,
        changed: float = 1.3,
        at: Sequence[int] = (20,),
        last: int | None = 20,
    ) -> Comparison:
        """Return the verdict on the first of 12 quiet series that changed, after accidents: at which run, of which series, how large."""
        runs = quiet(12, 0.01, seed=5)
        for run, series, factor in accidents:
            runs[run, series] *= factor
        runs[-1, 0] = 100.0 * changed
        (one,) = (c for c in judge(suite(runs), at, last=last) if c.series.benchmark_name == "f000")
        return one

    def test_two_accidents_elsewhere(self) -> None:
        assert self.of([]).verdict is Verdict.REGRESSED
        one = self.of([(5, 4, 1.5), (9, 7, 1.6)])
        assert one.verdict is Verdict.SUSPECTED
        assert one.note.startswith(
            "moves as large happen by themselves: 2 in the last 20 runs of 12 series: measure this commit again"
        )

    def test_smaller_ones_say_nothing(self) -> None:
        assert self.of([(5, 4, 1.1), (9, 7, 1.1)]).verdict is Verdict.REGRESSED

    def test_one_flaky_benchmark_does_not_decide_about_others(self) -> None:
        assert self.of([(run, 4, 1.5 + run / 10) for run in (3, 9)]).verdict is Verdict.REGRESSED

    def test_one_slow_run_does_not_either(self) -> None:
        assert self.of([(5, series, 1.6) for series in range(1, 12)]).verdict is Verdict.REGRESSED

    def test_an_accident_of_the_series_itself(self) -> None:
        found = [self.of([(5, 0, 1.6)], changed=changed) for changed in (2.0, 3.0)]
        assert [c.verdict for c in found] == [Verdict.SUSPECTED, Verdict.REGRESSED]
        assert found[0].note.startswith("moves as large happen by themselves: 1 in")

    def test_the_other_direction_is_another_thing(self) -> None:
        accidents = [(5, 4, 1.5), (9, 7, 1.6)]
        assert self.of(accidents, changed=0.7).verdict is Verdict.IMPROVED
        assert self.of([(run, series, 1 / factor) for run, series, factor in accidents]).verdict is Verdict.REGRESSED

    def test_a_rate_is_slower_where_it_falls(self) -> None:
        runs = quiet(12, 0.01, seed=5)
        runs[5, 4], runs[9, 7], runs[-1, 0] = 50.0, 45.0, 130.0
        data = suite(runs)
        higher = pl.when(pl.col("series_key") == 0).then(pl.lit("lower")).otherwise(pl.lit("higher"))
        names = data.series.with_columns(direction=higher)
        found = {c.series.series_key: c.verdict for c in judge(replace(data, series=names), [20], last=20)}
        assert found[0] is Verdict.SUSPECTED

    def test_what_is_only_recorded_is_no_accident(self) -> None:
        runs = quiet(12, 0.01, seed=5)
        runs[5, 4], runs[9, 7], runs[-1, 0] = 150.0, 160.0, 130.0
        data = suite(runs)
        info = pl.when(pl.col("series_key").is_in([4, 7])).then(pl.lit("info")).otherwise(pl.lit("lower"))
        found = judge(replace(data, series=data.series.with_columns(direction=info)), [20], last=20)
        assert [c.verdict for c in found if c.series.series_key == 0] == [Verdict.REGRESSED]

    def test_two_runs_that_show_a_change_are_no_accident(self) -> None:
        accidents = [(5, 4, 1.5), (9, 7, 1.6)]
        assert self.of([*accidents, (19, 0, 1.3)], at=(19, 20)).verdict is Verdict.REGRESSED
        assert self.of([*accidents, (19, 0, 1.3)]).verdict is Verdict.REGRESSED

    def test_two_in_succession_are_suspected_where_accidents_are_frequent(self) -> None:
        """Of 12 series 9 in 240 runs are as large, but for one: two in succession are in 2 % of commits, and three in .07 %."""
        accidents = [(series + 5, series, 1.5) for series in range(2, 12)]
        two = self.of([*accidents, (19, 0, 1.3)], last=None)
        assert two.verdict is Verdict.SUSPECTED
        assert two.note.startswith(
            "moves as large happen by themselves: 10 in the last 20 runs of 12 series, and so do 2 in succession: measure"
        )
        assert self.of([*accidents, (19, 0, 1.3)], last=None).verdict is Verdict.SUSPECTED
        assert self.of([*accidents, (18, 0, 1.3), (19, 0, 1.3)], last=None).verdict is Verdict.REGRESSED

    @pytest.mark.parametrize("factor", [1.1, 1 / 1.5])
    def test_two_in_succession_are_none_of_smaller_ones_or_of_the_other_direction(self, factor: float) -> None:
        accidents = [(series + 5, series, factor) for series in range(2, 12)]
        assert self.of([*accidents, (19, 0, 1.3)], last=None).verdict is Verdict.REGRESSED

    def test_one_flaky_benchmark_or_run_does_not_decide_about_two_in_succession(self) -> None:
        flaky = [(run, 4, 1.5 + run / 50) for run in range(2, 10)]
        assert self.of([*flaky, (19, 0, 1.3)], last=None).verdict is Verdict.REGRESSED
        slow = [(5, series, 1.6) for series in range(1, 12)]
        assert self.of([*slow, (19, 0, 1.3)], last=None).verdict is Verdict.REGRESSED

    def test_a_change_that_lasts_is_suspected_at_its_first_run_alone(self) -> None:
        """Also when the level before it is the baseline again, because the new one is still short."""
        runs = np.concatenate([quiet(12, 0.01, seed=5), quiet(12, 0.01, seed=6)[:6]])
        for run, series, factor in [(5, 4, 1.5), (9, 7, 1.6)]:
            runs[run, series] *= factor
        runs[20:, 0] *= 1.3
        found = [
            c.verdict
            for at in range(20, 27)
            for c in judge(suite(runs[: at + 1]), [at])
            if c.series.benchmark_name == "f000"
        ]
        assert found == [Verdict.SUSPECTED, *[Verdict.REGRESSED] * 6]

    def test_a_commit_on_which_more_moved_than_in_all_runs_before(self) -> None:
        runs = quiet(12, 0.01, seed=5)
        runs[5, 4] *= 1.5
        runs[9, 7] *= 1.6
        runs[-1] = 130.0
        assert counted(judge(suite(runs), [20], last=20))["regressed"] == 10

    def test_fewer_unchanged_commits_fail(self) -> None:
        """With 5 % of the runs 20 % slower, 3 of 10 unchanged commits of 10 series failed."""
        failed = 0
        for seed in range(40):
            runs = quiet(10, 0.02, seed)
            runs[np.random.default_rng(100 + seed).random(runs.shape) < 0.05] *= 1.2
            failed += counted(judge(suite(runs), [20], last=20)).get("regressed", 0) > 0
        assert failed <= 6


class TestNames:
    """Series that end and begin are matched without a comparison of each with each, which took 4 s of CPU for 1,800."""

    def test_no_two_series_are_compared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        old, new = points(level(20)), points(level(21))
        renamed = Points(
            series=pl.concat(
                [old.series, new.series.with_columns(series_key=pl.lit(8, pl.Int64), benchmark_name=pl.lit("f2"))]
            ),
            rows=pl.concat(
                [
                    old.rows,
                    new.rows.filter(pl.col("run_key") == 20).with_columns(series_key=pl.lit(8, pl.Int64)),
                ]
            ),
        )

        def refuse(one: Named, other: object) -> bool:
            raise AssertionError(one, other)

        monkeypatch.setattr(Named, "__eq__", refuse)
        found = {c.series.benchmark_name: (c.verdict, c.note) for c in judge(renamed, [20])}
        assert found["f"] == (Verdict.MISSING, "renamed from f to f2?")
        assert found["f2"][0] is Verdict.NEW
