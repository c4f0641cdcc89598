"""Ours and the rivals' in turn, round after round, so that a noisy machine disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

Answer = TypeVar("Answer")
Work = Callable[[], Any]
_MS = 1e3
_TOO_SLOW_TO_REPEAT = 2.0


def timed(work: Callable[[], Answer]) -> tuple[float, Answer]:
    """Seconds a call took, and its answer."""
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


@dataclass(slots=True)
class SideBySide:
    """One benchmark: pytest-benchmark measures ours, and before each of its rounds every rival has its turn.

    Readings go into the JSON file as `extra_info`: a line, ours and the rivals' in the unit of the line.
    """

    benchmark: BenchmarkFixture
    rows: int | None = None
    _readings: list[dict[str, Any]] = field(default_factory=list)

    def race(
        self, line: str, works: Mapping[str, Work], *, rounds: int = 11, before: Work = lambda: None
    ) -> dict[str, Any]:
        """Everybody's answer, once; their median times in milliseconds become a reading. `before` runs untimed before ours.

        A rival that takes seconds is measured once, and marked so.
        """
        rivals = {name: work for name, work in works.items() if name != "bench_db"}
        firsts = {name: timed(rival) for name, rival in rivals.items()}
        repeated = {name: rivals[name] for name, (first, _) in firsts.items() if first < _TOO_SLOW_TO_REPEAT}
        times = {name: [first] for name, (first, _) in firsts.items() if name not in repeated}
        before()
        answers = {"bench_db": works["bench_db"](), **{name: answer for name, (_, answer) in firsts.items()}}
        stopwatches = {name: lambda rival=rival: timed(rival)[0] for name, rival in repeated.items()}
        known = self.turns(works["bench_db"], stopwatches, rounds=rounds, before=before)
        if self.benchmark.stats:
            theirs = {name: median(seconds) * _MS for name, seconds in (times | known).items()}
            self.read(line, self.benchmark.stats.stats.median * _MS, theirs, once=list(times))
        return answers

    def turns(
        self, ours: Work, rivals: Mapping[str, Callable[[], Answer]], *, rounds: int, before: Work = lambda: None
    ) -> dict[str, list[Answer]]:
        """The rivals' answers of every round; ours is timed by pytest-benchmark."""
        answers: dict[str, list[Answer]] = {name: [] for name in rivals}

        def rivals_first() -> None:
            for name, rival in rivals.items():
                answers[name].append(rival())
            before()

        self.benchmark.pedantic(ours, setup=rivals_first, rounds=rounds, iterations=1)  # type: ignore[no-untyped-call]
        return answers

    def contest(self, works: Mapping[str, Callable[[], Answer]], *, rounds: int) -> dict[str, list[Answer]]:
        """Everybody's answers of every round, where the answers themselves are what is measured."""
        ours: list[Answer] = []
        rivals = {name: work for name, work in works.items() if name != "bench_db"}
        theirs = self.turns(lambda: ours.append(works["bench_db"]()), rivals, rounds=rounds)
        return {"bench_db": ours, **theirs}

    def read(
        self, line: str, ours: float, rivals: Mapping[str, float] | None = None, *, once: list[str] | None = None
    ) -> None:
        """Note a reading that is not, or not only, the time pytest-benchmark measures."""
        reading = {"line": line, "rows": self.rows, "ours": ours, "rivals": dict(rivals or {}), "once": once or []}
        self._readings.append(reading)
        self.benchmark.extra_info["readings"] = self._readings

    def read_all(self, line: str, everybody: Mapping[str, float]) -> None:
        """The same, of what everybody including ours measured."""
        self.read(line, everybody["bench_db"], {name: value for name, value in everybody.items() if name != "bench_db"})
