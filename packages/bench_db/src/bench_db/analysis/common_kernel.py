"""Kernel: common movement. The movement of each run over all its series, and histories corrected for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench_db.analysis.jit import Floats, Ints, Kernel, compiled, exp, filled, floats, integers
from bench_db.analysis.noise_kernel import NORMAL_MEDIAN_OF_ABSOLUTE, quantile, rolling_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

LEVEL_REACH = 5  # points on either side in the running median of a point
FEWEST_POINTS = 2 * LEVEL_REACH + 1  # of a series with a level that some slow runs are not most of
FEWEST_SERIES = 10  # fewest series of a run for a movement
STANDARD_ERRORS = 3.0
PASSES = 2  # the second pass uses levels that the first has corrected
SHARES = 4
FOLLOWS = 0.5
DIFFERENCE_OF_NORMALS = 2.0 / math.sqrt(math.pi)  # mean absolute difference of two normal values of deviation 1
MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2.0)  # standard error of a median over that of a mean, normal values


@compiled
def departures(x: Floats, runs: Ints, moved: Floats, levels: Ints, sign: float, share: float, out: Floats) -> None:
    """Compute `sign` times log x, minus the running median after subtracting `share` of the movement of each run.

    `levels` numbers the level of the suite at each run, across which no median reaches. The result is NaN where x is not finite,
    and everywhere for a series that is not positive.
    """
    n, count = len(x), 0
    y, rest, where = floats(n), floats(n), integers(n)
    positive = True
    for i in range(n):
        out[i] = math.nan
        if math.isfinite(x[i]):
            positive = positive and x[i] > 0.0
            if positive:
                y[count], where[count] = sign * math.log(x[i]), i
                rest[count] = y[count] - share * moved[runs[i]]
                count += 1
    if not positive:
        return
    level = floats(count)
    first = 0
    while first < count:
        last = first + 1
        while last < count and levels[runs[where[last]]] == levels[runs[where[first]]]:
            last += 1
        rolling_quantile(rest[first:last], LEVEL_REACH, LEVEL_REACH + 1, 0.5, level[first:last])
        for j in range(first, last):
            # at the ends use the nearest full window: in a truncated one, three slow runs would be half of the level
            full = max(min(j, last - 1 - LEVEL_REACH), min(first + LEVEL_REACH, last - 1))
            out[where[j]] = y[j] - level[full]
        first = last


@compiled
def followed(departure: Floats, runs: Ints, moved: Floats) -> float:
    """Return the share of the movements that a series follows, in quarters: that of the least absolute departures."""
    left = filled(SHARES + 1, 0.0)
    for i in range(len(departure)):
        rest, part = departure[i], moved[runs[i]] / SHARES
        if part != 0.0 and not math.isnan(rest):
            for k in range(SHARES + 1):
                left[k] += abs(rest)
                rest -= part
    least = 0
    for k in range(1, SHARES + 1):
        least = k if left[k] < left[least] else least
    return least / SHARES


@compiled
def movement(of_run: Floats, count: int) -> float:
    """Return the median departure of the `count` series of one run; 0 within 3 standard errors. Reorders its input."""
    if count == 0:
        return 0.0
    middle = quantile(of_run, count, 0.5)
    apart = floats(count)
    for j in range(count):
        apart[j] = abs(of_run[j] - middle)
    scale = quantile(apart, count, 0.5) / NORMAL_MEDIAN_OF_ABSOLUTE
    return middle if abs(middle) > STANDARD_ERRORS * MEDIAN_EFFICIENCY * scale / math.sqrt(count) else 0.0


@compiled
def count(departure: Floats, offsets: Ints, runs: Ints, fewest: Ints, measured: Ints) -> None:
    """Add to each run the number of series with a departure that have as many points as `fewest` of the run says."""
    for s in range(len(offsets) - 1):
        points = offsets[s + 1] - offsets[s]
        for i in range(offsets[s], offsets[s + 1]):
            measured[runs[i]] += points >= fewest[runs[i]] and not math.isnan(departure[i])


@compiled
def movements(
    departure: Floats, offsets: Ints, runs: Ints, fewest: Ints, shares: Floats, measured: Ints, moved: Floats
) -> None:
    """Return the movement of each run over the series that follow by at least half; 0 for a run of few series.

    A series of fewer points than `fewest` of the run does not count there.
    """
    n_runs = len(moved)
    starts, counts = integers(n_runs + 1), integers(n_runs)
    for r in range(n_runs):
        starts[r + 1] = starts[r] + measured[r]
    by_run = floats(starts[n_runs])
    for s in range(len(offsets) - 1):
        points = offsets[s + 1] - offsets[s]
        for i in range(offsets[s], offsets[s + 1]):
            if shares[s] >= FOLLOWS and points >= fewest[runs[i]] and not math.isnan(departure[i]):
                by_run[starts[runs[i]] + counts[runs[i]]] = departure[i]
                counts[runs[i]] += 1
    for r in range(n_runs):
        moved[r] = movement(by_run[starts[r] : starts[r + 1]], counts[r]) if measured[r] >= FEWEST_SERIES else 0.0


@compiled
def correct(
    values: Floats, offsets: Ints, runs: Ints, moved: Floats, signs: Floats, shares: Floats, out: Floats
) -> None:
    """Set out to the values without the share of the movement of their runs that each series follows, unchanged where out is NaN."""
    for s in range(len(offsets) - 1):
        part = signs[s] * shares[s]
        for i in range(offsets[s], offsets[s + 1]):
            out[i] = values[i] if math.isnan(out[i]) else values[i] * exp(-part * moved[runs[i]])


def _entry(digest: int) -> Callable[..., tuple[Floats, Floats, Ints]]:
    def entry(
        values: Floats, offsets: Ints, runs: Ints, levels: Ints, fewest: Ints, signs: Floats, out: Floats
    ) -> tuple[Floats, Floats, Ints]:
        _ = digest
        n_series, n_runs = len(offsets) - 1, len(levels)
        moved, first, measured, shares = filled(n_runs, 0.0), floats(n_runs), integers(n_runs), filled(n_series, 1.0)
        for turn in range(PASSES):
            for s in range(n_series):
                a, b = offsets[s], offsets[s + 1]
                departures(values[a:b], runs[a:b], moved, levels, signs[s], shares[s], out[a:b])
            if turn == 0:
                count(out, offsets, runs, fewest, measured)
            movements(out, offsets, runs, fewest, shares, measured, moved)
            moves = False
            for r in range(n_runs):
                moves = moves or moved[r] != 0.0
                if turn == 0:
                    first[r] = moved[r]
            if not moves:
                break
            for s in range(n_series):
                a, b = offsets[s], offsets[s + 1]
                shares[s] = followed(out[a:b], runs[a:b], moved)
        correct(values, offsets, runs, moved, signs, shares, out)
        return moved, first, measured

    return entry


def _departing_entry(digest: int) -> Callable[..., Floats]:
    def entry(
        values: Floats, offsets: Ints, runs: Ints, moved: Floats, levels: Ints, signs: Floats, shares: Floats
    ) -> Floats:
        _ = digest
        out = floats(len(values))
        for s in range(len(offsets) - 1):
            a, b = offsets[s], offsets[s + 1]
            departures(values[a:b], runs[a:b], moved, levels, signs[s], shares[s], out[a:b])
        return out

    return entry


def _following_entry(digest: int) -> Callable[..., Floats]:
    def entry(departure: Floats, offsets: Ints, runs: Ints, moved: Floats) -> Floats:
        _ = digest
        shares = floats(len(offsets) - 1)
        for s in range(len(offsets) - 1):
            a, b = offsets[s], offsets[s + 1]
            shares[s] = followed(departure[a:b], runs[a:b], moved)
        return shares

    return entry


def _moving_entry(digest: int) -> Callable[..., Floats]:
    def entry(by_run: Floats, starts: Ints, measured: Ints) -> Floats:
        _ = digest
        moved = filled(len(measured), 0.0)
        for r in range(len(measured)):
            if measured[r] >= FEWEST_SERIES:
                moved[r] = movement(by_run[starts[r] : starts[r + 1]], starts[r + 1] - starts[r])
        return moved

    return entry


def _correcting_entry(digest: int) -> Callable[..., Floats]:
    def entry(
        values: Floats, offsets: Ints, runs: Ints, moved: Floats, signs: Floats, shares: Floats, departure: Floats
    ) -> Floats:
        _ = digest
        out = floats(len(values))
        for i in range(len(values)):
            out[i] = departure[i]
        correct(values, offsets, runs, moved, signs, shares, out)
        return out

    return entry


# The steps of `without_common`, for some of the series or of the runs.
# (concatenated values, offsets, run of each point, movement and level of each run, sign and share of each series) -> departures
departing = Kernel(_departing_entry, lambda *given: 1.3e-6 * len(given[0]), 0.8)
# (departures, offsets, run of each point, movement of each run) -> the share that each series follows
following = Kernel(_following_entry, lambda *given: 0.4e-6 * len(given[0]), 0.3)
# (departures run by run, their offsets, number of series measured in each run) -> the movement of each run; reorders its input
moving = Kernel(_moving_entry, lambda *given: 0.5e-6 * len(given[0]), 0.4)
# (concatenated values, offsets, run of each point, movement of each run, sign and share of each series, departures) -> corrected values
correcting = Kernel(_correcting_entry, lambda *given: 0.3e-6 * len(given[0]), 0.3)

# (concatenated values, offsets, run of each point, level of the suite at each run, fewest points of a series that counts at each run,
# +1 or -1 per series for a time or a rate, out)
# -> per run: log movement of times, the same over all series and not only those that follow, number of series that count;
# `out` receives the corrected values
without_common = Kernel(_entry, lambda *given: 3e-6 * len(given[0]), 1.5)
