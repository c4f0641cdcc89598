from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from bench_db.query.availability import no_days
from bench_db.report.site.availability import days_document
from tests.report.example_site import content_of, history, site, stepped

FIRST = date(2026, 1, 5)


def days(*rows: tuple[str | None, int, int, int]) -> pl.DataFrame:
    """Return days of suites: the suite, the day since the first one, the results and the failed ones."""
    found = [("d", "b", suite, FIRST + timedelta(days=day), *counts) for suite, day, *counts in rows]
    return pl.DataFrame(found, schema=no_days().schema, orient="row")


class TestDaysDocument:
    """Every day with its numbers, stretches of days in a row once."""

    def test_rows(self) -> None:
        found = days_document(days(("\x1b", 1, 4, 0), ("\x1b", 2, 4, 0), ("\x1b", 9, 4, 4), (None, 0, 2, 1)))
        assert found is not None
        assert found["rows"] == [
            {"of": ["d", "b", "\\x1b"], "days": [1, 2, 9, 1], "results": 4, "failed": [0, 0, 4]},
            {"of": ["d", "b", ""], "days": [0, 1], "results": 2, "failed": 1},
        ]
        assert (date(1970, 1, 1) + timedelta(days=found["first"]), found["last"] - found["first"]) == (FIRST, 9)

    def test_none(self) -> None:
        assert days_document(days()) is None
        assert "availability.html" not in dict(site(content_of(history("f", stepped(1.0, 9, {})))))
