"""The cause of a change at one commit: the code, the machine or the tool chain, or not known, with the evidence for it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.jit import Bools, Floats, Ints
from bench_db.model import Blame, Cause, Comparison, MovedBenchmarks, Verdict
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from bench_db.model import Series

HALF = 0.5  # share of the change of others from which a series moved with them
INTERVAL_ERRORS = 3.0  # standard errors in half of a 99 % interval
_UNCLEAR, _STILL, _MOVED = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The series of one device and suite at one commit, an entry each.

    `beds`, `benchmarks` and `metrics` number the names. `effects` are log ratios of times (rates reversed), NaN for a series that
    was not measured there, and `errors` their standard errors. `changed` says that a test found the change.
    """

    beds: Ints
    benchmarks: Ints
    metrics: Ints
    effects: Floats
    errors: Floats
    changed: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Beds:
    """The test bed classes of one device and suite by number: what reports call each, and its plain name."""

    labels: Sequence[str]
    names: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """The benchmarks of each test bed: how many are measured, moved and still; and how the others answer to the first bed.

    `first` is the bed on which most benchmarks changed. Of its changed benchmarks, `agree` counts those that moved the same way
    on each bed, `oppose` the other way, `calm` those that did not move, and `common` those that are measured there.
    """

    first: int
    changed: int
    measured: Ints
    moved: Ints
    still: Ints
    agree: Ints
    oppose: Ints
    calm: Ints
    common: Ints
    has_change: Bools


def blame(steps: Steps, beds: Beds, *, returned: bool = False) -> tuple[Cause, tuple[str, ...], list[MovedBenchmarks]]:
    """Return the cause of the changes among the steps of one commit, the evidence, and the benchmarks of each test bed.

    `returned` says that the level of all series was back after a few runs. Benchmarks are counted, not metrics, and only the
    metrics in which something changed.
    """
    counts = _counted(steps, len(beds.labels))
    cause, reasons = _cause(counts, beds, returned=returned)
    whole = counts.moved >= RULES.whole_run_share * counts.measured
    shown = [
        MovedBenchmarks(
            test_bed_name=beds.labels[bed],
            moved=int(counts.moved[bed]) if _has_moved(counts, bed) else 0,
            measured=int(counts.measured[bed]),
            whole_run=bool(whole[bed]) and _has_moved(counts, bed),
        )
        for bed in np.flatnonzero(counts.measured).tolist()
    ]
    moved = [f"{one.moved} of {_benchmarks(one.measured)} moved on {one.test_bed_name}" for one in shown if one.moved]
    return cause, (*moved, *reasons), shown


def _counted(steps: Steps, n_beds: int) -> _Counts:
    of_change_metrics = np.isin(steps.metrics, steps.metrics[steps.changed]) | (not steps.changed.any())
    relevant = of_change_metrics & np.isfinite(steps.effects)
    beds, benchmarks = steps.beds[relevant], steps.benchmarks[relevant]
    effects, errors, changed = steps.effects[relevant], steps.errors[relevant], steps.changed[relevant]
    n_benchmarks = int(benchmarks.max()) + 1 if len(benchmarks) else 1
    of_change = np.zeros(n_benchmarks)  # the size of the change of each benchmark, or else that of the typical one
    np.maximum.at(of_change, benchmarks[changed], np.abs(effects[changed]))
    typical = float(np.median(np.abs(effects[changed]))) if changed.any() else math.inf
    least = HALF * np.where(of_change > 0.0, of_change, typical)[benchmarks]
    state = np.where(errors > least, _UNCLEAR, np.where(np.abs(effects) >= least, _MOVED, _STILL))
    state[changed] = _MOVED
    if not changed.any():  # too small beside the noise of each, so none of them is still either
        state[:] = _UNCLEAR
    states, ways = np.zeros((n_beds, n_benchmarks), np.int64), np.zeros((n_beds, n_benchmarks))
    np.maximum.at(states, (beds, benchmarks), state)
    is_moved = state == _MOVED
    np.add.at(ways, (beds[is_moved], benchmarks[is_moved]), effects[is_moved])
    own = np.zeros((n_beds, n_benchmarks), np.bool_)
    own[beds[changed], benchmarks[changed]] = True
    first = int(own.sum(axis=1).argmax())
    ours, moved = own[first], states == _MOVED
    same = np.sign(ways) == np.sign(ways[first])
    return _Counts(
        first=first,
        changed=int(ours.sum()),
        measured=(states > 0).sum(axis=1),
        moved=moved.sum(axis=1),
        still=(states == _STILL).sum(axis=1),
        agree=(moved & same & ours).sum(axis=1),
        oppose=(moved & ~same & ours).sum(axis=1),
        calm=((states == _STILL) & ours).sum(axis=1),
        common=((states > 0) & ours).sum(axis=1),
        has_change=np.asarray(own.any(axis=1)),
    )


def _has_moved(counts: _Counts, bed: int) -> bool:
    """Return whether a test bed has a change of its own or moved with the first one."""
    return bool(counts.has_change[bed]) or _moved_too(counts, bed)


def _moved_too(counts: _Counts, bed: int) -> bool:
    return bool(counts.agree[bed]) and counts.agree[bed] >= HALF * counts.common[bed]


def _did_not_move(counts: _Counts, bed: int) -> bool:
    """Return whether a test bed measured most of the changed benchmarks, and hardly any of them moved there."""
    enough = counts.common[bed] >= max(min(RULES.cause_benchmarks, counts.changed), HALF * counts.changed)
    return bool(
        enough and not counts.has_change[bed] and counts.calm[bed] >= RULES.whole_run_share * counts.common[bed]
    )


def _cause(counts: _Counts, beds: Beds, *, returned: bool) -> tuple[Cause, list[str]]:
    first = counts.first
    others = [bed for bed in np.flatnonzero(counts.common).tolist() if bed != first]
    too = [bed for bed in others if _moved_too(counts, bed)]
    elsewhere = [bed for bed in too if beds.names[bed] != beds.names[first]]
    calm = [bed for bed in others if _did_not_move(counts, bed)]
    still, measured = int(counts.still[first]), int(counts.measured[first])
    controls = still >= max(RULES.cause_benchmarks, RULES.control_share * measured)
    whole = counts.moved[first] >= RULES.whole_run_share * measured
    reasons = [f"the same benchmarks moved at one commit on {_named(beds, [first, *elsewhere])}"] if elsewhere else []
    if still:
        reasons.append(f"{_benchmarks(still)} of the same run on {beds.labels[first]} did not move")
    if elsewhere or controls:
        return Cause.CODE, [*reasons, *_calm(beds, calm)]
    if whole and counts.changed >= RULES.cause_benchmarks and not too:
        if calm:
            return Cause.MACHINE, [*reasons, *_calm(beds, calm)]
        if returned and not others:
            return Cause.MACHINE, [*reasons, "the level returned after it"]
    return Cause.UNKNOWN, [*reasons, *_calm(beds, calm), *_missing(counts, beds, others, too)]


def _missing(counts: _Counts, beds: Beds, others: list[int], too: list[int]) -> list[str]:
    """Return what evidence is missing for a cause."""
    measured = int(counts.measured[counts.first])
    if not counts.changed:
        return [
            "no benchmark shows it by itself"
            if measured
            else "too few runs before or after it show which benchmarks moved"
        ]
    if too:
        return [f"{_named(beds, too)} moved too, and may have the same tool chain"]
    if any(counts.oppose[bed] and counts.oppose[bed] >= HALF * counts.common[bed] for bed in others):
        return ["test beds moved in opposite directions"]
    if measured < RULES.cause_benchmarks:
        return [f"{_benchmarks(measured)} cannot show whether the whole run moved"]
    if not others:
        return ["no other test bed measured them at this commit"]
    return ["the test beds and the other benchmarks do not decide it"]


def _calm(beds: Beds, calm: Sequence[int]) -> list[str]:
    return [f"{_named(beds, calm)} measured the same commit and did not move"] if calm else []


def _named(beds: Beds, numbers: Sequence[int]) -> str:
    names = [beds.labels[number] for number in numbers]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _benchmarks(number: int) -> str:
    return f"{number} benchmark" if number == 1 else f"{number} benchmarks"


# -- comparisons -------------------------------------------------------------------------------------------------------


def blame_comparisons(
    comparisons: Sequence[Comparison], labels: Mapping[int, str]
) -> tuple[list[Comparison], list[Blame]]:
    """Return the comparisons with the causes of those that changed, and the blame of each device and suite with a change.

    `labels` are the names of the test bed classes, by series key, where they differ from the plain names.
    """
    of_suite: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for c in comparisons:
        if c.effect is not None and c.verdict in _TESTED:
            of_suite[c.series.dut_name, c.series.suite].append(c)
    blames: dict[tuple[str, str], Blame] = {}
    for (dut, suite), some in sorted(of_suite.items()):
        if any(c.is_changed for c in some):
            steps, beds = _steps_of(some, labels)
            cause, evidence, shown = blame(steps, beds)
            blames[dut, suite] = Blame(
                dut_name=dut, suite=suite, cause=cause, evidence=evidence, test_beds=tuple(shown)
            )
    found = [
        replace(c, cause=blames[c.series.dut_name, c.series.suite].cause)
        if c.effect is not None and c.verdict in _TESTED and c.is_changed
        else c
        for c in comparisons
    ]
    return found, list(blames.values())


_TESTED = {Verdict.REGRESSED, Verdict.SUSPECTED, Verdict.IMPROVED, Verdict.UNCHANGED}


def _steps_of(comparisons: Sequence[Comparison], labels: Mapping[int, str]) -> tuple[Steps, Beds]:
    series = [c.series for c in comparisons]
    beds, numbers = beds_apart(series, labels)
    signs = [-1.0 if one.direction is Direction.HIGHER else 1.0 for one in series]
    return Steps(
        beds=numbers,
        benchmarks=_numbered((one.benchmark_name, one.tags_key) for one in series),
        metrics=_numbered(one.metric for one in series),
        effects=np.array([sign * log_ratio(c.effect) for sign, c in zip(signs, comparisons, strict=True)]),
        errors=np.array([_error(c) for c in comparisons]),
        changed=np.array([c.is_changed for c in comparisons]),
    ), beds


def log_ratio(effect: float | None) -> float:
    """Return the log ratio of a relative change; that of a change to or from zero is clamped."""
    return math.nan if effect is None or math.isnan(effect) else math.log1p(min(max(effect, -0.999), 1e6))


def _error(c: Comparison) -> float:
    return 0.0 if c.low is None or c.high is None else (log_ratio(c.high) - log_ratio(c.low)) / 2.0 / INTERVAL_ERRORS


def _numbered(names: Iterable[Hashable]) -> Ints:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def beds_apart(series: Sequence[Series], labels: Mapping[int, str]) -> tuple[Beds, Ints]:
    """Return the test bed classes of some series, and the number of that of each."""
    pairs = [(labels.get(one.series_key, one.test_bed_name), one.test_bed_name) for one in series]
    beds = sorted(set(pairs))
    place = {pair: number for number, pair in enumerate(beds)}
    numbers = np.array([place[pair] for pair in pairs], np.int64)
    return Beds(labels=[label for label, _ in beds], names=[name for _, name in beds]), numbers
