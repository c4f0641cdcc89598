from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.query.selection import of_commit
from tests.strategies import HOSTILE, commit_of, texts

_SHA = commit_of(1)


def _found(stored: list[str | None], asked: str) -> list[str | None]:
    rows = pl.DataFrame({"commit": stored}, schema={"commit": pl.String})
    return rows.filter(of_commit(asked))["commit"].to_list()


class TestOfCommit:
    """A commit is found by its sha and by any abbreviation of at least seven digits, in either direction."""

    @given(st.integers(7, 40), st.integers(7, 40))
    def test_any_abbreviation_finds_any_abbreviation(self, stored: int, asked: int) -> None:
        assert _found([_SHA[:stored]], _SHA[:asked]) == [_SHA[:stored]]

    @given(st.integers(0, 50), st.integers(0, 50), st.integers(7, 40))
    def test_another_commit_is_never_found(self, one: int, other: int, length: int) -> None:
        if one != other:
            assert _found([commit_of(other)], commit_of(one)[:length]) == []

    @given(st.integers(7, 39), st.sampled_from("0123456789abcdefg"))
    def test_a_sha_that_differs_in_one_letter_is_another(self, at: int, letter: str) -> None:
        if letter != _SHA[at]:
            changed = _SHA[:at] + letter + _SHA[at + 1 :]
            assert _found([_SHA, changed], changed) == [changed]
            assert _found([_SHA[: at + 1]], changed) == []

    @given(st.integers(1, 6))
    def test_too_short_is_no_abbreviation(self, length: int) -> None:
        assert _found([_SHA, _SHA[:length]], _SHA[:length]) == [_SHA[:length]]
        assert _found([_SHA[:length]], _SHA) == []

    @given(texts())
    def test_any_other_text_must_be_equal(self, text: str) -> None:
        asked = text + "z"
        assert _found([asked, asked + "0", text, None], asked) == [asked]

    @pytest.mark.parametrize("asked", ["", HOSTILE, "%", "_" * 7, "1.0.0+abc"])
    def test_nothing_is_a_pattern(self, asked: str) -> None:
        assert _found([_SHA, None, "abcdefg"], asked) == []

    def test_the_last_sha_of_its_prefix_is_found(self) -> None:
        assert _found(["abcdef0" + "f" * 33, "abcdef1" + "0" * 33], "abcdef0") == ["abcdef0" + "f" * 33]

    def test_letters_in_capitals_name_the_same_commit(self) -> None:
        assert _found([_SHA], _SHA.upper()) == [_SHA]
