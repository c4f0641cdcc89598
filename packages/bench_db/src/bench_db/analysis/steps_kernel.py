"""Kernel: the steps of many series at one commit, estimates of the change whether or not a test finds one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench_db.analysis.common_kernel import DIFFERENCE_OF_NORMALS, MEDIAN_EFFICIENCY
from bench_db.analysis.jit import Floats, Ints, Kernel, compiled, filled, floats
from bench_db.analysis.noise_kernel import quantile

if TYPE_CHECKING:
    from collections.abc import Callable

REACH = 10  # points on either side of a commit
FAR_REACH = 24  # the same for a step that no single series shows
FEWEST_BEFORE = 3


@compiled
def first_from(order: Ints, low: int, high: int, commit: int, guess: int) -> int:
    """Return the first of the points from `low` to `high` whose commit is not before `commit`, or `high`; look at `guess` first."""
    if low < guess < high and order[guess - 1] < commit <= order[guess]:
        return guess
    while low < high:
        middle = (low + high) // 2
        if order[middle] < commit:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def logs_of(values: Floats, low: int, high: int, out: Floats) -> tuple[int, int, float]:
    """Set out to the logs of the positive values of some points; return their number, and that and the sum of differences of neighbours."""
    count = pairs = 0
    sum_of_differences, before = 0.0, math.nan
    for i in range(low, high):
        here = math.log(values[i]) if math.isfinite(values[i]) and values[i] > 0.0 else math.nan
        if not math.isnan(here):
            out[count] = here
            count += 1
            if not math.isnan(before):
                sum_of_differences += abs(here - before)
                pairs += 1
        before = here
    return count, pairs, sum_of_differences


def _entry(digest: int) -> Callable[..., tuple[Floats, Floats, Floats]]:
    def entry(
        values: Floats,
        offsets: Ints,
        order: Ints,
        series: Ints,
        commit: int,
        single: bool,
        reach: int,
    ) -> tuple[Floats, Floats, Floats]:
        _ = digest
        n = len(series)
        effects, errors, later = filled(n, math.nan), filled(n, math.inf), filled(n, math.nan)
        window, place = floats(reach), 0
        for k in range(n):
            low, high = offsets[series[k]], offsets[series[k] + 1]
            at = first_from(order, low, high, commit, low + place)  # most series of a suite have the same commits
            place = at - low
            before, pairs, differences = logs_of(values, max(low, at - reach), at, window)
            if before < FEWEST_BEFORE:
                continue
            level = quantile(window, before, 0.5)
            points, own = 1, math.nan
            if single and at < high and order[at] == commit and math.isfinite(values[at]) and values[at] > 0.0:
                own = math.log(values[at])
            after, more, others = logs_of(values, min(high, at + single), min(high, at + reach), window)
            if after > 0:
                later[k] = quantile(window, after, 0.5) - level
            if single:
                effects[k] = own - level
            else:
                effects[k] = later[k]
                points = after
            noise = (differences + others) / max(pairs + more, 1) / DIFFERENCE_OF_NORMALS
            if pairs + more > 0 and points > 0:
                errors[k] = MEDIAN_EFFICIENCY * noise * math.sqrt(1.0 / points + 1.0 / before)
        return effects, errors, later

    return entry


# (concatenated values, offsets, order of the commit of each point, series, order of a commit, single, reach)
# -> per series: the median log of up to `reach` points from the commit on minus that of as many before it; its standard error; the
# same of the points alone that follow. With `single` the first is that of the commit's own point, and the last leaves it out. NaN
# without a point, with fewer than 3 before, and where no value is positive.
steps_at = Kernel(_entry, lambda *given: 1e-5 * len(given[3]), 0.7)
