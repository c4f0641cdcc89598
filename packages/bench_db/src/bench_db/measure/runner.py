"""The runner: a work tree a commit, in which each suite is set up and measured on this machine."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.measure import git, process
from bench_db.measure.git import HOOK_VARIABLES
from bench_db.model import Commit
from bench_db.schedule.config import Command, Suite, words

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from bench_db.model import Step

Locks = tuple[int, ...]
"""The file descriptors that `git.alone` yields; commands keep them open."""


@dataclass(frozen=True, slots=True)
class Written:
    """The output files and directories that a benchmark wrote; `older` are the files of these directories that it did not write."""

    outputs: tuple[Path, ...] = ()
    older: frozenset[Path] = frozenset()


NOTHING = Written()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The outcome of one suite of one commit: what it wrote, an error, or both when the benchmark ended with an error.

    `checkout` is the work tree, which exists until the next commit begins; `began` is in unix seconds. `failed_setup` is the
    number of the set-up command that failed, from 0, and None when no set-up command failed.
    """

    commit: Commit
    suite: str
    checkout: Path
    written: Written = NOTHING
    error: str | None = None
    failed_setup: int | None = None
    log: Path
    began: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where measuring happens: the clone, the working directory for trees and logs, the suites, the environment.

    `root` is the directory of the configuration, where suites find files that no commit has. `cache` is the path of the cache
    in the working directory. `secrets` are names of variables that commands do not get.
    """

    repository: Path
    home: Path
    root: Path
    suites: Mapping[str, Suite]
    environment: Mapping[str, str]
    clock: Clock
    cache: str = "cache"
    secrets: Collection[str] = ()

    def places(self, commit: Commit, tree: Path) -> dict[str, str]:
        """Return the values of the places in commands."""
        paths = {"root": self.root, "tree": tree, "cache": self.home / self.cache, "python": sys.executable}
        return {**{name: str(path) for name, path in paths.items()}, "commit": commit.sha}


def run(steps: Iterable[Step], bench: Bench, locks: Locks, deliver: Callable[[Measured], None]) -> None:
    """Measure every suite of every step, a commit at a time. `deliver` is called while the work tree exists."""
    for step in steps:
        with closing(measure(step.commit, step.suites, bench, locks)) as suites:
            for measured in suites:
                deliver(measured)


def measure(commit: Commit, suites: Iterable[str], bench: Bench, locks: Locks) -> Generator[Measured]:
    """Yield the suites of one commit, all when none are named. They fail when git cannot check out the commit."""
    with ExitStack() as stack:
        tree, refused = bench.home / "trees" / commit.sha, None
        try:
            stack.enter_context(git.checked_out(bench.repository, commit.sha, bench.home))
        except UserError as error:
            refused = process.Failure(reason=str(error))
        for name in tuple(suites) or tuple(bench.suites):
            place = Place(commit=commit, suite=name, tree=tree, bench=bench, locks=locks)
            yield _measure(place, refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A suite in the work tree of a commit."""

    commit: Commit
    suite: str
    tree: Path
    bench: Bench
    locks: Locks


def _measure(place: Place, failure: process.Failure | None) -> Measured:
    began = place.bench.clock.now()
    log = log_file(place.bench.home, place.commit, place.suite, int(began))
    written = NOTHING
    failed_setup: int | None = None
    if failure is None:
        written, failure, failed_setup = _attempt(place, log)
    if failure is not None:
        note(log, failure)
    return Measured(
        commit=place.commit,
        suite=place.suite,
        checkout=place.tree,
        written=written,
        error=None if failure is None else str(failure),
        failed_setup=failed_setup,
        log=log,
        began=int(began),
        seconds=place.bench.clock.now() - began,
    )


def note(log: Path, failure: process.Failure) -> None:
    """Append the reason of a failure to a log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"# {failure.reason}\n")


_Outcome = tuple[Written, process.Failure | None, int | None]
"""What one suite wrote, why there are none or not all, and the number of the set-up command that failed."""


def _attempt(place: Place, log: Path) -> _Outcome:
    ready = Ready.at(place, log)
    if isinstance(ready, process.Failure):
        return NOTHING, ready, None
    before = ready.state()
    for number, failure in enumerate(ready.set_up()):
        if failure:
            return NOTHING, failure, number
    return *ready.measure(before), None


_Files = list[tuple[str, int, int, int]]
_State = Mapping[Path, _Files]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A suite whose commands can run in its directory; `suite` has no places left."""

    suite: Suite
    directory: Path
    shell: _Shell

    @classmethod
    def at(cls, place: Place, log: Path) -> Ready | process.Failure:
        """Return the suite at its place, or why it cannot run there."""
        suite = place.bench.suites[place.suite].at(place.bench.places(place.commit, place.tree))
        directory = place.tree / suite.directory
        if not directory.resolve().is_relative_to(place.tree.resolve()):
            return process.Failure(reason=f"{suite.directory}: leads out of the repository in this commit")
        if not directory.is_dir():
            return process.Failure(reason=f"{suite.directory}: not in this commit")
        shell = _Shell(directory=directory, log=log, environment=_environment(place, suite), locks=place.locks)
        return cls(suite=suite, directory=directory, shell=shell)

    def state(self) -> _State:
        """Return the state of each output file that exists."""
        return {path: _state(path) for path in _outputs(self.suite, self.directory)}

    def set_up(self) -> Iterator[process.Failure | None]:
        """Run the set-up commands one by one, and yield the outcome of each."""
        for command in self.suite.setup:
            yield self.shell.run(command, self.suite.setup_timeout_seconds)

    def measure(self, before: _State, select: Sequence[str] = ()) -> tuple[Written, process.Failure | None]:
        """Run the benchmark with further words, and return what it wrote since `before` and its failure."""
        suite = self.suite
        stdout = self.directory / suite.stdout if suite.stdout else None
        failure = self.shell.run([*words(suite.benchmark), *select], suite.timeout_seconds, stdout)
        if failure and not failure.came_to_its_end:  # it may have been about to write more: worth another attempt
            return NOTHING, failure
        written = _written(_outputs(suite, self.directory), before)
        if not (written.outputs or failure):
            wanted = ", ".join([*suite.outputs, *filter(None, [suite.stdout])])
            of_commit = "; the files in the commit were not written" if before else ""
            failure = process.Failure(reason=f"the benchmark succeeded and left none of: {wanted}{of_commit}")
        return written, failure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shell:
    """The directory, log and environment in which the commands of a suite run."""

    directory: Path
    log: Path
    environment: Mapping[str, str]
    locks: Locks

    def run(self, command: Command, seconds: float, stdout: Path | None = None) -> process.Failure | None:
        """Run a command; None when it succeeded."""
        job = process.Job(
            command=words(command),
            directory=self.directory,
            environment=self.environment,
            timeout_seconds=seconds,
            stdout=stdout,
        )
        return process.run(job, self.log, inherited=self.locks)


def _environment(place: Place, suite: Suite) -> dict[str, str]:
    cache = place.bench.home / place.bench.cache
    cache.mkdir(parents=True, exist_ok=True)
    ours = {"BENCH_DB_COMMIT": place.commit.sha, "BENCH_DB_SUITE": place.suite, "BENCH_DB_CACHE": str(cache)}
    seen = process.without_secrets(place.bench.environment, place.bench.secrets)
    return {**{name: value for name, value in seen.items() if name not in HOOK_VARIABLES}, **suite.env, **ours}


def _outputs(suite: Suite, directory: Path) -> tuple[Path, ...]:
    """Return the output files that exist within the directory, each once."""
    patterns = [*suite.outputs, *filter(None, [suite.stdout])]
    found = {path: None for pattern in patterns for path in sorted(directory.glob(pattern))}
    inside = directory.resolve()
    return tuple(path for path in found if path.resolve().is_relative_to(inside))


def _written(outputs: Iterable[Path], before: _State) -> Written:
    """Return the outputs of which a file was written since `before`: made, or written again. A directory by itself is no result."""
    found, older = list[Path](), set[Path]()
    for path in outputs:
        known = set(before.get(path, ()))
        now = _state(path)
        if any(state not in known for state in now):
            found.append(path)
            older |= {Path(state[0]) for state in now if state in known}
    return Written(tuple(found), frozenset(older))


def _state(path: Path) -> _Files:
    """Return what changes when a file, or any file of a directory, is written."""
    files = (
        [file for file in sorted(path.rglob("*")) if file.is_symlink() or not file.is_dir()]
        if path.is_dir()
        else [path]
    )
    states = [(str(file), file.lstat()) for file in files]
    return [(name, known.st_ino, known.st_size, known.st_mtime_ns) for name, known in states]


def log_file(home: Path, commit: Commit, suite: str, began: int) -> Path:
    """Return the path of a new log. Its directory exists, and a log of an earlier attempt there is deleted."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in suite)
    log = home / "logs" / commit.sha / f"{safe}-{began}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    return log
