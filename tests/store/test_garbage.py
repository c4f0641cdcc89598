from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from bench_db.store.publish import _OBJECTS_A_SEARCH as OBJECTS_A_SEARCH
from bench_db.store.publish import rarely_searched

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class TestRarelySearched:
    """A block searches less often than the process, which afterwards searches as before."""

    def test_the_block_searches_rarely(self) -> None:
        gc.set_threshold(700, 10, 9)
        with rarely_searched(), rarely_searched():
            assert gc.get_threshold()[0] == OBJECTS_A_SEARCH
        assert gc.get_threshold() == (700, 10, 9)

    def test_an_error_ends_the_block_too(self) -> None:
        gc.set_threshold(700, 10, 9)
        with pytest.raises(KeyError), rarely_searched():
            raise KeyError
        assert gc.get_threshold() == (700, 10, 9)

    @pytest.mark.parametrize("objects", [0, OBJECTS_A_SEARCH + 1])
    def test_a_process_that_searches_less_often_is_left_alone(self, objects: int) -> None:
        gc.set_threshold(objects)
        with rarely_searched():
            assert gc.get_threshold()[0] == objects
