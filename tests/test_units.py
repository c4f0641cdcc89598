from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.units import BASE_UNITS, BYTES, NANOSECONDS, RECALL, Direction, base_unit, direction_of, is_worse


class TestBaseUnit:
    """A unit has one scale in all its spellings; an unknown spelling is refused."""

    @pytest.mark.parametrize(
        ("spelling", "nanoseconds"),
        [
            ("fs", 1e-6),
            ("ps", 1e-3),
            ("ns", 1),
            ("us", 1e3),
            ("\N{MICRO SIGN}s", 1e3),
            ("\N{GREEK SMALL LETTER MU}s", 1e3),
            ("ms", 1e6),
            ("s", 1e9),
            ("nanoseconds", 1),
            ("Milliseconds", 1e6),
            ("SECONDS", 1e9),
        ],
    )
    def test_time_is_in_nanoseconds(self, spelling: str, nanoseconds: float) -> None:
        assert base_unit(spelling) == (NANOSECONDS, nanoseconds)

    @pytest.mark.parametrize("spelling", ["b", "B", "byte", "bytes"])
    def test_memory_is_in_bytes(self, spelling: str) -> None:
        assert base_unit(spelling) == (BYTES, 1)

    @pytest.mark.parametrize("name", sorted(BASE_UNITS))
    def test_the_stored_name_of_a_unit_is_a_spelling_of_it(self, name: str) -> None:
        assert base_unit(name) == (BASE_UNITS[name], 1)

    @given(st.text(min_size=13))
    def test_an_unknown_spelling_is_named_in_the_error(self, spelling: str) -> None:
        if spelling.lower() in BASE_UNITS:
            return
        with pytest.raises(UserError, match="unknown unit") as caught:
            base_unit(spelling)
        assert repr(spelling) in str(caught.value)


class TestDirection:
    """The unit gives the direction: less time and memory, more recall and speed."""

    def test_each_unit_has_its_direction(self) -> None:
        assert {name: direction_of(name) for name in BASE_UNITS} == {
            "nanoseconds": Direction.LOWER,
            "bytes": Direction.LOWER,
            "count": Direction.LOWER,
            "recall": Direction.HIGHER,
            "per_second": Direction.HIGHER,
            "bytes_per_second": Direction.HIGHER,
            "ratio": Direction.INFO,
        }

    def test_less_is_better_of_an_unknown_unit(self) -> None:
        assert direction_of("furlongs") is Direction.LOWER

    def test_recall_has_no_scale(self) -> None:
        assert base_unit("recall") == (RECALL, 1)


class TestIsWorse:
    """The direction decides only the meaning of a change."""

    @pytest.mark.parametrize("effect", [0.1, -0.1])
    def test_directions(self, effect: float) -> None:
        assert is_worse(effect, "lower") is (effect > 0)
        assert is_worse(effect, "higher") is (effect < 0)
        assert is_worse(effect, "info") is None

    def test_nothing_moved(self) -> None:
        assert is_worse(0.0, "lower") is None
        assert is_worse(None, "lower") is None
