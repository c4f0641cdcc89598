"""Carrying out a plan on this machine: a work tree a commit, each suite set up and measured, whatever fails reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.schedule import process, worktree
from bench_db.schedule.config import Suite, words
from bench_db.schedule.git import Commit
from bench_db.schedule.limits import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench_db.schedule.policy import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What measuring one suite of one commit left: output files, or an error; always a log.

    `checkout` is the work tree, gone when the next commit begins; `began` is unix seconds.
    """

    commit: Commit
    suite: str
    checkout: Path
    outputs: tuple[Path, ...] = ()
    error: str | None = None
    log: Path
    began: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where measuring happens: the clone, a directory of our own for trees and logs, the suites, the environment."""

    repository: Path
    home: Path
    suites: Mapping[str, Suite]
    environment: Mapping[str, str]
    clock: Clock


def run(steps: Iterable[Step], bench: Bench, deliver: Callable[[Measured], None]) -> None:
    """Every suite of every step measured and delivered, a commit at a time; `deliver` runs while its work tree exists."""
    with worktree.alone(bench.home, bench.clock) as lock:
        for step in steps:
            for measured in measure(step.commit, step.suites, bench, lock):
                deliver(measured)


def measure(commit: Commit, suites: Iterable[str], bench: Bench, lock: int) -> Iterator[Measured]:
    """The suites of one commit, all when none are named, one after the other."""
    with worktree.checked_out(bench.repository, commit.sha, bench.home) as tree:
        for name in tuple(suites) or tuple(bench.suites):
            yield _measure(commit, name, tree, bench, lock)


def _measure(commit: Commit, name: str, tree: Path, bench: Bench, lock: int) -> Measured:
    suite, began = bench.suites[name], bench.clock.now()
    log = _log_file(bench.home, commit, name, int(began))
    log.unlink(missing_ok=True)
    failure = _commands(suite, tree, log, _environment(commit, name, suite, bench), lock)
    outputs = () if failure else _outputs(suite, tree / suite.directory)
    if failure is None and not outputs:
        wanted = ", ".join([*suite.outputs, *filter(None, [suite.stdout])])
        failure = process.Failure(reason=f"the benchmark succeeded and left none of: {wanted}")
    return Measured(
        commit=commit,
        suite=name,
        checkout=tree,
        outputs=outputs,
        error=None if failure is None else str(failure),
        log=log,
        began=int(began),
        seconds=bench.clock.now() - began,
    )


def _commands(suite: Suite, tree: Path, log: Path, environment: Mapping[str, str], lock: int) -> process.Failure | None:
    """The first failure of set-up and benchmark."""
    directory = tree / suite.directory
    if not directory.resolve().is_relative_to(tree.resolve()):
        return process.Failure(reason=f"{suite.directory}: leads out of the repository in this commit")
    if not directory.is_dir():
        return process.Failure(reason=f"{suite.directory}: not in this commit")
    stdout = directory / suite.stdout if suite.stdout else None
    jobs: list[tuple[list[str], float, Path | None]] = [
        (command, suite.setup_timeout_seconds, None) for command in suite.setup_words
    ]
    for command, seconds, out in [*jobs, (words(suite.benchmark), suite.timeout_seconds, stdout)]:
        job = process.Job(
            command=command, directory=directory, environment=environment, timeout_seconds=seconds, stdout=out
        )
        failure = process.run(job, log, inherited=(lock,))
        if failure is not None:
            return failure
    return None


def _environment(commit: Commit, name: str, suite: Suite, bench: Bench) -> dict[str, str]:
    cache = bench.home / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    ours = {"BENCH_DB_COMMIT": commit.sha, "BENCH_DB_SUITE": name, "BENCH_DB_CACHE": str(cache)}
    return {**process.without_secrets(bench.environment), **suite.env, **ours}


def _outputs(suite: Suite, directory: Path) -> tuple[Path, ...]:
    """The output files that are there and lie within the directory, each once."""
    patterns = [*suite.outputs, *filter(None, [suite.stdout])]
    found = {path: None for pattern in patterns for path in sorted(directory.glob(pattern))}
    inside = directory.resolve()
    return tuple(path for path in found if path.resolve().is_relative_to(inside))


def _log_file(home: Path, commit: Commit, suite: str, began: int) -> Path:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in suite)
    return home / "logs" / commit.sha / f"{safe}-{began}.log"
