"""One commit for the changes that it made in several series, where runs that were slow as a whole have set some a few runs apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.jit import Codes, Floats, Ints
    from bench_db.analysis.scan import ScanFinding

_Place = tuple[int, bool]  # a run, and whether times become longer there
SHARED_RUNS = 2  # changes of one commit may lie this many runs apart
AROUND = 10  # points on either side that a level is taken from
FEWEST = 2  # changes at one run that others may join
SHARE = 0.5  # of a change, that a run between has to have moved at least to have set it apart
SCALES = 3.0  # of the residuals around a change, that the other place may fit worse in all


def aligned(  # noqa: PLR0913, PLR0917
    findings: Sequence[ScanFinding], values: Floats, offsets: Ints, runs: Ints | Codes, moved: Floats, signs: Floats
) -> list[ScanFinding]:
    """Return the findings with each at the run of most changes of its direction nearby, if a run that moved may have set it apart.

    Its series has to fit a change there nearly as well.
    A value in a run that moved may have followed or not, whatever the series does elsewhere: a burst can slow a part of a run. `moved`
    is the log movement of each run, and the other arrays are those of `scan`.
    """
    exact, near, of_series = Counter[_Place](), defaultdict[_Place, list[int]](list), defaultdict[int, list[int]](list)
    for number, one in enumerate(findings):
        index, start, end = one.change.index, offsets[one.series], offsets[one.series + 1]
        of_series[one.series].append(index)
        if not one.suite_wide:
            longer = (one.change.effect > 0.0) == (signs[one.series] > 0.0)
            exact[one.run, longer] += 1
            around = runs[max(start, start + index - SHARED_RUNS) : min(end, start + index + SHARED_RUNS + 1)]
            for run in around.tolist():
                near[run, longer].append(number)
    placed, left = list(findings), set(range(len(findings)))
    for place, count in sorted(exact.items(), key=lambda pair: (-pair[1], pair[0])):
        if count < FEWEST:
            break
        run, _ = place
        for number in left.intersection(near[place]):
            found = findings[number]
            of = slice(offsets[found.series], offsets[found.series + 1])
            index, at = int(np.searchsorted(runs[of], run)), found.change.index
            others = [other for other in of_series[found.series] if other != at]
            if index == at or _fits(values[of], signs[found.series] * moved[runs[of]], at, index, others):
                placed[number] = replace(found, run=run, change=replace(found.change, index=index))
                left.discard(number)
    return placed


def _fits(values: Floats, moved: Floats, index: int, other: int, changes: Sequence[int]) -> bool:
    """Return whether a series fits a change at another place nearly as well, with a movement between; `changes` are the others that it has."""
    low = max([0, index - AROUND, *(at for at in changes if at < min(index, other))])
    high = min([len(values), index + AROUND, *(at for at in changes if at > max(index, other))])
    if not low < min(index, other) or any(min(index, other) <= at <= max(index, other) for at in changes):
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(values[low:high])
    known = np.isfinite(y)
    at, there = index - low, other - low
    before, after = y[:at][known[:at]], y[at:][known[at:]]
    if not (len(before) and len(after)):
        return False
    levels = float(np.median(before)), float(np.median(after))
    between = slice(min(at, there), max(at, there))
    if not (np.abs(moved[low:high][between]) >= SHARE * abs(levels[1] - levels[0])).any():
        return False
    before_apart, after_apart = (_apart(y, moved[low:high], level) for level in levels)
    residuals = np.concatenate([before_apart[:at], after_apart[at:]])[known]
    worse = after_apart - before_apart if there < at else before_apart - after_apart
    return bool(np.where(known, worse, 0.0)[between].sum() <= SCALES * np.median(residuals))


def _apart(y: Floats, moved: Floats, level: float) -> Floats:
    """Return how far each value is from a level, where it may have followed the movement of its run."""
    return np.minimum(np.abs(y - level), np.abs(y - moved - level))
