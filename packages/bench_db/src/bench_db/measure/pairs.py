"""Measuring in pairs: each side in a work tree of its own, a new process each time, in random order within each round."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from bench_db.measure import git, process, runner
from bench_db.measure.runner import Bench, Locks
from bench_db.model import Commit, PairSide

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence


_LEAST_SECONDS = 1.0
WARM_UP = 0
"""The number of the round whose figures do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The outcome of one process: a suite of one side in one round, which may fail. Rounds count from 1.

    `checkout` is the work tree, which exists until measuring ends; `began` is in unix seconds. `failed_setup` is true when the
    suite could not be set up: it has no further slots then.
    """

    suite: str
    side: PairSide
    number: int
    position: int
    commit: Commit
    checkout: Path
    log: Path
    written: runner.Written = runner.NOTHING
    error: str | None = None
    failed_setup: bool = False
    began: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The commits of the sides, where they are measured, and the seed of the order.

    From the `deadline` on, in unix seconds, no command continues. It is null when the time limits of the suites suffice.
    """

    commits: Mapping[PairSide, Commit]
    bench: Bench
    locks: Locks
    seed: int
    deadline: float | None = None


def order(seed: int, suite: str, number: int, sides: Iterable[PairSide]) -> tuple[PairSide, ...]:
    """Return the order of the sides in a round: random, and in each second round the reverse of the round before."""
    couple, is_second = divmod(number - 1, 2)
    drawn = sorted(sides, key=lambda side: sha256(f"{seed}:{couple}:{side}:{suite}".encode()).digest())
    return tuple(reversed(drawn) if is_second else drawn)


def shift(order: Sequence[PairSide], side: PairSide) -> int:
    """Return the position of a side in a round minus that of the base."""
    return order.index(side) - order.index(PairSide.BASE)


def measure(pairing: Pairing, wanted: Callable[[int], Mapping[str, Sequence[str]]]) -> Generator[Slot]:
    """Set up every suite once a side, then measure rounds until no suite is wanted, beginning with a warm-up round.

    `wanted` is called before each round with its number. It returns the suites of the round, each with further words for its
    benchmark command. Raises `UserError` when git cannot check out a commit.
    """
    bench = pairing.bench
    with ExitStack() as stack:
        trees = {
            side: stack.enter_context(git.checked_out(bench.repository, commit.sha, bench.home, side))
            for side, commit in pairing.commits.items()
        }
        lanes: dict[tuple[str, PairSide], _Lane] = {}
        for suite in bench.suites:
            for side, tree in trees.items():
                lane = _Lane.of(pairing, suite, side, tree)
                if failed := lane.set_up():
                    yield failed
                    break
                lanes[suite, side] = lane
        number = WARM_UP
        while chosen := wanted(number):
            for suite, select in chosen.items():
                for position, side in enumerate(order(pairing.seed, suite, number, pairing.commits)):
                    yield lanes[suite, side].slot(number, position, select)
            number += 1


@dataclass(kw_only=True)
class _Lane:
    """A suite of one side."""

    place: runner.Place
    side: PairSide
    log: Path
    ready: runner.Ready | process.Failure
    deadline: float | None

    @classmethod
    def of(cls, pairing: Pairing, suite: str, side: PairSide, tree: Path) -> _Lane:
        bench = replace(pairing.bench, cache=f"caches/{side}")
        commit = pairing.commits[side]
        place = runner.Place(commit=commit, suite=suite, tree=tree, bench=bench, locks=pairing.locks)
        log = runner.log_file(bench.home, commit, f"{suite}-{side}", int(bench.clock.now()))
        ready = runner.Ready.at(place, log)
        return cls(place=place, side=side, log=log, ready=ready, deadline=pairing.deadline)

    def set_up(self) -> Slot | None:
        """Run the set-up commands; return the failed slot when one of them fails."""
        began = self.place.bench.clock.now()
        if isinstance(self.ready, process.Failure):
            failure: process.Failure | None = self.ready
        else:
            failure = next(filter(None, self._limited(self.ready, began).set_up()), None)
        return (
            None
            if failure is None
            else replace(self._ended(WARM_UP, 0, began, runner.NOTHING, failure), failed_setup=True)
        )

    def slot(self, number: int, position: int, select: Sequence[str]) -> Slot:
        """Measure the suite in a new process."""
        began = self.place.bench.clock.now()
        if isinstance(self.ready, process.Failure):
            return self._ended(number, position, began, runner.NOTHING, self.ready)
        written, failure = self._limited(self.ready, began).measure(self.ready.state(), select)
        return self._ended(number, position, began, written, failure)

    def _limited(self, ready: runner.Ready, now: float) -> runner.Ready:
        """Return the suite with time limits that end at the deadline; a command gets a second at least, and then fails by its limit."""
        if self.deadline is None:
            return ready
        left = max(_LEAST_SECONDS, self.deadline - now)
        limits = {name: min(getattr(ready.suite, name), left) for name in ("setup_timeout_seconds", "timeout_seconds")}
        return replace(ready, suite=structs.replace(ready.suite, **limits))

    def _ended(
        self, number: int, position: int, began: float, written: runner.Written, failure: process.Failure | None
    ) -> Slot:
        if failure is not None:
            runner.note(self.log, failure)
        return Slot(
            suite=self.place.suite,
            side=self.side,
            number=number,
            position=position,
            commit=self.place.commit,
            checkout=self.place.tree,
            log=self.log,
            written=written,
            error=None if failure is None else str(failure),
            began=int(began),
            seconds=self.place.bench.clock.now() - began,
        )
