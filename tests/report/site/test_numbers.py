from __future__ import annotations

from base64 import b64decode

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.site.numbers import LEVELS, floats, runs, sparkline, strips


class TestFloats:
    """A column comes back to seven digits, null as NaN."""

    def test_reads_back(self) -> None:
        column = pl.Series([1.5, None, -2.25e9])
        np.testing.assert_array_equal(
            np.frombuffer(b64decode(floats(column)), "<f4"), np.array([1.5, np.nan, -2.25e9], "f4")
        )

    def test_what_no_float32_holds_is_a_gap(self) -> None:
        column = pl.Series([1e39, -1e300, np.inf, 3e38])
        np.testing.assert_array_equal(
            np.frombuffer(b64decode(floats(column)), "<f4"), np.array([np.nan, np.nan, np.nan, 3e38], "f4")
        )


class TestRuns:
    """Positions come back from their runs."""

    @given(st.sets(st.integers(0, 400)))
    def test_reads_back(self, positions: set[int]) -> None:
        found = runs(sorted(positions))
        assert [
            first + i for first, count in zip(found[::2], found[1::2], strict=True) for i in range(count)
        ] == sorted(positions)

    def test_a_build_measured_twice(self) -> None:
        assert runs([3, 3, 4]) == [3, 1, 3, 2]


class TestSparkline:
    """One letter per point, from the first of the alphabet for the lowest to the last for the highest."""

    def test_ends(self) -> None:
        assert sparkline(np.array([1.0, np.nan, 3.0])) == f"{LEVELS[0]}.{LEVELS[-1]}"

    def test_constant(self) -> None:
        assert len(set(sparkline(np.full(9, 5.0)))) == 1

    def test_nothing_known(self) -> None:
        assert sparkline(np.array([np.nan])) == "."

    def test_long(self) -> None:
        assert len(sparkline(np.arange(10_000.0))) == 32


class TestStrips:
    """Samples keep their order and extremes; the picture has the number of omitted ones."""

    def test_steps(self) -> None:
        found = strips([[10.0, 30.0, 20.0], None, [7.0]])
        assert (found["n"], found["c"], found["lo"], found["hi"]) == (
            [3, 0, 1],
            [3, 0, 1],
            [10.0, 0.0, 7.0],
            [30.0, 0.0, 7.0],
        )
        steps = np.frombuffer(b64decode(str(found["v"])), "<u2")
        assert steps.tolist() == [0, 65_535, 32_768, 0]

    def test_many(self) -> None:
        found = strips([list(range(1000))])
        assert (found["n"], found["c"]) == ([1000], [48])

    def test_samples_that_are_no_numbers(self) -> None:
        found = strips([[float("nan"), 1.0]])
        assert (found["n"], found["c"]) == ([2], [1])
