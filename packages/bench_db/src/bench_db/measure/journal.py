"""The journal of a backfill: one JSON line an event, written before and after each step, so that a killed one resumes."""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UserError
from bench_db.measure.home import furnish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class State(StrEnum):
    """How far one attempt at one commit came. DISPATCHING and STARTED are open, all others are ends."""

    DISPATCHING = "dispatching"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    LOST = "lost"

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still be going on."""
        return self in (State.DISPATCHING, State.STARTED)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event: what became of one attempt at one commit. `at` and `started_at` are unix seconds."""

    commit: str
    state: State
    at: int
    started_at: int = 0
    attempt: int = 1
    suites: tuple[str, ...] = ()
    correlation: str = ""
    run_id: int | None = None
    url: str = ""
    detail: str = ""


class Journal:
    """The journal in a file, which comes into being with the first event."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = _entries(path)

    def add(self, entry: Entry) -> Entry:
        """The entry, once it is safely on disk."""
        furnish(self.path.parent)
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)
        return entry

    @property
    def newest(self) -> dict[str, Entry]:
        """The last event of each commit."""
        return {entry.commit: entry for entry in self.entries}

    @property
    def open(self) -> list[Entry]:
        """Attempts that have not ended, as far as is known here."""
        return [entry for entry in self.newest.values() if entry.state.is_open]

    @property
    def attempts(self) -> dict[tuple[str, str], int]:
        """How many attempts at each suite of each commit ended; those at all suites have an empty one.

        An attempt whose end is told twice, since a kill came in between, counts once.
        """
        began = [(key, entry.started_at) for key, entry in self._ended()]
        return Counter(key for key, _ in dict.fromkeys(began))

    @property
    def failures(self) -> dict[tuple[str, str], int]:
        """The same of the suites that did not succeed when they were tried last: what another store holds is no failure."""
        last = dict(self._ended())
        return {key: count for key, count in self.attempts.items() if last[key].state is not State.SUCCEEDED}

    def _ended(self) -> Iterator[tuple[tuple[str, str], Entry]]:
        """Every end of an attempt, by commit and suite."""
        for entry in self.entries:
            if not entry.state.is_open:
                yield from (((entry.commit, suite), entry) for suite in entry.suites or ("",))


def _entries(path: Path) -> list[Entry]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    *whole, torn = content.split(b"\n")
    if torn:  # the writer was killed within a line: take it out, or the next event would continue it
        with path.open("r+b") as file:
            file.truncate(len(content) - len(torn))
    try:
        return [msgspec.json.decode(line, type=Entry) for line in whole if line]
    except msgspec.MsgspecError as error:
        message = f"{path}: not a journal of bench-db backfill: {error}; name another directory with --work-dir"
        raise UserError(message) from error
