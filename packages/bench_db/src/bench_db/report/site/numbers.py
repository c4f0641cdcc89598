"""Columns of numbers as short text: little-endian bytes in base64, which a browser turns into a typed array at once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import polars as pl

# the 64 levels of a sparkline and, after them, the sign of a gap
LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_GAP = "."
_LETTERS = np.frombuffer((LEVELS + _GAP).encode(), "S1")
_SPARKLINE = 32
_SAMPLES = 48
_STEPS = 255


def floats(column: pl.Series) -> str:
    """Encode a column of floats as float32 (seven digits are more than is shown), NaN for null and what it cannot hold."""
    return packed(_single(column.to_numpy()))


def _single(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) <= np.finfo("f4").max, values, np.nan).astype("<f4")


def packed(array: np.ndarray) -> str:
    """Encode the bytes of an array in base64."""
    return b64encode(array.tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    """Return the float32 numbers that `floats` has encoded."""
    return np.frombuffer(b64decode(text), "<f4")


def sparkline(medians: np.ndarray) -> str:
    """Encode up to 32 evenly chosen points, each as one of 64 levels between the lowest and the highest of them."""
    chosen = medians[evenly(len(medians), _SPARKLINE)] / 2  # the range of halves is a float64
    is_known = np.isfinite(chosen)
    if not is_known.any():
        return _GAP * len(chosen)
    known = chosen[is_known]
    low, span = known.min(), known.max() - known.min()
    heights = np.full(len(chosen), 31.0) if not span else (chosen - low) / span * (len(LEVELS) - 1)
    places = np.where(is_known, heights, len(LEVELS)).round().astype(np.intp)
    return _LETTERS[places].tobytes().decode()


@lru_cache(maxsize=10_000)
def evenly(count: int, most: int) -> np.ndarray:
    """Return the places of `most` evenly chosen ones of `count`, the first and the last among them; all places of fewer."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)


def runs(positions: np.ndarray) -> list[int]:
    """Encode ascending positions as first, length, first, length, ... of their unbroken runs."""
    if not len(positions):
        return []
    starts = np.flatnonzero(np.diff(positions, prepend=positions[0] - 2) != 1)
    lengths = np.diff(starts, append=len(positions))
    found: list[int] = np.stack([positions[starts], lengths], axis=1).ravel().tolist()
    return found


class Strips:
    """The raw samples of points, for drawing only.

    At most 48 of each point, evenly chosen and in the order of measuring, as 255 steps between its lowest and its highest.
    """

    def __init__(self, samples: pl.Series) -> None:
        rows = samples.to_arrow()
        lengths = pc.fill_null(pc.list_value_length(rows), 0).to_numpy(zero_copy_only=False)
        flat = pc.list_flatten(rows).to_numpy(zero_copy_only=False)
        point = np.repeat(np.arange(len(lengths)), lengths)
        finite = np.isfinite(flat)
        flat, point = flat[finite], point[finite]
        self._counts = lengths
        found = np.bincount(point, minlength=len(lengths))
        starts = np.concatenate([[0], np.cumsum(found)])
        has = np.flatnonzero(found)
        self._low, self._high = np.zeros(len(lengths)), np.zeros(len(lengths))
        if has.size:
            self._low[has] = np.minimum.reduceat(flat, starts[has])
            self._high[has] = np.maximum.reduceat(flat, starts[has])
        places = [starts[at] + evenly(int(found[at]), _SAMPLES) for at in has.tolist()]
        kept = np.concatenate(places) if places else np.empty(0, np.intp)
        self._kept = np.minimum(found, _SAMPLES)
        self._starts = np.concatenate([[0], np.cumsum(self._kept)])
        of = point[kept]
        low, span = self._low / 2, self._high / 2 - self._low / 2  # halves: the span of two floats may be none
        self._steps = ((flat[kept] / 2 - low[of]) / np.where(span == 0, 1.0, span)[of] * _STEPS).round().astype("u1")

    def of(self, first: int, end: int) -> dict[str, int | list[int] | str] | None:
        """Return the samples of the points of a series, which are those from `first` to `end`; None when there are none.

        `from` is the first point with samples, and of it and the later ones are: `n` how many there were, `c` how many are kept, `lo`
        and `hi` the ends, `v` the steps of all points one after another. `n` and `c` are one number when all are the same.
        """
        sampled = np.flatnonzero(self._counts[first:end])
        if not sampled.size:
            return None
        start = first + int(sampled[0])
        return {
            "from": start - first,
            "n": _each(self._counts[start:end]),
            "c": _each(self._kept[start:end]),
            "lo": packed(_single(self._low[start:end])),
            "hi": packed(_single(self._high[start:end])),
            "v": packed(self._steps[self._starts[start] : self._starts[end]]),
        }


def _each(counts: np.ndarray) -> int | list[int]:
    found: list[int] = counts.tolist()
    return found[0] if len(set(found)) == 1 else found
