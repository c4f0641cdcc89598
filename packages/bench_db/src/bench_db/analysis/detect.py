"""Change points of a series, or of very many: arrays in, typed changes out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bench_db.analysis.constants import PROFILES, Constants, Profile
from bench_db.analysis.detect_kernel import COLUMNS, EFFECT, HIGH, LOW, P_VALUE, all_changes
from bench_db.analysis.jit import Bools, Floats, Ints
from bench_db.analysis.student import benjamini_hochberg
from bench_db.model import Change
from bench_db.rules import RULES
from bench_db.threads import threads as default_threads

_NEAR_END = 4 * RULES.provisional_runs  # a change with so many points after it has a level, or is not found
_ROOM = 2.0**20  # numbers that are divided by it can be added and subtracted without overflow, and compare as before
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
    starts = range(0, max(1, len(offsets) - 1), SERIES_A_PART)
    parts = [np.asarray(offsets[start : start + SERIES_A_PART + 1], np.int64) for start in starts]
    flat = np.ascontiguousarray(values, np.float64)

    form = all_changes.form(flat, np.asarray(offsets, np.int64), chosen)

    def of_part(part: Ints) -> tuple[Ints, Ints, Ints, Floats]:
        found: tuple[Ints, Ints, Ints, Floats] = form(flat, part, chosen)
        return found

    if len(parts) == 1:
        found = [of_part(parts[0])]
    else:
        with ThreadPoolExecutor(min(threads or default_threads(), len(parts))) as pool:
            found = list(pool.map(of_part, parts))
    counts, points, indices, parts_of_figures = zip(*found, strict=True)
    per_series, index = np.concatenate(counts), np.concatenate(indices)
    series = np.repeat(np.arange(len(per_series)), per_series)
    return changes_of_columns(
        per_series,
        np.concatenate(points),
        index,
        np.concatenate(parts_of_figures).reshape(-1, COLUMNS),
        _provisional(flat, np.asarray(offsets, np.int64), series, index),
    )


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
