"""Dates as users write them."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from bench_db.clock import bounds, unix_time
from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 31, 10, 20, 30, tzinfo=UTC).timestamp()


def read(text: str, *, end: bool = False) -> str:
    seconds = unix_time(text, "--since", end=end, now=NOW)
    assert seconds is not None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def refused(text: str, now: float | None = NOW) -> str:
    with pytest.raises(UserError) as raised:
        unix_time(text, "--since", now=now)
    return str(raised.value)


class TestAbsolute:
    """A date, a time, or unix seconds."""

    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("2026-01-31", "2026-01-31 00:00:00", "2026-01-31 23:59:59"),
            (" 2026-01-31 ", "2026-01-31 00:00:00", "2026-01-31 23:59:59"),
            ("2026-01-31T12:00+02:00", "2026-01-31 10:00:00", "2026-01-31 10:00:00"),
            ("2026-01-31T12:00:05Z", "2026-01-31 12:00:05", "2026-01-31 12:00:05"),
            ("1769860800", "2026-01-31 12:00:00", "2026-01-31 12:00:00"),
            ("0", "1970-01-01 00:00:00", "1970-01-01 00:00:00"),
        ],
    )
    def test_it_is_read(self, text: str, first: str, last: str) -> None:
        assert (read(text), read(text, end=True)) == (first, last)

    def test_nothing_asks_for_nothing(self) -> None:
        assert unix_time(None, "--since") is None


class TestObjects:
    """A time in Python is a datetime, a day, or unix seconds as a number."""

    @pytest.mark.parametrize(
        ("value", "first", "last"),
        [
            (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31 12:00:00", "2026-01-31 12:00:00"),
            (datetime(2026, 1, 31, 12), "2026-01-31 12:00:00", "2026-01-31 12:00:00"),  # noqa: DTZ001 without a zone
            (
                datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
                "2026-01-31 10:00:00",
                "2026-01-31 10:00:00",
            ),
            (date(2026, 1, 31), "2026-01-31 00:00:00", "2026-01-31 23:59:59"),
            (1_769_860_800, "2026-01-31 12:00:00", "2026-01-31 12:00:00"),
            (1_769_860_800.9, "2026-01-31 12:00:00", "2026-01-31 12:00:00"),
            (0, "1970-01-01 00:00:00", "1970-01-01 00:00:00"),
        ],
    )
    def test_it_is_read(self, value: date | float, first: str, last: str) -> None:
        shown = [
            datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
            for seconds in bounds(value, value)
            if seconds is not None
        ]
        assert shown == [first, last]

    def test_text_is_read_as_on_the_command_line(self) -> None:
        week = 7 * 86_400
        assert bounds("2 weeks ago", "now", NOW) == (int(NOW) - 2 * week, int(NOW))
        assert bounds(None, None) == (None, None)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), b"2026-01-31", [2026]], ids=str)
    def test_another_object_is_refused(self, value: float) -> None:
        with pytest.raises(UserError, match=r"^`until` .*: not a datetime, a date, unix seconds or text; examples: "):
            bounds(None, value)

    def test_milliseconds_are_refused(self) -> None:
        with pytest.raises(
            UserError, match="these are milliseconds, and `since` takes unix seconds: `since` 1769860800 "
        ):
            bounds(1_769_860_800_000, None)


class TestZone:
    """A time without a zone is UTC, wherever the machine is."""

    @pytest.fixture(autouse=True)
    def _zone(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    @pytest.mark.parametrize("text", ["2026-01-31T12:00", "2026-01-31 12:00"])
    def test_utc(self, text: str) -> None:
        assert read(text) == "2026-01-31 12:00:00"

    def test_yesterday(self) -> None:
        assert read("yesterday") == "2026-03-30 00:00:00"


class TestRelative:
    """Text such as "2 weeks ago" is before now; a named day is that day from its first to its last second."""

    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("today", "2026-03-31 00:00:00", "2026-03-31 23:59:59"),
            ("Yesterday", "2026-03-30 00:00:00", "2026-03-30 23:59:59"),
            ("now", "2026-03-31 10:20:30", "2026-03-31 10:20:30"),
            ("2 weeks ago", "2026-03-17 10:20:30", "2026-03-17 10:20:30"),
            ("3  Days ago", "2026-03-28 10:20:30", "2026-03-28 10:20:30"),
            ("1 day ago", "2026-03-30 10:20:30", "2026-03-30 10:20:30"),
            ("an hour ago", "2026-03-31 09:20:30", "2026-03-31 09:20:30"),
            ("a week ago", "2026-03-24 10:20:30", "2026-03-24 10:20:30"),
            ("90 seconds ago", "2026-03-31 10:19:00", "2026-03-31 10:19:00"),
            ("1 month ago", "2026-02-28 10:20:30", "2026-02-28 10:20:30"),
            ("13 months ago", "2025-02-28 10:20:30", "2025-02-28 10:20:30"),
            ("2 years ago", "2024-03-31 10:20:30", "2024-03-31 10:20:30"),
        ],
    )
    def test_it_is_read(self, text: str, first: str, last: str) -> None:
        assert (read(text), read(text, end=True)) == (first, last)

    @pytest.mark.parametrize("text", ["yesterday", "2 weeks ago", "now"])
    def test_where_it_makes_no_sense_it_is_refused(self, text: str) -> None:
        assert "ago" not in refused(text, now=None).partition("examples")[2]


class TestRefused:
    """Text of no known form is refused with the flag and examples; a near miss with the right text."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "soon",
            "2 fortnights ago",
            "9999 years ago",
            "2026-02-30",
            "2026-1-5",
            "31.01.2026",
            "-5",
            "1.5",
            "٣",
            "2026-W05",
            "2026-01",
        ],
    )
    def test_no_date(self, text: str) -> None:
        said = refused(text)
        assert said.startswith(f"--since {text}: not a date or time; examples: 2026-01-31, ")
        assert '"2 weeks ago"' in said

    @pytest.mark.parametrize(
        ("text", "unit", "right"),
        [
            ("1769860800000", "milliseconds", "--since 1769860800 (2026-01-31T12:00:00Z)"),
            ("1769860800000000", "microseconds", "--since 1769860800 (2026-01-31T12:00:00Z)"),
            ("1769860800123456789", "nanoseconds", "--since 1769860800 (2026-01-31T12:00:00Z)"),
            ("9" * 30, "nanoseconds", "--since 999999999999999999999"),
        ],
    )
    def test_finer_units(self, text: str, unit: str, right: str) -> None:
        said = refused(text)
        assert unit in said
        assert said.endswith(right)

    @pytest.mark.parametrize(("text", "right"), [("20260131", "--since 2026-01-31"), ("2026", "--since 2026-01-01")])
    def test_a_date_without_hyphens(self, text: str, right: str) -> None:
        assert refused(text).endswith(right)
