# /// script
# requires-python = ">=3.11"
# dependencies = ["asv==0.6.6", "numpy==2.4.6"]
# ///
"""Step detection of asv: a Potts model of least absolute deviations with an automatic penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asv.step_detect import detect_steps

from benchmarks.rivals.exchange import serve

if TYPE_CHECKING:
    import numpy as np


def change_points(values: np.ndarray[Any, Any]) -> list[int]:
    """Return the index of the first point of each level except the first."""
    return [left for left, *_ in detect_steps(values.tolist())[1:]]


if __name__ == "__main__":
    serve(change_points)
