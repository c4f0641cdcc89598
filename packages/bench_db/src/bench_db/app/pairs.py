"""The use case `pairs`: measure two commits in alternation on this machine, and judge each series by its rounds."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from msgspec import structs

from bench_db.analysis.pairs import Claim, Judged, Look, Round, confirm, judge, schedule
from bench_db.app import compare
from bench_db.app.answers import Answer, frame_of
from bench_db.app.backfill import check_suites, readings, say_once
from bench_db.app.configuration import configuration, formats_of, root_of
from bench_db.app.database import opened
from bench_db.app.gate import FLAGGED
from bench_db.app.progress import Progress, Silent
from bench_db.app.publish import known_of_commit
from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.clock import Clock
from bench_db.derive import derive, pair_id
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import Provenance, this_machine
from bench_db.measure import git, runner
from bench_db.measure.pairs import WARM_UP, Pairing, measure, order, shift
from bench_db.model import (
    Definition,
    Figure,
    PairComparison,
    PairRecord,
    PairRun,
    PairSide,
    PairVerdict,
    Result,
    Run,
    Samples,
    Series,
    SummaryValues,
)
from bench_db.query.selection import Selection, glob_pattern, natural_key
from bench_db.query.thresholds import KIND, Threshold, Thresholds
from bench_db.report.document import record_json
from bench_db.report.pairs import PairsContext
from bench_db.report.plans import last_lines
from bench_db.report.quantity import percent
from bench_db.report.text import duration, visible
from bench_db.rules import RULES
from bench_db.schedule.config import Config, Pairs
from bench_db.store import database as stores
from bench_db.units import NANOSECONDS, Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench_db.app.database import Source
    from bench_db.measure.pairs import Slot
    from bench_db.model import Commit
    from bench_db.store.database import Database

Ended = Literal["decided", "rounds", "budget"]
"""Why measuring ended: every series has its verdict, all rounds were measured, or another round did not fit the budget."""

# The verdicts of each word that `fail_on` takes.
FAILING = {
    "regression": {PairVerdict.REGRESSED},
    "suspected": {PairVerdict.SUSPECTED},
    "undecided": {PairVerdict.UNDECIDED, PairVerdict.SUSPECTED},
    "failed": {PairVerdict.FAILED},
}
_MOVED = {PairVerdict.REGRESSED, PairVerdict.IMPROVED, PairVerdict.SUSPECTED}
_LONG_SLOT_SECONDS = 60.0
_MINUTE = 60.0
_SEEDS = 2**63
_STATISTICS = tuple(one.name for one in fields(SummaryValues))


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired(Answer):
    """The verdicts on the series of two commits, in the order of `PairVerdict`.

    `base` and `head` are full shas. `control` compares the base with itself, empty when it was not measured. `min_effect` is in
    percent, and `rounds` counts the measured rounds. `runs` has the results of both commits, of each suite one run with the median of
    every statistic over the rounds; `published` says what `publish_pairs` stored of it, None before.
    """

    base: str
    head: str
    seed: int
    rounds: int
    seconds: float
    ended: Ended
    min_effect: float
    comparisons: Sequence[PairComparison]
    control: Sequence[PairComparison] = ()
    pair_id: str = ""
    runs: Sequence[tuple[Run, Sequence[Result]]] = ()
    published: Sequence[PairRun] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict occurs."""
        found = Counter(c.verdict for c in self.comparisons)
        return {str(verdict): found[verdict] for verdict in PairVerdict if found[verdict]}

    def frame(self) -> pl.DataFrame:
        """Return the comparisons as a frame, a row a series."""
        return frame_of(self.comparisons, PairComparison)

    @property
    def context(self) -> PairsContext:
        """What a report says of the measurement."""
        return PairsContext(**{one.name: getattr(self, one.name) for one in fields(PairsContext)})

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        names = ("pair_id", "base", "head", "seed", "rounds", "seconds", "ended", "min_effect", "counts")
        records = {name: [record_json(c) for c in getattr(self, name)] for name in ("comparisons", "control")}
        stored = None if self.published is None else [record_json(run) for run in self.published]
        return {**{name: getattr(self, name) for name in names}, **records, "published": stored}


def pairs(
    base: str,
    head: str = "HEAD",
    *,
    suites: Sequence[str] = (),
    benchmark: str | None = None,
    rounds: int | None = None,
    min_effect: float | None = None,
    budget_minutes: float | None = None,
    control: bool | None = None,
    seed: int | None = None,
    config_file: str | None = None,
    test_bed_name: str | None = None,
    database: Source | None = None,
    flagged: bool = False,
    clone: str | Path = ".",
    work_dir: str | Path = ".bench-db",
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    progress: Progress = Silent(),  # noqa: B008 without state
) -> Paired:
    """Measure two commits in alternation as bench-db.toml says, in `environment`, and compare them; `publish_pairs` stores the answer.

    `BASE...` is the merge base with `head`. `benchmark` is a name in which * and ? are wildcards, `min_effect` is in percent. What
    is None comes from bench-db.toml; the seed of the order comes from the clock. With `control` the base is measured a second
    time from a work tree of its own. Measuring ends when every series has its verdict, after `rounds`, or when another round does
    not fit the budget. Without `min_effect`, a series with a threshold in bench-db.toml or `database` counts from that. With `flagged`
    only the series are measured that `compare` of `head` in `database` shows as regressed, or as suspected of it; none when there are none.
    Raises `UserError` when nothing can be measured.
    """
    if seed is not None and not -_SEEDS <= seed < _SEEDS:
        message = f"`seed` {seed} is out of range; a seed is a whole number of 64 bits"
        raise UserError(message)
    config = configuration(config_file)
    stated = {"rounds": rounds, "min_effect": min_effect, "budget_minutes": budget_minutes, "control": control}
    settings = structs.replace(config.pairs, **{name: value for name, value in stated.items() if value is not None})
    project = structs.replace(config.project, test_bed=test_bed_name or config.project.test_bed)
    config = structs.replace(config, project=project, pairs=settings, suite=config.suites(tuple(suites)))
    check_suites(config)
    store = None if database is None else opened(database)
    names = _flagged(store, head, Path(clone)) if flagged else None
    if names is not None and not names:
        commits = _commits(Path(clone).resolve(), base, head, control=False)
        return _nothing_flagged(commits, config.pairs)
    return measured(
        base,
        head,
        config=config,
        clone=clone,
        home=Path(work_dir).resolve(),
        root=root_of(config_file),
        benchmark=benchmark,
        names=names or (),
        thresholds=thresholds_of(config, store) if min_effect is None else Thresholds(()),
        seed=seed,
        environment=environment,
        clock=clock,
        progress=progress,
    )


def measured(
    base: str,
    head: str,
    *,
    config: Config,
    clone: str | Path,
    home: Path,
    root: Path,
    benchmark: str | None = None,
    names: Collection[Name] = (),
    claims: Mapping[Name, Claim] | None = None,
    thresholds: Thresholds = Thresholds(()),  # noqa: B008 nothing changes it
    seed: int | None = None,
    environment: Mapping[str, str],
    clock: Clock,
    progress: Progress,
) -> Paired:
    """Measure two commits in alternation as a configuration says, and compare them; with `claims` confirm these, and nothing else.

    With `names` only these series are measured. A change counts from its threshold in `thresholds`, else from that of the configuration.
    A confirmation ends with its budget, whatever a suite does. Raises `UserError` when nothing can be measured.
    """
    repository, began = Path(clone).resolve(), clock.now()
    bench = runner.Bench(
        repository=repository,
        home=home,
        root=root,
        suites=config.suite,
        environment=environment,
        clock=clock,
        secrets=config.secret_variables,
    )
    commits = _commits(repository, base, head, control=config.pairs.control)
    with git.alone(repository, home, clock) as locks:
        pairing = Pairing(
            commits=commits,
            bench=bench,
            locks=locks,
            seed=int(began) if seed is None else seed,
            deadline=began + _MINUTE * config.pairs.budget_minutes if claims else None,
        )
        measuring = _Measuring(
            config=config,
            pairing=pairing,
            benchmark=benchmark,
            progress=progress,
            began=began,
            names=set(claims or names),
            claims=claims or {},
            thresholds=thresholds,
        )
        for slot in measure(pairing, measuring.wanted):
            measuring.take(slot)
        return measuring.answer()


def thresholds_of(config: Config, store: Database | None = None) -> Thresholds:
    """Return the thresholds of a store and of bench-db.toml, of which the latter are newer."""
    of_file = [
        Definition(kind=KIND, pattern=threshold.pattern, value=threshold.value, dut_name=config.project.name, at=0)
        for threshold in config.define.threshold
    ]
    return Thresholds([*(store.definitions() if store else ()), *of_file])


def _flagged(store: Database | None, head: str, clone: Path) -> set[Name]:
    """Return the names of the series of a commit that got worse than the level before, and of those suspected of it."""
    if store is None:
        message = "`flagged` needs the `database` that has the results of the commit"
        raise UserError(message)
    found = compare.compare(store, git.resolve(clone.resolve(), head), clone=clone)
    return {name_of(c.series) for c in compare.failing(found.comparisons, FLAGGED)}


def _nothing_flagged(commits: Mapping[PairSide, Commit], settings: Pairs) -> Paired:
    return Paired(
        base=commits[PairSide.BASE].sha,
        head=commits[PairSide.HEAD].sha,
        seed=0,
        rounds=0,
        seconds=0.0,
        ended="decided",
        min_effect=settings.min_effect,
        comparisons=(),
    )


def publish_pairs(database: Source, paired: Paired, *, clone: str | Path = ".", at: int | None = None) -> Paired:
    """Store the results and verdicts of pairs, and return the answer with what was stored. A repetition adds nothing.

    A store at an address is created when there is none.
    Each suite of a commit is one run of its series. A result of the base is left out where its commit has a point of the series in
    the main history; the control is never stored. `at` is unix seconds, now by default. `clone` has the commits.
    """
    store = stores.connect(database, create=True) if isinstance(database, str | Path) else opened(database)
    stored = []
    for run, results in paired.runs:
        side = PairSide(run.pair_side or PairSide.HEAD)
        known = _with_point(store, run, results) if side is PairSide.BASE else set()
        new = [result for result in results if result.series_key not in known]
        suite = results[0].suite
        answer = PairRun(side=side, suite=suite, commit=run.commit, left_out=len(results) - len(new))
        if new:
            done = store.publish(new, run, commits=partial(known_of_commit, Path(clone).resolve(), run))
            answer = replace(answer, new=done.new, unchanged=done.unchanged)
        stored.append(answer)
    store.record_pairs([_record(paired, c, int(time.time()) if at is None else at) for c in paired.comparisons])
    return replace(paired, published=stored)


def _with_point(store: Database, run: Run, results: Sequence[Result]) -> set[int]:
    """Return the series of which the commit of a run has a point in the main history."""
    of_commit = (pl.col("commit") == run.commit) & pl.col("median").is_finite()
    keys = [result.series_key for result in results]
    return set(store.rows(("series_key",), Selection(), keys=keys, condition=of_commit)["series_key"])


def _record(paired: Paired, c: PairComparison, at: int) -> PairRecord:
    of_series = {one.name: getattr(c.series, one.name) for one in fields(c.series)}
    left_out = {"series", "median_effect", "needed", "threshold"}
    numbers = {one.name: getattr(c, one.name) for one in fields(c) if one.name not in left_out}
    return PairRecord(
        pair_id=paired.pair_id, at=at, base=paired.base, head=paired.head, seed=paired.seed, **of_series, **numbers
    )


def failing(comparisons: Sequence[PairComparison], on: Sequence[str]) -> list[PairComparison]:
    """Return the comparisons whose verdict is one of those that `fail_on` names; `UserError` for a word that it does not take."""
    if unknown := sorted(set(on) - set(FAILING)):
        message = f"`fail_on`: {unknown[0]!r} is no verdict to fail on; it takes {', '.join(FAILING)}"
        raise UserError(message)
    return [c for c in comparisons if any(c.verdict in FAILING[word] for word in on)]


def _commits(repository: Path, base: str, head: str, *, control: bool) -> dict[PairSide, Commit]:
    name = base.removesuffix("...")
    first = git.commit_of(repository, name if name == base else git.merge_base(repository, name or "HEAD", head))
    sides = {PairSide.BASE: first, PairSide.HEAD: git.commit_of(repository, head)}
    return {**sides, PairSide.CONTROL: first} if control else sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """The name of a series on any machine; `suite` is empty where it is not known."""

    suite: str
    benchmark_name: str
    metric: str
    tags_key: str
    units: str


def name_of(one: Result | Series) -> Name:
    """Return the name of a series or of the series of a result."""
    return Name(**{name.name: getattr(one, name.name) for name in fields(Name)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """The figures of a series in one process; `n` is the number of samples, 0 when the tool gives only statistics.

    `count` is the number that the tool states for its statistics.
    """

    summary: SummaryValues
    n: int
    count: int

    def value(self, figure: Figure) -> float | None:
        value: float | None = getattr(self.summary, figure)
        return value


@dataclass(kw_only=True)
class _Measured:
    """A series and its points by side and round; the verdicts of its latest look, that of the control too."""

    suite: str
    series: Series
    points: dict[tuple[PairSide, int], _Point] = field(default_factory=dict)
    stored: dict[PairSide, tuple[int, Result]] = field(default_factory=dict)
    """By side, the first result of a round without its samples, and the number of its output file."""
    errors: dict[PairSide, str] = field(default_factory=dict)
    judged: Judged = field(default_factory=Judged)
    control: Judged = field(default_factory=Judged)
    dropped: int = 0

    @property
    def sides(self) -> set[PairSide]:
        return {side for side, _ in self.points}

    @property
    def is_open(self) -> bool:
        """Whether further rounds can change the verdict."""
        return not self.judged.is_final and {PairSide.BASE, PairSide.HEAD} <= self.sides

    def result(self, side: PairSide, positions: Mapping[int, int]) -> Result:
        """Return the result of a side: the median of each statistic over the rounds, and those of each round as metadata."""
        _, first = self.stored[side]
        points = {n: point for (of, n), point in self.points.items() if of is side and n != WARM_UP}
        known = ((name, [getattr(point.summary, name) for point in points.values()]) for name in _STATISTICS)
        medians = {name: median(values) for name, values in known if None not in values}
        rounds = [
            {
                "round": n,
                "position": positions[n],
                "n": point.count,
                **{name: value for name in _STATISTICS if (value := getattr(point.summary, name)) is not None},
            }
            for n, point in points.items()
        ]
        return replace(
            first,
            id="",
            summary=SummaryValues(**medians),
            n=min(point.count for point in points.values()),
            lower=None,
            upper=None,
            metadata=json.dumps({**json.loads(first.metadata), "pair_rounds": rounds}, ensure_ascii=False),
        )

    def counted(self) -> list[_Point]:
        return [point for (_, number), point in self.points.items() if number != WARM_UP]

    def figure(self, wanted: str) -> Figure:
        """Return the statistic that the setting means for this series; the median where a process does not have another one."""
        if wanted == "median" or self.series.direction is Direction.INFO:
            return Figure.MEDIAN
        least = Figure.MAXIMUM if self.series.direction is Direction.HIGHER else Figure.MINIMUM
        points = self.counted()
        if any(point.value(least) is None for point in points):
            return Figure.MEDIAN
        few = any(0 < point.n < RULES.figure_samples for point in points)
        is_time = self.series.units == NANOSECONDS.name and least is Figure.MINIMUM
        return Figure.MEDIAN if wanted == "auto" and (few or not is_time) else least

    def values(self, side: PairSide, figure: Figure) -> dict[int, float]:
        """Return the figures of a side by round, without the warm-up."""
        found = {number: point.value(figure) for (of, number), point in self.points.items() if of is side}
        return {number: value for number, value in found.items() if number != WARM_UP and value is not None}

    def middle(self, side: PairSide, figure: Figure) -> float | None:
        """Return the median of a side over the rounds; the warm-up counts when there is nothing else."""
        values = list(self.values(side, figure).values())
        if not values and (warm_up := self.points.get((side, WARM_UP))):
            return warm_up.value(figure)
        return median(values) if values else None


@dataclass(kw_only=True)
class _Measuring:
    """Two commits being measured: takes the slots, judges at the looks, and says what is measured in the next round.

    With `names` these series alone are measured. With `claims`, regressions by these names, they are confirmed or not.
    """

    config: Config
    pairing: Pairing
    benchmark: str | None
    progress: Progress
    began: float
    names: Collection[Name]
    claims: Mapping[Name, Claim]
    thresholds: Thresholds
    series: dict[tuple[str, int], _Measured] = field(default_factory=dict)
    failures: dict[tuple[str, PairSide], str] = field(default_factory=dict)
    ends: dict[tuple[str, PairSide], str] = field(default_factory=dict)
    logs: dict[tuple[str, PairSide], Path] = field(default_factory=dict)
    headers: dict[tuple[str, PairSide, int], Run] = field(default_factory=dict)
    """By suite, side and number of the output file, the run of the first round."""
    not_set_up: set[str] = field(default_factory=set)
    selected: dict[str, set[str]] = field(default_factory=dict)
    """By suite, the names that the processes of this round were restricted to."""
    unrestricted: set[str] = field(default_factory=set)
    other_names: set[str] = field(default_factory=set)
    warned: set[str] = field(default_factory=set)
    said: set[str] = field(default_factory=set)
    """What was said of the output files of a suite; of another round it is not said again."""
    round_began: float = 0.0
    done: int = 0
    ended: Ended = "decided"

    @property
    def settings(self) -> Pairs:
        return self.config.pairs

    @property
    def looks(self) -> tuple[Look, ...]:
        confirming = any(not claim.on_a_side for claim in self.claims.values())
        return schedule(self.settings.rounds, self.settings.looks, confirming=confirming)

    # -- taking a slot

    def take(self, slot: Slot) -> None:
        """Note the figures of a slot, or its failure."""
        key = slot.suite, slot.side
        self.logs[key] = slot.log
        error, read = slot.error, list[tuple[Run, list[Result]]]()
        try:
            read = self._read(slot)
        except (UnreadableOutputError, UserError) as unreadable:
            error = error or str(unreadable)
        if error is not None:
            self.failures[key], *log = error.splitlines()
            self.ends[key] = " | ".join(last_lines(log))
            self._say(f"{self._of(slot)} failed: {self.failures[key]}; {slot.log}")
        if slot.failed_setup:
            self.not_set_up.add(slot.suite)
        names = {result.benchmark_name for _, results in read for result in results}
        for file, (run, results) in enumerate(read):
            if slot.number != WARM_UP:
                self.headers.setdefault((*key, file), run)
            for result in results:
                self._note(slot, file, result)
        if missing := self.selected.get(slot.suite, set()) - names:
            self._say(f"{self._of(slot)}: no {min(missing)} with `select`; the whole suite is measured from now on")
            self.unrestricted.add(slot.suite)
            del self.selected[slot.suite]
        if slot.seconds > _LONG_SLOT_SECONDS and slot.suite not in self.warned:
            self.warned.add(slot.suite)
            self._say(f"{self._of(slot)} took {duration(slot.seconds)}: pairs need processes of less than a minute")

    def _read(self, slot: Slot) -> list[tuple[Run, list[Result]]]:
        if not slot.written.outputs:
            return []
        provenance = self._provenance(slot)
        suite, declared = self.config.suite[slot.suite], formats_of(self.config)
        return readings(
            slot.written,
            provenance,
            suite.format,
            declared,
            partial(say_once, self.said, self.progress.say, slot.suite),
        )

    def _provenance(self, slot: Slot) -> Provenance:
        """Return what is known of a slot; for the header of a run with all that git and CI know, which takes some processes."""
        project, commit = self.config.project, slot.commit
        known = Provenance(
            dut_name=project.name,
            commit=commit.sha,
            test_bed_name=project.test_bed or this_machine().name,
            suite=slot.suite,
            measured_at=slot.began,
        )
        if slot.number == WARM_UP or (slot.suite, slot.side, 0) in self.headers:
            return replace(known, dut_version=commit.sha, dut_timestamp=commit.time)
        bench = self.pairing.bench
        change = ci_change(bench.environment) if slot.side is PairSide.HEAD else None
        if change and (change.pr_number or commit.sha in {change.commit, change.head_commit}):
            known = replace(known, change=change)
        else:
            known = replace(known, branch=git.branch_of(bench.repository, commit.sha, project.main_branch))
        return replace(known, checkout=slot.checkout, **ci_provenance(bench.environment))

    def _note(self, slot: Slot, file: int, result: Result) -> None:
        if not self._is_wanted(slot.suite, result):
            self.other_names.add(result.benchmark_name)
            return
        key = slot.suite, result.series_key
        one = self.series.setdefault(key, _Measured(suite=slot.suite, series=_series_of(result)))
        if result.summary is None:
            one.errors[slot.side] = (result.error or "").partition("\n")[0]
        else:
            one.points[slot.side, slot.number] = _Point(summary=result.summary, n=len(result.values), count=result.n)
            if slot.number != WARM_UP and slot.side not in one.stored:
                one.stored[slot.side] = file, replace(result, values=Samples(), iterations=(), values_hash=None)

    def _is_wanted(self, suite: str, result: Result) -> bool:
        if self.names and self._named(suite, result) is None:
            return False
        return self.benchmark is None or bool(re.match(glob_pattern(self.benchmark), result.benchmark_name))

    def _named(self, suite: str, one: Result | Series) -> Name | None:
        """Return the one of `names` that a series has, whose suite the store may have no name of."""
        name = name_of(one)
        return next(
            (each for each in (replace(name, suite=suite), replace(name, suite="")) if each in self.names), None
        )

    def _of(self, slot: Slot) -> str:
        what = "set-up" if slot.failed_setup else f"round {slot.number}" if slot.number else "warm-up"
        return f"{slot.suite}, {slot.side}, {what}"

    def _say(self, line: str) -> None:
        self.progress.say(visible(line))

    # -- between rounds

    def wanted(self, number: int) -> Mapping[str, Sequence[str]]:
        """Return the suites of the next round, each with the words that restrict it; none when measuring ends."""
        now = self.pairing.bench.clock.now()
        took, self.round_began = now - self.round_began, now
        if number == WARM_UP:
            return {suite: self._select(suite) for suite in self.config.suite if suite not in self.not_set_up}
        self.done = number - 1
        level = next((look.level for look in self.looks if look.rounds == self.done), None)
        if level is not None:
            self._judge(level)
        if self.done:
            is_open = f"{len(self._open())} of {len(self.series)} series open"
            self._say(f"round {self.done} of {self.settings.rounds}: {duration(took)}, {is_open}")
        if self._has_ended(now + took - self.began):
            return {}
        self.progress(self.done, self.settings.rounds, f"round {number}")
        return {suite: self._select(suite) for suite in dict.fromkeys(one.suite for one in self._open())}

    def _has_ended(self, seconds: float) -> bool:
        """Return whether no further round is measured; `seconds` is when it would end, if it takes as long as the last one."""
        is_open = bool(self._open())
        if is_open and self.done < self.settings.rounds and seconds <= _MINUTE * self.settings.budget_minutes:
            return False
        if is_open:
            self.ended = "rounds" if self.done == self.settings.rounds else "budget"
            if self.done not in {look.rounds for look in self.looks}:
                # The level of the next look is spent here instead, so the error of all looks stays what it is.
                self._judge(next(look.level for look in self.looks if look.rounds > self.done))
        return True

    def _open(self) -> list[_Measured]:
        return [one for one in self.series.values() if one.is_open]

    def _select(self, suite: str) -> Sequence[str]:
        """Return the words that restrict a suite to its open benchmarks, where these are not all that it has."""
        if self.names:
            names = {one.series.benchmark_name for one in self._open() if one.suite == suite}
            names = names or {name.benchmark_name for name in self.names if name.suite in {"", suite}}
            return self._restricted(suite, names)
        names = {one.series.benchmark_name for one in self._open() if one.suite == suite}
        every = {one.series.benchmark_name for one in self.series.values() if one.suite == suite} | self.other_names
        return self._restricted(suite, set() if names == every else names)

    def _restricted(self, suite: str, names: set[str]) -> Sequence[str]:
        if not names or suite in self.unrestricted or not self.config.suite[suite].select:
            self.selected.pop(suite, None)
            return ()
        self.selected[suite] = names
        return self.config.suite[suite].selecting(sorted(names, key=natural_key))

    # -- judging

    def _judge(self, level: float) -> None:
        """Judge the series that both sides have; the control has a suite of its own."""
        both = [one for one in self.series.values() if {PairSide.BASE, PairSide.HEAD} <= one.sides]
        for one in both:
            if not one.judged.is_final:
                one.dropped = self.done - len(self._rounds(one, PairSide.HEAD))
        for one, judged in zip(both, self._judged(both, PairSide.HEAD, level), strict=True):
            one.judged = judged
        with_control = [one for one in both if PairSide.CONTROL in one.sides]
        for one, judged in zip(with_control, self._judged(with_control, PairSide.CONTROL, level), strict=True):
            one.control = judged

    def _judged(self, of: Sequence[_Measured], side: PairSide, level: float) -> list[Judged]:
        if self.claims:
            named = [self._named(one.suite, one.series) for one in of]
            wanted = [self.claims[name] for name in named if name is not None]
            return confirm([self._rounds(one, side) for one in of], wanted, [one.judged for one in of], level)
        return judge(
            [self._rounds(one, side) for one in of],
            [one.series.direction for one in of],
            [one.judged if side is PairSide.HEAD else one.control for one in of],
            level,
            least=[self.thresholds.of(one.series) or Threshold(relative=self.settings.min_effect / 100) for one in of],
        )

    def _rounds(self, one: _Measured, side: PairSide, figure: Figure | None = None) -> list[Round]:
        """Return the rounds of a series that have the base and another side."""
        figure = figure or one.figure(self.settings.figure)
        base, other = one.values(PairSide.BASE, figure), one.values(side, figure)
        found = []
        for number in sorted(base.keys() & other.keys()):
            sides = order(self.pairing.seed, one.suite, number, self.pairing.commits)
            found.append(Round(base[number], other[number], shift(sides, side)))
        return found

    # -- the answer

    def runs(self) -> Iterator[tuple[Run, Sequence[Result]]]:
        """Yield a run of each output file of the head, then of the base, with the medians of the statistics over the rounds."""
        for side in (PairSide.HEAD, PairSide.BASE):
            for (suite, of, file), run in self.headers.items():
                own = [
                    one
                    for one in self.series.values()
                    if one.suite == suite and side in one.stored and one.stored[side][0] == file
                ]
                if of is side and own:
                    yield self._run(side, run, own)

    def _run(self, side: PairSide, run: Run, own: Sequence[_Measured]) -> tuple[Run, Sequence[Result]]:
        names = ("dut", "test_bed", "commit", "branch", "pr_number", "run_time")
        shared = {name: getattr(run, name) for name in names}
        results = []
        for one in own:
            orders = {n: order(self.pairing.seed, one.suite, n, self.pairing.commits) for n in range(1, self.done + 1)}
            results.append(replace(one.result(side, {n: of.index(side) for n, of in orders.items()}), **shared))
        digest = sha256(f"{self.pair_id} {side} {run.sha256} {results[0].suite}".encode()).hexdigest()
        of_pairs = replace(run, pair_id=self.pair_id, pair_side=str(side), sha256=digest, notes=(), skipped={})
        return derive(replace(of_pairs, run_key=0, content_key=None), results)

    @property
    def pair_id(self) -> str:
        commits = self.pairing.commits
        return pair_id(
            commits[PairSide.BASE].sha,
            commits[PairSide.HEAD].sha,
            seed=self.pairing.seed,
            began=int(self.began),
            test_bed_name=self.config.project.test_bed or this_machine().name,
        )

    def answer(self) -> Paired:
        """Return the verdicts. Raise `UserError` when no process gave a result."""
        if not any(one.points for one in self.series.values()):
            raise UserError(self._nothing())
        found = [self._compared(one) for one in self.series.values()]
        known = {suite for suite, _ in self.series}
        found += [self._failed(suite, side) for suite, side in self.failures if suite not in known]
        commits = self.pairing.commits
        return Paired(
            base=commits[PairSide.BASE].sha,
            head=commits[PairSide.HEAD].sha,
            seed=self.pairing.seed,
            rounds=self.done,
            seconds=self.pairing.bench.clock.now() - self.began,
            ended=self.ended,
            min_effect=self.settings.min_effect,
            comparisons=_in_order(found),
            control=_in_order(
                self._numbers(one, PairSide.CONTROL)
                for one in self.series.values()
                if {PairSide.BASE, PairSide.CONTROL} <= one.sides
            ),
            pair_id=self.pair_id,
            runs=list(self.runs()),
        )

    def _nothing(self) -> str:
        if self.failures:
            (suite, side), error = next(iter(self.failures.items()))
            return f"nothing could be measured; {suite}, {side}: {error}. The log is {self.logs[suite, side]}, and ends with: {self.ends[suite, side] or 'nothing'}"
        names = ", ".join(sorted(self.other_names, key=natural_key)[: RULES.nearest_names])
        wanted = sorted({name.benchmark_name for name in self.names}, key=natural_key)
        return f"no benchmark {self.benchmark or ', '.join(wanted)!r}; the suites have {names or 'none'}"

    def _failed(self, suite: str, side: PairSide) -> PairComparison:
        series = Series(suite=suite, benchmark_name=suite, dut_name=self.config.project.name)
        return PairComparison(series=series, verdict=PairVerdict.FAILED, note=f"{side}: {self.failures[suite, side]}")

    def _compared(self, one: _Measured) -> PairComparison:
        found = self._numbers(one, PairSide.HEAD)
        for side, without in ((PairSide.HEAD, PairVerdict.MISSING), (PairSide.BASE, PairVerdict.NEW)):
            if side not in one.sides:
                error = one.errors.get(side) or self.failures.get((one.suite, side))
                note = f"{side}: {error}" if error else ""
                return replace(found, verdict=PairVerdict.FAILED if error else without, note=note)
        if one.control.verdict in _MOVED and found.verdict in _MOVED:
            note = f"the control moved, too: {percent(one.control.effect)}"
            return replace(found, verdict=PairVerdict.SUSPECTED, note=note)
        return found

    def _numbers(self, one: _Measured, side: PairSide) -> PairComparison:
        figure = one.figure(self.settings.figure)
        judged = one.judged if side is PairSide.HEAD else one.control
        threshold, beside = self.thresholds.of(one.series), None
        if figure is not Figure.MEDIAN:
            rounds = self._rounds(one, side, Figure.MEDIAN)
            beside = judge([rounds], [one.series.direction], [Judged()], RULES.significance)[0].effect
        return PairComparison(
            series=one.series,
            verdict=judged.verdict,
            effect=judged.effect,
            low=judged.low,
            high=judged.high,
            p_value=judged.p_value,
            figure=figure,
            base_value=one.middle(PairSide.BASE, figure),
            head_value=one.middle(side, figure),
            median_effect=beside,
            rounds=judged.rounds,
            dropped=one.dropped if side is PairSide.HEAD else 0,
            needed=judged.needed,
            threshold="" if threshold is None else threshold.text,
        )


def _series_of(result: Result) -> Series:
    return Series(
        series_key=result.series_key,
        dut_name=result.dut.name,
        test_bed_name=result.test_bed.name,
        suite=result.suite,
        benchmark_name=result.benchmark_name,
        metric=result.metric,
        tags_key=result.tags_key,
        units=result.units,
        direction=result.direction,
    )


def _in_order(found: Iterable[PairComparison]) -> list[PairComparison]:
    verdicts = list(PairVerdict)
    return sorted(found, key=lambda c: (verdicts.index(c.verdict), natural_key(c.series.label)))
