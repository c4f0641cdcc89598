from pathlib import Path

from tests.cli.conftest import bench_db
from tests.cli.demo_names import QUERY, SLOW_COMMIT


class TestTrend:
    """One series, oldest commit first."""

    def test_order_and_step(self, demo_store: Path) -> None:
        rows = bench_db("trend", QUERY, "--store", demo_store, "--output", "json").document
        times = [row["timestamp"] for row in rows]
        assert len(rows) == 38
        assert times == sorted(times)
        at = next(i for i, row in enumerate(rows) if row["commit"].startswith(SLOW_COMMIT))
        assert min(row["median"] for row in rows[at:]) > max(row["median"] for row in rows[:at])

    def test_last_keeps_the_newest(self, demo_store: Path) -> None:
        rows = bench_db("trend", QUERY, "--store", demo_store, "--last", "2", "--output", "json").document
        assert [row["commit"][:7] for row in rows] == ["56971e3", "eccc0fe"]

    def test_text_has_a_sparkline(self, demo_store: Path) -> None:
        answer = bench_db("trend", QUERY, "--store", demo_store, "--last", "20")
        assert "20 points" in answer.out
        assert "█" in answer.out

    def test_a_misspelt_name_is_helped(self, demo_store: Path) -> None:
        answer = bench_db("trend", "test_qerry[1]", "--store", demo_store)
        assert answer.code == 2
        assert answer.out == ""
        assert "test_query" in answer.err
