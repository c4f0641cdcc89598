"""How a use case reports progress; the caller decides what to show."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """How far the work is."""

    def __call__(self, done: int, total: int, doing: str = "") -> None:
        """So much is done of so much; `doing` is what comes now."""

    def say(self, line: str) -> None:
        """A line that stays."""
