"""The journal of a backfill: one JSON line an event, written before and after each step, so that a killed one resumes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UserError
from bench_db.measure.worktree import furnish
from bench_db.model import Attempt, AttemptState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Journal:
    """The journal in a file. The first event creates the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = _entries(path)

    def add(self, attempt: Attempt) -> Attempt:
        """Append an event and return it once it is on disk."""
        furnish(self.path.parent)
        with self.path.open("ab") as file:
            file.write(_line(attempt))
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(attempt)
        return attempt

    @property
    def newest(self) -> dict[str, Attempt]:
        """The last event of each commit."""
        return {entry.commit: entry for entry in self.entries}

    @property
    def open(self) -> list[Attempt]:
        """Attempts without a final event."""
        return [entry for entry in self.newest.values() if entry.state.is_open]

    @property
    def attempts(self) -> dict[tuple[str, str], int]:
        """The number of ended attempts by commit and suite; attempts at all suites have an empty suite.

        An attempt whose end was recorded twice, because of a kill in between, counts once.
        """
        began = [(key, entry.started_at) for key, entry in self._ended()]
        return Counter(key for key, _ in dict.fromkeys(began))

    @property
    def failures(self) -> dict[tuple[str, str], int]:
        """The number of ended attempts of the suites whose last attempt failed.

        A success counts as no failure even when it was published to another store.
        """
        last = dict(self._ended())
        return {key: n for key, n in self.attempts.items() if last[key].state is not AttemptState.SUCCEEDED}

    def _ended(self) -> Iterator[tuple[tuple[str, str], Attempt]]:
        """Yield every final event by commit and suite."""
        for entry in self.entries:
            if not entry.state.is_open:
                yield from (((entry.commit, suite), entry) for suite in entry.suites or ("",))


def _line(attempt: Attempt) -> bytes:
    """Encode an event; fields with their default value are left out."""
    known = {field.name: getattr(attempt, field.name) for field in fields(attempt)}
    stated = {field.name: known[field.name] for field in fields(attempt) if known[field.name] != field.default}
    return msgspec.json.encode(stated) + b"\n"


def _entries(path: Path) -> list[Attempt]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    *whole, torn = content.split(b"\n")
    if torn:  # a kill within a line: remove the rest of it, or the next event would continue it
        with path.open("r+b") as file:
            file.truncate(len(content) - len(torn))
    try:
        return [msgspec.json.decode(line, type=Attempt) for line in whole if line]
    except msgspec.MsgspecError as error:
        message = f"{path}: not a journal of bench-db backfill: {error}; choose another directory as `work_dir`"
        raise UserError(message) from error
