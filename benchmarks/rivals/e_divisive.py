# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["signal-processing-algorithms==2.1.6", "numpy==1.26.4"]
# ///
"""MongoDB's E-divisive: splits of most energy distance, each tested by 100 permutations at p < .05 (Daly et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from signal_processing_algorithms.energy_statistics.energy_statistics import e_divisive

from benchmarks.rivals.exchange import serve

if TYPE_CHECKING:
    from collections.abc import Iterable

SEED = 1


def change_points(values: np.ndarray[Any, Any]) -> Iterable[int]:
    """Return the index of the first point of each new level. The permutations of each series are drawn from the same seed."""
    np.random.seed(SEED)  # noqa: NPY002 what the package draws from
    return sorted(e_divisive(values, pvalue=0.05, permutations=100))


if __name__ == "__main__":
    serve(change_points)
