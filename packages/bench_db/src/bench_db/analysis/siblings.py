"""One commit for the changes that it made in several series, where runs that were slow as a whole have set some a few runs apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.jit import Codes, Floats, Ints
    from bench_db.analysis.scan import ScanFinding

REACH = 2  # runs that a change may lie from that of its siblings
AROUND = 10  # points on either side that a level is taken from
FEWEST = 2  # changes at one run that others may join
SCALES = 3.0  # of the residuals around a change, that the other place may fit worse in all


def aligned(  # noqa: PLR0913, PLR0917
    findings: Sequence[ScanFinding], values: Floats, offsets: Ints, runs: Ints | Codes, moved: Floats, signs: Floats
) -> list[ScanFinding]:
    """Return the findings with each at the run of most changes of its direction nearby, if its series fits a change there as well.

    A value in a run that moved may have followed or not, whatever the series does elsewhere: a burst can slow a part of a run. `moved`
    is the log movement of each run, and the other arrays are those of `scan`.
    """
    own = {number: _direction(one, signs) for number, one in enumerate(findings) if not one.suite_wide}
    exact = Counter((findings[number].run, direction) for number, direction in own.items())
    placed = list(findings)
    left = set(own)
    for (run, direction), count in sorted(exact.items(), key=lambda pair: (-pair[1], pair[0])):
        if count < FEWEST:
            break
        left -= {number for number in left if own[number] == direction and findings[number].run == run}
        for number in sorted(left):
            if own[number] != direction:
                continue
            found, start = findings[number], offsets[findings[number].series]
            of_series = runs[start : offsets[found.series + 1]]
            index = int(np.searchsorted(of_series, run))
            if index == found.change.index or abs(index - found.change.index) > REACH or of_series[index] != run:
                continue
            sign = signs[found.series]
            others = [one.change.index for one in findings if one.series == found.series and one is not found]
            y = values[start : offsets[found.series + 1]]
            if _fits(y, sign * moved[of_series], found.change.index, index, others):
                placed[number] = replace(found, run=run, change=replace(found.change, index=index))
                left.discard(number)
    return placed


def _direction(finding: ScanFinding, signs: Floats) -> bool:
    """Return whether a change made the time longer."""
    return bool((finding.change.effect > 0.0) == (signs[finding.series] > 0.0))


def _fits(values: Floats, moved: Floats, index: int, other: int, changes: Sequence[int]) -> bool:
    """Return whether a series fits a change at another place nearly as well; `changes` are the others that it has."""
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
    apart = [_apart(y, moved[low:high], float(np.median(level))) for level in (before, after)]
    residuals = np.concatenate([apart[0][:at], apart[1][at:]])[known]
    between = slice(min(at, there), max(at, there))
    is_earlier = there < at
    worse = np.where(known, apart[is_earlier] - apart[not is_earlier], 0.0)[between].sum()
    return bool(worse <= SCALES * np.median(residuals))


def _apart(y: Floats, moved: Floats, level: float) -> Floats:
    """Return how far each value is from a level, where it may have followed the movement of its run."""
    return np.minimum(np.abs(y - level), np.abs(y - moved - level))
