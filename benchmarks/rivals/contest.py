"""The same suites for all methods.

Two methods run at a time on two cores. CPU times are measured at the end, one method at a time.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import labelled, suites
from benchmarks.rivals.methods import TIMED_POINTS, Method, RivalFailedError
from benchmarks.suites import Suite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.rivals.table import Outcome

AT_A_TIME = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The suites of one seed: those whose series are searched one by one, by name, and one scan."""

    searched: dict[str, Suite]
    scan: Suite

    @property
    def suites(self) -> dict[str, Suite]:
        """All suites by name."""
        return self.searched | {"scan": self.scan}


def questions(seed: int, share: float, folder: Path) -> Questions:
    """Return the synthetic suites of the seed at a share of their full size, and the labelled suites in the folder."""
    return Questions(
        searched=suites.detection(seed, share) | labelled.labelled(folder), scan=suites.discoveries(seed, share=share)
    )


def outcomes(methods: Sequence[Method], asked: Sequence[Questions]) -> dict[str, Outcome]:
    """Return the figures of every method as means over the seeds, or the reason of its failure."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        answered = list(pool.map(lambda method: _answered(method, asked), methods))
    return {method.name: _timed(method, so_far) for method, so_far in zip(methods, answered, strict=True)}


def _answered(method: Method, asked: Sequence[Questions]) -> Outcome:
    started = time.monotonic()
    try:
        columns = [_figures(method, of_seed) for of_seed in asked]
    except RivalFailedError as error:
        return str(error)
    finally:
        sys.stderr.write(
            f"{method.name}: {time.monotonic() - started:.0f} s\n"
        )  # one write per line, because two threads write
    return {name: float(np.mean([column[name] for column in columns])) for name in columns[0]}


def _figures(method: Method, asked: Questions) -> dict[str, float]:
    searched = suites.joined(asked.searched.values())
    found, scanned = method.answers(searched.series, asked.scan.series)
    return searched.score(found) | asked.scan.score(scanned)


def _timed(method: Method, so_far: Outcome) -> Outcome:
    if isinstance(so_far, str):
        return so_far
    try:
        return so_far | {f"CPU ms, {TIMED_POINTS} points": method.cpu_ms()}
    except RivalFailedError as error:
        return str(error)
