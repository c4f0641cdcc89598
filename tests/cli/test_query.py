import io
import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import bench_db, bench_db_process
from tests.cli.demo_names import QUERY

pytestmark = pytest.mark.few(1)


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
        [
            "SELECT nothing FROM results",
            "SELEC 1",
            "SELECT * FROM read_csv('/etc/passwd')",
            "WITH x AS (SELECT * FROM read_csv('/etc/passwd', sep = '|')) SELECT * FROM x",
            "SELECT * FROM results, '/etc/passwd'",
            "SELECT 1 UNION ALL SELECT * FROM read_text('/etc/passwd')",
            "DROP TABLE results",
            "SELECT 1; SELECT 2",
            "",
        ],
    )
    def test_what_cannot_be_run(self, demo_store: Path, sql: str) -> None:
        answer = bench_db("query", sql, "--store", demo_store)
        assert answer.code == 2
        assert "root:" not in answer.out + answer.err
        assert "Traceback" not in answer.err
        assert "Resolved plan" not in answer.err

    def test_a_condition_cannot_read_either(self, demo_store: Path) -> None:
        condition = "true UNION ALL SELECT * FROM read_csv('/etc/passwd')"
        answer = bench_db("query", "--filter", condition, "--store", demo_store)
        assert answer.code == 2
        assert "read_csv(...) after FROM is refused" in answer.err

    def test_csv(self, demo_store: Path) -> None:
        sql = "SELECT benchmark_name, commit_time, n, tags, NULL AS nothing FROM results ORDER BY run_time, id LIMIT 3"
        answer = bench_db("query", sql, "--store", demo_store, "--output", "csv")
        assert answer.code == 0
        rows = pl.read_csv(io.StringIO(answer.out))
        assert rows.columns == ["benchmark_name", "commit_time", "n", "tags", "nothing"]
        assert len(rows) == 3
        assert [json.loads(tags) for tags in rows["tags"]] == [{}, {}, {}]
        assert datetime.fromisoformat(rows["commit_time"][0]).tzinfo is not None

    def test_parquet(self, demo_store: Path) -> None:
        sql = "SELECT benchmark_name, commit_time, values FROM results ORDER BY id"
        program = str(Path(sys.executable).with_name("bench-db"))
        command = [program, "query", sql, "--store", str(demo_store), "--output", "parquet"]
        done = subprocess.run(command, capture_output=True, check=True)
        rows = pl.read_parquet(io.BytesIO(done.stdout))
        assert rows.schema == {
            "benchmark_name": pl.String,
            "commit_time": pl.Datetime("us", "UTC"),
            "values": pl.List(pl.Float64),
        }
        assert len(rows) == 250
        assert done.stderr == b""

    def test_a_limit_of_rows_is_said(self, demo_store: Path) -> None:
        asked = ("query", "SELECT id FROM results", "--store", demo_store, "--output", "json", "--limit-rows")
        cut, whole = bench_db(*asked, 2), bench_db(*asked, 250)
        assert (len(cut.document), len(whole.document)) == (2, 250)
        assert "only the first 2 rows are written" in cut.err
        assert whole.err == ""

    def test_a_limit_of_time(self, demo_store: Path) -> None:
        endless = "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT COUNT(*) FROM a"
        answer = bench_db("query", endless, "--store", demo_store, "--timeout", "0.2")
        assert answer.code == 2
        assert "longer than 0.2 s" in answer.err

    def test_damaged_data_is_said_in_one_line(self, demo_store: Path, tmp_path: Path) -> None:
        """The engine keeps what it reads; an error that refers back to it would print a list of leaks at exit."""
        shutil.copytree(demo_store, tmp_path / "store")
        for file in (tmp_path / "store" / "results.lance" / "data").iterdir():
            file.write_bytes(file.read_bytes()[:30])
        sql = "SELECT COUNT(median) AS n FROM results"
        answer = bench_db_process("query", sql, "--store", tmp_path / "store", "--output", "json")
        assert answer.document == [{"n": 0}]
        [warning] = answer.err.splitlines()
        assert "bench-db store verify --repair" in warning
