from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from bench_db.report.availability import availability_text


class TestAvailabilityText:
    """A day is as dark as its share of the most results of its line."""

    @pytest.mark.parametrize(
        ("days", "strip"),
        [
            ([(1, 0), (4, 0)], "░█"),
            ([(1, 0), (2, 0), (3, 0), (4, 0)], "░▒▓█"),
            ([(1, 0), (100, 0)], "░█"),
            ([(3, 3), (3, 0)], "x█"),
            ([(3, 3)], "x"),
        ],
    )
    def test_shades(self, days: list[tuple[int, int]], strip: str) -> None:
        every = [date(2026, 1, number + 1) for number in range(len(days))]
        rows = [("d", "b", None, day, *counts) for day, counts in zip(every, days, strict=True)]
        names = ["dut_name", "test_bed_name", "suite", "day", "results", "failed"]
        text = availability_text(pl.DataFrame(rows, names, orient="row"), every[0], every[-1])
        assert text.splitlines()[2].split() == ["d", "b", "-", strip, str(len(days)), every[-1].isoformat()]
