"""The compared methods: bench_db in this process, each rival in its own process and environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol
from zipfile import BadZipFile

import numpy as np

from bench_db.analysis.constants import Profile
from benchmarks import accuracy, suites
from benchmarks.rivals import exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.suites import Found
    from benchmarks.synthetic import Array

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
# the environment that the first lines of the script declare, without this project
OWN_ENVIRONMENT = ("uv", "run", "--quiet", "--no-project", "--script")
TIMED_POINTS = 200
LONGEST_REASON = 200


class Method(Protocol):
    """A detector of change points."""

    @property
    def name(self) -> str:
        """The name of its row."""

    def answers(self, searched: Sequence[Array], scanned: Sequence[Array]) -> tuple[Found, Found]:
        """Return change points of each series in `searched` alone, and those of all series in `scanned` together."""

    def cpu_ms(self) -> float:
        """Return CPU milliseconds per series of 200 points, without start-up."""


class RivalFailedError(Exception):
    """A rival without an answer; the message has the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchDb:
    """One profile of bench_db."""

    name: str
    profile: Profile

    def answers(self, searched: Sequence[Array], scanned: Sequence[Array]) -> tuple[Found, Found]:
        """Return change points; of the scan only those that pass the control of the false discovery rate."""
        return accuracy.all_found(searched, self.profile), accuracy.scanned(scanned, self.profile)

    def cpu_ms(self) -> float:
        """Measure with the function of `just accuracy`."""
        return accuracy.cpu_ms(TIMED_POINTS, self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A script that serves `exchange`, and its settings."""

    name: str
    script: Path
    settings: dict[str, Any] = field(default_factory=dict)
    launcher: tuple[str, ...] = OWN_ENVIRONMENT
    patience_seconds: float = 1800.0

    def answers(self, searched: Sequence[Array], scanned: Sequence[Array]) -> tuple[Found, Found]:
        """Return change points from one process; of the scan all of them, because no rival controls false discoveries."""
        found, _ = self._asked([*searched, *scanned])
        return found[: len(searched)], found[len(searched) :]

    def cpu_ms(self) -> float:
        """Return the time that the process of the rival measures."""
        series = suites.for_timing(TIMED_POINTS)
        return self._asked(series)[1] * 1000 / len(series)

    def _asked(self, series: Sequence[Array]) -> tuple[Found, float]:
        with TemporaryDirectory() as place:
            request, answer = Path(place, "request.npz"), Path(place, "answer.npz")
            exchange.write(request, series, np.float64)
            self._run(str(request), str(answer), json.dumps(self.settings))
            try:
                found, said = exchange.read(answer)
            except (OSError, KeyError, ValueError, BadZipFile) as error:
                message = f"no readable answer: {error}"
                raise RivalFailedError(message) from error
        if len(found) != len(series):
            message = f"{len(found)} answers to {len(series)} series"
            raise RivalFailedError(message)
        return [indexes.tolist() for indexes in found], said["cpu_seconds"]

    def _run(self, *arguments: str) -> None:
        # PYTHONSAFEPATH: otherwise the folder of the script shadows the package under test
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        command = [*self.launcher, str(self.script), *arguments]
        try:
            subprocess.run(  # noqa: S603 the command is made from constants
                command, env=environment, check=True, capture_output=True, text=True, timeout=self.patience_seconds
            )
        except subprocess.CalledProcessError as error:
            raise RivalFailedError(_reason(error.stderr) or f"exit code {error.returncode}") from error
        except subprocess.TimeoutExpired as error:
            message = f"no answer within {self.patience_seconds:.0f} s"
            raise RivalFailedError(message) from error
        except OSError as error:
            raise RivalFailedError(str(error)) from error


def _reason(stderr: str) -> str:
    """Return the last line of a traceback, or all lines of an installer message."""
    lines = [re.sub(r"^\W+", "", line) for line in stderr.splitlines() if line.strip()]
    whole = " ".join(lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines)
    return whole if len(whole) <= LONGEST_REASON else f"{whole[:LONGEST_REASON]}..."


# slowest first, so that two workers end at about the same time
METHODS: tuple[Method, ...] = (
    BenchDb(name="bench_db", profile=Profile.DEFAULT),
    BenchDb(name="bench_db, quiet", profile=Profile.QUIET),
    Rival(name="asv step detection", script=HERE / "asv_steps.py"),
    Rival(name="Apache Otava", script=HERE / "apache_otava.py"),
    Rival(name="Apache Otava, from 5 %", script=HERE / "apache_otava.py", settings={"min_magnitude": 0.05}),
    Rival(name="MongoDB E-divisive, p .05", script=HERE / "e_divisive.py"),
    Rival(name="ruptures rbf, 1.0 ln n", script=HERE / "ruptures_rbf.py"),
    Rival(name="ruptures rbf, gamma 1", script=HERE / "ruptures_rbf.py", settings={"gamma": 1.0}),
    Rival(name="lance-bench t-test, last 4", script=HERE / "lance_bench.py", settings={"method": "t-test"}),
    Rival(name="lance-bench |z| > 2", script=HERE / "lance_bench.py", settings={"method": "z"}),
)
