from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules

import polars as pl

from bench_db import app
from bench_db.app.answers import Answer, frame_of
from bench_db.model import Comparison, Finding, Series, Verdict
from bench_db.units import Direction

SERIES = Series(series_key=7, suite="s", benchmark_name="f", metric="time", units="ns", direction=Direction.LOWER)
COMPARISON = Comparison(series=SERIES, verdict=Verdict.REGRESSED, effect=0.25, n_baseline=9, n_candidate=1)
FINDING = Finding(
    id="a",
    series_key=7,
    commit=None,
    index=3,
    effect=0.1,
    low=0.0,
    high=0.2,
    p_value=0.01,
    provisional=False,
    at=86_400,
)


class TestFrameOf:
    """A row is a record with the series flat; the columns do not depend on the records."""

    def test_a_row_is_a_record(self) -> None:
        row = frame_of([COMPARISON], Comparison).row(0, named=True)
        assert (row["verdict"], row["effect"], row["n_baseline"]) == ("regressed", 0.25, 9)
        assert (row["benchmark_name"], row["series_key"], row["direction"]) == ("f", 7, "lower")

    def test_the_series_is_flat(self) -> None:
        names = set(frame_of([COMPARISON], Comparison).columns)
        assert names >= {field.name for field in fields(Series)}
        assert "series" not in names

    def test_no_records_have_the_same_schema(self) -> None:
        empty = frame_of([], Comparison)
        assert empty.is_empty()
        assert empty.schema == frame_of([COMPARISON], Comparison).schema

    def test_a_time_is_a_datetime(self) -> None:
        frame = frame_of([FINDING], Finding)
        assert frame["at"].to_list() == [datetime(1970, 1, 2, tzinfo=UTC)]
        assert frame_of([], Finding).schema["at"] == frame.schema["at"]
        assert isinstance(frame.schema["at"], pl.Datetime)


class Rows(Answer):
    """An answer of one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame({"name": [self.text]})


class TestAnswer:
    """A notebook shows the frame of an answer; a name is text there, never markup."""

    def test_every_answer(self) -> None:
        """Everything in `app` with a frame shows itself."""
        modules = [import_module(f"bench_db.app.{one.name}") for one in iter_modules(app.__path__)]
        found = [
            one
            for module in modules
            for one in vars(module).values()
            if isinstance(one, type) and one.__module__ == module.__name__ and callable(getattr(one, "frame", None))
        ]
        assert len(found) > 20
        assert [one.__name__ for one in found if not issubclass(one, Answer)] == []

    def test_markup_in_a_name(self) -> None:
        text = Rows("<script>alert(1)</script>&amp;")._repr_html_()
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
