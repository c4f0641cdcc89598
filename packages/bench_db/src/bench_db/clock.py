"""Time: a clock that tests can replace, and dates as users write them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bench_db.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time, sleep and chance as arguments that a test can replace; `now` is unix seconds, `chance` is uniform in [0, 1)."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


def unix_time(text: str | None, flag: str, *, end: bool = False) -> int | None:
    """Unix seconds of a date or time, or of unix seconds; a date alone is the start of its day (UTC), or with `end` its end."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        moment = datetime.fromisoformat(text if len(text) > len("2026-01-31") else f"{text}T00:00:00+00:00")
    except ValueError as error:
        message = f"{flag} {text}: a date looks like 2026-01-31 or 2026-01-31T12:00+00:00"
        raise UserError(message) from error
    whole_day = end and len(text) == len("2026-01-31")
    return int(moment.timestamp()) + (86_399 if whole_day else 0)
