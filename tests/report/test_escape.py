from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.escape import csv_text, html_text, latex_text, script_json, shortened

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


class TestScriptJson:
    """JSON for a script: reads back as it was, ends no script element and no line, and is UTF-8."""

    @given(DOCUMENTS)
    def test_reads_back(self, document: object) -> None:
        assert json.loads(script_json(document)) == document

    @given(st.text(st.characters()))
    def test_holds_nothing_that_ends_a_script(self, text: str) -> None:
        written = script_json({text: text})
        assert not set("<>&\u2028\u2029") & set(written)
        written.encode()


class TestHtmlText:
    """Text for an element or attribute: no markup and no character that reverses the text direction."""

    @given(st.text(st.characters()))
    def test_no_markup(self, text: str) -> None:
        assert not set("<>\"'\u202e") & set(html_text(text))


class TestLatexText:
    """Text for a cell: no command, no argument of the previous row, no ligature."""

    @given(st.text(st.characters()))
    def test_a_row_may_start_with_it(self, text: str) -> None:
        assert not latex_text(text).startswith(("[", "*"))
        assert "--" not in latex_text(text)

    def test_as_written(self) -> None:
        assert latex_text('[group] *x* "--all"') == r"{[}group] {*}x{*} \symbol{34}-{}-all\symbol{34}"


class TestCsvText:
    """Text for a cell: no spreadsheet evaluates it as a formula."""

    @pytest.mark.parametrize("start", [*"=+-@", "\t=", "\r=", "\n=", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
    def test_what_starts_a_formula(self, start: str) -> None:
        assert csv_text(f"{start}cmd") == f"'{start}cmd"

    def test_a_name_is_left_alone(self) -> None:
        assert csv_text("a=b") == "a=b"


class TestShortened:
    """A text of at most the given length, with both ends."""

    @given(st.text(), st.integers(3, 40))
    def test_length(self, text: str, length: int) -> None:
        short = shortened(text, length)
        assert len(short) <= max(length, 0)
        assert short == text or short[0] == text[0]
