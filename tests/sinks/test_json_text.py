from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from bench_db.sinks.json_text import storable, without_nul

if TYPE_CHECKING:
    from tests.support.postgres_server import Postgres

LONG = "9" * 140_000


class TestStorable:
    """PostgreSQL can cast every text to jsonb, and valid JSON is as it was."""

    CASES = (
        ('{"a": 1.50, "b": [null, true, "x"]}', '{"a": 1.50, "b": [null, true, "x"]}'),
        ('{"a": 18446744073709551616}', '{"a": 18446744073709551616}'),
        ('{"emoji": "\\ud83d\\ude00"}', '{"emoji": "😀"}'),
        ('{"a": NaN, "b": [Infinity, -Infinity]}', '{"a": "NaN", "b": ["Infinity", "-Infinity"]}'),
        ('{"a\\u0000b": "c\\u0000d"}', '{"a␀b": "c␀d"}'),
        ('{"a": "\0"}', '{"a": "␀"}'),
        ('{"a": "\\ud800"}', '{"a": "\N{REPLACEMENT CHARACTER}"}'),
        ('{"a": 1e400000}', '{"a": "Infinity"}'),
        ('{"cut": "of', '"{\\"cut\\": \\"of"'),
        ("", '""'),
    )

    @pytest.mark.parametrize(("text", "stored"), CASES)
    def test_cases(self, text: str, stored: str) -> None:
        (found,) = storable(pl.Series([text]))
        assert json.loads(found) == json.loads(stored)

    def test_null_stays_null_and_valid_json_is_not_touched(self) -> None:
        assert storable(pl.Series("m", [None, '{ "a":1}'])).to_list() == [None, '{ "a":1}']

    def test_deep_and_long_values(self) -> None:
        deep = "[" * 100_000 + "]" * 100_000
        assert [json.loads(text) for text in storable(pl.Series([deep, LONG]))] == [deep, LONG]

    @pytest.mark.slow
    def test_the_server_takes_them(self, postgres: Postgres) -> None:
        texts = storable(pl.Series([*(text for text, _ in self.CASES), "[" * 100_000, LONG]))
        for text in texts:
            escaped = text.replace("'", "''")
            assert postgres.rows(f"SELECT length(('{escaped}'::jsonb)::text) AS length")[0]["length"]


def test_without_nul() -> None:
    frame = pl.DataFrame({"a": ["x\0y", None, "z"]}).select(without_nul(pl.col("a")))
    assert frame["a"].to_list() == ["x␀y", None, "z"]
