"""How long to wait: GitHub's primary and secondary rate limits, and pauses between attempts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_SECONDARY_WAIT = 60.0  # GitHub's advice when a secondary limit names no time
_FORBIDDEN, _TOO_MANY = 403, 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time, sleep and chance, so that a test can own them. `now` is unix seconds, `chance` is uniform in [0, 1)."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


def pause_before_retry(attempt: int, clock: Clock) -> float:
    """Seconds before the next attempt: doubled each time, with jitter so that many clients do not return at once."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 10))
    return longest * (0.5 + clock.chance() / 2)


def rate_limit_wait(status: int, headers: Mapping[str, str], text: str, attempt: int, clock: Clock) -> float | None:
    """Seconds until a limit ends; None when the answer is no rate limit."""
    if status not in (_FORBIDDEN, _TOO_MANY):
        return None
    if "retry-after" in headers:
        return _retry_after(headers["retry-after"], clock.now())
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        return max(0.0, float(headers["x-ratelimit-reset"]) - clock.now()) + 1.0
    if status == _TOO_MANY or "rate limit" in text.lower():
        return _SECONDARY_WAIT * 2.0 ** min(attempt - 1, 6)
    return None


def _retry_after(text: str, now: float) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return _SECONDARY_WAIT
