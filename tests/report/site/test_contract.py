"""What a site is made from."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.site.contract import slices


class TestSlices:
    """The points of some series are those of a filter, in the order of the keys; an unknown series has none."""

    @given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 6), unique=True))
    def test_as_a_filter(self, keys: list[int], asked: list[int]) -> None:
        points = pl.DataFrame(
            {"series_key": keys, "at": range(len(keys))}, schema={"series_key": pl.Int64, "at": pl.Int64}
        )
        found = slices(points)(asked)
        expected = [(key, at) for one in asked for at, key in enumerate(keys) if key == one]
        assert found.rows() == expected
        assert found.schema == points.schema

    @pytest.mark.parametrize("asked", [[], [7]])
    def test_none(self, asked: list[int]) -> None:
        assert slices(pl.DataFrame({"series_key": [1]}))(asked).is_empty()
