from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


RUN_TIMES = "Template(RunTime): 12.5 us.\n"


class TestReading:
    """Each line is the mean time of a run in microseconds."""

    def test_a_time(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", RUN_TIMES)
        assert (result.benchmark_name, result.metric, result.units, list(result.values)) == (
            "Template", "time", "nanoseconds", [12500.0],
        )  # fmt: skip

    def test_a_benchmark_that_runs_again_has_more_samples(self, tmp_path: Path) -> None:
        _, [first, other] = read(tmp_path / "f", f"{RUN_TIMES}For Loop(RunTime): 1e-3 us.\r\n{RUN_TIMES}")
        assert (first.n, list(first.values)) == (2, [12500.0, 12500.0])
        assert (other.benchmark_name, list(other.values)) == ("For Loop", [1.0])

    def test_the_raw_time_is_a_metric_of_its_own(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", f"{RUN_TIMES}Template(RunTimeRaw): 125.0 us.\n")
        assert [(r.metric, list(r.values)) for r in results] == [("time", [12500.0]), ("time-raw", [125000.0])]


class TestNothingLost:
    """A benchmark without a number is a skip."""

    @pytest.mark.parametrize("figure", ["Infinity us.", "NaN us.", "", "12.5 m"])
    def test_no_time(self, tmp_path: Path, figure: str) -> None:
        run, [_] = read(tmp_path / "f", f"{RUN_TIMES}Other(RunTime): {figure}\n")
        assert run.skipped == {"not-a-number": 1}
        assert any(note.startswith("Other: skipped") for note in run.notes)

    def test_no_benchmark(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="no format"):
            read(tmp_path / "f", "RunTime: none\n")
