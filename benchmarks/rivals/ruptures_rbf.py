# /// script
# requires-python = ">=3.11"
# dependencies = ["ruptures==1.1.10", "numpy==2.4.6"]
# ///
"""ruptures: Gaussian kernel, optimal partitioning with pruning, penalty ln n per change, on logs scaled by their noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import ruptures

from benchmarks.rivals.exchange import serve

Array = np.ndarray[Any, Any]
SHORTEST = 4  # two levels of two points, the minimum of ruptures


def change_points(values: Array, penalty: float = 1.0, gamma: float | None = None) -> list[int]:
    """Return the index of the first point of each new level; without `gamma` the kernel width is the median distance."""
    if len(values) < SHORTEST:
        return []
    signal = _in_units_of_noise(np.log(values) if values.min() > 0 else values)
    search = ruptures.KernelCPD("rbf", params=None if gamma is None else {"gamma": gamma}).fit(signal[:, np.newaxis])
    found: list[int] = search.predict(pen=penalty * math.log(len(signal)))[:-1]  # the last is the end of the series
    return found


def _in_units_of_noise(y: Array) -> Array:
    """Divide by the noise, from the 75 % quantile of differences of neighbours, which ignores steps."""
    noise = np.quantile(np.abs(np.diff(y)), 0.75) / (1.1503 * math.sqrt(2))
    return y / (noise or 1.0)


if __name__ == "__main__":
    serve(change_points)
