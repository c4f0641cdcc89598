from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import lance
import numpy as np
import pyarrow as pa
import pytest

from bench_db.store import roaring

if TYPE_CHECKING:
    from pathlib import Path

_ROWS = 200_000


def written_by_lance(directory: Path, where: str) -> tuple[bytes, list[int]]:
    """Return the bitmap of the rows that a filter deletes, and their numbers."""
    dataset = lance.write_dataset(pa.table({"row": pa.array(range(_ROWS), pa.int64())}), str(directory))
    dataset.delete(where)
    [file] = directory.glob("_deletions/*.bin")
    kept = set(lance.dataset(str(directory)).to_table()["row"].to_pylist())
    return file.read_bytes(), [row for row in range(_ROWS) if row not in kept]


class TestNumbers:
    """The numbers of each bitmap of Lance are read; damage is an error, unless it is another bitmap of as many numbers."""

    @pytest.mark.parametrize("where", ["row % 2 = 0", "row % 30 = 0", "row < 190000", "row % 70000 < 5000"])
    def test_of_lance(self, tmp_path: Path, where: str) -> None:
        content, rows = written_by_lance(tmp_path / "t.lance", where)
        assert roaring.numbers(content).tolist() == rows

    @pytest.mark.parametrize("containers", [1, 2, 4, 9])
    def test_runs(self, containers: int) -> None:
        """Written out by hand, because Lance writes none: a container lists 3 to 5 and 9, and each other one 7 alone."""
        runs = np.array([2, 3, 2, 9, 0], "<u2").tobytes()
        header = [pair for at in range(containers) for pair in (at, 3 if at == 0 else 0)]
        parts = [
            np.array([12347 | (containers - 1) << 16], "<u4"),
            np.packbits([at == 0 for at in range(containers)], bitorder="little"),
            np.array(header, "<u2"),
            np.zeros(containers if containers >= 4 else 0, "<u4"),
        ]
        content = b"".join(part.tobytes() for part in parts) + runs + np.full(containers - 1, 7, "<u2").tobytes()
        assert roaring.numbers(content).tolist() == [3, 4, 5, 9, *((at << 16) + 7 for at in range(1, containers))]

    def test_empty(self) -> None:
        assert roaring.numbers(np.array([12346, 0], "<u4").tobytes()).tolist() == []

    def test_each_cut(self, tmp_path: Path) -> None:
        content, _ = written_by_lance(tmp_path / "t.lance", "row % 30 = 0")
        for size in [*range(60), len(content) // 2, len(content) - 1]:
            with pytest.raises(EOFError, match=f"it ends after {size} bytes"):
                roaring.numbers(content[:size])

    def test_other_bytes_behind_it(self, tmp_path: Path) -> None:
        content, _ = written_by_lance(tmp_path / "t.lance", "row % 30 = 0")
        with pytest.raises(ValueError, match="other bytes follow"):
            roaring.numbers(content + b"\0")

    def test_seeded_flips(self, tmp_path: Path) -> None:
        content, rows = written_by_lance(tmp_path / "t.lance", "row % 2 = 0")
        random, found = Random(5), 0
        for _ in range(300):
            flipped = bytearray(content)
            bit = random.randrange(8 * len(content))
            flipped[bit // 8] ^= 1 << bit % 8
            try:
                found += len(roaring.numbers(bytes(flipped))) != len(rows)
            except (ValueError, EOFError):
                found += 1
        assert found >= 295
