"""The history of a benchmark as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.charts import trend_chart
from bench_db.app.database import on_database, public, with_run
from bench_db.query.selection import selection_of
from bench_db.query.series import beds_apart

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.app.charts import Chart
    from bench_db.query.selection import Selection, SeriesConditions
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend(Answer):
    """The points of one or several series, oldest first, with the columns of `Database.trend`; `history` describes whose results they are.

    `beds` has what a chart calls the test beds of series that are alike otherwise, by key.
    """

    history: str
    points: pl.DataFrame
    beds: Mapping[int, str] = field(default_factory=dict)

    def frame(self) -> pl.DataFrame:
        """Return the points as a frame, a row each."""
        return self.points

    def plot(self) -> Chart:
        """Draw the points as lines, one a series; those of a pull request are lines of their own."""
        return trend_chart(self.points, self.beds)


@on_database
def trend(
    store: Database,
    benchmark: str,
    *,
    last: int | None = None,
    with_pr: int | None = None,
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[SeriesConditions],
) -> Trend:
    """Return the history of a benchmark, as `Database.trend` does, as an answer that draws itself."""
    chosen = selection_of(selection, conditions)
    points = with_run(public(store.trend(benchmark, chosen, last=last, as_of=as_of, with_pr=with_pr)))
    beds = beds_apart(points, partial(store.machines, as_of=as_of))
    return Trend(history=store.history(as_of).about(chosen), points=points, beds=beds)
