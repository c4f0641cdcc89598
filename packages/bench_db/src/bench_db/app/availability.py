"""Which device, test bed and suite has results on which day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.database import on_database
from bench_db.errors import UserError
from bench_db.query.availability import OF
from bench_db.query.definitions import METRIC
from bench_db.query.selection import Conditions, Selection, selection_of

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability(Answer):
    """The days with results, from `first` to `last`; both are null without results. `days` is `query.availability.by_day`."""

    history: str
    first: date | None
    last: date | None
    days: pl.DataFrame

    def frame(self) -> pl.DataFrame:
        """Return a row for each device, test bed, suite and day with results: how many there are, and how many of them failed."""
        return self.days

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON: a row for each device, test bed and suite, with its days."""
        rows = [
            {
                **dict(zip(OF, (name or "" for name in names), strict=True)),
                "days": [
                    {"day": row["day"].isoformat(), "results": row["results"], "failed": row["failed"]}
                    for row in group.iter_rows(named=True)
                ],
            }
            for names, group in self.days.group_by(OF, maintain_order=True)
        ]
        ends = {
            name: None if day is None else day.isoformat() for name, day in (("first", self.first), ("last", self.last))
        }
        return {"history": self.history, **ends, "rows": rows}


@on_database
def availability(
    store: Database,
    *,
    days: int | None = None,
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Availability:
    """Return the days on which each device has results of a suite on a test bed; `days` limits them to the newest ones.

    A day is that of the measurement in UTC, else of the commit, else of the publish. The newest days end at the last day with results.
    Counted are stored results only. Raises `UserError` for `days` below 1, and for a derived metric.
    """
    if days is not None and days < 1:
        message = f"`days`: {days} are none; give 1 or more"
        raise UserError(message)
    chosen = selection_of(selection, conditions)
    found = store.availability(chosen, as_of)
    derived = [one for one in store.definitions(as_of) if one.kind == METRIC and one.pattern == chosen.metric]
    if derived and found.is_empty():
        message = (
            f"`metric`: {chosen.metric!r} is derived ({derived[-1].value}), and availability counts stored results only; "
            "name a metric of its formula"
        )
        raise UserError(message)
    last = found.select(pl.col("day").max()).item()
    first = found.select(pl.col("day").min()).item()
    if last is not None and days is not None:
        first = last - timedelta(days=min(days - 1, (last - first).days))
        found = found.filter(pl.col("day") >= first)
    return Availability(history=store.history(as_of).about(chosen), first=first, last=last, days=found)
