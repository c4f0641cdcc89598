"""Reading of the portable format of Roaring bitmaps, in which Lance writes a list of deleted rows that is no longer short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_WITH_RUNS = 12347
_WITHOUT_RUNS = 12346
# With fewer containers, and runs among them, no table says where each container begins.
_LEAST_WITH_OFFSETS = 4
# More values of a container are a bit each, of 2^16.
_MOST_LISTED = 4096
_BITMAP_BYTES = 8192


def numbers(content: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the numbers in a bitmap, in their order; raise `ValueError` for content that is none, `EOFError` for one that is cut.

    Source of the format: https://github.com/RoaringBitmap/RoaringFormatSpec
    """
    reader = _Reader(content)
    cookie = reader.take(1, "<u4")[0]
    has_runs = int(cookie) & 0xFFFF == _WITH_RUNS
    if not has_runs and cookie != _WITHOUT_RUNS:
        message = f"it begins with {cookie}, which no bitmap does"
        raise ValueError(message)
    containers = (int(cookie) >> 16) + 1 if has_runs else int(reader.take(1, "<u4")[0])
    flags = np.unpackbits(reader.take((containers + 7) // 8, "u1"), bitorder="little") if has_runs else None
    header = reader.take(2 * containers, "<u2").astype(np.int64).reshape(-1, 2)
    if flags is None or containers >= _LEAST_WITH_OFFSETS:
        reader.take(containers, "<u4")
    found = [np.zeros(0, np.int64)]
    for at, (high, fewer) in enumerate(header):
        low = reader.runs() if flags is not None and flags[at] else reader.values(int(fewer) + 1)
        if len(low) != fewer + 1:
            message = f"it has {len(low)} of {fewer + 1} numbers of container {at}"
            raise ValueError(message)
        found.append((high << 16) + low)
    listed = np.concatenate(found)
    if reader.left or (np.diff(listed) <= 0).any():
        message = "its numbers are out of order, or other bytes follow them"
        raise ValueError(message)
    return listed


class _Reader:
    """What is not read yet of some bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        """The number of bytes that are not read."""
        return len(self._content) - self._at

    def take(self, count: int, kind: DTypeLike) -> np.ndarray[Any, Any]:
        """Return the next numbers of a kind."""
        size = count * np.dtype(kind).itemsize
        if size > self.left:
            message = f"it ends after {len(self._content)} bytes"
            raise EOFError(message)
        self._at += size
        return np.frombuffer(self._content, kind, count, self._at - size)

    def values(self, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the numbers of a container without runs."""
        if count <= _MOST_LISTED:
            return self.take(count, "<u2").astype(np.int64)
        return np.flatnonzero(np.unpackbits(self.take(_BITMAP_BYTES, "u1"), bitorder="little")).astype(np.int64)

    def runs(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the numbers of a container that lists runs of them."""
        [count] = self.take(1, "<u2")
        pairs = self.take(2 * int(count), "<u2").astype(np.int64).reshape(-1, 2)
        return np.concatenate([np.zeros(0, np.int64), *(start + np.arange(more + 1) for start, more in pairs)])
