"""When a request to a service is made again, and which addresses a secret may be sent to."""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench_db.clock import Clock

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_SECONDARY_WAIT = 60.0  # GitHub's advice when a secondary limit names no time
_FORBIDDEN, _TOO_MANY = 403, 429


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine, to which a secret may go without encryption."""
    return host in _LOOPBACK


def checked_address(address: str, service: str, instead: str, source: str) -> str:
    """Return an address; raise `UserError` for one with a password or without encryption.

    `source` names where the address is stated. The message has neither the path of the address nor its password.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        message = f"the address of {service} is none ({source})"
        raise UserError(message) from None  # the error has the address
    if parts.username or parts.password:
        message = f"the address of {service} must not hold a password; {instead}"
        raise UserError(message)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        shown = f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else "what it names"
        message = f"{shown}: the address of {service} must begin with https:// ({source})"
        raise UserError(message)
    return address


def certificate_fault(error: BaseException | None) -> str | None:
    """Return why the certificate of a server is not trusted, and what to do; None for an error of another cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({error.verify_message}); the variable SSL_CERT_FILE names a file with other authorities"
        error = error.__cause__ or error.__context__
    return None


def pause_before_retry(attempt: int, clock: Clock) -> float:
    """Return the seconds before the next attempt: doubled each time, with jitter so that clients do not retry at once."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 10))
    return longest * (0.5 + clock.chance() / 2)


def rate_limit_wait(status: int, headers: Mapping[str, str], text: str, attempt: int, clock: Clock) -> float | None:
    """Return the seconds until a rate limit ends; None when the answer is no rate limit."""
    if status not in (_FORBIDDEN, _TOO_MANY):
        return None
    wait = stated_wait(headers, clock)
    if wait is None and (status == _TOO_MANY or "rate limit" in text.lower()):
        wait = _SECONDARY_WAIT * 2.0 ** min(attempt - 1, 6)
    return None if wait is None else max(wait, pause_before_retry(attempt, clock))


def stated_wait(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return the seconds that headers name, by the clock of the server: ours may be wrong."""
    now = _time(headers.get("date", ""), clock.now())
    if "retry-after" in headers:
        return _retry_after(headers["retry-after"], now)
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        return max(0.0, float(headers["x-ratelimit-reset"]) - now) + 1.0
    return None


def _retry_after(text: str, now: float) -> float:
    """Return the seconds of a Retry-After header, which holds seconds or a date."""
    if text.strip().isdecimal():
        return float(text)
    return max(0.0, _time(text, now + _SECONDARY_WAIT) - now)


def _time(text: str, otherwise: float) -> float:
    """Return the unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return otherwise
