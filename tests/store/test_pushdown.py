from __future__ import annotations

import math
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lance
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.query.selection import Selection, of_commit
from bench_db.store import lazy
from bench_db.store.database import connect
from bench_db.store.engine import Engine, Snapshot, locate
from bench_db.store.filters import lance_filter
from bench_db.store.tables import RESULTS_TABLE, Table
from tests.strategies import HOSTILE, commit_of, publication
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.store.database import Database

_TABLE = Table(
    name="rows",
    schema=pa.schema(
        [
            ("benchmark_name", pa.string()),
            ("commit", pa.string()),
            ("n", pa.int64()),
            ("small", pa.int32()),
            ("summary", pa.struct([("median", pa.float64()), ("mean", pa.float64())])),
        ]
    ),
)
_NAMES = ("", "a", "ab", "b", HOSTILE, "it's", "NULL", "\U0010ffff", "ünï", "a%", "a_", "back\\")
_INTEGERS = (0, 1, -1, 7, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -0.0, 1.0, -1.5, math.nan, math.inf, -math.inf, 5e-324, 1e300, 2.0**53)
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "benchmark_name": st.none() | st.sampled_from(_NAMES),
            "commit": st.none() | st.sampled_from(_NAMES),
            "n": st.none() | st.sampled_from(_INTEGERS),
            "small": st.none() | st.sampled_from([n for n in _INTEGERS if abs(n) < 2**31]),
            "summary": st.none()
            | st.fixed_dictionaries(
                {"median": st.none() | st.sampled_from(_FLOATS), "mean": st.none() | st.sampled_from(_FLOATS)}
            ),
        }
    ),
    min_size=1,
    max_size=12,
)
_COMPARE: tuple[Callable[[pl.Expr, Any], pl.Expr], ...] = (
    pl.Expr.eq,
    pl.Expr.ne,
    pl.Expr.lt,
    pl.Expr.le,
    pl.Expr.gt,
    pl.Expr.ge,
    pl.Expr.eq_missing,
    pl.Expr.ne_missing,
)


def _of_column(names: tuple[str, ...], values: tuple[Any, ...]) -> st.SearchStrategy[pl.Expr]:
    """A predicate on one column: every form that is pushed down, and some that are not."""
    columns = st.sampled_from(names).map(lambda name: pl.col(name))  # noqa: PLW0108 hypothesis asks pl.col for its name
    value = st.sampled_from(values)
    return st.one_of(
        st.builds(
            lambda compare, column, other: compare(column, other), st.sampled_from(_COMPARE), columns, value | columns
        ),
        st.builds(
            lambda compare, other, column: compare(pl.lit(other), column), st.sampled_from(_COMPARE), value, columns
        ),
        st.builds(
            lambda column, low, high, closed: column.is_between(pl.lit(low), pl.lit(high), closed),
            columns,
            value,
            value,
            st.sampled_from(["both", "left", "right", "none"]),
        ),
        st.builds(lambda column, options: column.is_in(options), columns, st.lists(value, max_size=3)),
        columns.map(pl.Expr.is_null),
        columns.map(pl.Expr.is_not_null),
    )


_PREFIXES = st.builds(
    lambda name, start: pl.col(name).str.starts_with(start),
    st.sampled_from(["benchmark_name", "commit"]),
    st.sampled_from(_NAMES),
)
_SMALL_INTEGERS = tuple(n for n in _INTEGERS if abs(n) < 2**31)
_LEAVES = st.one_of(
    _of_column(("benchmark_name", "commit"), _NAMES),
    _PREFIXES,
    _of_column(("n",), _INTEGERS),
    _of_column(("small",), _SMALL_INTEGERS),
    _of_column(("median", "mean"), _FLOATS),
)
_PREDICATES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(and_, inner, inner), st.builds(or_, inner, inner), inner.map(pl.Expr.not_), inner.map(lambda e: ~e)
    ),
    max_leaves=5,
)


def _snapshot(dataset: lance.LanceDataset) -> Snapshot:
    """Return a dataset as the table of a store, whose engine finds its indexes."""
    return Snapshot(Engine(locate(str(Path(dataset.uri).parent)), None), _TABLE, dataset)


def _written(path: Path, rows: list[dict[str, Any]], *, indexed: bool) -> lance.LanceDataset:
    """Rows in two fragments, of which an index covers only the first."""
    half = (len(rows) + 1) // 2
    dataset = lance.write_dataset(pa.Table.from_pylist(rows[:half], _TABLE.schema), str(path), mode="overwrite")
    if indexed:
        dataset.create_scalar_index("benchmark_name", "BITMAP")
        dataset.create_scalar_index("small", "ZONEMAP")
        for leaf in ("commit", "n", "summary.median"):
            dataset.create_scalar_index(leaf, "BTREE")
    return lance.write_dataset(pa.Table.from_pylist(rows[half:], _TABLE.schema), dataset, mode="append")


class TestAgreement:
    """Whatever the predicate and the rows, pushing down keeps exactly the rows that Polars alone keeps."""

    @pytest.mark.parametrize("indexed", [False, True])
    @examples("fuzz", 10, full=400)
    @given(rows=_ROWS, predicates=st.lists(_PREDICATES, min_size=8, max_size=8))
    def test_rows_kept(
        self, tmp_path: Path, rows: list[dict[str, Any]], predicates: list[pl.Expr], *, indexed: bool
    ) -> None:
        dataset = _written(tmp_path / _TABLE.directory, rows, indexed=indexed)
        everything = lazy.scan(_snapshot(dataset)).collect()
        for predicate in predicates:
            _agree(dataset, everything, predicate)

    @pytest.mark.parametrize("indexed", [False, True])
    @pytest.mark.parametrize("stored", [0.0, -0.0])
    @pytest.mark.parametrize("asked", [0.0, -0.0])
    def test_negative_zero_is_zero(self, tmp_path: Path, *, indexed: bool, stored: float, asked: float) -> None:
        row = {"benchmark_name": "a", "commit": "a", "n": 0, "small": 0, "summary": {"median": stored, "mean": stored}}
        dataset = _written(tmp_path / _TABLE.directory, [row, row], indexed=indexed)
        for compare in (pl.Expr.eq, pl.Expr.ge, pl.Expr.le):
            assert lazy.scan(_snapshot(dataset)).filter(compare(pl.col("median"), asked)).collect().height == 2
        assert lazy.scan(_snapshot(dataset)).filter(pl.col("median").is_in([asked])).collect().height == 2
        assert lazy.scan(_snapshot(dataset)).filter(pl.col("median") > asked).collect().height == 0

    @pytest.mark.parametrize(
        "predicate",
        [
            pl.col("n") < 2**63,
            pl.col("n") > -(2**63) - 1,
            pl.col("small") < 2**40,
            pl.col("small") != 2**31,
            pl.col("small").is_in([1, 2**40]),
            pl.col("n") > 0.5,
            pl.col("n") <= 2.0**53,
            pl.col("n") == 2**53 + 1,
            pl.col("n") > 1e300,
            pl.col("median") < 2**53 + 1,
            pl.col("median") == 1,
            pl.col("median").ne(math.nan),
            pl.col("median").gt(math.nan),
            pl.col("median").le(math.nan),
            pl.col("median").is_between(-math.inf, math.inf),
            ~(pl.col("median") > 1.0),
            pl.col("n") > pl.col("small"),
            pl.col("median") >= pl.col("n"),
            pl.col("commit") == pl.lit(None, pl.String),
            pl.col("commit").is_in(["a", None]),
            pl.col("commit").is_in(["a", None], nulls_equal=True),
            ~pl.col("commit").is_in(["a"]),
            ~pl.col("commit").is_null() & (pl.col("n") == 1),
            pl.col("benchmark_name").str.contains("a", literal=True) & (pl.col("n") >= 0),
            pl.col("benchmark_name").str.to_lowercase() == "a",
            (pl.col("n") == 1) ^ (pl.col("small") == 1),
            pl.col("n").cast(pl.Int32, strict=False) == 1,
            pl.col("benchmark_name") < "b",
            pl.lit(value=True),
            pl.lit(value=False) | (pl.col("n") == 1),
            pl.col("commit") == "nul\0byte",
        ],
        ids=str,
    )
    @pytest.mark.parametrize("indexed", [False, True])
    def test_awkward_predicates(self, tmp_path: Path, predicate: pl.Expr, *, indexed: bool) -> None:
        longest = max(len(_NAMES), len(_INTEGERS), len(_FLOATS))
        rows: list[dict[str, Any]] = [
            {
                "benchmark_name": _NAMES[i % len(_NAMES)],
                "commit": None if i % 3 == 0 else _NAMES[-i % len(_NAMES)],
                "n": None if i == 5 else _INTEGERS[i % len(_INTEGERS)],
                "small": _SMALL_INTEGERS[i % len(_SMALL_INTEGERS)],
                "summary": None if i == 4 else {"median": _FLOATS[i % len(_FLOATS)], "mean": None},
            }
            for i in range(2 * longest)
        ]
        dataset = _written(tmp_path / _TABLE.directory, rows, indexed=indexed)
        _agree(dataset, lazy.scan(_snapshot(dataset)).collect(), predicate)

    @given(rows=_ROWS, predicate=_PREDICATES, count=st.integers(0, 5))
    @examples("fuzz", 10, full=300)
    def test_the_first_rows_kept(
        self, tmp_path: Path, rows: list[dict[str, Any]], predicate: pl.Expr, count: int
    ) -> None:
        dataset = _written(tmp_path / _TABLE.directory, rows, indexed=False)
        expected = lazy.scan(_snapshot(dataset)).collect().filter(predicate).head(count)
        assert lazy.scan(_snapshot(dataset)).filter(predicate).head(count).collect().equals(expected)
        assert lazy.scan(_snapshot(dataset)).head(count).collect().height == min(count, len(rows))


def _agree(dataset: lance.LanceDataset, everything: pl.DataFrame, predicate: pl.Expr) -> None:
    pushed = lazy.scan(_snapshot(dataset)).filter(predicate).collect()
    assert pushed.equals(everything.filter(predicate)), f"{predicate} as {lance_filter(predicate, _TABLE.leaves)}"


class TestPushed:
    """What the commands ask is really said to Lance, not left to Polars."""

    @pytest.mark.parametrize(
        "predicate",
        [
            Selection(benchmark=HOSTILE).predicate(),
            Selection(benchmark="prefix*").predicate(),
            Selection(branch="main", since=1, until=2, series_key=3).predicate(),
            Selection(test_bed_name="x", tags={"a": "b"}).predicate(),
            of_commit(commit_of(1)),
            of_commit(commit_of(1)[:8]),
            pl.col("error").is_null() & ~(pl.col("median") <= -1.5),
        ],
        ids=str,
    )
    def test_has_a_filter(self, predicate: pl.Expr) -> None:
        assert lance_filter(predicate, RESULTS_TABLE.leaves)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = connect(tmp_path_factory.mktemp("large") / "store", create=True)
    for number in range(4):
        run, results = publication(number, rows=2500, samples_each=40)
        database.publish(results, run)
    database.optimize()
    return database


class TestBytesRead:
    """A query reads the columns and rows it needs: its bytes fall as what it asks for does."""

    def _bytes(self, database: Database, query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> tuple[int, int]:
        seen: list[Any] = []
        rows = query(database.scan(observe=seen.append)).collect().height
        assert seen
        return sum(stats.bytes_read for stats in seen), rows

    def test_a_column_costs_less_than_all(self, large: Database) -> None:
        everything, rows = self._bytes(large, lambda scan: scan)
        one, same_rows = self._bytes(large, lambda scan: scan.select("median"))
        assert rows == same_rows == 10_000
        assert one < everything / 20

    def test_one_series_costs_less_than_all(self, large: Database) -> None:
        key = large.latest()["series_key"][0]
        columns = ["series_key", "dut_timestamp", "median", "id", "values"]
        everything, _ = self._bytes(large, lambda scan: scan.select(columns))
        one, rows = self._bytes(large, lambda scan: scan.filter(pl.col("series_key") == key).select(columns))
        assert rows == 4
        assert one < everything / 3

    def test_counting_reads_next_to_nothing(self, large: Database) -> None:
        everything, _ = self._bytes(large, lambda scan: scan)
        counted, _ = self._bytes(large, lambda scan: scan.select(pl.len()))
        assert counted < everything / 20
        assert large.scan().select(pl.len()).collect().item() == 10_000

    def test_several_conditions_are_pushed_together(self, large: Database) -> None:
        predicate = reduce(and_, [pl.col("commit") == commit_of(2), pl.col("benchmark_name").str.contains("bench 1$")])
        everything, _ = self._bytes(large, lambda scan: scan.select("benchmark_name", "commit", "values"))
        some, rows = self._bytes(
            large, lambda scan: scan.filter(predicate).select("benchmark_name", "commit", "values")
        )
        assert rows == 1
        assert some < everything
