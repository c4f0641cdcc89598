"""The level of a series: the earlier runs that are the baseline of a new one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.compare import compare
from bench_db.model import State
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from bench_db.analysis.histories import Histories
    from bench_db.analysis.jit import Floats, Ints
    from bench_db.model import Finding

_ACCEPTED = {State.BLESSED, State.IGNORED}


def established(points: int, changes: Iterable[int], accepted: Collection[int] = ()) -> slice:
    """Return the baseline of a run after `points` oldest-first runs: the newest level, at most `rules.level_most_runs` of it.

    A level shorter than `rules.level_runs` is not used as a baseline, unless it was `accepted`: then it counts from its first run
    on. Without any level, the newest runs are used.
    """
    bounds = [0, *_merged(changes, accepted), points]
    levels = [(start, end) for start, end in pairwise(bounds) if end - start >= RULES.level_runs or start in accepted]
    start, end = levels[-1] if levels else (0, points)
    return slice(max(start, end - RULES.level_most_runs), end)


def at_end(points: int, changes: Iterable[int], accepted: Collection[int] = ()) -> slice:
    """Return the baseline that ends with the last of `points` oldest-first runs: the newest ones since the last change.

    A change that fewer than `rules.level_runs` follow is ignored, unless it was `accepted`: the baseline then spans the step.
    """
    starts = [i for i in _merged(changes, accepted) if i <= points - RULES.level_runs or i in accepted]
    return slice(max([*starts, 0, points - RULES.level_most_runs]), points)


def _merged(changes: Iterable[int], accepted: Collection[int]) -> list[int]:
    """Merge both in order; of a change and an accepted one that are the same, keep the accepted one."""
    return sorted({*accepted, *(i for i in changes if all(abs(i - at) > RULES.same_change_runs for at in accepted))})


def fresh_runs(
    candidate: Sequence[float],
    level: Sequence[float],
    *,
    minimum_effect: float = RULES.minimum_effect,
    minimum_difference: float = 0.0,
) -> int:
    """Return how many of the newest runs of an oldest-first level began the change that the candidate shows; 0 without such a change.

    `minimum_effect` and `minimum_difference` are those of `compare`.
    They are fewer than `rules.level_runs`, lie with the candidate on one side of all runs before them, and each of them differs
    significantly from those. At least `rules.baseline_runs` runs remain. Without this the first slow run widens the spread
    of the baseline, and the second one passes.
    """
    tested = partial(compare, minimum_effect=minimum_effect, minimum_difference=minimum_difference)
    for fresh in range(min(RULES.level_runs - 1, len(level) - RULES.baseline_runs), 0, -1):
        rest, newest = level[:-fresh], level[-fresh:]
        beyond = [*newest, *candidate]
        if not (min(beyond) > max(rest) or max(beyond) < min(rest)):
            continue
        if all(tested(runs, rest).significant for runs in (candidate, *([x] for x in newest))):
            return fresh
    return 0


def accepted(findings: Iterable[Finding]) -> dict[int, set[str]]:
    """Return the commits of each series at which people accepted a new level, by blessing or ignoring a change."""
    commits: dict[int, set[str]] = {}
    for finding in findings:
        if finding.state in _ACCEPTED and finding.commit is not None:
            commits.setdefault(finding.series_key, set()).add(finding.commit)
    return commits


def levels(old: Histories, *, pinned: bool = False, accepted: Mapping[int, set[str]] | None = None) -> list[slice]:
    """Return the runs of each history that are its level: the established one or, when the end is `pinned`, the last one.

    `accepted` are the commits of each series at which an accepted level begins.
    """
    changes, level = changes_of(old), at_end if pinned else established
    found = []
    for number, series in enumerate(old.series):
        commits = (accepted or {}).get(series.series_key)
        starts = _starts(old.of(number)["commit"].to_list(), commits) if commits else ()
        points = int(old.offsets[number + 1] - old.offsets[number])
        found.append(level(points, changes.get(number, ()), starts))
    return found


def _starts(commits: Sequence[str | None], wanted: Collection[str]) -> list[int]:
    """Return the indices of the first run of each of some commits, in order."""
    return [i for i, commit in enumerate(commits) if commit in wanted and commit not in commits[:i]]


def changes_of(old: Histories) -> dict[int, list[int]]:
    """Return the change points of the histories that begin a new level, by the number of the series."""
    return changes_of_values(old.values, old.offsets)


def changes_of_values(values: Floats, offsets: Ints, threads: int | None = None) -> dict[int, list[int]]:
    """Return the change points that begin a new level, by the number of the series; series s is values[offsets[s] : offsets[s + 1]]."""
    from bench_db.analysis.detect import detect_all  # noqa: PLC0415 only this function needs the kernels

    found = detect_all(values, offsets, threads=threads)
    cuts = np.searchsorted(found.series, np.arange(len(offsets)))
    index, effect = found.index.tolist(), found.effect.tolist()
    return {
        series: [index[start + number] for number in large(effect[start:end])]
        for series, (start, end) in enumerate(pairwise(cuts.tolist()))
        if end > start
    }


def large(effects: Sequence[float], least: Sequence[float] | None = None) -> list[int]:
    """Return which consecutive changes of a series, oldest first, are of at least `least`, alone or together.

    `least` has a share for each change, by default `rules.change_effect`.

    Small changes count together from the last large one on: once their product reaches it, each of them is large. So many
    small steps never hide their sum.
    """
    found: list[int] = []
    waiting: list[int] = []
    level = 1.0
    shares = [RULES.change_effect] * len(effects) if least is None else least
    for number, (effect, share) in enumerate(zip(effects, shares, strict=True)):
        level *= 1.0 + effect
        waiting.append(number)
        if abs(effect) >= share:
            waiting = [number]
        elif abs(level - 1.0) < share:
            continue
        found += waiting
        waiting, level = [], 1.0
    return found
