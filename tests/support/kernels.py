"""Compile the kernels of the analysis into the cache that all processes of the suite read; run as a script."""

from __future__ import annotations

import numpy as np

from bench_db.analysis.common_kernel import (
    correcting,
    departing,
    following,
    moving,
    without_common,
)
from bench_db.analysis.constants import SHAPE, Constants
from bench_db.analysis.detect_kernel import all_changes
from bench_db.analysis.shape_kernel import all_shapes
from bench_db.analysis.steps_kernel import steps_at


def main() -> None:
    """Call the machine code of each entry point once."""
    values, offsets, runs = np.tile(np.arange(60) % 7.0 + 100, 2), np.array([0, 60, 120]), np.tile(np.arange(60), 2)
    all_changes.machine(values, offsets, Constants())
    all_shapes.machine(values, offsets, np.zeros(2, np.int64), np.empty(0, np.int64), SHAPE)
    without_common.machine(values, offsets, runs, *np.zeros((2, 60), np.int64), np.ones(2), np.empty_like(values))
    moved, levels, ones = np.zeros(60), np.zeros(60, np.int64), np.ones(2)
    departed = departing.machine(values, offsets, runs, moved, levels, ones, ones)
    following.machine(departed, offsets, runs, moved)
    moving.machine(departed, offsets, np.full(2, 60))
    correcting.machine(values, offsets, runs, moved, ones, ones, departed)
    steps_at.machine(values, offsets, runs, np.arange(2), 30, False, 10)  # noqa: FBT003 machine code takes positions


if __name__ == "__main__":
    main()
