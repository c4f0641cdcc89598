"""How long to wait: GitHub's primary and secondary rate limits, and pauses between attempts."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench_db.clock import Clock

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_SECONDARY_WAIT = 60.0  # GitHub's advice when a secondary limit names no time
_FORBIDDEN, _TOO_MANY = 403, 429


def pause_before_retry(attempt: int, clock: Clock) -> float:
    """Seconds before the next attempt: doubled each time, with jitter so that many clients do not return at once."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 10))
    return longest * (0.5 + clock.chance() / 2)


def rate_limit_wait(status: int, headers: Mapping[str, str], text: str, attempt: int, clock: Clock) -> float | None:
    """Seconds until a limit ends; None when the answer is no rate limit."""
    if status not in (_FORBIDDEN, _TOO_MANY):
        return None
    wait = _stated_wait(headers, clock)
    if wait is None and (status == _TOO_MANY or "rate limit" in text.lower()):
        wait = _SECONDARY_WAIT * 2.0 ** min(attempt - 1, 6)
    return None if wait is None else max(wait, pause_before_retry(attempt, clock))


def _stated_wait(headers: Mapping[str, str], clock: Clock) -> float | None:
    """The seconds that headers name, told by the clock that wrote them: ours may be wrong."""
    now = _time(headers.get("date", ""), clock.now())
    if "retry-after" in headers:
        return _retry_after(headers["retry-after"], now)
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        return max(0.0, float(headers["x-ratelimit-reset"]) - now) + 1.0
    return None


def _retry_after(text: str, now: float) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date."""
    if text.strip().isdecimal():
        return float(text)
    return max(0.0, _time(text, now + _SECONDARY_WAIT) - now)


def _time(text: str, otherwise: float) -> float:
    """The unix seconds of a date as HTTP has it."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return otherwise
