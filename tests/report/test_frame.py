"""Any frame as JSON documents and as text."""

import json
import math
from datetime import UTC, date, datetime

import polars as pl

from bench_db.report import frame
from bench_db.report.text import Screen

ROWS = pl.DataFrame(
    {
        "name": ["a", None],
        "big": [2**63 - 1, -1],
        "ratio": [1 / 3, math.nan],
        "list": [[1.0, math.inf], []],
        "pair": [{"x": math.nan, "y": [1]}, {"x": 1.0, "y": []}],
        "day": [date(2024, 1, 31), None],
        "at": [datetime(2024, 1, 31, tzinfo=UTC), None],
        "yes": [True, False],
    }
)


class TestJson:
    """A document a row that JSON holds: no digit is lost, and what JSON has not is null or text."""

    def test_values(self) -> None:
        first, second = frame.as_json(ROWS)
        assert json.loads(json.dumps([first, second], allow_nan=False)) == [first, second]
        assert (first["name"], first["big"], first["ratio"], first["yes"]) == ("a", 2**63 - 1, 1 / 3, True)
        assert (first["list"], first["pair"]) == ([1.0, None], {"x": None, "y": [1]})
        assert (first["day"], first["at"]) == ("2024-01-31", "2024-01-31 00:00:00+00:00")
        assert (second["name"], second["ratio"], second["day"]) == (None, None, None)

    def test_no_rows(self) -> None:
        assert frame.as_json(ROWS.clear()) == []


class TestText:
    """Every row is a line; long lists are shortened and say their length; a narrow screen loses the columns at the right."""

    def test_cells(self) -> None:
        rows = pl.DataFrame({"name": ["a", None], "n": [1, 20], "list": [[1.0, 2.0], [0.1] * 9], "x": [1 / 3, None]})
        assert [line.rstrip() for line in frame.text(rows).split("\n")[2:]] == [
            "a      1  [1.0, 2.0]                   0.333333",
            "-     20  [0.1, 0.1, 0.1, 0.1, ... 9]         -",
        ]

    def test_a_narrow_screen(self) -> None:
        rows = pl.DataFrame({"name": ["a", "b"], "second": ["x" * 9, "X" * 9], "third": ["y" * 9, "Y" * 9]})
        shown = frame.text(rows, Screen(width=18))
        assert ("xxx" in shown, "yyy" in shown, "third" in shown) == (True, False, True)
        assert "yyy" in frame.text(rows)

    def test_no_columns(self) -> None:
        assert frame.text(pl.DataFrame()).strip() == ""
