"""Small operations of bench_db with planted work: one process of the recording that `benchmarks.pairs` makes.

Prints, for each operation and each planted share of further work, the minimum and median of wall and CPU time in nanoseconds.
"""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from bench_db.analysis.compare import compare
from bench_db.analysis.pairs import Claim, Judged, Round, confirm, judge, schedule
from bench_db.identity import hash63
from bench_db.measure.pairs import order
from bench_db.model import Commit, PairSide
from bench_db.query.selection import glob_pattern, natural_key
from bench_db.report.escape import markdown_code
from bench_db.report.quantity import percent_with_interval, quantity
from bench_db.report.text import duration, table, visible
from bench_db.schedule.config import Suite, parse
from bench_db.units import Direction, base_unit

if TYPE_CHECKING:
    from collections.abc import Callable

PLANTED = (0, 3, 5, 10)
SAMPLES = 5
_CONFIG = b"""
[project]
name = "p"
[pairs]
rounds = 8
[suite.a]
benchmark = "run --all {tree}"
outputs = ["results.json"]
"""
_NOISE = random.Random(1)  # noqa: S311
_VALUES = [100.0 + _NOISE.random() for _ in range(24)]
_ROUNDS = [Round(100.0 + _NOISE.random(), 100.0 + _NOISE.random(), 1 if n % 2 else -1) for n in range(12)]
_COMMIT = Commit(sha="0" * 40, time=0)
_NAMES = [f"benchmarks/test_{n}.py::test_{n % 7}[{n}]" for n in range(40)]

# An operation with the number of calls that takes a few milliseconds.
OPERATIONS: dict[str, tuple[Callable[[], object], int]] = {
    "compare": (lambda: compare(_VALUES[:12], _VALUES[12:]), 200),
    "configuration": (lambda: parse(_CONFIG, "bench-db.toml"), 100),
    "confirm": (lambda: confirm([_ROUNDS], [Claim(is_increase=True, least=0.02)], [Judged()], 0.01), 120),
    "duration": (lambda: [duration(37.0 * n) for n in range(40)], 400),
    "escape": (lambda: [markdown_code(name) for name in _NAMES], 60),
    "glob": (lambda: [re.match(glob_pattern("*test_1*[1?]"), name) for name in _NAMES], 40),
    "json": (lambda: json.loads(json.dumps(dict.fromkeys(_NAMES[:10], _VALUES))), 20),
    "keys": (lambda: [hash63((name, "time", "ns")) for name in _NAMES], 100),
    "order": (lambda: sorted(_NAMES, key=natural_key), 40),
    "pairs": (lambda: judge([_ROUNDS], [Direction.LOWER], [Judged()], 0.01), 60),
    "percent": (lambda: [percent_with_interval(x - 100.5, -0.1, 0.1) for x in _VALUES], 120),
    "quantity": (lambda: [quantity(x, "ns") for x in _VALUES], 360),
    "records": (lambda: [replace(_COMMIT, time=n) for n in range(40)], 60),
    "rounds": (lambda: [(order(1, name, 3, PairSide), schedule(8)) for name in _NAMES[:10]], 60),
    "selection": (lambda: Suite(benchmark="run", select="-k {names} {pattern}").selecting(_NAMES), 60),
    "table": (lambda: table(["name", "value"], [[name, "1"] for name in _NAMES[:20]], ("value",)), 100),
    "units": (lambda: [base_unit("ms") for _ in _NAMES], 1200),
    "visible": (lambda: [visible(name) for name in _NAMES], 900),
}


def main() -> None:
    """Measure every operation with every planted share, in random order within each sample, and print the figures."""
    chance = random.Random()  # noqa: S311
    figures: dict[str, list[int]] = {}
    for name, (work, calls) in OPERATIONS.items():
        work()
        walls: dict[int, list[int]] = {share: [] for share in PLANTED}
        cpus: dict[int, list[int]] = {share: [] for share in PLANTED}
        for _ in range(SAMPLES):
            for share in chance.sample(PLANTED, len(PLANTED)):
                wall, cpu = _measured(work, calls * (100 + share) // 100)
                walls[share].append(wall)
                cpus[share].append(cpu)
        for share in PLANTED:
            pair = walls[share], cpus[share]
            figures[f"{name}+{share}"] = [int(of(times)) for times in pair for of in (min, median)]
    print(json.dumps(figures))


def _measured(work: Callable[[], object], calls: int) -> tuple[int, int]:
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(calls):
        work()
    return time.perf_counter_ns() - wall, time.process_time_ns() - cpu


if __name__ == "__main__":
    main()
