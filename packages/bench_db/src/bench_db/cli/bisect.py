"""`bench-db bisect`: find the commit that changed a benchmark, by measuring."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench_db.cli.options import common, emit
from bench_db.cli.progress import leave_when_asked
from bench_db.errors import UnreadableOutputError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.measure.runner import Bench, Locks
    from bench_db.model import Bisection, Commit


@click.command("bisect")
@click.argument("good")
@click.argument("bad")
@click.option("--benchmark", required=True, metavar="GLOB", help="The benchmark that changed; * and ? are wildcards.")
@click.option("--suite", help="The suite it is in; needed when there are several.")
@click.option("--metric", default="time", show_default=True, help="The metric that changed.")
@click.option("--config", "config_file", metavar="FILE", default="bench-db.toml", show_default=True)
@click.option("--clone", type=click.Path(file_okay=False), default=".", show_default=True, help="The local clone.")
@click.option("--work-dir", metavar="DIR", default=".bench-db", show_default=True, help="Work trees and logs.")
@click.option(
    "--least-change",
    type=float,
    default=RULES.minimum_effect,
    show_default=True,
    help="The smallest change, as a fraction.",
)
@click.option(
    "--rounds", type=click.IntRange(1), default=4, show_default=True, help="Measure a commit at most so often."
)
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    good: str,
    bad: str,
    benchmark: str,
    suite: str | None,
    metric: str,
    config_file: str,
    clone: str,
    work_dir: str,
    least_change: float,
    rounds: int,
    uri: str | None,  # noqa: ARG001 every verb has --store; nothing is published
    output: str,
) -> None:
    """Find the commit between GOOD and BAD that changed a benchmark: exit code 0 when it is one commit, 1 when it stays open.

    When the ends do not differ there is nothing to find, which is exit code 2.

    Each commit is measured as bench-db.toml says, again where noise hides the answer; a commit that cannot be measured is
    passed over. GOOD and BAD only name the ends: an improvement is found as well.

    Example: bench-db bisect v1.0 main --benchmark '*test_query*'
    """
    from bench_db.clock import Clock
    from bench_db.measure import git, worktree
    from bench_db.measure.runner import Bench
    from bench_db.schedule import bisect
    from bench_db.schedule.config import load

    leave_when_asked()
    suites = load(Path(config_file)).suites((suite,) if suite else ())
    repository = Path(clone).resolve()
    commits = [git.commit_of(repository, good), *git.history(repository, bad, good)]
    clock = Clock()
    bench = Bench(
        repository=repository,
        home=Path(work_dir).resolve(),
        root=Path(config_file).resolve().parent,
        suites=suites,
        environment=os.environ,
        clock=clock,
    )
    judge = partial(bisect.nearest_side, least_change=least_change)
    with worktree.alone(repository, bench.home, clock) as locks:
        found = bisect.bisect(
            commits, lambda commit: _samples(commit, bench, locks, benchmark, metric), judge, most_rounds=rounds
        )
    emit(output, _document(found), lambda: _text(found))
    ctx.exit(0 if found.found else 1)


def _samples(commit: Commit, bench: Bench, locks: Locks, benchmark: str, metric: str) -> Sequence[float]:
    """The samples of one round; none when the commit fails or does not have the benchmark. Raises nothing for one commit."""
    from bench_db.app.delivery import readings
    from bench_db.ingest import Provenance
    from bench_db.measure import runner
    from bench_db.query.selection import glob_pattern
    from bench_db.report.text import visible

    found: list[float] = []
    for measured in runner.measure(commit, (), bench, locks):
        click.echo(
            f"{commit.sha[: RULES.sha_length]} {measured.suite}: {measured.error or f'{measured.seconds:.1f} s'}",
            err=True,
        )
        if measured.outputs:
            try:
                read = readings(measured.outputs, Provenance(), bench.suites[measured.suite].format)
            except UnreadableOutputError:
                continue
            there = [result for _, results in read for result in results if result.metric == metric]
            chosen = [result for result in there if re.match(glob_pattern(benchmark), result.benchmark_name)]
            if not chosen:
                names = (
                    ", ".join(sorted({result.benchmark_name for result in there})[: RULES.nearest_names]) or "nothing"
                )
                click.echo(
                    visible(
                        f"{commit.sha[: RULES.sha_length]} {measured.suite}: no {benchmark!r} in {metric}; it has {names}"
                    ),
                    err=True,
                )
            for result in chosen:
                found += list(result.values) or ([result.summary.median] if result.summary else [])
    return found


def _document(found: Bisection) -> dict[str, Any]:
    return {
        "commit": found.found.sha if found.found else None,
        "suspects": [{"commit": c.sha, "subject": c.subject} for c in found.suspects],
        "looks": [
            {"commit": look.commit.sha, "side": str(look.side), "rounds": look.rounds, "typical": look.typical}
            for look in found.looks
        ],
    }


def _text(found: Bisection) -> str:
    looks = [
        f"{look.commit.sha[: RULES.sha_length]}  {'' if look.typical is None else f'{look.typical:.6g}':>12}  {look.side}"
        for look in found.looks
    ]
    head = "the change is in" if found.found else "the change is in one of"
    return "\n".join([*looks, head, *(f"  {c.sha}  {c.subject}" for c in found.suspects)])
