"""Time: a clock that tests can replace, and dates as users write them."""

from __future__ import annotations

import calendar
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bench_db.errors import UserError

# A time as callers write it: a datetime, a day, text as `unix_time` reads it, or unix seconds.
Moment = date | str | float
_DAY = timedelta(days=1)
_LENGTHS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": _DAY,
    "week": timedelta(weeks=1),
}
_MONTHS = {"month": 1, "year": 12}
_AGO = re.compile(rf"(\d{{1,4}}|an?)\s+({'|'.join((*_LENGTHS, *_MONTHS))})s?\s+ago")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Divisors of the finer units that other tools write, largest first. The smallest, 1e11 s, is the year 5138.
FINER_UNITS = ((10**17, "nanoseconds", 10**9), (10**14, "microseconds", 10**6), (10**11, "milliseconds", 10**3))
# The first and the last second that a calendar of four-digit years has, which datetimes, frames and pages share.
CALENDAR_SECONDS = (-62_135_596_800, 253_402_300_799)
_EXAMPLES = "2026-01-31, 2026-01-31T12:00, 1769860800 (unix seconds)"
_RELATIVE_EXAMPLES = 'yesterday, "2 weeks ago"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time, sleep and chance as arguments. `now` returns unix seconds, `chance` a uniform number in [0, 1)."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


def bounds(since: Moment | None, until: Moment | None, now: float | None = None) -> tuple[int | None, int | None]:
    """Return the unix seconds of the bounds of a period, as `unix_time` does; a day as `until` ends with its last second.

    `now` is unix seconds, by default those of the clock. Errors name the parameters `since` and `until`.
    """
    now = Clock().now() if now is None else now
    return unix_time(since, "`since`", now=now), unix_time(until, "`until`", end=True, now=now)


def unix_time(text: Moment | None, flag: str, *, end: bool = False, now: float | None = None) -> int | None:
    """Return the unix seconds of a date, a time, or unix seconds as text or as a number; None for None.

    A day ("2026-01-31", and with `now` "today" or "yesterday") means its first second, or with `end` its last one. With
    `now`, unix seconds, text such as "2 weeks ago" is that long before it. Times without a zone are UTC. `UserError` names
    `flag` for text of no known form, and for milliseconds.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        return _unix_time_of(text, flag, end=end)
    words = " ".join(text.lower().split())
    if re.fullmatch(r"[0-9]+", words):
        return _seconds(words, flag)
    day, moment = _day(words, now), None
    if day is None:
        moment = _moment(text.strip(), words, now)
    if day is not None:
        moment = day + _DAY - timedelta(seconds=1) if end else day
    if moment is None:
        relative = "" if now is None else f", {_RELATIVE_EXAMPLES}"
        message = f"{flag} {text}: not a date or time; examples: {_EXAMPLES}{relative}"
        raise UserError(message)
    return int(moment.timestamp())


def _unix_time_of(value: object, flag: str, *, end: bool) -> int:
    """Return the unix seconds of a datetime, a day or a number; `UserError` for another object."""
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, date):
        day = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return int((day + _DAY - timedelta(seconds=1) if end else day).timestamp())
    if not isinstance(value, int | float) or not math.isfinite(value):
        message = f"{flag} {value!r}: not a datetime, a date, unix seconds or text; examples: {_EXAMPLES}"
        raise UserError(message)
    return _seconds(str(int(value)), flag) if value >= FINER_UNITS[-1][0] else int(value)


def _seconds(digits: str, flag: str) -> int:
    """Return unix seconds; refuse digits that mean a date or a finer unit."""
    number = int(digits)
    for least, unit, divisor in FINER_UNITS:
        if number >= least:
            right = number // divisor
            shown = f" ({_iso(right)})" if right < FINER_UNITS[-1][0] else ""
            message = f"{flag} {digits}: these are {unit}, and {flag} takes unix seconds: {flag} {right}{shown}"
            raise UserError(message)
    if written := _date_without_hyphens(digits):
        message = f"{flag} {digits}: write a date with hyphens: {flag} {written}"
        raise UserError(message)
    return number


def _date_without_hyphens(digits: str) -> str | None:
    """Return the date that 8 digits (20260131) or 4 (2026) spell, with hyphens; None when they spell none."""
    spelt = {8: digits, 4: f"{digits}0101"}.get(len(digits))
    if spelt is None or not "1970" <= digits[:4] <= "2099":
        return None
    try:
        return datetime.strptime(spelt, "%Y%m%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        return None


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(words: str, now: float | None) -> datetime | None:
    """Return the first second of a day that is named alone; None for other text."""
    if _DATE.fullmatch(words):
        return _parsed(words)
    days_back = {"today": 0, "yesterday": 1}.get(words)
    if now is None or days_back is None:
        return None
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - days_back * _DAY


def _moment(text: str, words: str, now: float | None) -> datetime | None:
    """Return a point in time, absolute or before `now`; None for other text."""
    if now is not None and words == "now":
        return datetime.fromtimestamp(now, UTC)
    if now is not None and (ago := _AGO.fullmatch(words)):
        return _before(datetime.fromtimestamp(now, UTC), 1 if ago[1].startswith("a") else int(ago[1]), ago[2])
    return _parsed(text) if _DATE.match(text) else None


def _before(moment: datetime, count: int, unit: str) -> datetime | None:
    """Return the moment `count` units earlier; the day of a shorter month is its last one. None before year 1."""
    try:
        if unit in _LENGTHS:
            return moment - count * _LENGTHS[unit]
        months = 12 * moment.year + moment.month - 1 - count * _MONTHS[unit]
        year, month = months // 12, months % 12 + 1
        return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
    except (ValueError, OverflowError):
        return None


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
