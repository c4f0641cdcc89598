"""Columns of a generated history, created as arrays and not row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench_db.arrow import RESULTS, samples_of, values_hash
from bench_db.summary import statistics
from benchmarks.records import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]


def measured(
    rng: np.random.Generator, names: Sequence[str], bench: Array, bed: Array, *, samples: bool
) -> dict[str, pa.Array]:
    """Return the columns of a measurement: samples with their statistics and metadata, or statistics alone."""
    lengths = rng.integers(10, 103, len(bench))
    level = 1e3 * (1 + bench % 37) * (1 + 0.1 * bed)
    if not samples:
        spread = np.sort(rng.normal(1, 0.03, (len(bench), 5)), axis=1) * level[:, None]
        columns = dict(zip(("min", "q1", "median", "q3", "max"), spread.T, strict=True))
        columns |= {"mean": spread.mean(axis=1), "standard_deviation": spread.std(axis=1, ddof=1)}
        return {"summary": struct("summary", **columns), "n": pa.array(lengths)}
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = np.repeat(level, lengths) * np.exp(rng.normal(0, 0.03, offsets[-1]))
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
    columns = statistics(lists)
    return {
        "values": lists,
        "summary": struct("summary", **{name: column for name, column in columns.items() if name != "n"}),
        "metadata": records(names, bench),
        "n": pa.array(lengths),
        "values_hash": pa.array(
            [values_hash(samples_of(part)) for part in np.split(values, offsets[1:-1])], pa.int64()
        ),
    }


_DEFAULTS: dict[str, object] = {
    "units": "nanoseconds", "metric": "time", "direction": "lower", "metadata": "{}", "schema_version": 1,
    "tags": [], "tags_key": "", "iterations": [], "values": [],
}  # fmt: skip


def default(column: pa.Field, rows: int) -> pa.Array:
    """Return a column with the same value in every row."""
    value = _DEFAULTS.get(column.name)
    return (
        pa.nulls(rows, column.type)
        if value is None
        else pa.array([value], column.type).take(pa.array(np.zeros(rows, int)))
    )


def struct(column: str, /, **leaves: object) -> pa.StructArray:
    """Return a struct column of the results from its leaves."""
    dtype = RESULTS.field(column).type
    return pa.StructArray.from_arrays([pa.array(leaves[leaf.name], leaf.type) for leaf in dtype], fields=list(dtype))


def ids(rng: np.random.Generator, rows: int) -> pa.Array:
    """Return random identifiers, one UUID per row."""
    text = rng.bytes(16 * rows).hex()
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return pa.array(["-".join(text[i + a : i + b] for a, b in cuts) for i in range(0, 32 * rows, 32)])
