from pathlib import Path

import pytest

from tests.cli.conftest import bench_db
from tests.cli.demo_names import QUERY


class TestQuery:
    """SQL over results and runs, with no access to other data of the machine."""

    def test_group_by(self, demo_store: Path) -> None:
        sql = "SELECT dut_name, COUNT(*) AS n FROM results GROUP BY dut_name ORDER BY dut_name"
        assert bench_db("query", sql, "--store", demo_store, "--output", "json").document == [
            {"dut_name": "bytescan", "n": 60},
            {"dut_name": "wordindex", "n": 190},
        ]

    def test_filter(self, demo_store: Path) -> None:
        rows = bench_db(
            "query",
            "--filter",
            f"benchmark_name = '{QUERY}' AND median > 3e6",
            "--store",
            demo_store,
            "--output",
            "json",
        ).document
        assert len(rows) == 14
        assert len(rows[0]["values"]) == 15

    @pytest.mark.parametrize(
        "sql",
        ["SELECT nothing FROM results", "SELEC 1", "SELECT * FROM read_csv('/etc/passwd')", "DROP TABLE results", ""],
    )
    def test_what_cannot_be_run(self, demo_store: Path, sql: str) -> None:
        answer = bench_db("query", sql, "--store", demo_store)
        assert answer.code == 2
        assert "root:" not in answer.out + answer.err
        assert "Traceback" not in answer.err
        assert "Resolved plan" not in answer.err
