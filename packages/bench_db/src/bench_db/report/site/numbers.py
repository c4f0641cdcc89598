"""Columns of numbers as short text: little-endian bytes in base64, which a browser turns into a typed array at once."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

# the 64 levels of a sparkline and, after them, the sign of a gap
LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_GAP = "."
_SPARKLINE = 32
_SAMPLES = 48
_STEPS = 65_535


def floats(column: pl.Series) -> str:
    """Encode a column of floats as float32 (seven digits are more than is shown), NaN for null and what it cannot hold."""
    values = column.to_numpy()
    return packed(np.where(np.abs(values) <= np.finfo("f4").max, values, np.nan).astype("<f4"))


def packed(array: np.ndarray) -> str:
    """Encode the bytes of an array in base64."""
    return b64encode(array.tobytes()).decode()


def sparkline(medians: np.ndarray) -> str:
    """Encode up to 32 evenly chosen points, each as one of 64 levels between the lowest and the highest of them."""
    chosen = medians[np.linspace(0, len(medians) - 1, min(len(medians), _SPARKLINE)).round().astype(int)]
    known = chosen[np.isfinite(chosen)]
    if not known.size:
        return _GAP * len(chosen)
    low, span = known.min(), known.max() - known.min()
    heights = np.full(len(chosen), 31.0) if not span else (chosen - low) / span * (len(LEVELS) - 1)
    return "".join(LEVELS[round(float(height))] if np.isfinite(height) else _GAP for height in heights)


def runs(positions: Sequence[int]) -> list[int]:
    """Encode ascending positions as first, length, first, length, ... of their unbroken runs."""
    found: list[int] = []
    for position in positions:
        if found and position == found[-2] + found[-1]:
            found[-1] += 1
        else:
            found += [position, 1]
    return found


def strips(samples: Iterable[Sequence[float] | None]) -> dict[str, list[int] | list[float] | str]:
    """Encode the raw samples of each point, for drawing only.

    At most 48 of each, evenly chosen and in the order of measuring, as 16-bit steps between the point's lowest and highest:
    `n` how many there were, `c` how many are kept, `lo` and `hi` the ends, `v` the steps of all points one after another.
    """
    arrays = [np.asarray(() if point is None else point, dtype=float) for point in samples]
    finite = [array[np.isfinite(array)] for array in arrays]
    kept = [a[np.linspace(0, len(a) - 1, min(len(a), _SAMPLES)).round().astype(int)] if len(a) else a for a in finite]
    low = [float(array.min()) if len(array) else 0.0 for array in finite]
    high = [float(array.max()) if len(array) else 0.0 for array in finite]
    steps = [(a - lo) / ((hi - lo) or 1.0) * _STEPS for a, lo, hi in zip(kept, low, high, strict=True)]
    joined = np.concatenate([*steps, ()]).round().astype("<u2")
    return {"n": [len(a) for a in arrays], "c": [len(a) for a in kept], "lo": low, "hi": high, "v": packed(joined)}
