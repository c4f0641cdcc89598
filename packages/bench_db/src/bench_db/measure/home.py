"""The directory of work trees, logs and the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def furnish(home: Path) -> None:
    """The directory, made if it is not there; in a checkout it is not to be seen as a change of it."""
    if not home.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / ".gitignore").write_text("*\n", encoding="utf-8")
