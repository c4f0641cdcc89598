"""Eight processes that publish at the same time: the race, and one of its processes.

python -m benchmarks.race KIND DIRECTORY FIRST_COMMIT RUNS waits for a line on standard input, publishes RUNS runs, and
prints the seconds and the success of each.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench_db import BenchDbError
from benchmarks.fresh import ENVIRONMENT
from benchmarks.generate import BENCHMARKS, History
from benchmarks.side_by_side import timed
from benchmarks.writers import WRITERS, Batch, Writer

PROCESSES = 8
RUNS = 12
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The 95th percentile of a publish in milliseconds, the number of lost or duplicate rows, and of publishes that failed."""

    p95: float
    wrong: int
    failed: int


def race(kind: str, place: Path, first: int, *, same: bool) -> Outcome:
    """Start all processes together; they publish the same 12 runs, or 12 different runs each."""
    before = WRITERS[kind](place).rows()
    starts = [first + (0 if same else RUNS * number) for number in range(PROCESSES)]
    racers = [_started(kind, place, start) for start in starts]
    pipes = [(racer, racer.stdin, racer.stdout) for racer in racers]
    for _, _, out in pipes:
        assert out is not None
        assert out.readline() == "ready\n"
    for _, ours, _ in pipes:
        assert ours is not None
        ours.write("go\n")
        ours.flush()
    answers = [json.loads(racer.communicate()[0]) for racer in racers]
    seconds = [second for answer in answers for second, _ in answer]
    expected = RUNS * BENCHMARKS * (1 if same else PROCESSES)
    added = WRITERS[kind](place).rows() - before
    failed = sum(not fine for answer in answers for _, fine in answer)
    return Outcome(p95=float(np.quantile(seconds, 0.95)) * 1e3, wrong=abs(added - expected), failed=failed)


def _started(kind: str, place: Path, first: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.race", kind, str(place), str(first), str(RUNS)]
    return subprocess.Popen(  # noqa: S603 our own code
        command, cwd=_ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _published(writer: Writer, batch: Batch) -> bool:
    try:
        writer.publish(batch)
    except (BenchDbError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        return False
    return True


def main(kind: str, place: Path, first: int, runs: int) -> None:
    """Publish after a line on standard input, and print the duration of each publish."""
    history = History(commits=0)
    batches = [Batch(run=history.run(c), results=history.results(c)) for c in range(first, first + runs)]
    writer = WRITERS[kind](place)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps([timed(partial(_published, writer, batch)) for batch in batches]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
