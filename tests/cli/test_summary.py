from pathlib import Path

from tests.cli.conftest import bench_db


class TestSummary:
    """Each run counts once, by its median."""

    def test_counts_runs(self, demo_store: Path) -> None:
        rows = bench_db("summary", "--store", demo_store, "--output", "json").document
        assert {row["dut_name"]: row["n"] for row in rows} == {"wordindex": 38, "bytescan": 10}
        assert all(row["min"] <= row["q1"] <= row["median"] <= row["q3"] <= row["max"] for row in rows)

    def test_since_counts_fewer(self, demo_store: Path) -> None:
        rows = bench_db(
            "summary", "--store", demo_store, "--dut-name", "wordindex", "--since", "2026-02-01", "--output", "json"
        ).document
        assert {row["n"] for row in rows} == {11}
