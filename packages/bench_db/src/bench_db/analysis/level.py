"""Which of the earlier runs of a series are its level, the baseline of what comes after them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench_db.model import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from bench_db.analysis.detect import Changes
    from bench_db.analysis.histories import Floats, Histories, Ints
    from bench_db.model import Finding

MOST_RUNS = 20
LEAST_RUNS = 7  # of a level that nobody has accepted
SAME_WITHIN = 5  # a change seen again within this many points of where it was is the same change
_ACCEPTED = {State.BLESSED, State.IGNORED}


def established(points: int, changes: Iterable[int], accepted: Collection[int] = ()) -> slice:
    """The baseline of what comes after `points` oldest-first runs: the newest level of 7 runs and more, of it the newest 20.

    Runs after a change that are fewer are none of it: what is slow since five runs is slow still; but a level that was
    `accepted` counts from its first run on. Without any level, the newest.
    """
    bounds = [0, *_merged(changes, accepted), points]
    levels = [(start, end) for start, end in pairwise(bounds) if end - start >= LEAST_RUNS or start in accepted]
    start, end = levels[-1] if levels else (0, points)
    return slice(max(start, end - MOST_RUNS), end)


def at_end(points: int, changes: Iterable[int], accepted: Collection[int] = ()) -> slice:
    """The baseline that ends with the last of `points` oldest-first runs: the newest 20 at most since the last change.

    A change that fewer than 7 runs follow does not cut it, unless it was `accepted`: their spread then holds the step.
    """
    starts = [i for i in _merged(changes, accepted) if i <= points - LEAST_RUNS or i in accepted]
    return slice(max([*starts, 0, points - MOST_RUNS]), points)


def _merged(changes: Iterable[int], accepted: Collection[int]) -> list[int]:
    """Both in order; of a change and an accepted one that are the same, the accepted one."""
    return sorted({*accepted, *(i for i in changes if all(abs(i - at) > SAME_WITHIN for at in accepted))})


def accepted(findings: Iterable[Finding]) -> dict[int, set[str]]:
    """Where people have accepted a new level, by blessing a change or by setting it aside: the commits of each series."""
    commits: dict[int, set[str]] = {}
    for finding in findings:
        if finding.state in _ACCEPTED and finding.commit is not None:
            commits.setdefault(finding.series_key, set()).add(finding.commit)
    return commits


def levels(old: Histories, *, pinned: bool = False, accepted: Mapping[int, set[str]] | None = None) -> list[slice]:
    """The runs of each history that are its level: the established one or, when the end is `pinned`, the one there.

    `accepted` holds the commits at which levels of a series begin that people accepted.
    """
    changes, level = changes_of(old), at_end if pinned else established
    found = []
    for number, series in enumerate(old.series):
        commits = (accepted or {}).get(int(series["series_key"]))
        places = _places(old.of(number)["commit"].to_list(), commits) if commits else ()
        points = int(old.offsets[number + 1] - old.offsets[number])
        found.append(level(points, changes.get(number, ()), places))
    return found


def _places(commits: Sequence[str | None], wanted: Collection[str]) -> list[int]:
    """Indices of the first run of each of some commits, in order."""
    return [i for i, commit in enumerate(commits) if commit in wanted and commit not in commits[:i]]


def changes_of(old: Histories) -> dict[int, list[int]]:
    """Change points of the histories, by the number of the series."""
    found = _detected(old.values, old.offsets)
    at: dict[int, list[int]] = {}
    for series, index in zip(found.series.tolist(), found.index.tolist(), strict=True):
        at.setdefault(series, []).append(index)
    return at


def _detected(values: Floats, offsets: Ints) -> Changes:
    from bench_db.analysis.detect import detect_all  # noqa: PLC0415 compiling or loading machine code takes a while

    return detect_all(values, offsets)


@contextmanager
def detector_loading() -> Iterator[None]:
    """The detector's machine code is loaded while the body waits for the store: a fifth of a second less for a reader."""

    def load() -> None:
        _detected(np.empty(0), np.zeros(1, np.int64))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(load)
        yield
