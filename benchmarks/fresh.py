"""A process of its own for one piece of work: how long it took, and the most memory the process ever held.

python -m benchmarks.fresh latest bench_db DIRECTORY
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.side_by_side import timed

if TYPE_CHECKING:
    from collections.abc import Callable

_MB = 1024 / 1e6
_ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
# Where a container forbids writing bytecode, compiling is two thirds of a process: keep it, as every installation does.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-db-bytecode"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Milliseconds, and peak resident memory in MB at the end and when the work began."""

    milliseconds: float
    peak: float
    start: float


def in_fresh_process(work: str, *arguments: str) -> Spent:
    """Do a piece of work of `WORKS` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.fresh", work, *arguments]
    done = subprocess.run(command, cwd=_ROOT, env=ENVIRONMENT, check=True, capture_output=True, text=True)  # noqa: S603 our own code
    return Spent(**json.loads(done.stdout))


def process_wall(*command: str) -> int:
    """Exit code of a command that is to be timed as a whole."""
    done = subprocess.run(command, cwd=_ROOT, env=ENVIRONMENT, check=False, capture_output=True)  # noqa: S603 our own code
    return done.returncode


def _peak() -> float:
    # Not getrusage: its figure begins with that of the parent that started the process.
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * _MB


def _ask(question: str) -> Callable[[str, str], Callable[[], Any]]:
    def prepare(kind: str, place: str) -> Callable[[], Any]:
        from benchmarks.contenders import CONTENDERS  # noqa: PLC0415 the parser is measured without DuckDB

        contender = CONTENDERS[kind](Path(place))
        return getattr(contender, question)  # type: ignore[no-any-return]

    return prepare


def _recompute(kind: str, place: str) -> Callable[[], Any]:
    from benchmarks import recompute  # noqa: PLC0415

    return lambda: recompute.WAYS[kind](Path(place))


def _parse(kind: str, file: str) -> Callable[[], Any]:
    from benchmarks import parsers  # noqa: PLC0415

    parsers.WAYS[kind](Path(file).with_name(parsers.WARM_UP))  # imports are not what is measured
    return lambda: parsers.WAYS[kind](Path(file))


WORKS: dict[str, Callable[[str, str], Callable[[], Any]]] = {
    "latest": _ask("latest"),
    "summary": _ask("summary"),
    "recompute": _recompute,
    "parse": _parse,
}


def main(work: str, kind: str, target: str) -> None:
    """Do the work and print what it took."""
    action = WORKS[work](kind, target)
    start = _peak()
    seconds, _ = timed(action)
    print(json.dumps({"milliseconds": seconds * 1e3, "peak": _peak(), "start": start}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
