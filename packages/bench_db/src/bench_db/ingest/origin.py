"""Time and commit of a measurement as files state them; None for what cannot be used."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNIX = re.compile(r"\d{9,13}(\.\d{1,9})?", re.ASCII)
_SECONDS_DIGITS = 11
_WRITTEN = re.compile(
    r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})"
    r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?\s*(Z|UTC|GMT|[-+]\d{2}:?\d{2})?",
    re.ASCII,
)
_UTC = {"Z", "UTC", "GMT"}
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)


def unix(moment: object) -> int | None:
    """Parse an ISO 8601 time, also with a space for the T. A time without an offset is UTC."""
    try:
        time = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    except ValueError:
        return None
    return None if time is None else int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def moment(text: str) -> int | None:
    """Parse a time in the forms of people and logs: unix time, ISO 8601, `2024.01.31 3:00:00 +0100`, RFC 2822."""
    if _UNIX.fullmatch(text):
        return int(float(text)) // (1000 if len(text.partition(".")[0]) > _SECONDS_DIGITS else 1)
    found = _WRITTEN.fullmatch(text)
    if found is None:
        try:
            return int(parsedate_to_datetime(text).timestamp())
        except (ValueError, OverflowError, OSError):
            return None
    year, month, day, hour, minute, second, offset = found.groups()
    clock = f"{int(hour or 0):02}:{minute or '00'}:{second or '00'}"
    zone = "+00:00" if (offset or "Z") in _UTC else offset
    return unix(f"{year}-{int(month):02}-{int(day):02}T{clock}{zone}")


def commit(text: object) -> str | None:
    """Return the hash of a commit, None for any other word: tools outside a checkout write one."""
    return text if isinstance(text, str) and _COMMIT.fullmatch(text) else None


def text(value: object) -> str:
    """Return a text, "" for anything else."""
    return value if isinstance(value, str) else ""
