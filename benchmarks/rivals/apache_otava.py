# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["apache-otava==0.8.0", "numpy==2.2.0"]
# ///
"""Apache Otava: E-divisive in windows of 50, then a t-test at p < .001 (Fleming et al. 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otava.analysis import compute_change_points

from benchmarks.rivals.exchange import serve

if TYPE_CHECKING:
    import numpy as np


def change_points(values: np.ndarray[Any, Any], min_magnitude: float = 0.0) -> list[int]:
    """Return the index of the first point of each new level, for changes of at least `min_magnitude`."""
    found, _ = compute_change_points(values.tolist(), min_magnitude=min_magnitude)
    return [change.index for change in found]


if __name__ == "__main__":
    serve(change_points)
