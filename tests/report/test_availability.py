from __future__ import annotations

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
        rows = [{"day": f"2026-01-0{n + 1}", "results": r, "failed": f} for n, (r, f) in enumerate(days)]
        names = {"dut_name": "d", "test_bed_name": "b", "suite": ""}
        ends = {"first": rows[0]["day"], "last": rows[-1]["day"]}
        text = availability_text({**ends, "rows": [{**names, "days": rows}]})
        assert text.splitlines()[2].split() == ["d", "b", "-", strip, str(len(days)), str(ends["last"])]
