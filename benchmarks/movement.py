"""Effect of the correction for common movement: on noise, on series that do not move, and on a real step of the suite."""

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
STILL = 10  # the first series do not depend on the runner, such as bytes: a twentieth of the noise, no movement
MOVEMENT = 0.05  # standard deviation of the movement of a run, log scale
STEP = 0.15


def suite(kinds: Kinds, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return log values of a suite, one row per series: noise alone, and noise with a movement of all but the first series."""
    own = np.array([kinds[s % len(kinds)](RUNS, rng) for s in range(SERIES)])
    own[:STILL] *= 0.05
    moving = own.copy()
    moving[STILL:] += rng.normal(0, MOVEMENT, RUNS)
    return own, moving


def spread(y: Array) -> Array:
    """Return the robust standard deviation of differences of neighbours, per series."""
    middle: Array = np.median(np.abs(np.diff(y, axis=1)), axis=1)
    return 1.4826 * middle / math.sqrt(2)


def layout(y: Array) -> tuple[Array, Array, Array]:
    """Return concatenated values, offsets and runs: the input of a scan."""
    return np.exp(y).ravel(), np.arange(0, y.size + 1, y.shape[1]), np.tile(np.arange(y.shape[1]), len(y))


def remaining(y: Array) -> Array:
    """Return log values without the common movement."""
    values, offsets, runs = layout(y)
    out = np.empty_like(values)
    without_common(values, offsets, runs, *np.zeros((2, y.shape[1]), np.int64), np.ones(len(y)), out)
    return np.log(out).reshape(y.shape)


def scanned(y: Array) -> Scan:
    """Scan a suite."""
    return scan(*layout(y))


def figures(seed: int, kinds: Kinds, *, count: int = 20) -> dict[str, float]:
    """Return noise relative to each series alone, findings in quiet suites, and results for steps of 30-75 % of a suite."""
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
