from __future__ import annotations

from base64 import b64decode
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.site.numbers import LEVELS, Strips, floats, runs, sparkline, unpacked


class TestFloats:
    """A column comes back to seven digits, null as NaN."""

    def test_reads_back(self) -> None:
        column = pl.Series([1.5, None, -2.25e9])
        np.testing.assert_array_equal(unpacked(floats(column)), np.array([1.5, np.nan, -2.25e9], "f4"))

    def test_what_no_float32_holds_is_a_gap(self) -> None:
        column = pl.Series([1e39, -1e300, np.inf, 3e38])
        np.testing.assert_array_equal(
            np.frombuffer(b64decode(floats(column)), "<f4"), np.array([np.nan, np.nan, np.nan, 3e38], "f4")
        )


class TestRuns:
    """Positions come back from their runs."""

    @given(st.sets(st.integers(0, 400)))
    def test_reads_back(self, positions: set[int]) -> None:
        found = runs(np.array(sorted(positions), int))
        assert [
            first + i for first, count in zip(found[::2], found[1::2], strict=True) for i in range(count)
        ] == sorted(positions)

    def test_a_build_measured_twice(self) -> None:
        assert runs(np.array([3, 3, 4])) == [3, 1, 3, 2]


class TestSparkline:
    """One letter per point, from the first of the alphabet for the lowest to the last for the highest."""

    def test_ends(self) -> None:
        assert sparkline(np.array([1.0, np.nan, 3.0])) == f"{LEVELS[0]}.{LEVELS[-1]}"

    def test_constant(self) -> None:
        assert len(set(sparkline(np.full(9, 5.0)))) == 1

    def test_a_range_wider_than_a_float64(self) -> None:
        assert sparkline(np.array([-1.7e308, np.nan, 1.7e308])) == f"{LEVELS[0]}.{LEVELS[-1]}"

    def test_nothing_known(self) -> None:
        assert sparkline(np.array([np.nan])) == "."

    def test_long(self) -> None:
        assert len(sparkline(np.arange(10_000.0))) == 32


class TestStrips:
    """Samples keep their order and extremes; the picture has the number of omitted ones."""

    def strips(self, *samples: list[float] | None) -> Any:
        return Strips(pl.Series(samples, dtype=pl.List(pl.Float64))).of(0, len(samples))

    def test_steps(self) -> None:
        found = self.strips(None, [10.0, 30.0, 20.0], None, [7.0])
        assert (found["from"], found["n"], found["c"]) == (1, [3, 0, 1], [3, 0, 1])
        assert (unpacked(found["lo"]).tolist(), unpacked(found["hi"]).tolist()) == ([10, 0, 7], [30, 0, 7])
        assert list(b64decode(found["v"])) == [0, 255, 128, 0]

    def test_many(self) -> None:
        found = self.strips([float(i) for i in range(1000)])
        assert (found["n"], found["c"]) == (1000, 48)
        assert list(b64decode(found["v"]))[::47] == [0, 255]

    def test_samples_that_are_no_numbers(self) -> None:
        found = self.strips([float("nan"), 1.0])
        assert (found["n"], found["c"]) == (2, 1)

    def test_none(self) -> None:
        assert self.strips(None, []) is None

    @given(st.lists(st.none() | st.lists(st.floats(), max_size=60), max_size=8), st.integers(0, 8))
    def test_the_points_of_a_part_are_those_of_the_whole(self, samples: list[list[float] | None], cut: int) -> None:
        every = Strips(pl.Series(samples, dtype=pl.List(pl.Float64)))
        part = Strips(pl.Series(samples[cut:], dtype=pl.List(pl.Float64)))
        assert every.of(min(cut, len(samples)), len(samples)) == part.of(0, len(samples[cut:]))
