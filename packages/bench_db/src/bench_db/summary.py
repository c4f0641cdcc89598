"""Statistics of samples, one formula each, for one list and for a column of lists.

docs/statistics.md gives the formulas.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from bench_db.arrow import samples_column, samples_of
from bench_db.errors import UserError
from bench_db.model import Samples, SummaryValues
from bench_db.threads import threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Floats = np.ndarray[Any, np.dtype[np.float64]]

STATISTICS = tuple(f.name for f in fields(SummaryValues))
_NORMAL_95 = 1.959963984540054  # two-sided 95 % quantile of the standard normal distribution


def summarise(values: Iterable[float]) -> SummaryValues:
    """Return the statistics of one list of numbers; raise `UserError` for an empty list, a NaN or an infinity."""
    samples = values if isinstance(values, Samples) else samples_of(list(values))
    if not samples or not np.isfinite(np.frombuffer(samples)).all():
        message = "cannot summarise an empty list, a NaN or an infinity; give one or more finite numbers"
        raise UserError(message)
    return summarise_lists([samples])[0]


def summarise_lists(lists: list[Samples]) -> list[SummaryValues]:
    """Return the statistics of each list; every list must be non-empty and finite."""
    columns = statistics(samples_column(lists))
    rows = zip(*(columns[name].tolist() for name in STATISTICS), strict=True)
    return [SummaryValues(**dict(zip(STATISTICS, row, strict=True))) for row in rows]


def summarise_column(batches: Iterable[pa.ListArray], count: int | None = None) -> pl.DataFrame:
    """Return one row per list of a `list<double>` column, in order: statistics and the 95 % interval of the mean.

    Columns are those of `SummaryValues` plus `n`, `lower` and `upper`. An empty or null list gives nulls and n = 0. The
    interval is mean +- 1.96 standard errors; it assumes that the samples of a run are independent. `count` is the number of
    threads, by default `threads()`.
    """
    count = count or threads()
    with ThreadPoolExecutor(count) as pool:
        parts = list(_in_flight(pool, batches, 2 * count))
    return pl.concat(parts) if parts else _frame(pa.array([], pa.list_(pa.float64())))


def _in_flight(pool: ThreadPoolExecutor, batches: Iterable[pa.ListArray], limit: int) -> Iterator[pl.DataFrame]:
    """Yield the frames of the batches in order, with at most `limit` batches in memory."""
    waiting = []
    for batch in batches:
        waiting.append(pool.submit(_frame, batch))
        if len(waiting) >= limit:
            yield waiting.pop(0).result()
    yield from (future.result() for future in waiting)


def _frame(lists: pa.ListArray) -> pl.DataFrame:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    filled = lengths > 0
    if not filled.all():
        columns = statistics(lists.filter(pa.array(filled)))
        rows = pl.DataFrame({"row": np.flatnonzero(filled), **_with_interval(columns)})
        return (
            pl.DataFrame({"row": np.arange(len(lists))})
            .join(rows, on="row", how="left")
            .with_columns(pl.col("n").fill_null(0))
            .drop("row")
        )
    return pl.DataFrame(_with_interval(statistics(lists)))


def _with_interval(columns: dict[str, Floats]) -> dict[str, Any]:
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        margin = _NORMAL_95 * columns["standard_deviation"] / np.sqrt(np.maximum(columns["n"], 1))
        lower = np.maximum(columns["mean"] - margin, -largest)
        upper = np.minimum(columns["mean"] + margin, largest)
    return columns | {"n": columns["n"].astype(np.int64), "lower": lower, "upper": upper}


def statistics(lists: pa.ListArray) -> dict[str, Floats]:
    """Return one array per statistic, with one value per list; lists must be non-null, non-empty and finite.

    Lists of equal length are sorted together as the rows of one matrix: no Python object per list or per value.
    """
    offsets = lists.offsets.to_numpy()
    values = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    offsets = offsets.astype(np.int64) - offsets[0]
    starts, lengths = offsets[:-1], np.diff(offsets)
    columns = {name: np.empty(len(lengths)) for name in STATISTICS} | {"n": lengths}
    with np.errstate(over="ignore", under="ignore"):  # entered once: most lengths of a run have few lists
        for length in sorted(set(lengths.tolist())):  # np.unique imports numpy.ma, which takes 48 ms
            rows = np.flatnonzero(lengths == length)
            block = values[starts[rows][:, None] + np.arange(length)]
            for name, column in zip(STATISTICS, _of_equal_length(block), strict=True):
                columns[name][rows] = column
    return columns


def _of_equal_length(block: Floats) -> tuple[Floats, ...]:
    """Return the `STATISTICS` of each row of a matrix, sorted first so that the order of samples changes no bit."""
    block.sort(axis=1)
    low, high = block[:, 0], block[:, -1]
    mean = np.minimum(np.maximum(_mean(block), low), high)
    spread = _standard_deviation(block, mean) if block.shape[1] > 1 else np.zeros(len(block))
    return low, *_quartiles(block), high, mean, spread


def _mean(block: Floats) -> Floats:
    mean: Floats = block.mean(axis=1)
    too_large = ~np.isfinite(mean)  # the sum overflows a float64 although the mean does not
    if too_large.any():
        mean[too_large] = (block[too_large] / block.shape[1]).sum(axis=1)
    return mean


def _standard_deviation(block: Floats, mean: Floats) -> Floats:
    """Return the standard deviation of each row, clamped to the largest float64."""
    degrees = block.shape[1] - 1
    deviations = block - mean[:, None]
    spread = np.sqrt(np.einsum("ij,ij->i", deviations, deviations) / degrees)
    extreme = ~np.isfinite(spread) | (spread < 1e-150)  # noqa: PLR2004 squares overflow or underflow here
    if extreme.any():
        quarters = block[extreme] / 4 - mean[extreme, None] / 4
        scale = np.maximum(np.abs(quarters).max(axis=1), np.finfo(np.float64).tiny)
        scaled = quarters / scale[:, None]
        spread[extreme] = 4 * scale * np.sqrt(np.einsum("ij,ij->i", scaled, scaled) / degrees)
    clamped: Floats = np.minimum(spread, np.finfo(np.float64).max)
    return clamped


def _quartiles(block: Floats) -> Iterator[Floats]:
    """Yield the quartiles of each sorted row, interpolated linearly at (n - 1) p (Hyndman and Fan 1996, type 7)."""
    for probability in (0.25, 0.5, 0.75):
        position = (block.shape[1] - 1) * probability
        below = int(position)
        low = block[:, below]
        if position == below:
            yield low
        else:
            high, share = block[:, below + 1], position - below
            yield np.minimum(np.maximum(low * (1 - share) + high * share, low), high)
