import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.ci.markdown import spoken_lines

WORD = "SPOKEN"


def is_spoken(body: str) -> bool:
    return any(WORD in line for line in spoken_lines(body))


class TestSpokenLines:
    """A line is given when its author says it, and not when it quotes, shows code or is hidden."""

    @pytest.mark.parametrize(
        "body",
        [
            "SPOKEN",
            "> a quotation\n\nSPOKEN",
            "```\ncode\n```\nSPOKEN",
            "~~~\n```\n~~~\nSPOKEN",
            "a paragraph\n    SPOKEN",
            "`code` SPOKEN `code`",
            "an odd ` SPOKEN",
            "an odd `\n\nSPOKEN `",
            "<!-- hidden -->SPOKEN",
            "`<!--` SPOKEN",
            "<pre>shown</pre>SPOKEN",
            "<q>a <q>b</q></q> SPOKEN",
            "<prefix>SPOKEN",
            "``` a ` b\nSPOKEN",
        ],
    )
    def test_said(self, body: str) -> None:
        assert is_spoken(body)

    @pytest.mark.parametrize(
        "body",
        [
            "> SPOKEN",
            "- > SPOKEN",
            "```\nSPOKEN\n```",
            "```\nSPOKEN",
            "````\n```\nSPOKEN\n````",
            "~~~\n```\nSPOKEN\n~~~",
            "1. ```\n   SPOKEN\n   ```",
            "    SPOKEN",
            "text\n\n\tSPOKEN",
            "`SPOKEN`",
            "``a ` SPOKEN``",
            "`code\nSPOKEN`",
            "<!-- SPOKEN -->",
            "<!--\n\nSPOKEN",
            "<pre>\n\nSPOKEN</pre>",
            "<KBD>SPOKEN</KBD>",
            "<q>a <q>b</q> SPOKEN</q>",
            "<code>SPOKEN",
        ],
    )
    def test_not_said(self, body: str) -> None:
        assert not is_spoken(body)

    def test_every_kind_of_line_end(self) -> None:
        assert list(spoken_lines("a\r\nb\rc\nd")) == ["a", "b", "c", "d"]

    def test_what_is_removed_joins_no_words(self) -> None:
        [line] = spoken_lines("SPO<!-- x -->KEN")
        assert WORD not in line
        assert line.startswith("SPO")

    @given(st.lists(st.text("abc .,", max_size=9).map(str.strip), min_size=1, max_size=5))
    def test_plain_text_is_unchanged(self, lines: list[str]) -> None:
        assert list(spoken_lines("\n".join(lines))) == lines

    @given(st.text("`~<>!-/pre q\n\t1.", max_size=40))
    def test_a_quoted_comment_says_nothing(self, body: str) -> None:
        quoted = "".join(f"> {line}{WORD}\n" for line in body.split("\n"))
        assert not is_spoken(quoted)
