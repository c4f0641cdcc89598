from __future__ import annotations

from fnmatch import fnmatchcase

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.identity import tags_key
from bench_db.query.selection import Selection, is_glob
from tests.strategies import HOSTILE, tags, texts


def _kept(names: list[str], glob: str) -> list[str]:
    rows = pl.DataFrame({"benchmark_name": names}, schema={"benchmark_name": pl.String})
    return rows.filter(Selection(benchmark=glob).predicate())["benchmark_name"].to_list()


def _tagged(rows: list[dict[str, str]], wanted: dict[str, str]) -> list[bool]:
    frame = pl.DataFrame({"tags_key": [tags_key(row) for row in rows]}, schema={"tags_key": pl.String})
    kept = frame.with_row_index().filter(Selection(tags=wanted).predicate())["index"].to_list()
    return [number in kept for number in range(len(rows))]


class TestBenchmark:
    """A name selects itself; `*` and `?` are wildcards, and every other character is literal."""

    @given(texts(), st.lists(texts(), max_size=4))
    def test_a_name_without_wildcards_selects_only_itself(self, name: str, others: list[str]) -> None:
        if is_glob(name):
            return
        assert _kept([name, *others], name) == [name] + [other for other in others if other == name]

    @given(texts())
    def test_every_name_selects_itself(self, name: str) -> None:
        assert _kept([name], name) == [name]

    @given(st.lists(texts(), max_size=5), st.lists(texts(4) | st.sampled_from("*?"), max_size=4))
    def test_wildcards_as_the_shell_has_them(self, names: list[str], parts: list[str]) -> None:
        glob = "".join(parts)
        literal = "".join({"[": "[[]"}.get(letter, letter) for letter in glob)
        assert _kept([*names, glob], glob) == [name for name in [*names, glob] if fnmatchcase(name, literal)]

    @pytest.mark.parametrize(
        ("glob", "name"),
        [
            ("test_x[a-b]*", "test_x[a-b]/1"),
            ("*[0]", "x[0]"),
            ("a.b*", "a.bc"),
            ("?", "\U0001f600"),
            ("*b", "a\nb"),
            ("*", ""),
            (HOSTILE + "*", HOSTILE),
            ("*" + HOSTILE + "?", "x" + HOSTILE + "\n"),
            ("^a$*", "^a$"),
            ("a # &~-*", "a # &~-"),
        ],
    )
    def test_selected(self, glob: str, name: str) -> None:
        assert _kept([name], glob) == [name]

    @pytest.mark.parametrize(
        ("glob", "name"),
        [
            ("test_x[ab]*", "test_xa"),
            ("a.b*", "axb"),
            ("?", ""),
            ("?", "ab"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("a?", "a"),
            ("A*", "a"),
        ],
    )
    def test_not_selected(self, glob: str, name: str) -> None:
        assert _kept([name], glob) == []


class TestTags:
    """A tag selects the rows with exactly this tag, with any separators in its name or value."""

    @given(st.lists(tags(), max_size=4), tags())
    def test_all_wanted_tags_and_no_others(self, rows: list[dict[str, str]], wanted: dict[str, str]) -> None:
        assert _tagged([*rows, wanted], wanted) == [wanted.items() <= row.items() for row in [*rows, wanted]]

    def test_a_tag_is_no_part_of_another(self) -> None:
        rows = [{"k": "10"}, {"bk": "1"}, {"k": "1,k=2"}, {"x": "k=1"}, {"k": "1"}]
        assert _tagged(rows, {"k": "1"}) == [False, False, False, False, True]


class TestConditions:
    """All conditions must be true, ends included; null satisfies none; no condition selects everything."""

    _ROWS = pl.DataFrame(
        {
            "branch": ["main", None, "dev"],
            "dut_name": ["a", "a", "b"],
            "dut_timestamp": [1, 2, 3],
            "suite": ["", "s", "s"],
            "metric": ["time", "time", "recall"],
            "test_bed_name": ["x", "y", "x"],
            "series_key": [1, 2, 3],
        }
    )

    @pytest.mark.parametrize(
        ("selection", "kept"),
        [
            (Selection(), [1, 2, 3]),
            (Selection(branch="main"), [1]),
            (Selection(dut_name="a"), [1, 2]),
            (Selection(suite=""), [1]),
            (Selection(metric="recall"), [3]),
            (Selection(testbed_name="x"), [1, 3]),
            (Selection(since=2), [2, 3]),
            (Selection(until=2), [1, 2]),
            (Selection(since=2, until=2), [2]),
            (Selection(since=0, until=0), []),
            (Selection(series_key=3), [3]),
            (Selection(dut_name="a", testbed_name="x"), [1]),
            (Selection(branch=HOSTILE), []),
        ],
    )
    def test_kept(self, selection: Selection, kept: list[int]) -> None:
        assert self._ROWS.filter(selection.predicate())["dut_timestamp"].to_list() == kept
