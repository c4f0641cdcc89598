"""Code written for the package of lance-bench."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench_db
from lance_bench_db import (
    DutBuild,
    Result,
    SummaryValues,
    TestBed,
    Throughput,
    UnitSystem,
    connect,
    get_database_uri,
)


def old_result(**changes: object) -> Result:
    """Create a result as a publisher of lance-bench does."""
    fields: dict[str, object] = {
        "id": "0b6c1f3e-0000-0000-0000-000000000000",
        "dut": DutBuild(name="lance", version="0.15.0+abc1234", timestamp=1_702_345_678),
        "test_bed": TestBed(name="ubuntu", cpu="x86_64", memory_gb=16, os="Linux 6.1", created_at=1_702_345_000),
        "benchmark_name": "it's a name",
        "values": [1.0, 2.0, 3.0],
        "summary": SummaryValues(min=1.0, q1=1.5, median=2.0, q3=2.5, max=3.0, mean=2.0, standard_deviation=1.0),
        "units": "nanoseconds",
        "throughput": Throughput(multiplier=4.0, name="bytes", unit_system=UnitSystem.BINARY),
        "metadata": "{}",
        "timestamp": 1_702_346_000,
    }
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


class TestShim:
    """The calls of lance-bench work on a bench_db store, and adding twice changes nothing."""

    @pytest.fixture(autouse=True)
    def database(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("LANCE_BENCH_URI", str(tmp_path / "db"))
        return tmp_path / "db"

    def test_add_twice(self, database: Path) -> None:
        table = Result.open_table(connect())
        for _ in range(2):
            table.add(Result.to_arrow_table([old_result(), old_result(benchmark_name="b")]))
        assert table.count_rows() == 2
        stored = bench_db.connect(database)
        assert {r.benchmark_name for r in stored.results()} == {"it's a name", "b"}
        assert stored.verify().problems == ()

    def test_an_empty_table_has_the_schema(self) -> None:
        table = Result.to_arrow_table([])
        assert (table.num_rows, table.schema.names[:2]) == (0, ["id", "dut"])

    def test_uri(self, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert get_database_uri() == str(database)
        monkeypatch.setenv("LANCE_BENCH_URI", "")
        assert get_database_uri() == str(Path.home() / ".lance-bench")
