"""Moves that the baselines of a comparison made by themselves: the measure of how unlike them a change of one run is."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench_db.analysis.compare import DEVIATION_SHARE, robust_scale
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from numpy.typing import NDArray

    from bench_db.analysis.jit import Floats

# Above so many spreads, differences of squares are rounding; the exact distance decides.
_CERTAIN = 1e4


class Move(NamedTuple):
    """A run of a baseline that is far from the others: the numbers of baseline and run, its value, and its signed distance."""

    baseline: int
    run: int
    value: float
    distance: float


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Moves of baselines in one direction: their distances in ascending order.

    Moves up to the distance `usual` happen by themselves: those as large were made by two benchmarks at two runs, and they are at least as many
    as there are series that moved as far on the judged commit. It is 0 where one benchmark or one run made all.
    """

    distances: Sequence[float]
    usual: float

    def count(self, distance: float) -> int:
        """Count the moves that are as large."""
        return len(self.distances) - bisect_left(self.distances, distance)


def alike(found: Iterable[tuple[float, Hashable, Hashable]], of_commit: Iterable[float]) -> Alike:
    """Summarise moves in one direction, each with its distance, the benchmark and the run. `of_commit` are the distances on the judged commit."""
    descending = sorted(found, key=lambda move: -move[0])
    distances = [move[0] for move in reversed(descending)]
    benchmarks, runs = set(), set()
    usual = 0.0
    for far, benchmark, run in descending:
        benchmarks.add(benchmark)
        runs.add(run)
        if len(benchmarks) > 1 and len(runs) > 1:
            usual = far
            break
    for together, far in enumerate(sorted(of_commit, reverse=True), 1):
        if together > len(distances) - bisect_left(distances, far):
            usual = min(usual, math.nextafter(far, 0.0))
    return Alike(distances=distances, usual=usual)


def independent(found: Iterable[tuple[float, Hashable, Hashable]], size: float) -> int:
    """Count the moves that are as large, as `alike` takes them, without those of the benchmark, or of the run, that made most of them."""
    large = [(benchmark, run) for far, benchmark, run in found if far >= size]
    return len(large) - max(
        (most for of in zip(*large, strict=True) for _, most in Counter(of).most_common(1)), default=0
    )


def distance(value: float, others: Sequence[float]) -> float:
    """Return how far a run is from the level of others, in units of their spread: of logarithms where all are above 0."""
    if min(value, *others) > 0.0:
        value, others = math.log(value), [math.log(x) for x in others]
    step, scale = value - median(others), robust_scale(others)
    return step / scale if scale > 0.0 else math.copysign(math.inf, step) if step else 0.0


def moves(baselines: Sequence[Floats], least: float) -> list[Move]:
    """Return the runs that are at least `least` from the other runs of their baseline, and `rules.minimum_effect` from its level.

    Each baseline has at least `rules.baseline_runs` finite values.
    """
    of_length: dict[int, list[int]] = {}
    for number, values in enumerate(baselines):
        of_length.setdefault(len(values), []).append(number)
    found = []
    for numbers in of_length.values():
        values = np.stack([baselines[number] for number in numbers])
        for row, run in zip(*(of.tolist() for of in np.nonzero(_may_be(values, min(least, _CERTAIN)))), strict=True):
            value = float(values[row, run])
            far = distance(value, np.delete(values[row], run).tolist())
            if abs(far) >= least:
                found.append(Move(numbers[row], run, value, far))
    return found


def _may_be(values: Floats, least: float) -> NDArray[np.bool_]:
    """Tell which runs may be so far: by the standard deviation of the others, which is the least that their spread is taken for."""
    n = values.shape[1]
    ordered = np.sort(values, axis=1)
    level = (ordered[:, (n - 1) // 2, None] + ordered[:, n // 2, None]) / 2
    counts = np.abs(values - level) >= RULES.minimum_effect * np.abs(level)
    positive = ordered[:, :1] > 0.0
    of = np.log(values, where=positive, out=values.copy())
    ends = np.log(ordered, where=positive, out=ordered)
    odd = n % 2
    low, high = ends[:, (n - 1) // 2 - odd, None], ends[:, n // 2 + odd, None]  # the median of the others is between
    apart = np.maximum(np.abs(of - low), np.abs(of - high))
    off = of - of.mean(axis=1, keepdims=True)
    squares = (off**2).sum(axis=1, keepdims=True) - n / (n - 1) * off**2
    spread = DEVIATION_SHARE * np.sqrt(np.maximum(squares, 0.0) / (n - 2))
    return np.asarray(counts & (apart >= least * spread * (1.0 - 1e-9)))
