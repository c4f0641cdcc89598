from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


IPS = "Calculating -------------------------------------\n            addition      9.865M (±98.9%) i/s -      3.930M in   1.016934s\n"
LONG = "Calculating -----\na label too long for its column\n                          1.230k (± 2.1%) i/s -    650.474k in   1.008597s\n"


def entry(**fields: object) -> dict[str, object]:
    usual = {"name": "a", "central_tendency": 10.5, "ips": 10.5, "error": 1, "stddev": 1, "microseconds": 1e6}
    return {**usual, "iterations": 40, "cycles": 4, **fields}


class TestText:
    """Each line of the calculation is a rate; the warm-up is left out."""

    def test_a_rate(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", IPS)
        assert (result.benchmark_name, result.metric, result.units, result.direction, result.n) == (
            "addition", "throughput", "per_second", "higher", 1,
        )  # fmt: skip
        assert result.summary is not None
        assert (result.summary.mean, result.summary.standard_deviation) == (9865000.0, None)

    def test_a_long_label_has_a_line_of_its_own(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", LONG)
        assert result.benchmark_name == "a label too long for its column"
        assert result.summary is not None
        assert result.summary.mean == 1230.0

    def test_the_time_of_an_iteration_since_2_13(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", IPS.replace(" i/s -", " i/s  (101.37 ns/i) -"))
        assert result.benchmark_name == "addition"

    def test_warm_up_and_comparison_are_no_results(self, tmp_path: Path) -> None:
        text = f"Warming up ----\n    addition    61.410k i/100ms\n{IPS}\nComparison:\n    addition:  9864687.1 i/s\n"
        run, results = read(tmp_path / "f", text)
        assert (len(results), run.skipped) == (1, {})

    def test_a_torn_line_is_a_skip(self, tmp_path: Path) -> None:
        run, [_] = read(tmp_path / "f", f"{IPS}    other    1.5M (±\n")
        assert run.skipped == {"no-statistics": 1}


class TestJson:
    """Each record is a rate with its deviation; the count of samples is that of its cycles."""

    def test_a_record(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", json.dumps([entry()]))
        assert result.summary is not None
        assert (result.n, result.summary.mean, result.summary.standard_deviation) == (10, 10.5, 1.0)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [({"central_tendency": "x"}, "not-a-number"), ({"cycles": 0}, "out-of-range"), ({"name": ""}, "no-name")],
    )
    def test_a_bad_record_is_a_skip(self, tmp_path: Path, fields: dict[str, object], reason: str) -> None:
        run, [_] = read(tmp_path / "f", json.dumps([entry(), entry(**{"name": "b", **fields})]))
        assert run.skipped == {reason: 1}

    def test_a_cut_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="ends too early"):
            read(tmp_path / "f", json.dumps([entry()])[:-5])
