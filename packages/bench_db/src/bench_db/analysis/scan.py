"""The scan of all series at once: changes at a controlled false discovery rate, apart from the movements of whole runs."""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.common_kernel import FEWEST_POINTS, FEWEST_SERIES, without_common
from bench_db.analysis.constants import Constants, Profile, for_scan
from bench_db.analysis.detect import Changes, detect_all, discoveries
from bench_db.analysis.jit import Bools, Codes, Floats, Ints
from bench_db.analysis.level import large
from bench_db.analysis.shapes import Shapes, apart, reported, shapes_of
from bench_db.analysis.siblings import SHARED_RUNS, aligned
from bench_db.analysis.suite_members import members
from bench_db.analysis.suite_steps import suite_steps
from bench_db.model import Change, Movement, ShapeChange
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_db.analysis.suite_members import Member
    from bench_db.query.thresholds import Threshold

SHARED_SERIES = 5
SHARED_SHARE = 0.25  # of the series measured in that run
_SERIES_AT_ONCE = 4096
_LARGEST = math.log(
    sys.float_info.max / 1000.0
)  # movement on the log scale whose relative change is a number, in percent, too


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFinding:
    """A change of one series that survived the scan: positions in the arrays scanned, its figures, and its q-value.

    `suite_wide` says that many series of run `run` changed with it. `scan_blame` has the cause.
    """

    series: int
    run: int
    change: Change
    q_value: float
    suite_wide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Findings by falling evidence, movements by size; `expected_false` is how many findings are expected to be false alarms.

    `shapes` are the changes of spread and of modes with the number of their series, which are neither worse nor better; near a finding
    there is none.
    `judged` says of each series whether it was long enough to be tested.
    """

    findings: tuple[ScanFinding, ...]
    shapes: tuple[tuple[int, ShapeChange], ...]
    movements: tuple[Movement, ...]
    judged: tuple[bool, ...]
    expected_false: float

    @property
    def tested(self) -> int:
        """The number of series that were long enough to be tested."""
        return sum(self.judged)

    @property
    def too_short(self) -> int:
        """The number of series that were not."""
        return len(self.judged) - self.tested


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """The movements of runs, as `without_common` returns them, the corrected values, and the changes of these: of level and of shape.

    `values` may be None where they were not asked for.
    """

    moved: Floats
    of_all: Floats
    measured: Ints
    values: Floats | None
    changes: Changes
    shapes: Shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What the detection of a scan needs: arrays as `scan` takes them, the level of its suite and `fewest_points` at each run, and a sign per series.

    The sign is -1 for a rate. `with_values` asks for the corrected values.
    """

    values: Floats
    offsets: Ints
    runs: Ints | Codes
    levels: Ints
    fewest: Ints
    signs: Floats
    constants: Constants
    with_values: bool


def fewest_points(offsets: Ints, runs: Ints | Codes, count: int) -> Ints:
    """Return how many points a series needs to count for the movement of each of `count` runs.

    The level of a series of few points may be that of slow runs, as when benchmarks are added shortly before the machine is slow. So
    such series do not count at a run that has enough others for a movement. Where all are young, each counts.
    """
    lengths = np.diff(offsets)
    is_long = lengths >= FEWEST_POINTS
    others = np.zeros(count, np.int64)
    if not is_long.all():
        for first in range(0, len(lengths), _SERIES_AT_ONCE):
            some = slice(first, first + _SERIES_AT_ONCE)
            of_some = runs[offsets[first] : offsets[min(first + _SERIES_AT_ONCE, len(lengths))]]
            others += np.bincount(of_some[np.repeat(is_long[some], lengths[some])], minlength=count)
    return np.where(others >= FEWEST_SERIES, FEWEST_POINTS, 0)


def detection(points: Points, threads: int | None) -> Detected:
    """Correct all series for the movements of their runs, and find the changes of each, in this process."""
    steady = np.empty_like(points.values)
    moved, of_all, measured = without_common(
        points.values, points.offsets, points.runs.astype(np.int64), points.levels, points.fewest, points.signs, steady
    )
    changes = detect_all(steady, points.offsets, constants=points.constants, threads=threads)
    shapes = shapes_of(steady, points.offsets, changes, threads=threads)
    return Detected(moved=moved, of_all=of_all, measured=measured, values=steady, changes=changes, shapes=shapes)


def scan(  # noqa: PLR0913
    values: Floats,
    offsets: Ints,
    runs: Ints | Codes,
    *,
    rates: Bools | None = None,
    suites: Ints | None = None,
    rate: float = RULES.false_discovery_rate,
    profile: Profile = Profile.DEFAULT,
    threads: int | None = None,
    thresholds: Mapping[int, Threshold] | None = None,
    detect: Callable[[Points], Detected] | None = None,
) -> Scan:
    """Scan series that lie end to end, oldest point first: series s is values[offsets[s] : offsets[s + 1]].

    `runs` numbers the run of each point from 0, in the order of time. `suites` numbers the suite of each series; one suite when it
    is missing. `rates` says which series fall where times rise, such as
    operations a second; none when it is missing. Benjamini-Hochberg at `rate` runs over all series long enough
    to be tested, each by its smallest p-value. Of a series that passes, the scan reports every change with a p as small as
    `discoveries` asks for, and that `large` keeps. `thresholds` has the smallest change to report, by the number of the series, where it
    is not `rules.change_effect`. `threads` is as for `detect_all`; `detect` replaces `detection`, the step that takes nearly all of the time.
    """
    flat, starts = np.ascontiguousarray(values, np.float64), np.asarray(offsets, np.int64)
    signs = np.ones(len(starts) - 1) if rates is None else np.where(rates, -1.0, 1.0)
    of_series = np.zeros(len(starts) - 1, np.int64) if suites is None else np.asarray(suites, np.int64)
    steps, levels, stepped = suite_steps(flat, starts, runs, signs, of_series, rate, threads)
    constants = for_scan(profile)
    points = Points(
        values=flat,
        offsets=starts,
        runs=runs,
        levels=levels,
        fewest=fewest_points(starts, runs, len(levels)),
        signs=signs,
        constants=constants,
        with_values=bool(steps),
    )
    found = detection(points, threads) if detect is None else detect(points)
    moved, of_all = np.minimum(found.moved, _LARGEST), np.minimum(found.of_all, _LARGEST)
    measured, changes = found.measured, found.changes
    judged = changes.points >= constants.minimum_points
    accepted, q_values = discoveries(changes, int(judged.sum()), rate)
    accepted = _large(accepted, changes, flat, starts, thresholds or {})
    shared = _shared(accepted, changes, starts, runs, measured)
    findings = _findings(accepted, q_values, changes, starts, runs, shared)
    moved_with = (
        [] if found.values is None else members(steps, levels, found.values, starts, runs, of_series, rate * stepped)
    )
    findings = _with_members(findings, moved_with, thresholds or {})
    findings = aligned(findings, flat, starts, runs, moved, signs)
    lasting = [_lasting(run, findings, signs) for run in sorted({f.run for f in findings if f.suite_wide})]
    suite_of = np.zeros(len(levels), np.int64)
    suite_of[runs] = np.repeat(of_series, np.diff(starts))
    small = {s.run for s in steps if abs(s.effect) < RULES.change_effect}  # that few large steps may have made
    known = [m.run for m in lasting]
    explained = {run for run in small if any(_are_same(run, f.run, suite_of) for f in findings)}
    lasting += [s for s in steps if s.run not in explained and not any(_are_same(s.run, at, suite_of) for at in known)]
    named = np.where(np.abs(of_all) < np.abs(moved), of_all, moved)  # those that follow were chosen by what they show
    passing = [
        Movement(run=int(run), effect=math.expm1(moved[run]), series=int(measured[run]), lasting=False)
        for run in np.flatnonzero(np.abs(np.expm1(named)) >= RULES.movement_effect)
    ]
    shapes = apart(
        found.shapes,
        reported(found.shapes, int(judged.sum()), rate),
        ((f.series, f.change.index) for f in findings),
    )
    return Scan(
        shapes=tuple(sorted(shapes, key=lambda one: (one[1].p_value, one[0], one[1].index))),
        findings=tuple(
            sorted(findings, key=lambda f: (f.change.p_value, -abs(f.change.effect), f.series, f.change.index))
        ),
        movements=tuple(sorted(lasting + passing, key=lambda m: (-abs(m.effect), m.run))),
        judged=tuple(judged.tolist()),
        expected_false=rate * (len(findings) + len(shapes)),
    )


def _large(accepted: Ints, changes: Changes, values: Floats, starts: Ints, thresholds: Mapping[int, Threshold]) -> Ints:
    """Keep the changes that are large enough to report."""
    cuts = np.flatnonzero(np.diff(changes.series[accepted])) + 1
    kept = [
        rows[large(changes.effect[rows].tolist(), _least(rows, changes, values, starts, thresholds))]
        for rows in np.split(accepted, cuts)
        if len(rows)
    ]
    return np.concatenate(kept) if kept else accepted


def _least(
    rows: Ints, changes: Changes, values: Floats, starts: Ints, thresholds: Mapping[int, Threshold]
) -> list[float] | None:
    """Return the smallest share of each change of a series, by the level before it; None for the default."""
    series = int(changes.series[rows[0]])
    threshold = thresholds.get(series)
    if threshold is None:
        return None
    bounds = starts[series] + np.array([0, *changes.index[rows]])
    return [threshold.share_of(float(np.nanmedian(values[a:b]))) for a, b in pairwise(bounds.tolist())]


def _near(row: int, changes: Changes, starts: Ints, runs: Ints | Codes) -> Ints | Codes:
    """Return the runs of the points around a change."""
    series, index = changes.series[row], changes.index[row]
    low, high = starts[series], starts[series + 1]
    return runs[max(low, low + index - SHARED_RUNS) : min(high, low + index + SHARED_RUNS + 1)]


def _shared(accepted: Ints, changes: Changes, starts: Ints, runs: Ints | Codes, measured: Ints) -> dict[int, int]:
    """Map the changes that many series share (row -> run): first the run that most of them lie near, then the next."""
    near = {int(row): {int(run) for run in _near(int(row), changes, starts, runs)} for row in accepted}
    exact = Counter(int(runs[starts[changes.series[row]] + changes.index[row]]) for row in near)
    around = Counter(run for others in near.values() for run in others)
    shared: dict[int, int] = {}
    for run in sorted(around, key=lambda r: (-exact[r], r)):
        rows = [row for row, others in near.items() if run in others and row not in shared]
        if len(rows) >= max(SHARED_SERIES, SHARED_SHARE * measured[run]):
            shared |= dict.fromkeys(rows, run)
    return shared


def _findings(  # noqa: PLR0913, PLR0917
    accepted: Ints, q_values: Floats, changes: Changes, starts: Ints, runs: Ints | Codes, shared: dict[int, int]
) -> list[ScanFinding]:
    every = changes.rows(accepted)
    return [
        ScanFinding(
            series=int(changes.series[row]),
            run=shared.get(int(row), int(runs[starts[changes.series[row]] + change.index])),
            change=change,
            q_value=float(q_values[row]),
            suite_wide=int(row) in shared,
        )
        for row, change in zip(accepted, every, strict=True)
    ]


def _with_members(
    findings: list[ScanFinding], moved: list[Member], thresholds: Mapping[int, Threshold]
) -> list[ScanFinding]:
    """Add the changes of series at the steps of their suites that are large enough to report.

    They take the place of a change that the series showed by itself: its level before may reach across another step of the suite.
    """
    large_ones = [m for m in moved if abs(m.change.effect) >= _share(m, thresholds)]
    known: dict[int, list[int]] = {}
    for m in large_ones:
        known.setdefault(m.series, []).append(m.change.index)
    own = [
        f for f in findings if not any(abs(f.change.index - index) <= SHARED_RUNS for index in known.get(f.series, ()))
    ]
    return own + [
        ScanFinding(series=m.series, run=m.run, change=m.change, q_value=m.q_value, suite_wide=True) for m in large_ones
    ]


def _share(member: Member, thresholds: Mapping[int, Threshold]) -> float:
    threshold = thresholds.get(member.series)
    return RULES.change_effect if threshold is None else threshold.share_of(member.before)


def _lasting(run: int, findings: list[ScanFinding], signs: Floats) -> Movement:
    effects = [_of_time(f.change.effect, signs[f.series]) for f in findings if f.suite_wide and f.run == run]
    return Movement(run=run, effect=float(np.median(effects)), series=len(effects), lasting=True)


def _are_same(one: int, other: int, suite_of: Ints) -> bool:
    """Return whether two runs belong to one suite and at most `rules.same_change_runs` runs of it lie between."""
    first, last = min(one, other), max(one, other)
    between = np.count_nonzero(suite_of[first + 1 : last + 1] == suite_of[one])
    return bool(suite_of[one] == suite_of[other] and between <= RULES.same_change_runs)


def _of_time(effect: float, sign: float) -> float:
    """Return the change of the time behind a rate that changed by `effect`; a change to below zero has none and stays."""
    return effect if sign > 0 or effect <= -1.0 else -effect / (1.0 + effect)
