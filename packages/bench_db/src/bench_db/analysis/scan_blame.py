"""The blame of each finding and movement of a scan, from the steps of all series of its device and suite at its commit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.analysis.blame import HALF, Beds, Steps, beds_apart, blame, log_ratio
from bench_db.analysis.siblings import SHARED_RUNS
from bench_db.analysis.steps_kernel import FAR_REACH, REACH, steps_at
from bench_db.model import Blame, Cause
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench_db.analysis.histories import Histories
    from bench_db.analysis.jit import Bools, Floats, Ints
    from bench_db.analysis.scan import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Blamed:
    """The blame of each finding and each movement of a scan, in their order.

    `whole_runs` says of each finding whether the whole run moved with it, and `beds` is the test bed class of each movement. `partial` says
    that the scan did not cover all test beds and benchmarks, so that evidence may be missing.
    """

    findings: Sequence[Blame] = ()
    whole_runs: Sequence[bool] = ()
    movements: Sequence[Blame] = ()
    beds: Sequence[str] = ()
    partial: bool = False

    @property
    def of_machine(self) -> int:
        """The number of findings that the machine or the tool chain caused."""
        return sum(one.cause is Cause.MACHINE for one in self.findings)


def blame_scan(histories: Histories, found: Scan, labels: Mapping[int, str], *, partial: bool = False) -> Blamed:
    """Return the blame of every finding and movement of a scan. `labels` are as in `blame_comparisons`."""
    if not found.findings and not found.movements:
        return Blamed(partial=partial)
    suites = _Suites(histories, labels)
    of_finding: dict[int, Blame] = {}
    of_run: dict[int, Blame] = {}
    for commit, places in _at_one_commit(found, suites):
        changes = {found.findings[i].series: found.findings[i].change.effect for i in places}
        one = suites.blame(int(suites.of_series[found.findings[places[0]].series]), commit, changes)
        of_finding |= dict.fromkeys(places, one)
        of_run |= {found.findings[i].run: one for i in places if found.findings[i].suite_wide}
    blames = [of_finding[i] for i in range(len(found.findings))]
    return Blamed(
        findings=blames,
        whole_runs=[_is_whole(one, suites.bed_of(f.series)) for f, one in zip(found.findings, blames, strict=True)],
        movements=[
            of_run[m.run] if m.lasting and m.run in of_run else suites.of_movement(m.run, m.effect, lasting=m.lasting)
            for m in found.movements
        ],
        beds=[suites.bed_of(suites.series_of(m.run)) for m in found.movements],
        partial=partial,
    )


def _is_whole(one: Blame, bed: str) -> bool:
    return any(
        of.whole_run and of.measured >= RULES.cause_benchmarks for of in one.test_beds if of.test_bed_name == bed
    )


def _at_one_commit(found: Scan, suites: _Suites) -> Iterable[tuple[int, list[int]]]:
    """Yield a commit and the findings of one suite at it or at most 2 measured commits away, the commit with most first."""
    of_suite: dict[int, list[int]] = defaultdict(list)
    for i, finding in enumerate(found.findings):
        of_suite[int(suites.of_series[finding.series])].append(i)
    for suite, some in of_suite.items():
        at = {i: suites.rank(suite, found.findings[i].run) for i in some}
        left = dict(at)
        exact = np.bincount(list(at.values()))
        for rank in sorted(set(at.values()), key=lambda r: (-exact[r], r)):
            near = [i for i, other in left.items() if abs(other - rank) <= SHARED_RUNS]
            if near:
                yield suites.commit(suite, rank), near
                left = {i: other for i, other in left.items() if i not in set(near)}


class _Suites:
    """The series and commits of each device and suite of some histories, over all its test beds."""

    def __init__(self, histories: Histories, labels: Mapping[int, str]) -> None:
        self._of, self._labels = histories, labels
        names = histories.names
        self.of_series: Ints = _ranks(names, "dut_name", "suite")
        self._benchmarks = _ranks(names, "benchmark_name", "tags_key")
        self._metrics = _ranks(names, "metric")
        self._signs: Floats = np.where((names["direction"] == Direction.HIGHER).to_numpy(), -1.0, 1.0)
        self._order: Ints = histories.column("commit_order").cast(pl.Int64).fill_null(-1).to_numpy()
        n_runs = int(histories.runs.max()) + 1
        self._series_of_run, self._order_of_run = np.zeros(n_runs, np.int64), np.zeros(n_runs, np.int64)
        self._series_of_run[histories.runs] = np.repeat(np.arange(len(histories)), np.diff(histories.offsets))
        self._order_of_run[histories.runs] = self._order
        suite_of_run = self.of_series[self._series_of_run]
        self._commits: dict[int, Ints] = {
            suite: np.unique(self._order_of_run[suite_of_run == suite]) for suite in np.unique(suite_of_run).tolist()
        }
        self._beds: dict[int, tuple[Ints, Beds, Ints]] = {}

    def series_of(self, run: int) -> int:
        """Return the number of a series of a run."""
        return int(self._series_of_run[run])

    def bed_of(self, series: int) -> str:
        """Return the name of the test bed class of a series."""
        of = self._of.series[series]
        return self._labels.get(of.series_key, of.test_bed_name)

    def rank(self, suite: int, run: int) -> int:
        """Return the place of the commit of a run among those that the suite was measured at."""
        return int(np.searchsorted(self._commits[suite], self._order_of_run[run]))

    def commit(self, suite: int, rank: int) -> int:
        """Return the order of the commit at a place."""
        return int(self._commits[suite][rank])

    def blame(self, suite: int, commit: int, changes: Mapping[int, float]) -> Blame:
        """Return the blame of the relative `changes`, by series, at a commit."""
        numbers, beds, bed_of = self._members(suite)
        effects, errors, _ = self._steps(numbers, commit, single=False)
        changed = np.isin(numbers, list(changes))
        given = np.array([log_ratio(changes[number]) for number in numbers[changed].tolist()])
        effects[changed] = self._signs[numbers[changed]] * given
        return self._of_steps(numbers, beds, self._given(numbers, bed_of, effects, errors, changed))

    def of_movement(self, run: int, effect: float, *, lasting: bool) -> Blame:
        """Return the blame of a movement of all series of a run; a passing one has returned if its level has."""
        commit, own = int(self._order_of_run[run]), int(self._series_of_run[run])
        numbers, beds, bed_of = self._members(int(self.of_series[own]))
        effects, errors, after = self._steps(numbers, commit, single=not lasting, reach=FAR_REACH if lasting else REACH)
        size = abs(math.log1p(effect))
        ours = bed_of == bed_of[numbers == own]
        changed = ours & (np.sign(effects) == np.sign(effect)) & (np.abs(effects) >= HALF * size) & (errors <= size)
        back = after[ours & np.isfinite(after)]
        returned = not lasting and len(back) > 0 and bool(abs(np.median(back)) < HALF * size)
        return self._of_steps(numbers, beds, self._given(numbers, bed_of, effects, errors, changed), returned=returned)

    def _members(self, suite: int) -> tuple[Ints, Beds, Ints]:
        if suite not in self._beds:
            numbers = np.flatnonzero(self.of_series == suite)
            beds, bed_of = beds_apart([self._of.series[number] for number in numbers.tolist()], self._labels)
            self._beds[suite] = numbers, beds, bed_of
        return self._beds[suite]

    def _steps(self, numbers: Ints, commit: int, *, single: bool, reach: int = REACH) -> tuple[Floats, Floats, Floats]:
        found = steps_at(self._of.values, self._of.offsets, self._order, numbers, commit, single, reach)
        signs = self._signs[numbers]
        return signs * found[0], found[1], signs * found[2]

    def _given(self, numbers: Ints, beds: Ints, effects: Floats, errors: Floats, changed: Bools) -> Steps:
        return Steps(
            beds=beds,
            benchmarks=self._benchmarks[numbers],
            metrics=self._metrics[numbers],
            effects=effects,
            errors=errors,
            changed=changed,
        )

    def _of_steps(self, numbers: Ints, beds: Beds, steps: Steps, *, returned: bool = False) -> Blame:
        cause, evidence, shown = blame(steps, beds, returned=returned)
        series = self._of.series[int(numbers[0])]
        return Blame(
            dut_name=series.dut_name, suite=series.suite, cause=cause, evidence=evidence, test_beds=tuple(shown)
        )


def _ranks(names: pl.DataFrame, *columns: str) -> Ints:
    ranks: Ints = names.select(pl.struct(columns).rank("dense")).to_series().cast(pl.Int64).to_numpy() - 1
    return ranks
