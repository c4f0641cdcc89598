"""Availability as a heat map for a terminal: a line for each device, test bed and suite, a character a day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bench_db.query.availability import OF
from bench_db.report.text import PLAIN, table, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import polars as pl

    from bench_db.report.text import Screen

_SHADES = "░▒▓█"
_NONE, _FAILED = "·", "x"


def availability_text(days: pl.DataFrame, first: date | None, last: date | None, screen: Screen = PLAIN) -> str:
    """Render the days from `first` to `last`, those of `query.availability.by_day`; a darker day has more results, relative to the most of its line."""
    if first is None or last is None:
        return "no results"
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    cells = []
    for names, group in days.group_by(OF, maintain_order=True):
        counts = {
            day: (results - failed, failed)
            for day, results, failed in group.select("day", "results", "failed").iter_rows()
        }
        shown = [visible(str(name or "-")) for name in names]
        cells.append((*shown, _strip(every, counts), str(len(counts)), max(counts).isoformat()))
    heads = ("device", "test bed", "suite", f"{first} to {last}", "days", "newest")
    legend = f"{_SHADES} few to many results of the line   {_FAILED} only failed ones   {_NONE} none"
    return f"{table(heads, cells, ('days',), screen)}\n{legend}"


def _strip(every: Sequence[date], counts: Mapping[date, tuple[int, int]]) -> str:
    most = max(good for good, _ in counts.values())
    return "".join(_cell(counts[day][0], most) if day in counts else _NONE for day in every)


def _cell(good: int, most: int) -> str:
    return _FAILED if good == 0 else _SHADES[(good * len(_SHADES) - 1) // most]
