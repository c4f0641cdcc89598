"""The comparison of a candidate with its baseline, series by series: the choice of the runs on either side, and the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.analysis.accidents import Move, alike, distance, independent, moves
from bench_db.analysis.compare import (
    NORMAL_CONSISTENCY,
    StepTest,
    centres,
    compare,
    degrees,
    step_and_margin,
    step_test,
)
from bench_db.analysis.histories import Histories, histories, observations
from bench_db.analysis.level import fresh_runs, levels
from bench_db.analysis.renames import Named, change_between, is_renamed, on_another_machine, successors
from bench_db.analysis.seed_methods import (
    RECENT_RUNS,
    T_TEST_ALPHA,
    Z_THRESHOLD,
    lance_bench_ttest,
    lance_bench_z,
)
from bench_db.analysis.student import benjamini_hochberg, t_quantile, two_sided_p
from bench_db.analysis.threshold import within_threshold
from bench_db.model import Cause, Comparison, Figure, Verdict
from bench_db.query.selection import natural_key
from bench_db.query.series import COMMIT_ORDER, HISTORY, IDENTITY, Points, identified
from bench_db.query.thresholds import Threshold
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable

    from bench_db.analysis.jit import Floats
    from bench_db.model import Series

METHODS = ("runs", "lance-bench-t", "lance-bench-z", "threshold")
# Methods that compare a candidate with its level; those of lance-bench look at the whole history.
_OF_LEVEL = {"runs", "threshold"}
# The method that judges a series by its figure; the others compare medians, as they say.
_BY_FIGURE = "runs"
# The number of the rules of a method, where it is not the first.
_RULES_OF = {"runs": 6}
# Newest points of a series in which its present level is searched: many times the runs of a baseline.
_HISTORY = 120
# The columns of the points before a candidate that its verdicts need beside the values.
_OF_OLD = ("commit", "median")
_PLACE = ("dut_name", "test_bed_name", "suite")
_OF_PLACE = attrgetter(*_PLACE)
_KEY = attrgetter("series.series_key")
_OF_CASE = attrgetter(*_PLACE, "benchmark_name", "tags_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The runs of a candidate in one series: of those with a result the figures, oldest first; how many there are, how many failed, and their errors.

    `samples` is the smallest number of samples behind a result, null when it is not known. `in_one_go` is the largest number of runs
    that count as one.
    """

    figures: Mapping[Figure, list[float | None]] = field(default_factory=dict)
    samples: int | None = None
    runs: int = 0
    failed: int = 0
    errors: Sequence[str] = ()
    in_one_go: int = 1

    def by(self, figure: Figure) -> list[float] | None:
        """Return the figures of the runs with a result; None when they lack it, or have too few samples for it."""
        values = self.figures.get(figure, [])
        if figure is not Figure.MEDIAN and (self.samples or 0) < RULES.figure_samples:
            return None if values else []
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The runs that a candidate is compared with: their values by the figure of the series, and their medians.

    `in_one_go` is the largest number of runs that count as one. `may_step` says that the newest of them may begin a new level.
    """

    figure: Figure = Figure.MEDIAN
    values: Sequence[float] = ()
    medians: Sequence[float] = ()
    in_one_go: int = 1
    may_step: bool = False

    def by(self, figure: Figure) -> Sequence[float]:
        """Return the values by the figure of the series, or the medians."""
        return self.values if figure is self.figure else self.medians


def judge(  # noqa: PLR0913 all but the first two by keyword
    points: Points,
    candidate: Collection[int],
    *,
    until: pl.Expr | None = None,
    last: int | None = None,
    pinned: bool = False,
    accepted: Mapping[int, set[str]] | None = None,
    method: str = "runs",
    minimum_effect: float | None = None,
    thresholds: Mapping[int, Threshold] | None = None,
    missing_levels: bool = True,
) -> list[Comparison]:
    """Return the verdict on every series of the devices, test beds and suites that the candidate was measured on.

    They are in the order of `in_order`. `candidate` are the keys of its runs. The baseline of a series are its other points up to
    the candidate's commit, or those that `until` selects by columns of `points.rows` and of the series' device, test bed and
    suite. Of these it is the level since the last change point, or the `last` N runs. `levels` explains `pinned` and `accepted`. A
    series that the candidate lacks is missing if one of the `rules.recent_commits` newest earlier commits of its device, test bed and suite has values
    of it. `minimum_effect` is the threshold of the method `threshold`, for which reaching it is none. `thresholds` are those of series, by
    key, that definitions state; the method `runs` uses them where `minimum_effect` is not given. Without `missing_levels` a missing
    series has no baseline, and its level is not searched for.
    """
    names = points.series.with_columns(pl.struct(_PLACE).rank("dense").alias("group"))
    is_candidate = pl.col("run_key").is_in(list(candidate))
    ours = points.rows.filter(is_candidate).join(names.select("series_key", "group"), on="series_key")
    first = ours.group_by("group").agg(pl.col("commit_order").min().alias("first"))
    before = pl.col("commit_order") <= pl.col("first") if until is None else until
    scope = names.select("series_key", "group", *_PLACE).join(first, on="group")
    earlier = _earlier(points.rows, scope, ~is_candidate & before)
    if method == _BY_FIGURE:
        ours, earlier = (observations(Points(series=names, rows=rows)).rows for rows in (ours, earlier))
    else:
        ours, earlier = (rows.with_columns(in_one_go=pl.lit(1)) for rows in (ours, earlier))
    recent = _of_recent_commits(earlier.select("group", "commit_order", "series_key", "median"))
    has_result = pl.col("median").is_finite()
    measured = recent.filter(has_result)
    seen, own = (rows.select("series_key").unique() for rows in (measured, ours))
    known = pl.concat([seen, own]).unique() if missing_levels else own
    kept = last or _HISTORY if method in _OF_LEVEL else None if last is None else max(_HISTORY, last)
    used = earlier.select(
        has_result.fill_null(value=False) & pl.col("series_key").is_in(known["series_key"].implode())
    ).to_series()
    with_result = earlier if used.all() else earlier.filter(used)  # a copy of all is the largest part of the memory
    of_all = None if method == _BY_FIGURE else Figure.MEDIAN
    old = histories(Points(series=names, rows=with_result), newest=kept, figure=of_all, columns=_OF_OLD)
    new = _measured(ours)
    if looks_for_level(method, last):
        chosen = levels(old, pinned=pinned, accepted=accepted)
    else:
        chosen = [slice(-last if last and method in _OF_LEVEL else 0, None)] * len(old)

    def least(series: Series) -> Threshold | None:
        if minimum_effect is not None:
            return Threshold(relative=minimum_effect, text=f"{100 * minimum_effect:.4g}%")
        return (thresholds or {}).get(series.series_key) if method == _BY_FIGURE else None

    judged: list[Comparison] = []
    latest: dict[int, float] = {}
    several = with_result.filter(pl.col("in_one_go") > 1).group_by("series_key")
    in_goes = dict(several.agg(pl.col("in_one_go").max()).iter_rows())
    may_step = looks_for_level(method, last) and not pinned
    # of few numbers, lists are faster than arrays
    all_values, all_medians, offsets = old.values.tolist(), old.points["median"].to_list(), old.offsets.tolist()
    for number, (series, level) in enumerate(zip(old.series, chosen, strict=True)):
        of = slice(offsets[number], offsets[number + 1])
        values, medians = all_values[of], all_medians[of]
        runs = Earlier(
            figure=old.figures[number],
            values=values[level],
            medians=medians[level],
            in_one_go=in_goes.get(series.series_key, 1),
            may_step=may_step,
        )
        judged.append(_judged(series, new.pop(series.series_key, _NOTHING), runs, method, least(series)))
        if runs.values:
            latest[series.series_key] = (values if judged[-1].figure is runs.figure else medians)[-1]
    without = pl.Series([*new, *([] if missing_levels else seen.join(own, on="series_key", how="anti")["series_key"])])
    rest = names.filter(pl.col("series_key").is_in(without.cast(pl.Int64).implode()))
    judged += [_judged(s, new.get(s.series_key, _NOTHING), Earlier(), method, least(s)) for s in identified(rest)]
    if method == _BY_FIGURE:
        judged = _unless_by_chance(_with_suspected(judged, latest))
        judged = _unless_by_accident(judged, old, chosen, latest)
    return in_order(_hinted(judged, earlier))


_NOTHING = Measured()
_DECIDED = {Verdict.REGRESSED, Verdict.IMPROVED}
_AGAIN = f"measure this commit again, at least {RULES.one_go_minutes} minutes later"


def _with_suspected(judged: Sequence[Comparison], latest: Mapping[int, float]) -> list[Comparison]:
    """Return the comparisons. A change that one run shows is suspected, unless something upholds it.

    `latest` has the newest value of each series before the candidate, by key. It upholds a change when it shows half of it already, also as
    a run of a new level that is too short for a baseline.

    A change of one run is upheld when it is at least twice the half-width of its interval; when it reaches `rules.quiet_effect` and the
    half-width does not exceed that; or when Benjamini-Hochberg accepts it at `rules.false_discovery_rate` among the tested series of
    its device, test bed and suite, and the half-width is at most twice as large.
    """
    of_suite: dict[tuple[str, ...], list[Comparison]] = {}
    for c in judged:
        if c.p_value is not None:
            of_suite.setdefault(_OF_PLACE(c.series), []).append(c)
    upheld = {
        c.series.series_key
        for tested in of_suite.values()
        for c, q in zip(tested, benjamini_hochberg(np.array([c.p_value for c in tested])).tolist(), strict=True)
        if c.verdict in _DECIDED and (_is_upheld(c, q) or _is_shown(c, latest[c.series.series_key]))
    }
    single = [c.verdict in _DECIDED and c.n_candidate == 1 and c.series.series_key not in upheld for c in judged]
    found = [replace(c, verdict=Verdict.SUSPECTED) if one else c for c, one in zip(judged, single, strict=True)]
    return [
        replace(c, note="; ".join(filter(None, (f"{_shown_by(c)}: {_AGAIN}", c.note))))
        if c.verdict is Verdict.SUSPECTED
        else c
        for c in found
    ]


def _unless_by_chance(judged: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons of a commit. A change that may be there by chance among so many series is suspected.

    It is one that Benjamini-Hochberg does not accept at `rules.commit_significance` over all tested series.
    """
    tested = [c for c in judged if c.p_value is not None]
    q_values = benjamini_hochberg(np.array([_nominal_p(c) for c in tested])).tolist() if tested else []
    by_chance = {
        c.series.series_key
        for c, q in zip(tested, q_values, strict=True)
        if c.verdict in _DECIDED and q > RULES.commit_significance
    }
    note = f"one of {len(tested)} series may show it by chance: {_AGAIN}"
    return [
        replace(_with_note(c, note), verdict=Verdict.SUSPECTED) if c.series.series_key in by_chance else c
        for c in judged
    ]


def _unless_by_accident(
    judged: Sequence[Comparison], old: Histories, chosen: Sequence[slice], latest: Mapping[int, float]
) -> list[Comparison]:
    """Return the comparisons of a commit. A change that only one run shows is suspected where moves as large happen by themselves.

    They are moves of baseline runs in the same direction, in units of the spread of the others of their baseline: one in the series itself that
    shows half of the change, too, or those of two benchmarks at two runs. So neither one benchmark nor one slow run decides about all others.
    A change that the newest runs before the candidate show, too, is suspected where so many moves of one series in succession would be found in more
    than `rules.commit_significance` of commits, by the moves of the other benchmarks.
    """
    tested = {
        c.series.series_key: c for c in judged if c.p_value is not None and c.series.direction is not Direction.INFO
    }
    single = [c for c in tested.values() if c.verdict in _DECIDED and c.n_candidate == 1]
    alone = [c for c in single if not _is_shown(c, latest[_KEY(c)])]
    if not single:
        return list(judged)
    numbers = [number for number, series in enumerate(old.series) if series.series_key in tested]
    baselines = [_baseline(old, number, chosen[number], tested[old.series[number].series_key]) for number in numbers]
    at = {old.series[number].series_key: place for place, number in enumerate(numbers)}
    others = {_KEY(c): baselines[at[_KEY(c)]].tolist() for c in single}
    far = {_KEY(c): distance(c.candidate_value or 0.0, others[_KEY(c)]) for c in single}
    together = {_KEY(c): _showing(c, _values(old, numbers[at[_KEY(c)]], c)) for c in single}
    size = {key: min(abs(far[key]), *(abs(distance(v, others[key])) for v in of)) for key, of in together.items() if of}
    own: dict[int, list[Move]] = {}
    found: dict[bool, list[tuple[float, Hashable, Hashable]]] = {False: [], True: []}
    for move in moves(baselines, min(abs(size.get(key, of)) for key, of in far.items())):
        number = numbers[move.baseline]
        series = old.series[number]
        run = _run_at(old.of(number)["commit"].to_list(), chosen[number], move.run)
        found[_is_worse(move.distance, series)].append((abs(move.distance), _OF_CASE(series), run))
        own.setdefault(series.series_key, []).append(move)
    by_themselves = {
        worse: alike(several, [abs(far[_KEY(c)]) for c in alone if _is_worse(far[_KEY(c)], c.series) is worse])
        for worse, several in found.items()
    }
    runs, notes = max(map(len, baselines)), {}
    every = sum(map(len, baselines))
    for c in single:
        key = _KEY(c)
        large, worse = size.get(key, abs(far[key])), _is_worse(far[key], c.series)
        usual = by_themselves[worse]
        many = f"{usual.count(large)} in the last {runs} runs of {len(numbers)} series"
        if key in size:
            in_succession = len(together[key]) + 1
            elsewhere = [move for move in found[worse] if move[1] != _OF_CASE(c.series)]
            expected = len(numbers) * (independent(elsewhere, large) / every) ** in_succession
            if expected > RULES.commit_significance:
                notes[key] = (
                    f"moves as large happen by themselves: {many}, and so do {in_succession} in succession: {_AGAIN}"
                )
            continue
        before = any(abs(move.distance) >= large and _is_shown(c, move.value) for move in own.get(key, ()))
        if before or large <= usual.usual:
            notes[key] = f"moves as large happen by themselves: {many}: {_AGAIN}"
    return [
        replace(_with_note(c, notes[_KEY(c)]), verdict=Verdict.SUSPECTED) if _KEY(c) in notes else c for c in judged
    ]


def _baseline(old: Histories, number: int, level: slice, tested: Comparison) -> Floats:
    """Return the values that a series was tested with."""
    values = _values(old, number, tested)[level]
    return values[np.isfinite(values)][: tested.n_baseline]


def _values(old: Histories, number: int, tested: Comparison) -> Floats:
    """Return the values of a series before the candidate by the figure that it was tested with, oldest first."""
    of = slice(old.offsets[number], old.offsets[number + 1])
    is_figure = tested.figure is old.figures[number]
    return old.values[of] if is_figure else old.points["median"][of].to_numpy()


def _showing(c: Comparison, values: Floats) -> list[float]:
    """Return the newest values that show half of the change, newest first, up to the first that does not."""
    return list(takewhile(lambda value: _is_shown(c, value), reversed(values.tolist())))


def _is_worse(step: float, series: Series) -> bool:
    return (step > 0.0) is (series.direction is Direction.LOWER)


def _run_at(commits: Sequence[str], level: slice, run: int) -> tuple[str, int]:
    """Return what series share that one run measured: its commit, and how many newer runs of the series are of that, too."""
    at = range(len(commits))[level][run]
    return commits[at], commits[at + 1 :].count(commits[at])


def _nominal_p(c: Comparison) -> float:
    """Return the p-value of a tested comparison for normal runs.

    The test of one run has about half the degrees of freedom, because runs are not normal. Small p-values are too large with them by orders of
    magnitude, and no change of one series in many would be found. A p-value that no procedure accepts stays as it is.
    """
    p_value = c.p_value or 0.0
    step, margin = step_and_margin(c)
    if c.n_candidate > 1 or p_value > RULES.false_discovery_rate or not 0.0 < margin < math.inf:
        return p_value
    quantile = t_quantile(RULES.significance, degrees(1, c.n_baseline))
    return two_sided_p(step / margin * quantile, c.n_baseline - 1)


def through_siblings(
    judged: Sequence[Comparison], machines: Mapping[int, str], thresholds: Mapping[int, Threshold]
) -> list[Comparison]:
    """Return the comparisons; new series of a machine without history are judged through their siblings on another machine.

    `machines` names the test bed of each series with its machine, by key. The siblings are the series of the same device, test bed, suite,
    metric and unit that the candidate measured on the new machine, and that have a level on one other machine. Each gives the ratio of
    the candidate to that level. A series is compared with the ratios of the others: a change is suspected, because a machine may suit one
    benchmark, and there is no change where the interval is within `rules.quiet_effect`. Otherwise it stays new, with the reason.
    `thresholds` has the smallest change of series, by key, where it is not the default.
    """
    gone: dict[tuple[str, ...], list[Comparison]] = {}
    for c in judged:
        if c.verdict is Verdict.MISSING:
            gone.setdefault(_OF_BENCHMARK(c.series), []).append(c)
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for c in judged:
        if c.verdict is Verdict.NEW and _OF_BENCHMARK(c.series) in gone:
            groups.setdefault((*_OF_SIBLINGS(c.series), machines[c.series.series_key]), []).append(c)
    found: dict[int, Comparison] = {}
    for group in groups.values():
        machine, ratios = _ratios(group, gone, machines)
        tested = _tested_by_siblings(ratios, {c.series.series_key: c for c in group}, thresholds)
        found |= {c.series.series_key: _of_siblings(c, machine, ratios, tested) for c in group}
    return in_order(found.get(c.series.series_key, c) for c in judged)


# Standard deviations, as the MAD has them, from which a sibling is an outlier.
_OUTLIER = 3.5
_OF_SIBLINGS = attrgetter(*_PLACE, "metric", "units")


def _ratios(
    group: Iterable[Comparison], gone: Mapping[tuple[str, ...], list[Comparison]], machines: Mapping[int, str]
) -> tuple[str, dict[int, float]]:
    """Return the machine on which most series of a group have a level, and their ratios to it by series key."""
    of_machine: dict[str, dict[int, float]] = {}
    for c in group:
        for other in gone[_OF_BENCHMARK(c.series)]:
            new, old = c.candidate_median or 0.0, other.baseline_median or 0.0
            if min(new, old) > 0.0 and other.n_baseline >= RULES.baseline_runs:
                of_machine.setdefault(machines[other.series.series_key], {})[c.series.series_key] = new / old
    return max(sorted(of_machine.items()), key=lambda pair: len(pair[1]), default=("", {}))


def _tested_by_siblings(
    ratios: Mapping[int, float], series: Mapping[int, Comparison], thresholds: Mapping[int, Threshold]
) -> dict[int, Comparison]:
    """Compare each ratio with the others. Benjamini-Hochberg decides which changes are significant; nothing with too few siblings."""
    if len(ratios) <= RULES.level_runs:
        return {}
    tested = {}
    for key, ratio in ratios.items():
        least = thresholds.get(key, Threshold(relative=RULES.minimum_effect)).share_of(
            series[key].candidate_median or 0.0
        )
        others = _without_outliers([other for sibling, other in ratios.items() if sibling != key])
        tested[key] = compare([ratio], others, series[key].series.direction, minimum_effect=least)
    tested = {key: one for key, one in tested.items() if one.p_value is not None}
    q_values = benjamini_hochberg(np.array([one.p_value for one in tested.values()])).tolist()
    return {
        key: one if q <= RULES.false_discovery_rate else replace(one, verdict=Verdict.UNCHANGED, significant=False)
        for (key, one), q in zip(tested.items(), q_values, strict=True)
    }


def _without_outliers(ratios: Sequence[float]) -> list[float]:
    """Leave out what is far from the median: a sibling that changed, too, is no measure of the spread."""
    logs = np.log(np.asarray(ratios))
    apart = np.abs(logs - np.median(logs))
    most = _OUTLIER * NORMAL_CONSISTENCY * float(np.median(apart))
    return [ratio for ratio, far in zip(ratios, apart.tolist(), strict=True) if far <= most]


def _of_siblings(
    c: Comparison, machine: str, ratios: Mapping[int, float], tested: Mapping[int, Comparison]
) -> Comparison:
    """Return a new series with its verdict, or with the reason why it has none."""
    one = tested.get(c.series.series_key)
    if one is None:
        needs = f"{RULES.level_runs + 1} benchmarks with a level on one other machine, and {len(ratios)} have one"
        lacks = (
            f"needs {needs}"
            if len(ratios) <= RULES.level_runs
            else f"needs siblings that agree, and a level on {machine}"
        )
        return _with_note(c, f"no verdict: without history of this machine it {lacks}")
    centre = float(np.median([ratio for key, ratio in ratios.items() if key != c.series.series_key]))
    about = f"{len(ratios) - 1} siblings, which take {centre:.3g} times what they take on {machine}"
    changed = one.verdict in _DECIDED
    if not changed and step_and_margin(one)[1] > math.log1p(RULES.quiet_effect):
        return _with_note(c, f"no verdict through {about}: their ratios differ too much")
    judged = replace(
        c,
        verdict=Verdict.SUSPECTED if changed else Verdict.UNCHANGED,
        effect=_finite(one.effect),
        low=_finite(one.low),
        high=_finite(one.high),
        p_value=one.p_value,
        significant=one.significant,
    )
    advice = f"; {_AGAIN}, on a machine with history" if changed else ""
    return _with_note(judged, f"judged through {about}: a change of all looks like the machine{advice}")


def _with_note(c: Comparison, note: str) -> Comparison:
    return replace(c, note="; ".join(filter(None, (note, c.note))))


def _is_upheld(c: Comparison, q_value: float) -> bool:
    step, margin = step_and_margin(c)
    quiet = math.log1p(RULES.quiet_effect)
    is_large = margin <= quiet <= abs(step)
    is_discovery = margin <= 2 * quiet and q_value <= RULES.false_discovery_rate
    return abs(step) >= 2 * margin or is_large or is_discovery


def _is_shown(c: Comparison, value: float) -> bool:
    """Tell whether the value of another run shows half of the change."""
    if c.baseline_value is None or c.candidate_value is None:
        return False
    step = c.candidate_value - c.baseline_value
    return (value - c.baseline_value) * step >= step * step / 2


def _shown_by(c: Comparison) -> str:
    return "one run shows it" if c.n_candidate == 1 else f"one of {c.n_candidate} runs shows it"


def in_order(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Sort by verdict as `Verdict` lists them, then largest change first, then by name and test bed."""
    rank = {verdict: number for number, verdict in enumerate(Verdict)}
    return sorted(
        comparisons,
        key=lambda c: (rank[c.verdict], -abs(c.effect or 0.0), natural_key(c.series.label), c.series.test_bed_name),
    )


def counted(comparisons: Iterable[Comparison]) -> dict[str, int]:
    """Count how often each verdict occurs, in the order of `Verdict`, without those that do not."""
    counts = Counter(c.verdict for c in comparisons)
    return {str(verdict): counts[verdict] for verdict in Verdict if counts[verdict]}


def of_machine(comparisons: Iterable[Comparison]) -> int:
    """Count the regressions that the machine or the tool chain caused."""
    return sum(c.verdict is Verdict.REGRESSED and c.cause is Cause.MACHINE for c in comparisons)


def too_noisy(comparisons: Iterable[Comparison]) -> int:
    """Count the unchanged series that may be worse by `hidden_effect` or more: the interval of their change reaches it."""
    return sum(c.verdict is Verdict.UNCHANGED and _may_be_worse(c, RULES.hidden_effect) for c in comparisons)


def _may_be_worse(c: Comparison, by: float) -> bool:
    if c.low is None or c.high is None:
        return False
    worst = {Direction.LOWER: c.high >= by, Direction.HIGHER: c.low <= 1.0 / (1.0 + by) - 1.0}
    return worst.get(c.series.direction, False)


def looks_for_level(method: str, last: int | None) -> bool:
    """Tell whether change points decide which runs are the baseline."""
    return last is None and method in _OF_LEVEL


def plan(method: str, minimum_effect: float | None = None) -> str:
    """Describe the rules of a method, so that a report can be made again. Rules that change get another number."""
    least = f"from {100 * (RULES.minimum_effect if minimum_effect is None else minimum_effect):.4g} %"
    usual = f"from {100 * RULES.minimum_effect:.4g} %"
    rules = {
        "runs": f"p < {RULES.significance:g}, {least}",
        "lance-bench-t": f"p < {T_TEST_ALPHA:g} of the last {RECENT_RUNS} runs, {usual}",
        "lance-bench-z": f"|z| > {Z_THRESHOLD:g}, {usual}",
        "threshold": f"any change, beyond {least.removeprefix('from ')}",
    }
    return f"{method}/{_RULES_OF.get(method, 1)}: {rules[method]}"


def _earlier(rows: pl.DataFrame, scope: pl.DataFrame, wanted: pl.Expr) -> pl.DataFrame:
    """Return the points of the series in a scope that a condition keeps, with the columns of `HISTORY` and the `group` of their series.

    The condition is on columns of both. Only those that it needs are joined: a join of all columns copies each point once more.
    """
    needed = {"series_key", *wanted.meta.root_names()}
    placed = rows.select(needed.intersection(rows.columns)).join(
        scope.select({"group", *needed}.intersection(scope.columns)),
        on="series_key",
        how="left",
        maintain_order="left",
    )
    kept = placed.select(pl.col("group").is_not_null() & wanted).to_series()
    return rows.select(HISTORY).with_columns(placed["group"]).filter(kept)


def _of_recent_commits(earlier: pl.DataFrame) -> pl.DataFrame:
    """Return the points of the newest `rules.recent_commits` commits of each group."""
    commits = earlier.select("group", "commit_order").unique()
    age = pl.col("commit_order").rank("dense", descending=True).over("group")
    return earlier.join(commits.filter(age <= RULES.recent_commits), on=["group", "commit_order"], how="semi")


def _measured(ours: pl.DataFrame) -> dict[int, Measured]:
    """Return the runs of the candidate by series key. A run that failed, or whose median is NaN, has no result."""
    with_result = pl.col("median").is_finite()
    rows = (
        ours.sort(COMMIT_ORDER, nulls_last=False)
        .group_by("series_key", maintain_order=True)
        .agg(
            *(pl.col(figure).filter(with_result) for figure in Figure),
            pl.col("n").filter(with_result).min().alias("samples"),
            pl.col("in_one_go").sum().alias("runs"),
            (~with_result.fill_null(value=False)).sum().alias("failed"),
            pl.col("error").drop_nulls(),
            pl.col("in_one_go").max(),
        )
    )
    names = tuple(Figure)
    figures = zip(*(rows[name].to_list() for name in names), strict=True)
    others = rows.select("series_key", "samples", "runs", "failed", "error", "in_one_go").iter_rows()
    return {
        key: Measured(
            figures=dict(zip(names, values, strict=True)),
            samples=samples,
            runs=runs,
            failed=failed,
            errors=errors,
            in_one_go=in_one_go,
        )
        for values, (key, samples, runs, failed, errors, in_one_go) in zip(figures, others, strict=True)
    }


def _judged(series: Series, found: Measured, old: Earlier, method: str, least: Threshold | None) -> Comparison:
    medians = found.by(Figure.MEDIAN) or []
    new, figure = found.by(old.figure), old.figure
    values = old.by(figure)
    if new is None:
        new, figure = medians, Figure.MEDIAN
        values = old.by(figure)
    failed = found.runs > 0 and not new
    fresh = fresh_runs(new, values, **_least(least)) if new and old.may_step and method == _BY_FIGURE else 0
    if fresh:
        old = replace(old, values=old.values[:-fresh], medians=old.medians[:-fresh])
        values = values[:-fresh]
    of_test = _test(new, values, series.direction, method, least, failed=failed)
    after, before = _middle(new), _middle(values)
    is_median = figure is Figure.MEDIAN
    baseline_median, candidate_median = (before, after) if is_median else (_middle(old.medians), _middle(medians))
    if method == "runs" and len(new) > 1 and len(values):
        after, before = centres(new, values)
    note = _note(of_test.verdict, found, old)
    return Comparison(
        series=series,
        verdict=of_test.verdict,
        effect=_finite(of_test.effect),
        low=_finite(of_test.low),
        high=_finite(of_test.high),
        p_value=of_test.p_value,
        n_baseline=of_test.n_baseline,
        n_candidate=of_test.n_candidate,
        baseline_median=baseline_median,
        candidate_median=candidate_median,
        figure=figure,
        baseline_value=before,
        candidate_value=after,
        significant=of_test.significant,
        note="; ".join(filter(None, (note, _shown_before(fresh)))) if fresh else note,
        threshold="" if least is None or method not in _OF_LEVEL else least.text,
    )


def _shown_before(fresh: int) -> str:
    runs = "the run" if fresh == 1 else f"each of the {fresh} runs"
    return f"{runs} before shows the change, too, and is not part of the baseline"


def _note(verdict: Verdict, found: Measured, old: Earlier) -> str:
    """Return the error of runs without a result, what is lacking for a verdict, and that runs in one go count as one."""
    together = f"{found.in_one_go} runs measured in one go count as one" if found.in_one_go > 1 else ""
    said = ""
    if found.failed:
        reason = (found.errors or ["no finite value"])[0].strip().partition("\n")[0]
        said = reason if verdict is Verdict.FAILED else f"{found.failed} of {found.runs} runs failed: {reason}"
    elif verdict is Verdict.INSUFFICIENT:
        said = f"a verdict needs {RULES.baseline_runs} runs of the baseline"
        if old.in_one_go > 1:
            return f"{said}, and its {old.in_one_go} runs measured in one go count as one: measure both with `bench-db pairs`"
    return "; ".join(filter(None, (said, together)))


def _hinted(judged: list[Comparison], earlier: pl.DataFrame) -> list[Comparison]:
    """Say which series may be one: a missing and a new one under two names, and those of a benchmark on two machines.

    `earlier` are the points before the candidate. A series that lacks runs for a verdict is new when it began after the missing one ended.
    """
    noted = _on_other_machines(judged)
    open_keys = {c.series.series_key for c in judged if c.verdict in _UNPAIRED} - noted.keys()
    named = {key: named for key, named in _named(judged, earlier).items() if key in open_keys}
    missing = [c.series.series_key for c in judged if c.verdict is Verdict.MISSING and c.series.series_key in named]
    gone = {key: named[key] for key in missing}
    come = [one for key, one in named.items() if key not in gone]
    found = successors(gone.values(), come) if gone and come else {}
    noted |= {key: change_between(named[old], named[new]) for old, new in found.items() for key in (old, new)}
    renamed = {new: named[old].benchmark for old, new in found.items() if is_renamed(named[old], named[new])}
    return [
        replace(
            c,
            note="; ".join(filter(None, (noted[c.series.series_key], c.note))),
            renamed_from=renamed.get(c.series.series_key),
        )
        if c.series.series_key in noted
        else c
        for c in judged
    ]


_OF_BENCHMARK = attrgetter(*(name for name in IDENTITY if name not in {"series_key", "direction"}))
_UNPAIRED = {Verdict.MISSING, Verdict.NEW, Verdict.INSUFFICIENT}


def _on_other_machines(judged: Iterable[Comparison]) -> dict[int, str]:
    """Return a note for each series without a verdict whose benchmark has another series, of another machine, by key."""
    of_benchmark: dict[tuple[str, ...], list[Comparison]] = {}
    for c in judged:
        of_benchmark.setdefault(_OF_BENCHMARK(c.series), []).append(c)
    return {
        c.series.series_key: on_another_machine(c.series.test_bed_name)
        for several in of_benchmark.values()
        if len(several) > 1 and any(c.n_candidate for c in several)
        for c in several
        if c.verdict in _UNPAIRED
    }


def _named(judged: Iterable[Comparison], earlier: pl.DataFrame) -> dict[int, Named]:
    """Return the series without a verdict by key, a missing one as of its last commit, another as of its first."""
    unpaired = {c.series.series_key: c for c in judged if c.verdict in _UNPAIRED}
    if not any(c.verdict is Verdict.MISSING for c in unpaired.values()):
        return {}
    order = pl.col("commit_order")
    spans = (
        earlier.filter(pl.col("series_key").is_in(pl.Series(list(unpaired), dtype=pl.Int64).implode()))
        .group_by("series_key")
        .agg(order.min().alias("first"), order.max().alias("last"))
    )
    of_key = {key: (first, last) for key, first, last in spans.iter_rows()}
    newest = max((last for _, last in of_key.values()), default=0)
    return {
        key: Named(
            key=key,
            group=(c.series.dut_name, c.series.test_bed_name, c.series.suite),
            benchmark=c.series.benchmark_name,
            metric=c.series.metric,
            tags=c.series.tags_key,
            units=c.series.units,
            level=c.baseline_median if c.verdict is Verdict.MISSING else c.candidate_median,
            at=of_key.get(key, (newest + 1, newest + 1))[c.verdict is Verdict.MISSING],
        )
        for key, c in unpaired.items()
    }


def _test(  # noqa: PLR0913 what a comparison needs
    new: Sequence[float],
    old: Sequence[float],
    direction: Direction,
    method: str,
    least: Threshold | None,
    *,
    failed: bool,
) -> StepTest | Comparison:
    if not new or not old or method == "runs":
        return step_test(new, old, direction, failed, **_least(least))
    if method == "threshold":
        threshold = RULES.minimum_effect if least is None else least.relative or 0.0
        return within_threshold(new, old, direction, threshold=threshold, failed=failed)
    if method == "lance-bench-z":
        return lance_bench_z(new[-1], old, direction)
    return lance_bench_ttest([*old, *new], direction)


def _least(threshold: Threshold | None) -> dict[str, float]:
    """Return the smallest change that counts, as keywords of `compare`; none for the default."""
    if threshold is None:
        return {}
    return {"minimum_effect": threshold.relative or 0.0, "minimum_difference": threshold.absolute or 0.0}


def _middle(values: Sequence[float]) -> float | None:
    """Return the median as NumPy computes it, NaN where a value is; of so few values a sorted list is ten times as fast."""
    ordered = sorted(values)
    if not ordered or any(map(math.isnan, ordered)):
        return math.nan if ordered else None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
