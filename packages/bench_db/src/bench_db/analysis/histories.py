"""Series as arrays: what the statistics work on, and how to find the way back to the series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from bench_db.query.series import IDENTITY, oldest_first

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Series that lie end to end, oldest point first: series s is points offsets[s] to offsets[s + 1].

    `points` has the columns of `query.series.COLUMNS`; `values` are the medians of the runs, NaN for a failed one.
    """

    points: pl.DataFrame
    values: Floats
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def series(self) -> list[dict[str, Any]]:
        """What identifies each series: a row of `query.series.IDENTITY`."""
        rows: list[dict[str, Any]] = self.points[self.offsets[:-1].tolist()].select(IDENTITY).to_dicts()
        return rows

    @cached_property
    def runs(self) -> Ints:
        """The run of each point, numbered from 0."""
        return self.points["run_key"].rank("dense").cast(pl.Int64).to_numpy() - 1

    def of(self, series: int) -> pl.DataFrame:
        """The points of one series."""
        return self.points[int(self.offsets[series]) : int(self.offsets[series + 1])]


def histories(points: pl.DataFrame) -> Histories:
    """Points in any order as histories, series by series."""
    ordered = oldest_first(points.lazy()).collect()
    lengths = ordered["series_key"].rle().struct.field("len").to_numpy()
    return Histories(
        points=ordered,
        values=ordered["median"].fill_null(float("nan")).to_numpy().astype(np.float64),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
