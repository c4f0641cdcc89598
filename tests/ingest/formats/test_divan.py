from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


TREE = """Timer precision: 20 ns
example       fastest  │ slowest  │ median   │ mean     │ samples │ iters
├─ add        0.626 ns │ 1.735 ns │ 0.657 ns │ 0.672 ns │ 100     │ 819200
├─ sort                │          │          │          │         │
│  ├─ of u8            │          │          │          │         │
│  │  ╰─ 16   2.874 µs │ 3.812 µs │ 2.916 µs │ 3.006 µs │ 100     │ 200
│  │          5.5 GB/s │ 4.1 GB/s │ 5.4 GB/s │ 5.3 GB/s │         │
│  ╰─ slow    (ignored)│          │          │          │         │
╰─ last       6.267 ms │ 1.2 s    │ 6.283 ms │ 6.344 ms │ 7       │ 7

"""
LEAF = "".join(TREE.splitlines(keepends=True)[:3])


class TestReading:
    """Each leaf is a benchmark; its name is the path in the tree, its suite the program."""

    def test_leaves(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", TREE)
        assert [(r.suite, r.benchmark_name, r.n) for r in results] == [
            ("example", "add", 100), ("example", "sort::of u8::16", 100), ("example", "last", 7),
        ]  # fmt: skip
        assert run.skipped == {}
        figures = [(s.min, s.max, s.median, s.mean) for r in results if (s := r.summary)]
        assert figures == [
            (0.626, 1.735, 0.657, 0.672), (2874.0, 3812.0, 2916.0, 3006.0), (6267000.0, 1.2e9, 6283000.0, 6344000.0),
        ]  # fmt: skip

    def test_allocations_below_a_leaf_are_no_benchmarks(self, tmp_path: Path) -> None:
        more = "│             max alloc:│          │          │          │         │\n│               1      │ 1        │ 1        │ 1        │         │\n"
        _, results = read(tmp_path / "f", TREE.replace("├─ sort ", more + "├─ sort "))
        assert len(results) == 3

    def test_two_programs(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", TREE + TREE.replace("example ", "another "))
        assert [r.suite for r in results] == ["example"] * 3 + ["another"] * 3


class TestNothingLost:
    """A leaf that ends too early is a skip."""

    def test_a_torn_line(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", TREE.replace(" │ 6.283 ms │ 6.344 ms │ 7       │ 7", " │ 6.2"))
        assert (len(results), run.skipped) == (2, {"no-statistics": 1})
        assert any(note.startswith("last: skipped") for note in run.notes)

    def test_no_leaf(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="no benchmark"):
            read(tmp_path / "f", TREE.splitlines()[1] + "\n")
