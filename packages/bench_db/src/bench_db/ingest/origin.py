"""What a file says of when and of which commit it was measured, as records have it; None where it says nothing usable."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)


def unix(moment: object) -> int | None:
    """Unix seconds of an ISO 8601 time, with a space for the T too; UTC when it has no offset."""
    try:
        time = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    except ValueError:
        return None
    return None if time is None else int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def commit(text: object) -> str | None:
    """A commit's hash; a tool outside a checkout writes another word in its place."""
    return text if isinstance(text, str) and _COMMIT.fullmatch(text) else None


def text(value: object) -> str:
    """A text, "" for anything else."""
    return value if isinstance(value, str) else ""
