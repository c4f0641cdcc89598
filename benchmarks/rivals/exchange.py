"""File exchange with a rival in its own environment: series in one file, change points in another. It needs only numpy."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Array = np.ndarray[Any, Any]


def write(path: Path, rows: Sequence[Any], dtype: type, **more: float) -> None:
    """Write rows of unequal length as one array with offsets, and further numbers."""
    offsets = np.cumsum([0, *map(len, rows)])
    values = np.concatenate([np.asarray(row, dtype) for row in rows]) if rows else np.empty(0, dtype)
    arrays: dict[str, Any] = {"values": values, "offsets": offsets, **more}
    with path.open("wb") as file:
        np.savez(file, **arrays)


def read(path: Path) -> tuple[list[Array], dict[str, float]]:
    """Read the rows and the further numbers."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    values, offsets = arrays.pop("values"), arrays.pop("offsets")
    return np.split(values, offsets[1:-1]) if len(offsets) > 1 else [], {k: float(v) for k, v in arrays.items()}


def serve(change_points: Callable[..., Iterable[int]]) -> None:
    """Run as the `main` of a rival: answer the request and report the CPU time. Arguments: request, answer, settings."""
    request, answer, settings = sys.argv[1:4]
    detect = partial(change_points, **json.loads(settings))
    series, _ = read(Path(request))
    for first in series[:1]:
        detect(first)  # exclude the cost of the first call from the measurement
    started = time.process_time()
    found = [[int(index) for index in detect(values)] for values in series]
    write(Path(answer), found, np.int64, cpu_seconds=time.process_time() - started)
