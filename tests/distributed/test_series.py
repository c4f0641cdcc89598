"""Noise and statistics on an engine."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from bench_db.analysis.noise import noises_of
from bench_db.distributed import noises, summaries
from bench_db.summary import summarise_column
from tests.support.engines import Pickling, many_components, one_component


class TestNoises:
    """The noise of each series is that of one process, in the order of the series."""

    @pytest.mark.parametrize("parts", [1, 2, 7, 64])
    def test_parts(self, parts: int) -> None:
        for case in (one_component(), many_components()):
            alone = noises_of(case.values, case.offsets)
            assert any(one.spread is not None for one in alone)
            assert repr(noises(Pickling(), case.keys, case.values, case.offsets, parts)) == repr(alone)


class TestSummaries:
    """The statistics of each list are those of one process, in the order of the lists."""

    def test_none(self) -> None:
        none = pa.array([], pa.list_(pa.float64()))
        assert summaries(Pickling(), pl.Series([], dtype=pl.Int64), none).equals(summarise_column([none]))

    @pytest.mark.parametrize("parts", [1, 2, 7, 64])
    def test_parts(self, parts: int) -> None:
        drawn = np.random.default_rng(1)
        lists = pa.array([drawn.normal(5, 1, count).tolist() for count in (3, 0, 1, 7, 3, 20)])
        keys = pl.Series([5, 2**62, 7, 64, 128, 9])
        assert summaries(Pickling(), keys, lists, parts).equals(summarise_column([lists]))
