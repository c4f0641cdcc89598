"""The use case `bisect`: find the commit that changed a benchmark, by measuring each step in pairs with the good end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from msgspec import structs

from bench_db.analysis.pairs import Claim
from bench_db.app.answers import Answer
from bench_db.app.backfill import check_suites
from bench_db.app.configuration import configuration, root_of
from bench_db.app.pairs import Name, measured, name_of, thresholds_of
from bench_db.app.progress import Progress, Silent
from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.model import Bisection, Commit, Look, PairVerdict, Side
from bench_db.query.thresholds import Thresholds
from bench_db.report.plans import bisection_document
from bench_db.report.quantity import percent
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.schedule import bisect as search
from bench_db.schedule.config import Config

if TYPE_CHECKING:
    from bench_db.app.pairs import Paired
    from bench_db.model import PairComparison

_MOVED = {PairVerdict.REGRESSED, PairVerdict.IMPROVED}
# Where the log of a relative change is half of that of the whole one.
_HALF = 0.5
_SIDES = {PairVerdict.UNCHANGED: Side.GOOD, PairVerdict.REGRESSED: Side.BAD, PairVerdict.UNDECIDED: Side.UNSURE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected(Answer):
    """The commits that may have changed a benchmark, and what was measured of each commit."""

    bisection: Bisection

    @property
    def document(self) -> dict[str, object]:
        """The answer as JSON."""
        return bisection_document(self.bisection)

    def frame(self) -> pl.DataFrame:
        """Return a row a measured commit, oldest first."""
        columns = {"commit": pl.String, "side": pl.String, "rounds": pl.Int64, "typical": pl.Float64}
        rows = [(look.commit.sha, str(look.side), look.rounds, look.typical) for look in self.bisection.looks]
        return pl.DataFrame(rows, columns, orient="row")


def bisect(
    good: str,
    bad: str,
    *,
    benchmark: str,
    suite: str | None = None,
    metric: str = "time",
    config_file: str | None = None,
    clone: str | Path = ".",
    work_dir: str | Path = ".bench-db",
    least_change: float | None = None,
    rounds: int | None = None,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    progress: Progress = Silent(),  # noqa: B008 without state
) -> Bisected:
    """Find the commit between `good` and `bad` that changed the benchmark of a name, in which * and ? are wildcards.

    The ends are measured in pairs as bench-db.toml says, in `environment`, then the middle of the suspects in pairs with `good`, until
    it is on one side of half of the change, or after `rounds`. A commit that cannot be measured is skipped. `least_change` is a
    fraction, by default the threshold of the series or `[pairs] min_effect`. Of several benchmarks the one is followed whose change is
    surest. Nothing is published. Raises `UserError` when the ends do not differ by more than the noise, or an end cannot be measured.
    """
    config = configuration(config_file)
    effect = config.pairs.min_effect if least_change is None else 100 * least_change
    settings = structs.replace(config.pairs, rounds=rounds or config.pairs.rounds, min_effect=effect, control=False)
    config = structs.replace(config, pairs=settings, suite=config.suites((suite,) if suite else ()))
    check_suites(config)
    repository = Path(clone).resolve()
    commits = [git.commit_of(repository, good), *git.history(repository, bad, good)]
    looking = _Looking(
        config=config,
        thresholds=thresholds_of(config) if least_change is None else Thresholds(()),
        repository=repository,
        home=Path(work_dir).resolve(),
        root=root_of(config_file),
        benchmark=benchmark,
        metric=metric,
        environment=environment,
        clock=clock,
        progress=progress,
    )
    return Bisected(bisection=search.bisect(commits, looking.ends, looking.ask))


@dataclass(kw_only=True)
class _Looking:
    """The measurements of a bisection; after the ends, the followed series and the claim that it is beyond half of the change."""

    config: Config
    thresholds: Thresholds
    repository: Path
    home: Path
    root: Path
    benchmark: str
    metric: str
    environment: Mapping[str, str]
    clock: Clock
    progress: Progress
    good: Commit | None = None
    claim: tuple[Name, Claim] | None = None

    def ends(self, good: Commit, bad: Commit) -> tuple[Look, Look]:
        """Compare the ends, and follow the series whose change is surest."""
        try:
            paired = self._paired(good, bad, {})
        except UserError as error:
            message = f"an end cannot be measured, or does not have the benchmark; choose another end: {error}"
            raise UserError(message) from error
        found = [c for c in paired.comparisons if c.series.metric == self.metric and c.effect is not None]
        if not found:
            self._refuse(paired, good, bad)
        moved = [c for c in found if c.verdict in _MOVED]
        if not moved:
            raise UserError(_no_difference(found))
        one = min(moved, key=lambda c: (c.p_value or 0.0, -abs(c.effect or 0.0)))
        effect = one.effect or 0.0
        half = abs((1.0 + effect) ** _HALF - 1.0) if effect > -1.0 else _HALF
        self.good = good
        self.claim = name_of(one.series), Claim(is_increase=effect > 0.0, least=half, on_a_side=True)
        self._say(f"{one.series.label}: {percent(effect)} from {_short(good)} to {_short(bad)}")
        known = Look(commit=good, side=Side.GOOD, rounds=one.rounds, typical=one.base_value)
        return known, replace(known, commit=bad, side=Side.BAD, typical=one.head_value)

    def ask(self, commit: Commit) -> Look:
        """Measure a commit in pairs with the good end, until it is on one side of half of the change."""
        unmeasured = Look(commit=commit, side=Side.UNMEASURABLE, rounds=0, typical=None)
        if self.good is None or self.claim is None:
            return unmeasured
        try:
            paired = self._paired(self.good, commit, dict([self.claim]))
        except UserError as error:
            self._say(f"{_short(commit)}: {error}")
            return unmeasured
        name, _ = self.claim
        one = next((c for c in paired.comparisons if c.verdict in _SIDES and name_of(c.series) == name), None)
        if one is None:
            why = next((c.note or str(c.verdict) for c in paired.comparisons), f"no {name.benchmark_name}")
            self._say(f"{_short(commit)}: {why}")
            return unmeasured
        side = _SIDES[one.verdict]
        self._say(f"{_short(commit)}: {side}, {percent(one.effect)} in {one.rounds} rounds")
        return Look(commit=commit, side=side, rounds=one.rounds, typical=one.head_value)

    def _paired(self, good: Commit, other: Commit, claims: Mapping[Name, Claim]) -> Paired:
        return measured(
            good.sha,
            other.sha,
            config=self.config,
            clone=self.repository,
            home=self.home,
            root=self.root,
            benchmark=None if claims else self.benchmark,
            claims=claims,
            thresholds=self.thresholds,
            environment=self.environment,
            clock=self.clock,
            progress=self.progress,
        )

    def _refuse(self, paired: Paired, good: Commit, bad: Commit) -> None:
        """Raise the `UserError` of ends of which one has no figure of the benchmark."""
        of_metric = [c for c in paired.comparisons if c.series.metric == self.metric]
        end = good if any(c.verdict is PairVerdict.NEW or c.note.startswith("base") for c in of_metric) else bad
        why = next((f" ({c.note})" for c in paired.comparisons if c.note), "")
        others = sorted({c.series.metric for c in paired.comparisons if c.series.metric})
        has = "" if of_metric or not others else f"; it has the metrics {', '.join(others)}"
        message = (
            f"commit {_short(end)} cannot be measured, or does not have the benchmark{why}{has}; choose another end"
        )
        raise UserError(visible(message))

    def _say(self, line: str) -> None:
        self.progress.say(visible(line))


def _no_difference(found: list[PairComparison]) -> str:
    one = max(found, key=lambda c: abs(c.effect or 0.0))
    values = f"{one.base_value:.6g} and {one.head_value:.6g}"
    return f"the ends do not differ by more than the noise ({values}): there is no change to find"


def _short(commit: Commit) -> str:
    return commit.sha[: RULES.sha_length]
