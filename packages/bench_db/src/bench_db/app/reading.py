"""The newest result of every series, with what other series say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from bench_db.query.selection import Selection
from bench_db.query.series import is_stale

if TYPE_CHECKING:
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


def latest(
    store: Database,
    selection: Selection = Selection(),  # noqa: B008 frozen
    *,
    last: int | None = None,
    as_of: AsOf | None = None,
) -> pl.DataFrame:
    """Return the newest row of each series, with `stale`: another series of its device, test bed and suite has a newer commit.

    Series that are not selected count for `stale` too. `last` returns only the series with the newest commits.
    """
    rows = store.latest(selection, as_of)
    around = rows if selection.of_points == selection else store.latest(selection.of_points, as_of)
    stale = around.filter(is_stale())["series_key"].implode()
    marked = rows.with_columns(pl.col("series_key").is_in(stale).alias("stale"))
    return marked if last is None else marked.sort("commit_order", maintain_order=True).tail(last)
