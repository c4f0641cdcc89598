"""The steps of a scan for some series or runs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from bench_db.analysis.common_kernel import FEWEST_SERIES, movement
from bench_db.distributed import parts


def ranges(runs: list[int], departures: list[float]) -> pa.RecordBatch:
    return pa.record_batch({"run": pa.array(runs, pa.int32()), "departure": pa.array(departures)})


class TestMovements:
    """The movement of a run is the exact median over all parts, never a median of medians."""

    def test_of_unequal_parts(self) -> None:
        drawn = np.random.default_rng(1).normal(1, 0.1, 2 * FEWEST_SERIES + 1)
        cut = [ranges([4] * len(some), some.tolist()) for some in (drawn[:3], drawn[3:4], drawn[4:])]
        found = parts.movements(4, 6, None, *cut)
        assert found["measured"].to_pylist() == [len(drawn), 0]
        assert found["movement"].to_pylist() == [movement(drawn.copy(), len(drawn)), 0.0]
        of_medians = np.median([np.median(drawn[:3]), drawn[3], np.median(drawn[4:])])
        assert found["movement"][0].as_py() == np.median(drawn) != of_medians

    def test_few_measured_series_have_none(self) -> None:
        few = ranges([0] * FEWEST_SERIES, [1.0] * FEWEST_SERIES)
        assert parts.movements(0, 1, pa.array([FEWEST_SERIES - 1]), few)["movement"].to_pylist() == [0.0]
        assert parts.movements(0, 1, None, few)["movement"].to_pylist() == [1.0]


class TestUnaligned:
    """Dask receives buffers at any address."""

    def test_numbers(self) -> None:
        shifted = pa.py_buffer(b"x" + np.arange(3.0).tobytes())[1:]
        array = pa.Array.from_buffers(pa.float64(), 3, [None, shifted])
        found = parts._array(array)
        assert found.flags.aligned
        assert found.flags.writeable
        assert found.tolist() == [0.0, 1.0, 2.0]
