from __future__ import annotations

import math
from typing import TYPE_CHECKING

import lance
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.store.filters import Between, Condition, condition, filter_text, identifier, literal
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import HOSTILE, publication, texts

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database

pytestmark = pytest.mark.few(1)

_TEXTS = texts().filter(lambda text: "\0" not in text)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> lance.LanceDataset:
    """One row, to ask conditions of constants about."""
    path: Path = tmp_path_factory.mktemp("lance") / "one"
    return lance.write_dataset(pa.table({"one": [1], "text": ["x"]}), str(path))


class TestLiteral:
    """A value is one literal that stands for exactly itself, whatever it holds."""

    @given(text=_TEXTS, other=_TEXTS)
    def test_text(self, table: lance.LanceDataset, text: str, other: str) -> None:
        assert table.count_rows(filter=f"{literal(text)} = {literal(text)} AND one = 1") == 1
        assert table.count_rows(filter=f"{literal(text)} = {literal(other)} AND one = 1") == (text == other)
        assert table.count_rows(filter=f"character_length({literal(text)}) = {len(text)} AND one = 1") == 1

    @given(value=st.floats(-1e308, 1e308))
    def test_numbers(self, table: lance.LanceDataset, value: float) -> None:
        bigger = math.nextafter(value, math.inf)
        assert table.count_rows(filter=f"{literal(value)} = {literal(value)} AND one = 1") == 1
        assert table.count_rows(filter=f"{literal(value)} < {literal(bigger)} AND one = 1") == 1

    @given(value=st.integers(1 - 2**63, 2**63 - 2))
    def test_integers(self, table: lance.LanceDataset, value: int) -> None:
        assert table.count_rows(filter=f"{literal(value)} = {literal(value)} AND one = 1") == 1
        assert table.count_rows(filter=f"{literal(value)} < {literal(value + 1)} AND one = 1") == 1

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "a\0b"])
    def test_refused(self, value: float | str) -> None:
        with pytest.raises(UserError, match="a filter cannot"):
            literal(value)

    def test_truth(self) -> None:
        assert (literal(True), literal(False)) == ("true", "false")  # noqa: FBT003


class TestIdentifier:
    """A column is quoted part by part, so that a name that is a word of SQL is still a name."""

    def test_quoted(self) -> None:
        assert identifier("dut.version") == "`dut`.`version`"
        assert identifier("a`b") == "`a``b`"

    def test_words_of_sql(self, tmp_path: Path) -> None:
        words = pa.table(
            {"order": [1], "select": ["a"], "Group": [None]},
            pa.schema([("order", "int64"), ("select", "string"), ("Group", "int64")]),
        )
        written = lance.write_dataset(words, str(tmp_path / "words"))
        text = " AND ".join([condition("order", 1), condition("select", "a"), condition("Group", None)])
        assert written.count_rows(filter=text) == 1


class TestCondition:
    """Each condition on real rows: equality, membership, ranges with their ends, null, and nothing at all."""

    @pytest.mark.parametrize(
        ("where", "kept"),
        [
            ({}, {0, 1, 2, 3}),
            ({"branch": "main"}, {0}),
            ({"branch": HOSTILE}, {1}),
            ({"branch": None}, {2, 3}),
            ({"branch": ["main", HOSTILE]}, {0, 1}),
            ({"branch": []}, set()),
            ({"dut_timestamp": Between(low=1_700_000_001, high=1_700_000_002)}, {1, 2}),
            ({"dut_timestamp": Between(low=1_700_000_002)}, {2, 3}),
            ({"dut_timestamp": Between()}, {0, 1, 2, 3}),
            ({"median": Between(high=1.125)}, {0, 1}),
            ({"benchmark_name": "bench 0", "branch": "main"}, {0}),
            ({"benchmark_name": "' OR '1'='1"}, set()),
        ],
    )
    def test_rows(self, database: Database, where: dict[str, object], kept: set[int]) -> None:
        for number, branch in enumerate(["main", HOSTILE, None, None]):
            run, results = publication(number, rows=1, branch=branch)
            database.publish(results, run)
        found = database.results(where)  # type: ignore[arg-type]
        assert {row.dut.timestamp - 1_700_000_000 for row in found} == kept
        lazily = database.scan(["dut_timestamp"], where=where).collect()  # type: ignore[arg-type]
        assert {time - 1_700_000_000 for time in lazily["dut_timestamp"]} == kept

    def test_an_unknown_column_is_named(self) -> None:
        with pytest.raises(UserError, match=r"no column 'branche'.*branch"):
            filter_text({"branche": "x"}, RESULTS_TABLE.leaves)
        assert filter_text({}, RESULTS_TABLE.leaves) is None
        assert filter_text(None, RESULTS_TABLE.leaves) is None


class TestAbsentColumn:
    """A column that an older table lacks is null in every row, so a condition on it is known without reading."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "true"),
            (Between(), "true"),
            (Between(low=1), "false"),
            (3, "false"),
            ("x", "false"),
            (False, "false"),
            ([3], "false"),
            ([], "false"),
        ],
    )
    def test_one(self, value: Condition, text: str) -> None:
        assert filter_text({"n": value}, RESULTS_TABLE.leaves, {"n"}) == text

    def test_beside_others(self) -> None:
        told = filter_text({"n": 3, "commit": "x"}, RESULTS_TABLE.leaves, {"n"})
        assert told == "false AND `commit` = 'x'"
