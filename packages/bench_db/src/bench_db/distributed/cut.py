"""The cut of many series into parts, by series key, so that a series is in the same part whatever else is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench_db.distributed.parts import PART

if TYPE_CHECKING:
    from bench_db.analysis.jit import Codes, Floats, Ints


def rows_of(keys: Ints, parts: int) -> list[Ints]:
    """Return the numbers of the series of each part that has any: those whose key leaves the same remainder."""
    remainders = keys % parts
    rows = (np.flatnonzero(remainders == part) for part in range(parts))
    return [of_part for of_part in rows if len(of_part)]


def part_of(rows: Ints, keys: Ints, signs: Floats, values: Floats, offsets: Ints, runs: Ints | Codes) -> pa.RecordBatch:  # noqa: PLR0913, PLR0917
    """Return the part with the series of these numbers; the arrays are those of `analysis.scan.scan`."""
    lengths = (offsets[1:] - offsets[:-1])[rows]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    points = np.arange(ends[-1]) + np.repeat(offsets[:-1][rows] - ends[:-1], lengths)
    starts = pa.array(ends.astype(np.int32))
    columns = [
        pa.array(keys[rows]),
        pa.array(signs[rows]),
        pa.ListArray.from_arrays(starts, pa.array(runs[points].astype(np.int32))),
        pa.ListArray.from_arrays(starts, pa.array(values[points])),
    ]
    return pa.record_batch(columns, schema=PART)
