"""Who is compared: bench_db in this process, every rival in a process and an environment of its own."""

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
# the environment is what the first lines of the script ask for, and nothing of this project
OWN_ENVIRONMENT = ("uv", "run", "--quiet", "--no-project", "--script")
TIMED_POINTS = 200
LONGEST_REASON = 200


class Method(Protocol):
    """A detector of change points."""

    @property
    def name(self) -> str:
        """What its row is called."""

    def answers(self, searched: Sequence[Array], scanned: Sequence[Array]) -> tuple[Found, Found]:
        """Change points of each series `searched` by itself, and those reported of all that are `scanned` together."""

    def cpu_ms(self) -> float:
        """CPU milliseconds per series of 200 points, without start-up."""


class RivalFailedError(Exception):
    """A rival gave no answer; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchDb:
    """One profile of ours."""

    name: str
    profile: Profile

    def answers(self, searched: Sequence[Array], scanned: Sequence[Array]) -> tuple[Found, Found]:
        """Of the scan, those that pass the control of the false discovery rate."""
        return accuracy.all_found(searched, self.profile), accuracy.scanned(scanned, self.profile)

    def cpu_ms(self) -> float:
        """By the calls of `just accuracy`."""
        return accuracy.cpu_ms(TIMED_POINTS, self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A script that serves `exchange`, and the settings it is asked with."""

    name: str
    script: Path
    settings: dict[str, Any] = field(default_factory=dict)
    launcher: tuple[str, ...] = OWN_ENVIRONMENT
    patience_seconds: float = 1800.0

    def answers(self, searched: Sequence[Array], scanned: Sequence[Array]) -> tuple[Found, Found]:
        """By one process, for start-up takes seconds; of the scan all change points, for no rival controls false discoveries."""
        found, _ = self._asked([*searched, *scanned])
        return found[: len(searched)], found[len(searched) :]

    def cpu_ms(self) -> float:
        """As the rival's own process measures it."""
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
        # the safe path: a script's own folder would shadow the package it is about
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
    """The last line of a traceback; all of what an installer spreads over lines."""
    lines = [re.sub(r"^\W+", "", line) for line in stderr.splitlines() if line.strip()]
    whole = " ".join(lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines)
    return whole if len(whole) <= LONGEST_REASON else f"{whole[:LONGEST_REASON]}..."


# the slowest first, so that two at a time end together
METHODS: tuple[Method, ...] = (
    BenchDb(name="bench_db", profile=Profile.DEFAULT),
    BenchDb(name="bench_db, quiet", profile=Profile.QUIET),
    Rival(name="asv step detection", script=HERE / "asv_steps.py"),
    Rival(name="Apache Otava", script=HERE / "apache_otava.py"),
    Rival(name="Apache Otava, from 5 %", script=HERE / "apache_otava.py", settings={"min_magnitude": 0.05}),
    Rival(name="ruptures rbf, 1.0 ln n", script=HERE / "ruptures_rbf.py"),
    Rival(name="ruptures rbf, gamma 1", script=HERE / "ruptures_rbf.py", settings={"gamma": 1.0}),
    Rival(name="lance-bench t-test, last 4", script=HERE / "lance_bench.py", settings={"method": "t-test"}),
    Rival(name="lance-bench |z| > 2", script=HERE / "lance_bench.py", settings={"method": "z"}),
)
