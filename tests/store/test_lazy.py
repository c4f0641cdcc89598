from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from bench_db.errors import UserError
from bench_db.store import lazy
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import publication

if TYPE_CHECKING:
    from bench_db.store.database import Database
    from bench_db.store.engine import Snapshot


@pytest.fixture
def snapshot(database: Database) -> Snapshot:
    """Nine results, three of each run, in three fragments."""
    for number in range(3):
        run, results = publication(number)
        database.publish(results, run)
    return database._engine.open(RESULTS_TABLE)


class TestScan:
    """A lazy scan gives what filtering the complete table gives, whatever part of the question reaches Lance."""

    def test_the_schema_needs_no_row(self, database: Database, snapshot: Snapshot) -> None:
        frame = lazy.scan(snapshot)
        assert frame.collect_schema().names() == list(RESULTS_TABLE.leaves)
        assert frame.collect().schema == frame.collect_schema()
        assert frame.collect().height == len(database.results()) == 9

    @pytest.mark.parametrize(
        "predicate",
        [
            pl.col("benchmark_name") == "bench 1",
            (pl.col("benchmark_name") == "bench 1") & pl.col("dut_version").str.ends_with(".2"),
            pl.col("median") > pl.col("median").mean(),
            pl.col("branch").is_null(),
            pl.lit(value=False),
        ],
    )
    def test_a_predicate(self, predicate: pl.Expr, snapshot: Snapshot) -> None:
        expected = lazy.scan(snapshot).collect().filter(predicate)
        assert lazy.scan(snapshot).filter(predicate).collect().equals(expected)

    @pytest.mark.parametrize("count", [0, 1, 4, 9, 20])
    def test_a_limit_over_fragments(self, count: int, snapshot: Snapshot) -> None:
        everything = lazy.scan(snapshot).collect()
        assert lazy.scan(snapshot).head(count).collect().equals(everything.head(count))
        odd = pl.col("benchmark_name") != "bench 0"
        assert lazy.scan(snapshot).filter(odd).head(count).collect().equals(everything.filter(odd).head(count))

    def test_a_typed_filter_and_a_predicate_both_apply(self, snapshot: Snapshot) -> None:
        frame = lazy.scan(snapshot, columns=("dut_version",), where={"benchmark_name": "bench 1"})
        assert frame.collect_schema().names() == ["dut_version"]
        assert sorted(frame.collect()["dut_version"]) == ["1.0.0", "1.0.1", "1.0.2"]
        assert frame.filter(pl.col("dut_version") == "1.0.1").collect().height == 1

    def test_a_filter_and_a_projection_reach_lance(self, snapshot: Snapshot) -> None:
        seen: list[object] = []
        frame = lazy.scan(snapshot, observe=seen.append)
        assert frame.filter(pl.col("benchmark_name") == "no such").select("median").collect().height == 0
        few = seen.pop()
        assert frame.collect().height == 9
        assert few.bytes_read < seen.pop().bytes_read  # type: ignore[attr-defined]

    def test_an_unknown_column_is_an_error_before_any_read(self, snapshot: Snapshot) -> None:
        with pytest.raises(UserError, match="no_such"):
            lazy.scan(snapshot, columns=["no_such"])
        with pytest.raises(UserError, match="no_such"):
            lazy.scan(snapshot, where={"no_such": 1})
