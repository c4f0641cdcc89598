"""How a use case reports progress; the caller decides what to show."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """The progress of long work."""

    def __call__(self, done: int, total: int, doing: str = "") -> None:
        """Report that `done` of `total` are done; `doing` names what comes next."""

    def say(self, line: str) -> None:
        """Show a line that stays."""


class Silent:
    """Progress that is not shown."""

    def __call__(self, done: int, total: int, doing: str = "") -> None:
        """Report nothing."""

    def say(self, line: str) -> None:
        """Show nothing."""


SILENT = Silent()
