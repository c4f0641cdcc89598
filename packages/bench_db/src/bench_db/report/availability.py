"""Availability as a heat map for a terminal: a line for each device, test bed and suite, a character a day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from bench_db.report.text import PLAIN, table, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bench_db.report.text import Screen

_SHADES = "░▒▓█"
_NONE, _FAILED = "·", "x"


def availability_text(document: Mapping[str, Any], screen: Screen = PLAIN) -> str:
    """Render the days from the first to the last; a darker day has more results, relative to the most of its line."""
    if document["first"] is None:
        return "no results"
    first, last = (date.fromisoformat(document[name]) for name in ("first", "last"))
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    cells = []
    for row in document["rows"]:
        days = {date.fromisoformat(day["day"]): day for day in row["days"]}
        names = [visible(row[name] or "-") for name in ("dut_name", "test_bed_name", "suite")]
        cells.append((*names, _strip(every, days), str(len(days)), max(days).isoformat()))
    heads = ("device", "test bed", "suite", f"{first} to {last}", "days", "newest")
    legend = f"{_SHADES} few to many results of the line   {_FAILED} only failed ones   {_NONE} none"
    return f"{table(heads, cells, ('days',), screen)}\n{legend}"


def _strip(every: Sequence[date], days: Mapping[date, Mapping[str, Any]]) -> str:
    most = max(day["results"] - day["failed"] for day in days.values())
    return "".join(_cell(days[day], most) if day in days else _NONE for day in every)


def _cell(day: Mapping[str, Any], most: int) -> str:
    good = day["results"] - day["failed"]
    return _FAILED if good == 0 else _SHADES[(good * len(_SHADES) - 1) // most]
