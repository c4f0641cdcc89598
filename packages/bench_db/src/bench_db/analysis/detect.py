"""Change points of a series, or of very many: arrays in, typed changes out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bench_db.analysis.constants import PROFILES, Constants, Profile
from bench_db.analysis.detect_kernel import COLUMNS, EFFECT, HIGH, LOW, P_VALUE, all_changes
from bench_db.analysis.jit import Bools, Floats, Ints
from bench_db.analysis.noise_kernel import NORMAL_Q75_OF_ABSOLUTE, ROOT_2
from bench_db.analysis.partition_kernel import WINDOWS
from bench_db.analysis.student import benjamini_hochberg
from bench_db.model import Change
from bench_db.rules import RULES
from bench_db.threads import threads as default_threads

_NEAR_END = 4 * RULES.provisional_runs  # a change with so many points after it has a level, or is not found
_ROOM = 2.0**20  # numbers that are divided by it can be added and subtracted without overflow, and compare as before
_ROUNDING = 1e-6  # share of a threshold, above what NumPy's logarithms and sums differ by from those of the kernel
SERIES_A_PART = 2048  # series of one call of the kernel: enough to make its start cost nothing, few enough to share out


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Change points of many series as columns, a row each, series by series; `points` is per series and counts finite values."""

    series: Ints
    index: Ints
    effect: Floats
    low: Floats
    high: Floats
    p_value: Floats
    provisional: Bools
    points: Ints

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, which: Ints) -> list[Change]:
        """Return the changes of these rows as records."""
        columns = (self.index, self.effect, self.low, self.high, self.p_value, self.provisional)
        return [
            Change(index=index, effect=effect, low=low, high=high, p_value=p_value, provisional=provisional)
            for index, effect, low, high, p_value, provisional in zip(
                *(c[which].tolist() for c in columns), strict=True
            )
        ]


def change_points(values: Floats, profile: Profile = Profile.DEFAULT) -> list[int]:
    """Return the index of the first point at each new level; NaN and infinity stand for runs without a result and keep their place."""
    flat = np.ascontiguousarray(values, np.float64)
    found: Ints = all_changes(flat, np.array([0, len(flat)]), PROFILES[profile])[2]
    return [int(index) for index in found]


def detect(values: Floats, profile: Profile = Profile.DEFAULT) -> list[Change]:
    """Return the changes of one series, oldest first; a series of fewer than `RULES.detection_runs` finite points has none."""
    flat = np.ascontiguousarray(values, np.float64)
    found = detect_all(flat, np.array([0, len(flat)]), profile=profile, threads=1)
    return found.rows(np.arange(len(found)))


def detect_all(
    values: Floats,
    offsets: Ints,
    *,
    profile: Profile = Profile.DEFAULT,
    constants: Constants | None = None,
    threads: int | None = None,
) -> Changes:
    """Return the changes of series that lie end to end: series s is values[offsets[s] : offsets[s + 1]], as an Arrow list column is.

    `constants` replaces those of the profile, for studies of stability. `threads` is by default `bench_db.threads.threads()`.
    """
    chosen = constants or PROFILES[profile]
    flat, bounds = np.ascontiguousarray(values, np.float64), np.asarray(offsets, np.int64)
    per_series, points = np.zeros(len(bounds) - 1, np.int64), np.diff(bounds)
    may_change = _may_change(flat, bounds, chosen)
    if may_change.all():
        tested, ends = flat, bounds
    else:
        tested = flat[bounds[0] : bounds[-1]][np.repeat(may_change, points)]
        ends = np.concatenate([[0], np.cumsum(points[may_change])])
    starts = range(0, max(1, len(ends) - 1), SERIES_A_PART)
    parts = [ends[start : start + SERIES_A_PART + 1] for start in starts]
    form = all_changes.form(tested, ends, chosen)

    def of_part(part: Ints) -> tuple[Ints, Ints, Ints, Floats]:
        found: tuple[Ints, Ints, Ints, Floats] = form(tested, part, chosen)
        return found

    if len(parts) == 1:
        found = [of_part(parts[0])]
    else:
        with ThreadPoolExecutor(min(threads or default_threads(), len(parts))) as pool:
            found = list(pool.map(of_part, parts))
    counts, finite, indices, parts_of_figures = zip(*found, strict=True)
    per_series[may_change], points[may_change] = np.concatenate(counts), np.concatenate(finite)
    index = np.concatenate(indices)
    series = np.repeat(np.arange(len(per_series)), per_series)
    return changes_of_columns(
        per_series,
        points,
        index,
        np.concatenate(parts_of_figures).reshape(-1, COLUMNS),
        _provisional(flat, bounds, series, index),
    )


def _may_change(values: Floats, offsets: Ints, c: Constants) -> Bools:
    """Return which series may have a change: all but short ones of which NumPy shows, a length at once, that they have no candidate.

    That is two of three series of 12 points of noise. A short series has one local noise scale, that of all its points. Series with
    failed runs, or values that are not above 0, are left to the kernel.
    """
    lengths = np.diff(offsets)
    may = np.ones(len(lengths), np.bool_)
    for length in np.unique(lengths[(lengths > 1) & (lengths <= c.scale_reach)]).tolist():
        numbers = np.flatnonzero(lengths == length)
        several = values[offsets[numbers][:, None] + np.arange(length)]
        plain = np.flatnonzero(((several > 0.0) & (several < np.inf)).all(axis=1))
        may[numbers[plain]] = length >= c.minimum_points and _has_candidate(np.log(several[plain]), c)
    return may


def _has_candidate(y: Floats, c: Constants) -> Bools:
    """Return which rows have a position for `partition_kernel.candidates`, also where only rounding decides."""
    n = y.shape[1]
    y = y - np.median(y, axis=1, keepdims=True)
    noise = np.quantile(np.abs(np.diff(y)), 0.75, axis=1, keepdims=True) / (NORMAL_Q75_OF_ABSOLUTE * ROOT_2)
    scale = np.maximum(noise, c.rounding)
    windows = (y[:, max(0, i - c.median_reach) : i + c.median_reach + 1] for i in range(n))
    middle = np.stack([np.median(window, axis=1) for window in windows], axis=1)
    y = np.clip(y, middle - c.winsor * scale, middle + c.winsor * scale)
    small, large = np.quantile(np.abs(np.diff(y)), (0.25, 0.75), axis=1)
    modes = large > c.modes * np.maximum(small, c.rounding) * (1.0 - _ROUNDING)
    total = np.concatenate([np.zeros((len(y), 1)), np.cumsum(y, axis=1)], axis=1)
    at = np.arange(max(2, c.tail), n - max(1, c.tail - 1))
    most = np.zeros(len(y))
    for window in WINDOWS:
        left, right = np.minimum(window, at), np.minimum(window, n - at)
        step = (total[:, at + right] - total[:, at]) / right - (total[:, at] - total[:, at - left]) / left
        most = np.maximum(most, np.max(np.abs(step) / np.sqrt(1.0 / left + 1.0 / right), axis=1, initial=0.0))
    least = np.where(modes, c.candidate_of_modes, c.candidate) * scale[:, 0]
    return np.asarray(most >= least * (1.0 - _ROUNDING))


def changes_of_columns(counts: Ints, points: Ints, index: Ints, figures: Floats, provisional: Bools) -> Changes:
    """Return changes by their number and finite points per series, and index, figures and whether it is provisional per change."""
    series = np.repeat(np.arange(len(counts)), counts)
    return Changes(
        series=series,
        index=index,
        effect=figures[:, EFFECT],
        low=figures[:, LOW],
        high=figures[:, HIGH],
        p_value=figures[:, P_VALUE],
        provisional=provisional,
        points=points,
    )


def few_follow(level: float, after: Floats) -> bool:
    """Return whether fewer than `rules.provisional_runs` points after a change lie at its new level.

    These are the points beyond the middle between the level before and the mean of the points after; a passing excursion has few.
    `after` has all points to the end of the series; of many of them more than few are at a new level.
    """
    if len(after) >= _NEAR_END:
        return False
    finite, level = after[np.isfinite(after)] / _ROOM, level / _ROOM
    step = finite.mean() - level if len(finite) else 0.0
    return int(np.count_nonzero((finite - level) * np.sign(step) > 0.5 * abs(step))) < RULES.provisional_runs


def _provisional(values: Floats, offsets: Ints, series: Ints, index: Ints) -> Bools:
    """Return which changes have few points of their level; only the last change of a series can, and only near its end."""
    after = np.diff(offsets)[series] - index
    found = np.asarray(after < RULES.provisional_runs)
    is_last = np.append(series[1:] != series[:-1], True)[: len(series)]
    for row in np.flatnonzero(is_last & ~found & (after < _NEAR_END)).tolist():
        start, end = offsets[series[row]], offsets[series[row] + 1]
        at = start + index[row]
        first = start + index[row - 1] if row > 0 and series[row - 1] == series[row] else start
        before = float(np.nanmedian(values[first:at] / _ROOM)) * _ROOM
        found[row] = few_follow(before, values[at:end])
    return found


def discoveries(changes: Changes, tested: int, rate: float) -> tuple[Ints, Floats]:
    """Return the rows of `changes` that Benjamini-Hochberg over series accepts, and the q-value of every row.

    Of the `tested` series, each by its smallest p, k are accepted; then every change of p <= rate k / tested is.
    """
    if not len(changes):
        return np.empty(0, np.int64), np.empty(0)
    least = np.full(int(changes.series.max()) + 1, np.inf)
    np.minimum.at(least, changes.series, changes.p_value)
    having = np.flatnonzero(np.isfinite(least))
    by_series = np.ones(len(least))
    by_series[having] = benjamini_hochberg(least[having], tested)
    limit = rate * np.count_nonzero(by_series[having] <= rate) / max(tested, 1)
    return np.flatnonzero((changes.p_value <= limit) & (by_series[changes.series] <= rate)), by_series[changes.series]
