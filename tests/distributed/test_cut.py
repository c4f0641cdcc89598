"""The cut of series into parts."""

from __future__ import annotations

import numpy as np

from bench_db.distributed.cut import part_of, rows_of
from bench_db.distributed.parts import PART
from tests.support.engines import many_components


class TestRowsOf:
    """Every series is in exactly one part, whatever the others are; empty parts are left out."""

    def test_all_of_them_once(self) -> None:
        keys = many_components().keys
        for parts in (1, 2, 7, 64):
            rows = rows_of(keys, parts)
            assert sorted(np.concatenate(rows).tolist()) == list(range(len(keys)))
            assert all(len(set((keys[of] % parts).tolist())) == 1 for of in rows)

    def test_none(self) -> None:
        assert rows_of(np.zeros(0, np.int64), 3) == []


class TestPartOf:
    """A part has its series whole, in their order, and nothing but numbers: 12 bytes a point."""

    def test_points(self) -> None:
        case = many_components()
        signs = np.where(case.named["rates"], -1.0, 1.0)
        for of in rows_of(case.keys, 7):
            part = part_of(of, case.keys, signs, case.values, case.offsets, case.runs)
            assert part.schema == PART
            assert part["series_key"].to_pylist() == case.keys[of].tolist()
            assert part["sign"].to_pylist() == signs[of].tolist()
            for number, values, runs in zip(of.tolist(), part["values"], part["runs"], strict=True):
                low, high = case.offsets[number : number + 2]
                np.testing.assert_array_equal(values.values.to_numpy(zero_copy_only=False), case.values[low:high])
                assert runs.as_py() == case.runs[low:high].tolist()

    def test_bytes(self) -> None:
        case = many_components()
        everything = np.arange(len(case.keys))
        part = part_of(everything, case.keys, np.ones(len(everything)), case.values, case.offsets, case.runs)
        assert part.nbytes <= 12 * len(case.values) + 24 * len(everything) + 8
