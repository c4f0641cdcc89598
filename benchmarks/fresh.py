"""One piece of work in a fresh process: its duration and the peak memory of the process.

python -m benchmarks.fresh latest bench_db DIRECTORY
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.side_by_side import timed

if TYPE_CHECKING:
    from collections.abc import Callable

_MB = 1024 / 1e6
_ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
# In a container that forbids writing bytecode, compilation is two thirds of a process. Cache it, as an installation does.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-db-bytecode"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Milliseconds, seconds of CPU of the process, and peak resident memory in MB at the end and at the start of the work."""

    milliseconds: float
    cpu: float
    peak: float
    start: float


def in_fresh_process(work: str, *arguments: str) -> Spent:
    """Run a piece of work of `WORKS` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.fresh", work, *arguments]
    done = subprocess.run(command, cwd=_ROOT, env=ENVIRONMENT, check=True, capture_output=True, text=True)  # noqa: S603 our own code
    return Spent(**json.loads(done.stdout))


def process_wall(*command: str) -> int:
    """Run a command, for timing it as a process, and return its exit code."""
    done = subprocess.run(command, cwd=_ROOT, env=ENVIRONMENT, check=False, capture_output=True)  # noqa: S603 our own code
    return done.returncode


def _peak() -> float:
    # getrusage is unsuitable: its maximum starts at the value of the parent process.
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * _MB


def _ask(question: str) -> Callable[[str, str], Callable[[], Any]]:
    def prepare(kind: str, place: str) -> Callable[[], Any]:
        from benchmarks.contenders import CONTENDERS  # noqa: PLC0415 keeps DuckDB out of the memory of the parser

        contender = CONTENDERS[kind](Path(place))
        return getattr(contender, question)  # type: ignore[no-any-return]

    return prepare


def _recompute(kind: str, place: str) -> Callable[[], Any]:
    from benchmarks import recompute  # noqa: PLC0415

    return lambda: recompute.WAYS[kind](Path(place))


def _parse(kind: str, file: str) -> Callable[[], Any]:
    from benchmarks import parsers  # noqa: PLC0415

    parsers.WAYS[kind](Path(file).with_name(parsers.WARM_UP))  # imports are not part of the measurement
    return lambda: parsers.WAYS[kind](Path(file))


def _scan(_: str, place: str) -> Callable[[], Any]:
    import bench_db  # noqa: PLC0415

    return lambda: bench_db.scan(place, dry_run=True)


def _site(out: str, place: str) -> Callable[[], Any]:
    import bench_db  # noqa: PLC0415

    return lambda: bench_db.site(place, out, at=0)


def _compare(commit: str, place: str) -> Callable[[], Any]:
    import bench_db  # noqa: PLC0415

    return lambda: bench_db.compare(place, commit)


WORKS: dict[str, Callable[[str, str], Callable[[], Any]]] = {
    "latest": _ask("latest"),
    "summary": _ask("summary"),
    "recompute": _recompute,
    "parse": _parse,
    "scan": _scan,
    "site": _site,
    "compare": _compare,
}


def main(work: str, kind: str, target: str) -> None:
    """Do the work and print its duration and memory."""
    action = WORKS[work](kind, target)
    start = _peak()
    seconds, _ = timed(action)
    print(json.dumps({"milliseconds": seconds * 1e3, "cpu": time.process_time(), "peak": _peak(), "start": start}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
