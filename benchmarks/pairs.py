"""False alarms and power of measuring in pairs and one after the other, from one recording of this machine.

`python -m benchmarks.pairs record FILE [ROUNDS]` measures the checked-out commit against itself with the engine of `bench-db pairs`: a
new process each time, in work trees of its own. `python -m benchmarks.pairs report FILE` prints the table of docs/statistics.md, which is that of `benchmarks/pairs.parquet`.

Each process measures every operation with 0, 3, 5 and 10 % of further work. A candidate with planted work takes its figures from that
column, and the base from the column of 0 %. Blocks of 12 rounds are compared twice: in pairs with the order that was drawn, and as if the
first 12 processes had been one side, and the next 12 the other.

`python -m benchmarks.pairs exchange FILE` prints the error of the pairs on that noise: both sides are the same code, so the sides of a pair of
rounds, which has both orders, may be exchanged. Each block is judged with 16 random exchanges.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from bench_db.analysis.compare import compare
from bench_db.analysis.pairs import Judged, Round, judge, schedule
from bench_db.clock import Clock
from bench_db.measure import git, runner
from bench_db.measure.pairs import WARM_UP, Pairing, measure
from bench_db.model import PairSide, PairVerdict, Verdict
from bench_db.rules import RULES
from bench_db.schedule.config import Suite
from bench_db.units import Direction
from benchmarks.pairs_work import OPERATIONS, PLANTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SEED, BLOCK, EXCHANGES = 1, 12, 16
FIGURES = ("wall minimum", "wall median", "CPU minimum", "CPU median")
_ROOT = Path(__file__).parents[1]
_MOVED = {PairVerdict.REGRESSED, PairVerdict.IMPROVED}


def record(file: Path, rounds: int) -> None:
    """Measure so many rounds, and write a row a process; what was recorded is written every 12 rounds."""
    home = file.parent.resolve() / "pairs"
    work = Suite(
        benchmark="{python} {root}/benchmarks/pairs_work.py",
        stdout="figures.json",
        env={"PYTHONPATH": "{tree}/packages/bench_db/src"},
    )
    bench = runner.Bench(
        repository=_ROOT, home=home, root=_ROOT, suites={"work": work}, environment=os.environ, clock=Clock()
    )
    commit = git.commit_of(_ROOT, "HEAD")
    rows: list[dict[str, object]] = []
    with git.alone(_ROOT, home, bench.clock) as locks:
        pairing = Pairing(commits={PairSide.BASE: commit, PairSide.HEAD: commit}, bench=bench, locks=locks, seed=SEED)
        for slot in measure(pairing, lambda number: {"work": ()} if number <= rounds else {}):
            if slot.number == WARM_UP or slot.error:
                continue
            load = os.getloadavg()[0]
            about = {"round": slot.number, "side": str(slot.side), "position": slot.position, "load": load}
            figures = json.loads(slot.written.outputs[0].read_text())
            rows.append({**about, **{name: [int(x) for x in four] for name, four in figures.items()}})
            if slot.number % BLOCK == 0:
                part = file.with_suffix(".part")
                pl.DataFrame(rows).write_parquet(part, compression="zstd", compression_level=19)
                part.replace(file)


class Process(NamedTuple):
    """The figures of one process by operation and planted share, in the order of `FIGURES`."""

    side: PairSide
    position: int
    figures: Mapping[str, Sequence[int]]


def blocks(file: Path) -> Iterator[list[tuple[Process, Process]]]:
    """Yield blocks of complete rounds; a round is its processes in the order in which they ran."""
    found: dict[int, list[Process]] = {}
    for row in pl.read_parquet(file).iter_rows(named=True):
        one = Process(PairSide(row["side"]), row["position"], row)
        found.setdefault(row["round"], []).append(one)
    rounds = [(two[0], two[1]) for two in found.values() if len(two) == 2]
    for start in range(0, len(rounds) - BLOCK + 1, BLOCK):
        yield rounds[start : start + BLOCK]


def in_pairs(block: Sequence[tuple[Process, Process]], name: str, share: int, figure: int) -> Judged:
    """Return the verdict of the sequential rule on an operation."""
    return sequential(list(_rounds(block, name, share, figure)))


def sequential(rounds: Sequence[Round]) -> Judged:
    """Return the verdict of the sequential rule on rounds."""
    judged = Judged()
    for look in schedule(BLOCK):
        [judged] = judge([rounds[: look.rounds]], [Direction.LOWER], [judged], look.level)
    return judged


def exchanged(rounds: Sequence[Round], chance: random.Random) -> list[Round]:
    """Return rounds with both sides exchanged in a random half of the pairs of rounds."""
    swap = [chance.random() < 1 / 2 for _ in rounds[::2]]
    return [Round(one.head, one.base, -one.shift) if swap[number // 2] else one for number, one in enumerate(rounds)]


def exchange(file: Path) -> list[str]:
    """Return the share of alarms of each figure with sides exchanged, as lines of Markdown; the standard error is over operations and blocks."""
    found, chance = list(blocks(file)), random.Random(SEED)  # noqa: S311
    lines = ["| figure | alarms, sides exchanged | standard error |", "|---|--:|--:|"]
    for number, figure in enumerate(FIGURES):
        shares = []
        for rounds in (list(_rounds(block, name, 0, number)) for block in found for name in OPERATIONS):
            verdicts = [sequential(exchanged(rounds, chance)).verdict for _ in range(EXCHANGES)]
            shares.append(sum(verdict in _MOVED for verdict in verdicts) / EXCHANGES)
        alarms = sum(shares) / len(shares)
        error = (sum((share - alarms) ** 2 for share in shares) / (len(shares) - 1) / len(shares)) ** 0.5
        lines.append(f"| {figure} | {100 * alarms:.2f} % | {100 * error:.2f} % |")
    return lines


def _rounds(block: Sequence[tuple[Process, Process]], name: str, share: int, figure: int) -> Iterator[Round]:
    for two in block:
        base, head = sorted(two, key=lambda one: one.side is PairSide.HEAD)
        before, after = base.figures[f"{name}+0"][figure], head.figures[f"{name}+{share}"][figure]
        yield Round(float(before), float(after), head.position - base.position)


def one_after_the_other(
    block: Sequence[tuple[Process, Process]], name: str, share: int, figure: int, runs: int
) -> Verdict:
    """Return the verdict of `compare` on the first processes of a block and as many that follow."""
    slots = [one for two in block for one in two][: 2 * runs]
    base = [float(one.figures[f"{name}+0"][figure]) for one in slots[:runs]]
    return compare([float(one.figures[f"{name}+{share}"][figure]) for one in slots[runs:]], base).verdict


def report(file: Path) -> list[str]:
    """Return the table as lines of Markdown, with a line on the recording before it."""
    found, loads = list(blocks(file)), pl.read_parquet(file)["load"].to_list()
    judged = len(found) * len(OPERATIONS)
    about = f"{len(found) * BLOCK} rounds of {len(OPERATIONS)} operations, load {min(loads):.1f} to {max(loads):.1f}"
    lines = [
        f"{about}: {judged} comparisons a cell, with a minimum effect of {100 * RULES.minimum_effect:g} %.",
        "",
        "| measured | figure | no change: alarms | +3 % found | +5 % | +10 % | rounds without a change, at +10 % |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for number, figure in enumerate(FIGURES):
        answers = {share: [in_pairs(b, name, share, number) for b in found for name in OPERATIONS] for share in PLANTED}
        alarms = sum(one.verdict in _MOVED for one in answers[0]) / judged
        powers = [sum(one.verdict is PairVerdict.REGRESSED for one in answers[s]) / judged for s in PLANTED[1:]]
        rounds = [sum(one.rounds for one in answers[share]) / judged for share in (PLANTED[0], PLANTED[-1])]
        lines.append(_row("in pairs, up to 12 rounds", figure, alarms, powers, "{:.1f}, {:.1f}".format(*rounds)))
    for runs in (5, 8, 12):
        for number, figure in enumerate(FIGURES):
            verdicts = {
                share: [one_after_the_other(b, name, share, number, runs) for b in found for name in OPERATIONS]
                for share in PLANTED
            }
            alarms = sum(one in {Verdict.REGRESSED, Verdict.IMPROVED} for one in verdicts[0]) / judged
            powers = [sum(one is Verdict.REGRESSED for one in verdicts[s]) / judged for s in PLANTED[1:]]
            lines.append(_row(f"{runs} runs, then {runs}", figure, alarms, powers, f"{runs}, {runs}"))
    return lines


def _row(measured: str, figure: str, alarms: float, powers: Sequence[float], rounds: str) -> str:
    found = " | ".join(f"{100 * power:.0f} %" for power in powers)
    return f"| {measured} | {figure} | {100 * alarms:.1f} % | {found} | {rounds} |"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", path, *number]:
            record(Path(path), int(number[0]) if number else 300)
        case ["report", path]:
            print("\n".join(report(Path(path))))
        case ["exchange", path]:
            print("\n".join(exchange(Path(path))))
        case _:
            sys.exit(__doc__)
