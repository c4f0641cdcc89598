"""The steps of a scan for some of its series or runs: pure functions of Arrow data, which any worker can run.

A part has 12 bytes a point: no commit, no name and no time leaves the driver.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from bench_db.analysis.common_kernel import FOLLOWS, correcting, departing, following, moving
from bench_db.analysis.detect import detect_all
from bench_db.analysis.noise import noises_of
from bench_db.analysis.shapes import shapes_of
from bench_db.summary import summarise_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.constants import Constants
    from bench_db.analysis.jit import Bools, Floats, Ints

# A row is a series: +1, or -1 for a rate; the number of the run and the value of each of its points, oldest first.
PART = pa.schema(
    [
        ("series_key", pa.int64()),
        ("sign", pa.float64()),
        ("runs", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)
NOISE = pa.schema(
    [
        ("spread", pa.float64()),
        ("smallest_effect", pa.float64()),
        ("autocorrelated", pa.bool_()),
        ("runs_needed", pa.int64()),
    ]
)


def departures(
    part: pa.RecordBatch, of_runs: pa.RecordBatch, moved: pa.Array, before: pa.RecordBatch | None, bounds: Sequence[int]
) -> tuple[pa.RecordBatch, ...]:
    """Return the share of the movements that each series follows, and the departures of its points; then those of ranges of runs.

    `of_runs` has the `level` of the suite at each run and the `fewest` points of a series that counts there, `moved` the movements.
    `before` is the answer of the pass before, None in the first pass. `bounds` are those of the ranges of runs; in them are only series that count and follow by at least half.
    """
    values, offsets, runs = _points(part)
    movement = _array(moved)
    signs = _array(part["sign"])
    followers = None if before is None else following(_flat(before["departures"]), offsets, runs, movement)
    shares = np.ones(len(signs)) if followers is None else followers
    departed = departing(values, offsets, runs, movement, _array(of_runs["level"]), signs, shares)
    points = np.diff(offsets)
    counts = (np.repeat(shares, points) >= FOLLOWS) & (np.repeat(points, points) >= _array(of_runs["fewest"])[runs])
    counts &= ~np.isnan(departed)
    ranges = [
        _run_departures(runs[chosen], departed[chosen])
        for low, high in pairwise(bounds)
        for chosen in (counts & (runs >= low) & (runs < high),)
    ]
    whole = pa.record_batch({"share": pa.array(shares), "departures": _lists(offsets, departed)})
    return whole, *ranges


def movements(low: int, high: int, measured: pa.Array | None, *ranges: pa.RecordBatch) -> pa.RecordBatch:
    """Return the movement of each run from `low` to before `high`: the exact median of the departures of all its series.

    `ranges` are the departures of these runs from all parts. `measured` has the number of series of each run, None in the first
    pass, which counts them.
    """
    runs = np.concatenate([_array(one["run"]) for one in ranges]).astype(np.int64) - low
    counts = np.bincount(runs, minlength=high - low)
    by_run = np.concatenate([_array(one["departure"]) for one in ranges])[np.argsort(runs, kind="stable")]
    of_run = counts if measured is None else _array(measured)
    moved = moving(by_run, np.concatenate([[0], np.cumsum(counts)]), of_run)
    return pa.record_batch({"movement": pa.array(moved), "measured": pa.array(of_run)})


def changes(
    part: pa.RecordBatch,
    departed: pa.RecordBatch,
    moved: pa.Array,
    constants: Constants,
    with_values: bool,  # noqa: FBT001 engines take no keywords
) -> pa.RecordBatch:
    """Return finite points, and the index, the figures and whether it is provisional of each change, of every series corrected for the movements of runs.

    The changes of shape follow with their index and figures.

    `departed` is the answer of the last pass. `with_values` adds the corrected values.
    """
    values, offsets, runs = _points(part)
    departure, movement = _flat(departed["departures"]), _array(moved)
    shares = following(departure, offsets, runs, movement)
    steady = correcting(values, offsets, runs, movement, _array(part["sign"]), shares, departure)
    found = detect_all(steady, offsets, constants=constants, threads=1)
    shapes = shapes_of(steady, offsets, found, threads=1)
    shape_ends = np.concatenate([[0], np.cumsum(np.bincount(shapes.series, minlength=part.num_rows))])
    ends = np.concatenate([[0], np.cumsum(np.bincount(found.series, minlength=part.num_rows))])
    figures = np.stack([found.effect, found.low, found.high, found.p_value], axis=1)
    columns = {
        "points": pa.array(found.points),
        "index": _lists(ends, found.index),
        "figures": _lists(ends * figures.shape[1], figures.ravel()),
        "provisional": _lists(ends, found.provisional),
        "shape_index": _lists(shape_ends, shapes.index),
        "shape_figures": _lists(shape_ends * shapes.figures.shape[1], shapes.figures.ravel()),
    }
    return pa.record_batch(columns | ({"values": _lists(offsets, steady)} if with_values else {}))


def noise(part: pa.RecordBatch) -> pa.RecordBatch:
    """Return the figures of `Noise` of every series."""
    values, offsets, _ = _points(part)
    found = noises_of(values, offsets, threads=1)
    return pa.record_batch([[getattr(one, name) for one in found] for name in NOISE.names], schema=NOISE)


def summary(lists: pa.ListArray) -> pa.Table:
    """Return the statistics of each list, as `summarise_column` does."""
    return summarise_column([lists]).to_arrow()


def _points(part: pa.RecordBatch) -> tuple[Floats, Ints, Ints]:
    """Return the values of all series end to end, where each begins, and the run of each value."""
    return (
        _flat(part["values"]),
        part["values"].offsets.to_numpy().astype(np.int64),
        _flat(part["runs"]).astype(np.int64),
    )


def _flat(lists: pa.ListArray) -> Floats:
    return cast("Floats", _array(lists.values))


def _array(column: pa.Array) -> np.ndarray[Any, np.dtype[Any]]:
    # copied: Dask receives buffers that are not aligned, and the kernels take only aligned arrays that they may write
    copied: np.ndarray[Any, np.dtype[Any]] = column.to_numpy(zero_copy_only=False).copy()
    return copied


def _lists(offsets: Ints, values: Floats | Ints | Bools) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


def _run_departures(runs: Ints, departed: Floats) -> pa.RecordBatch:
    return pa.record_batch({"run": pa.array(runs.astype(np.int32)), "departure": pa.array(departed)})
