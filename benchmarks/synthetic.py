"""Synthetic histories with known changes, with the kinds of noise of CI machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = np.ndarray[Any, Any]
Generator = np.random.Generator
SCALE = 0.02


def independent(n: int, rng: Generator) -> Array:
    """Return noise that is normal on the log scale."""
    return rng.normal(0, SCALE, n)


def heavy_tail(n: int, rng: Generator) -> Array:
    """Return noise of Student's t with 2.5 degrees of freedom."""
    return 0.6 * SCALE * rng.standard_t(2.5, n)


def outlier(n: int, rng: Generator) -> Array:
    """Return noise in which one run in 25 is slower by a Pareto-distributed amount."""
    slow = rng.random(n) < 0.04
    late = 3 * SCALE * (1 + rng.pareto(1.5, n))
    return np.minimum(rng.normal(0, 0.7 * SCALE, n) + np.where(slow, late, 0), 1.5)


def bimodal(n: int, rng: Generator) -> Array:
    """Return noise of two modes, drawn independently for each run."""
    return rng.normal(0, 0.5 * SCALE, n) + 3 * SCALE * (rng.random(n) < 0.3)


def sticky(n: int, rng: Generator) -> Array:
    """Return noise of two machine types; a run has the type of the previous run with probability 0.6, else a random type."""
    fresh, drawn = rng.random(n) >= 0.6, rng.random(n) < 0.35
    last_fresh = np.maximum.accumulate(np.where(fresh, np.arange(n), 0))
    return rng.normal(0, 0.5 * SCALE, n) + 2.5 * SCALE * drawn[last_fresh]


def autocorrelated(n: int, rng: Generator) -> Array:
    """Return autoregressive noise of order one with coefficient 0.6."""
    out = rng.normal(0, SCALE, n)
    for i in range(1, n):
        out[i] = 0.6 * out[i - 1] + 0.8 * out[i]
    return out


def drift(n: int, rng: Generator) -> Array:
    """Return noise with a random walk and a slow wave."""
    wave = np.sin(2 * np.pi * np.arange(n) / rng.integers(80, 300) + rng.uniform(0, 6))
    return rng.normal(0, 0.8 * SCALE, n) + np.cumsum(rng.normal(0, 0.06 * SCALE, n)) + 0.8 * SCALE * wave


NOISE: dict[str, Callable[[int, Generator], Array]] = {
    f.__name__: f for f in (independent, heavy_tail, outlier, bimodal, sticky, autocorrelated, drift)
}
INDEPENDENT = ("independent", "heavy_tail", "outlier", "bimodal")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A history with its planted changes: `step` is their relative size, 0 for none."""

    kind: str
    step: float
    changes: tuple[int, ...]
    values: Array


def history(kind: str, n: int, step: float, changes: Sequence[int], rng: Generator) -> History:
    """Return noise of one kind with steps up or down (by the same ratio) at `changes`, in an arbitrary unit."""
    level = np.zeros(n)
    for at in changes:
        level[at:] += rng.choice([-1, 1]) * np.log1p(step)
    values = 10 ** rng.uniform(-3, 6) * np.exp(level + NOISE[kind](n, rng))
    return History(kind=kind, step=step, changes=tuple(int(at) for at in changes), values=values)


def places(n: int, rng: Generator) -> list[int]:
    """Draw one to three positions, at least 20 apart and 15 from the ends."""
    while True:
        at = np.sort(rng.integers(15, n - 15, rng.integers(1, 4)))
        if len(at) == 1 or np.diff(at).min() >= 20:
            return [int(i) for i in at]
