"""What taking out the common movement of runs does: to the noise, to series that do not move, and to a real step of the suite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bench_db.analysis.common_kernel import without_common
from bench_db.analysis.scan import Scan, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Array = np.ndarray[Any, Any]
    Kinds = Sequence[Callable[[int, np.random.Generator], Array]]

RUNS, SERIES = 150, 40
STILL = 10  # the first series: what no runner slows, such as bytes; a twentieth of the noise and none of the movement
MOVEMENT = 0.05  # standard deviation of a run's movement, log scale
STEP = 0.15


def suite(kinds: Kinds, rng: np.random.Generator) -> tuple[Array, Array]:
    """Log values of a suite, a row a series: its own noise, and the same with each run moving all but the first series."""
    own = np.array([kinds[s % len(kinds)](RUNS, rng) for s in range(SERIES)])
    own[:STILL] *= 0.05
    moving = own.copy()
    moving[STILL:] += rng.normal(0, MOVEMENT, RUNS)
    return own, moving


def spread(y: Array) -> Array:
    """Robust standard deviation of the differences of neighbours, per series."""
    middle: Array = np.median(np.abs(np.diff(y, axis=1)), axis=1)
    return 1.4826 * middle / math.sqrt(2)


def layout(y: Array) -> tuple[Array, Array, Array]:
    """Values end to end, offsets and runs, as a scan reads them."""
    return np.exp(y).ravel(), np.arange(0, y.size + 1, y.shape[1]), np.tile(np.arange(y.shape[1]), len(y))


def remaining(y: Array) -> Array:
    """Log values without the common movement."""
    values, offsets, runs = layout(y)
    out = np.empty_like(values)
    without_common(values, offsets, runs, np.ones(len(y)), y.shape[1], out)
    return np.log(out).reshape(y.shape)


def scanned(y: Array) -> Scan:
    """The scan of a suite."""
    return scan(*layout(y))


def figures(seed: int, kinds: Kinds, *, count: int = 20) -> dict[str, float]:
    """Noise in units of each series' own, findings in quiet suites, and steps of 30-75 % of a suite at one run."""
    rng = np.random.default_rng(seed)
    before, after, still, named, marked = [], [], [], [], []
    alarms = 0
    for _ in range(count):
        own, moving = suite(kinds, rng)
        noise, left = spread(own), spread(remaining(moving))
        before.append(np.median((spread(moving) / noise)[STILL:]))
        after.append(np.median((left / noise)[STILL:]))
        still.append(np.max((left / noise)[:STILL]))
        alarms += len(scanned(moving).findings)
        at, share = int(rng.integers(40, 110)), rng.uniform(0.3, 0.75)
        stepped = STILL + rng.permutation(SERIES - STILL)[: int(share * SERIES)]
        moving[stepped, at:] += np.log1p(STEP)
        found = scanned(moving)
        named.append([abs(m.run - at) <= 2 for m in found.movements if m.lasting] == [True])
        marked.append(len({f.series for f in found.findings if f.suite_wide} & set(stepped.tolist())) / len(stepped))
    return {
        "movement: noise with it": float(np.median(before)),
        "movement: noise left": float(np.median(after)),
        "movement: noise left, still series": float(np.max(still)),
        "movement: findings, quiet suites": alarms / count,
        "movement: suite's step named once": float(np.mean(named)),
        "movement: its series marked": float(np.mean(marked)),
    }
