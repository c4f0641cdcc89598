from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


CAPTION = "             user     system      total        real\n"
TABLE = CAPTION + "sort!    1.490000   0.010000   1.500000 (  1.490520)\n"


class TestReading:
    """Each row is a wall time, a user time and a system time."""

    def test_metrics(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", TABLE)
        assert [(r.benchmark_name, r.metric, list(r.values)) for r in results] == [
            ("sort!", "time", [pytest.approx(1490520000.0)]),
            ("sort!", "user-time", [1.49e9]),
            ("sort!", "system-time", [1e7]),
        ]

    def test_a_rehearsal_is_no_measurement(self, tmp_path: Path) -> None:
        rehearsal = "Rehearsal -----------\nsort!   9.0   9.0   9.0 (  9.0)\n-------- total: 9.000000sec\n\n"
        _, results = read(tmp_path / "f", rehearsal + TABLE)
        assert [r.values[0] for r in results if r.metric == "time"] == [pytest.approx(1490520000.0)]

    def test_labels_with_spaces_and_other_lines(self, tmp_path: Path) -> None:
        text = f"a log line\n{TABLE}two words  0.1  0.2  0.3 (  0.4)\ndone in 3.5 s\n"
        run, results = read(tmp_path / "f", text)
        assert (list(dict.fromkeys(r.benchmark_name for r in results)), run.skipped) == (["sort!", "two words"], {})


class TestNothingLost:
    """A row without a label is a skip, and a table without rows is refused."""

    def test_no_label(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", f"{TABLE}         0.1  0.2  0.3 (  0.4)\n")
        assert (len(results), run.skipped) == (3, {"no-name": 1})

    def test_a_negative_time(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", f"{TABLE}back  0.1  0.2  0.3 ( -0.4)\n")
        assert run.skipped == {"negative-time": 1}

    def test_no_row(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="no benchmark"):
            read(tmp_path / "f", CAPTION)
