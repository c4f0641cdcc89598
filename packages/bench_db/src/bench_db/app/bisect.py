"""The use case `bisect`: find the commit that changed a benchmark, by measuring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bench_db.app.backfill import readings
from bench_db.app.configuration import configuration, formats_of, root_of
from bench_db.app.progress import Progress, Silent
from bench_db.clock import Clock
from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Adapter, Provenance
from bench_db.measure import git, runner
from bench_db.measure.runner import Bench, Locks
from bench_db.model import Bisection
from bench_db.query.selection import glob_pattern
from bench_db.report.plans import bisection_document
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.schedule import bisect as search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.measure.runner import Measured
    from bench_db.model import Commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected:
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
    least_change: float = RULES.minimum_effect,
    rounds: int = 4,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    progress: Progress = Silent(),  # noqa: B008 without state
) -> Bisected:
    """Find the commit between `good` and `bad` that changed the benchmark of a name, in which * and ? are wildcards.

    Each commit is measured as bench-db.toml says, in `environment`, and again up to `rounds` times where noise hides the
    answer; a commit that cannot be measured is skipped. `least_change` is a fraction. Nothing is published. Raises
    `UserError` when the ends do not differ by more than the noise, or an end cannot be measured.
    """
    config = configuration(config_file)
    repository = Path(clone).resolve()
    commits = [git.commit_of(repository, good), *git.history(repository, bad, good)]
    bench = runner.Bench(
        repository=repository,
        home=Path(work_dir).resolve(),
        root=root_of(config_file),
        suites=config.suites((suite,) if suite else ()),
        environment=environment,
        clock=clock,
    )
    judge = partial(search.nearest_side, least_change=least_change)
    with git.alone(repository, bench.home, clock) as locks:
        looking = _Looking(
            bench=bench,
            locks=locks,
            benchmark=benchmark,
            metric=metric,
            declared=formats_of(config),
            progress=progress,
        )
        return Bisected(bisection=search.bisect(commits, looking.samples, judge, most_rounds=rounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    bench: Bench
    locks: Locks
    benchmark: str
    metric: str
    declared: tuple[Adapter, ...]
    progress: Progress

    def samples(self, commit: Commit) -> Sequence[float]:
        """Return the samples of one round; none when the commit fails or does not have the benchmark."""
        found: list[float] = []
        for measured in runner.measure(commit, (), self.bench, self.locks):
            outcome = measured.error or f"{measured.seconds:.1f} s"
            self.progress.say(f"{commit.sha[: RULES.sha_length]} {measured.suite}: {outcome}")
            found += self._chosen(measured)
        return found

    def _chosen(self, measured: Measured) -> list[float]:
        if not measured.outputs:
            return []
        try:
            read = readings(measured.outputs, Provenance(), self.bench.suites[measured.suite].format, self.declared)
        except UnreadableOutputError:
            return []
        there = [result for _, results in read for result in results if result.metric == self.metric]
        chosen = [result for result in there if re.match(glob_pattern(self.benchmark), result.benchmark_name)]
        if not chosen:
            names = sorted({result.benchmark_name for result in there})[: RULES.nearest_names]
            has = f"no {self.benchmark!r} in {self.metric}; it has {', '.join(names) or 'nothing'}"
            self.progress.say(visible(f"{measured.commit.sha[: RULES.sha_length]} {measured.suite}: {has}"))
        medians = ([result.summary.median] if result.summary else [] for result in chosen)
        return [x for result, middle in zip(chosen, medians, strict=True) for x in list(result.values) or middle]
