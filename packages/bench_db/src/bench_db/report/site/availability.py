"""The days with results of each device, test bed and suite, as the document of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench_db.query.availability import OF
from bench_db.report.site.numbers import runs
from bench_db.report.text import visible

if TYPE_CHECKING:
    import polars as pl


def days_document(days: pl.DataFrame) -> dict[str, Any] | None:
    """Return the rows of `query.availability.by_day` by device, test bed and suite; None without any.

    `first` and `last` are days since 1970. Of a row, `days` are stretches of days since the first one, and `results` and `failed` have
    a number a day, or one for all days where it is the same.
    """
    if days.is_empty():
        return None
    number = days["day"].to_physical()
    first = int(number.min())  # type: ignore[arg-type]
    rows = days.with_columns(day=number - first).partition_by(OF, as_dict=True, maintain_order=True)
    return {
        "first": first,
        "last": int(number.max()),  # type: ignore[arg-type]
        "rows": [
            {
                "of": [visible(str(name or "")) for name in names],
                "days": runs(of_row["day"].to_numpy()),
                "results": _each(of_row["results"].to_list()),
                "failed": _each(of_row["failed"].to_list()),
            }
            for names, of_row in rows.items()
        ],
    }


def _each(counts: list[int]) -> int | list[int]:
    return counts[0] if len(set(counts)) == 1 else counts
