"""Rows as JSON documents and as text."""

import json

import polars as pl
import pytest

from bench_db.query.series import COLUMNS, with_change_since_first, with_changes
from bench_db.report import rows

NAME = "it's \"x\" \\ ; DROP -- ' OR '1'='1 ünïcode"


def points(**changes: object) -> pl.DataFrame:
    """Two points of one series, as a trend answers them."""
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {"series_key": 255, "dut_name": "lance", "test_bed_name": "ci", "suite": "", "benchmark_name": NAME}
    row |= {
        "metric": "time",
        "tags_key": "k=10",
        "units": "nanoseconds",
        "direction": "lower",
        "commit": "1a2b3c4d5e6f",
    }
    row |= {"dut_version": "1.0+1a2b3c4", "dut_timestamp": 1_700_000_000, "timestamp": 1, "run_key": 10, "n": 3}
    row |= dict.fromkeys(("min", "q1", "median", "q3", "max", "mean"), 1000.0) | {"standard_deviation": 0.0} | changes
    later = row | {"dut_timestamp": 1_700_086_400, "median": 1500.0}
    frame = pl.DataFrame([row, later], infer_schema_length=None).with_columns(pl.col("median").cast(pl.Float64))
    return with_change_since_first(with_changes(frame.lazy())).collect()


class TestJson:
    """A row is a document that any JSON reader reads without losing a digit."""

    def test_keys_are_texts_and_tags_a_dictionary(self) -> None:
        first = json.loads(json.dumps(rows.as_json(points())))[0]
        assert first["series_key"] == "00000000000000ff"
        assert first["tags"] == {"k": "10"}
        assert first["benchmark_name"] == NAME

    def test_timestamp_is_the_commit_time(self) -> None:
        first = rows.as_json(points())[0]
        assert first["timestamp"] == 1_700_000_000
        assert first["version"] == "1.0+1a2b3c4"


class TestTrend:
    """A trend shows the shape, the ends and every point, and never mixes series."""

    def test_one_series(self) -> None:
        shown = rows.trend_text(points()).splitlines()
        assert shown[0] == f"{NAME} {{k=10}}  on ci  (lower is better)"
        assert shown[1] == "▁█  2 points, 1.000 µs to 1.500 µs, +50.0 %"
        assert shown[4].split() == [
            "1a2b3c4d5",
            "2023-11-14",
            "22:13",
            "1.0+1a2b3c4",
            "3",
            "1.000",
            "µs",
            "1.000",
            "µs",
            "1.000",
            "µs",
            "-",
        ]
        assert shown[5].endswith("+50.0 %")

    @pytest.mark.parametrize("order", ["reversed", "as answered"])
    def test_the_order_of_rows_decides_nothing(self, order: str) -> None:
        shown = points().reverse() if order == "reversed" else points()
        assert rows.trend_text(shown) == rows.trend_text(points())
        assert "+50.0 %" in rows.trend_text(shown)
        assert "-33" not in rows.trend_text(shown)

    def test_two_series_are_two_tables(self) -> None:
        both = pl.concat([points(), points(series_key=256, test_bed_name="other")])
        assert rows.trend_text(both).count("points,") == 2

    def test_a_failed_point_says_why(self) -> None:
        failed = points(median=None, min=None, q1=None, q3=None, max=None, mean=None, error="Segfault\nat 0x0", n=0)
        assert "failed: Segfault" in rows.trend_text(failed)


class TestLatest:
    """Every series is named in full."""

    def test_hostile_name(self) -> None:
        assert NAME in rows.latest_text(points())
