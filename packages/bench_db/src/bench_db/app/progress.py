"""The progress of a use case; the caller decides what to show."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A display of progress."""

    def __call__(self, done: int, total: int, doing: str = "") -> None:
        """Show how many steps are done, and the next one."""

    def say(self, line: str) -> None:
        """Show a line that stays."""


def silent(_done: int, _total: int) -> None:
    """Show no progress."""
