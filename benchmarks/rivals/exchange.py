"""How a rival in an environment of its own is asked: series in by one file, change points out by another; numpy is all it takes."""

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
    """Rows of unequal length, end to end, with where each starts and whatever else is to be said."""
    offsets = np.cumsum([0, *map(len, rows)])
    values = np.concatenate([np.asarray(row, dtype) for row in rows]) if rows else np.empty(0, dtype)
    held: dict[str, Any] = {"values": values, "offsets": offsets, **more}
    with path.open("wb") as file:
        np.savez(file, **held)


def read(path: Path) -> tuple[list[Array], dict[str, float]]:
    """The rows, and what else was said."""
    with np.load(path, allow_pickle=False) as file:
        held = dict(file)
    values, offsets = held.pop("values"), held.pop("offsets")
    return np.split(values, offsets[1:-1]) if len(offsets) > 1 else [], {k: float(v) for k, v in held.items()}


def serve(change_points: Callable[..., Iterable[int]]) -> None:
    """The `main` of a rival: answers the request, and says what CPU time the answers took. Arguments: request, answer, settings."""
    request, answer, settings = sys.argv[1:4]
    detect = partial(change_points, **json.loads(settings))
    series, _ = read(Path(request))
    for first in series[:1]:
        detect(first)  # what only the first call costs is not the method's
    started = time.process_time()
    found = [[int(index) for index in detect(values)] for values in series]
    write(Path(answer), found, np.int64, cpu_seconds=time.process_time() - started)
