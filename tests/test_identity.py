from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.identity import content_id, hash63, injective, tag_texts, tags_key, tags_of_key
from tests.strategies import HOSTILE, tags, texts

_LISTS = st.lists(texts(), max_size=4)
_GOLDEN = (7_252_660_547_403_494_068, 3_714_297_715_695_380_141, 8_245_724_965_713_760_228)
_GOLDEN_ID = "1d074bb0-5d63-5dc8-883d-1a7d7137d56c"


@st.composite
def _two_splits(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Draw two different splits of one text, with lengths and colons in it."""
    text = draw(st.text("0123:a", min_size=1, max_size=12))
    cuts = st.sets(st.integers(0, len(text)), max_size=4).map(sorted)
    first, second = draw(cuts), draw(cuts)
    assume(first != second)

    def split(at: list[int]) -> list[str]:
        return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]

    return split(first), split(second)


class TestInjective:
    """Two different lists of texts never give the same text."""

    @given(_LISTS, _LISTS)
    def test_different_lists_differ(self, first: list[str], second: list[str]) -> None:
        assert (injective(first) == injective(second)) == (first == second)

    @given(_two_splits())
    def test_another_cut_differs(self, splits: tuple[list[str], list[str]]) -> None:
        assert injective(splits[0]) != injective(splits[1])

    def test_an_empty_part_counts(self) -> None:
        assert len({injective(parts) for parts in ([], [""], ["", ""])}) == 3


class TestStable:
    """Keys never change, on any machine."""

    def test_hash63(self) -> None:
        assert hash63([]) == _GOLDEN[0]
        assert hash63(["run", "a", "b"]) == _GOLDEN[1]
        assert hash63([HOSTILE, ""]) == _GOLDEN[2]

    def test_content_id(self) -> None:
        assert content_id([HOSTILE, ""]) == _GOLDEN_ID

    @given(_LISTS)
    def test_a_hash_is_a_positive_int64(self, parts: list[str]) -> None:
        assert 0 <= hash63(parts) < 2**63

    @given(_LISTS)
    def test_an_id_is_a_uuid_of_content(self, parts: list[str]) -> None:
        assert UUID(content_id(parts)).version == 5
        assert content_id(parts) == str(uuid5(UUID("6f1c0f1e-8d0b-5c35-9b0d-2d3c5d3f6a01"), injective(parts)))
        assert content_id(parts) == content_id(iter(parts))

    def test_hashes_spread(self) -> None:
        assert len({hash63([str(number)]) for number in range(10_000)}) == 10_000


class TestTagsKey:
    """The canonical text of tags identifies exactly those tags, in any order."""

    @given(tags())
    def test_round_trip(self, given_tags: dict[str, str]) -> None:
        assert tags_of_key(tags_key(given_tags)) == given_tags

    @given(tags(), tags())
    def test_equal_exactly_when_the_tags_are(self, first: dict[str, str], second: dict[str, str]) -> None:
        assert (tags_key(first) == tags_key(second)) == (first == second)

    @given(tags())
    def test_order_is_no_difference(self, given_tags: dict[str, str]) -> None:
        assert tags_key(dict(reversed(given_tags.items()))) == tags_key(given_tags)

    def test_form(self) -> None:
        assert tags_key({}) == ""
        assert tags_key({"b": "2", "a": "1"}) == "a=1,b=2"
        assert tags_key({"a=b": "100%,"}) == "a%3Db=100%25%2C"


class TestTagTexts:
    """Numbers and booleans are tags as text, one text each; anything else is named."""

    def test_texts(self) -> None:
        assert tag_texts({"a": "x", "b": 32, "c": 0.5, "d": True, "e": False}) == {
            "a": "x", "b": "32", "c": "0.5", "d": "true", "e": "false",
        }  # fmt: skip

    @pytest.mark.parametrize("value", [None, [1], b"x"])
    def test_other_values(self, value: object) -> None:
        with pytest.raises(UserError, match="tag 'a':"):
            tag_texts({"a": value})
