from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.units import Direction
from tests.ingest.support import DATA, read

if TYPE_CHECKING:
    from pathlib import Path


class TestReading:
    """k is part of the identity of a series, so recall at 10 and at 100 differ; higher is better."""

    def test_golden(self) -> None:
        golden = json.loads((DATA / "dbpedia" / "golden.json").read_text())
        run, results = read(DATA / "dbpedia" / golden["file"])
        assert (run.format, run.skipped) == ("dbpedia", {})
        for result, expected in zip(results, golden["benchmarks"], strict=True):
            assert (result.benchmark_name, dict(result.tags)) == (expected["name"], {"k": expected["k"]})
            assert list(result.values) == [expected["recall"]]
            assert (result.metric, result.units, result.direction) == ("recall", "recall", Direction.HIGHER)
        assert len({r.series_key for r in results}) == len(results)

    def test_metadata(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", "IVF8,PQ4: refine=all, recall@5=1\r\n")
        assert json.loads(result.metadata) == {"ivf": 8, "pq": 4, "refine": "all", "k": 5, "metric": "cosine"}

    @pytest.mark.parametrize(
        ("recall", "reason"),
        [("nan", "not-a-number"), ("", "not-a-number"), ("1_0", "not-a-number"), ("0.9.1", "not-a-number"),
         ("1.01", "out-of-range"), ("-0.5", "out-of-range"), ("1e999", "out-of-range")],
    )  # fmt: skip
    def test_what_is_no_recall_is_skipped(self, tmp_path: Path, recall: str, reason: str) -> None:
        run, results = read(
            tmp_path / "f", f"IVF1,PQ2: refine=3, recall@4={recall}\nIVF1,PQ2: refine=3, recall@5=0.5\n"
        )
        assert [r.tags for r in results] == [{"k": "5"}]
        assert run.skipped == {reason: 1}
        assert "line 1" in run.notes[0]

    def test_a_count_too_long_for_a_number_is_no_recall_line(self, tmp_path: Path) -> None:
        run, results = read(
            tmp_path / "f", f"IVF1,PQ2: refine=3, recall@{'9' * 5000}=1\nIVF1,PQ2: refine=3, recall@5=0.5\n"
        )
        assert ([r.tags for r in results], run.skipped) == ([{"k": "5"}], {"no-statistics": 1})
