"""Code written for the package of lance-bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import bench_db
from bench_db.store.database import lancedb_connection
from lance_bench_db import (
    DutBuild,
    Result,
    SummaryValues,
    TestBed,
    Throughput,
    UnitSystem,
    connect,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lance_bench_db.models import Results


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


class TestResults:
    """Rows of one device, test bed and second are one run; the table answers everything else itself."""

    @pytest.fixture
    def results(self, tmp_path: Path) -> Results:
        return Result.open_table(bench_db.connect(tmp_path / "db", create=True).lancedb())

    def test_one_run_for_each_second(self, results: Results, tmp_path: Path) -> None:
        rows = [old_result(), old_result(benchmark_name="b"), old_result(timestamp=1_702_346_001)]
        results.add(Result.to_arrow_table(rows))
        stored = bench_db.connect(tmp_path / "db")
        assert sorted(stored.runs().collect()["results"]) == [1, 2]
        assert sorted(result.timestamp for result in stored.results()) == [1_702_346_000] * 2 + [1_702_346_001]

    def test_no_rows(self, results: Results) -> None:
        results.add(Result.to_arrow_table([]))
        assert results.count_rows() == 0

    def test_reads_see_rows_that_another_writer_added(self, results: Results, tmp_path: Path) -> None:
        assert results.count_rows() == 0
        Result.open_table(bench_db.connect(tmp_path / "db").lancedb()).add(Result.to_arrow_table([old_result()]))
        assert results.count_rows() == 1
        assert results.schema.names[:2] == ["id", "dut"]

    def test_opening_creates_the_database(self, tmp_path: Path) -> None:
        Result.open_table(lancedb_connection(tmp_path / "new"))
        assert bench_db.connect(tmp_path / "new").results() == []


class TestResult:
    """A result of lance-bench is a result of bench_db, and the rows of a table are those it was made from."""

    def test_the_columns(self) -> None:
        """The first ten have the order, the names and the types of the README."""
        text, number, real = pa.string(), pa.int64(), pa.float64()
        names = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
        wanted: dict[str, pa.DataType] = {
            "id": text,
            "dut": pa.struct({"name": text, "version": text, "timestamp": number}),
            "test_bed": pa.struct(
                {"name": text, "cpu": text, "memory_gb": pa.int32(), "os": text, "created_at": number}
            ),
            "benchmark_name": text,
            "values": pa.list_(real),
            "summary": pa.struct(dict.fromkeys(names, real)),
            "units": text,
            "throughput": pa.struct({"multiplier": real, "name": text, "unit_system": text}),
            "metadata": text,
            "timestamp": number,
        }
        found = Result.to_arrow_table([old_result()])
        assert list(zip(found.schema.names, found.schema.types, strict=True))[:10] == list(wanted.items())
        given = old_result()
        [row] = found.to_pylist()
        assert [row[name] for name in ("id", "units", "metadata")] == [given.id, given.units, given.metadata]
        for name, inner in (("dut", given.dut), ("test_bed", given.test_bed), ("summary", given.summary)):
            assert row[name] == {field: getattr(inner, field) for field in row[name]}

    def test_the_row(self) -> None:
        [row] = Result.to_arrow_table([old_result()]).to_pylist()
        assert (row["benchmark_name"], row["values"], row["timestamp"]) == (
            "it's a name",
            [1.0, 2.0, 3.0],
            1_702_346_000,
        )
        assert row["throughput"] == {"multiplier": 4.0, "name": "bytes", "unit_system": "binary"}
