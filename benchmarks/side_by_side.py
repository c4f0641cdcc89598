"""Interleaved rounds of bench_db and its rivals, so that noise of the machine affects all of them alike."""

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
    """Return the duration of a call in seconds, and its answer."""
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


@dataclass(slots=True)
class SideBySide:
    """One benchmark: pytest-benchmark measures bench_db, and every rival runs before each round.

    Readings go into the JSON file as `extra_info`: a line, and the values of bench_db and the rivals in the unit of the line.
    """

    benchmark: BenchmarkFixture
    rows: int | None = None
    _readings: list[dict[str, Any]] = field(default_factory=list)

    def race(
        self, line: str, works: Mapping[str, Work], *, rounds: int = 11, before: Work = lambda: None
    ) -> dict[str, Any]:
        """Time all works, record their medians in milliseconds as a reading, and return one answer of each.

        `before` runs untimed before each round of bench_db. A rival that takes more than 2 s is measured once and marked.
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
        """Return the answers of the rivals for every round; pytest-benchmark times bench_db."""
        answers: dict[str, list[Answer]] = {name: [] for name in rivals}

        def rivals_first() -> None:
            for name, rival in rivals.items():
                answers[name].append(rival())
            before()

        self.benchmark.pedantic(ours, setup=rivals_first, rounds=rounds, iterations=1)  # type: ignore[no-untyped-call]
        return answers

    def contest(self, works: Mapping[str, Callable[[], Answer]], *, rounds: int) -> dict[str, list[Answer]]:
        """Return all answers of every round, for works whose answers are the measurement."""
        ours: list[Answer] = []
        rivals = {name: work for name, work in works.items() if name != "bench_db"}
        theirs = self.turns(lambda: ours.append(works["bench_db"]()), rivals, rounds=rounds)
        return {"bench_db": ours, **theirs}

    def read(
        self, line: str, ours: float, rivals: Mapping[str, float] | None = None, *, once: list[str] | None = None
    ) -> None:
        """Record a reading, in addition to the time of pytest-benchmark."""
        reading = {"line": line, "rows": self.rows, "ours": ours, "rivals": dict(rivals or {}), "once": once or []}
        self._readings.append(reading)
        self.benchmark.extra_info["readings"] = self._readings

    def read_all(self, line: str, everybody: Mapping[str, float]) -> None:
        """Record a reading from values by name, with that of bench_db among them."""
        self.read(line, everybody["bench_db"], {name: value for name, value in everybody.items() if name != "bench_db"})
