"""What a backfill writes to disk, so that a killed one resumes: the journal of attempts, and the outbox.

The journal has one JSON line an event, written before and after each step. The outbox holds what is measured and not published
yet, so that a kill or an unreachable store costs no measurement.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench_db.errors import UserError
from bench_db.measure.git import furnish
from bench_db.model import Attempt, AttemptState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bench_db.measure.runner import Written

_NAME = "measured.json"


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
        began = [(key, entry.started_at, entry.attempt) for key, entry in self._ended()]
        return Counter(key for key, *_ in dict.fromkeys(began))

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


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """One measured suite of one commit, with all that publishing needs. Publishing it again adds nothing.

    `outputs` are paths below the outbox; `provenance` holds the known fields of `Provenance`.
    """

    key: str
    store: str
    commit: str
    suite: str
    format: str
    attempt: int
    began: int
    seconds: float
    log: str
    outputs: tuple[str, ...] = ()
    error: str | None = None
    provenance: dict[str, Any]


class Outbox:
    """A directory with a sub-directory for each pending suite."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def is_empty(self) -> bool:
        """Whether nothing is pending, for any store."""
        return not any(self._all())

    def tidy(self) -> None:
        """Remove entries that are incomplete or already published."""
        whole = {pending.key for pending in self._all()}
        for path in self.directory.glob("*"):
            if path.name not in whole:
                shutil.rmtree(path)

    def put(self, pending: Pending, written: Written) -> Pending:
        """Write a pending suite with copies of what its benchmark wrote, in one atomic step."""
        unfinished = self.directory / f"{pending.key}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        kept = []
        for number, path in enumerate(written.outputs):
            place = (
                Path(str(number)) / path.name
            )  # the name tells the format of a file, and two files may have the same name
            (unfinished / place.parent).mkdir()
            if path.is_dir():
                shutil.copytree(path, unfinished / place, symlinks=True, ignore=partial(_among, written.older))
            else:
                shutil.copyfile(path, unfinished / place)
            kept.append(str(Path(pending.key) / place))
        pending = msgspec.structs.replace(pending, outputs=tuple(kept))
        (unfinished / _NAME).write_bytes(msgspec.json.encode(pending))
        unfinished.rename(self.directory / pending.key)
        return pending

    def of_store(self, uri: str) -> list[Pending]:
        """Return the pending suites of a store, in the order they were measured."""
        return [pending for pending in self._all() if pending.store == uri]

    def _all(self) -> Iterator[Pending]:
        for path in sorted(self.directory.glob(f"*/{_NAME}")):
            with suppress(msgspec.MsgspecError):  # the machine went down while it was written
                pending = msgspec.json.decode(path.read_bytes(), type=Pending)
                if pending.key == path.parent.name:
                    yield pending

    def remove(self, pending: Pending) -> None:
        """Delete a published entry."""
        # first the file that makes it pending: a kill in between must not leave an entry with some of its files
        (self.directory / pending.key / _NAME).unlink()
        shutil.rmtree(self.directory / pending.key)


def _among(files: Collection[Path], directory: str, names: list[str]) -> list[str]:
    """Return the names of a directory that are among these files."""
    return [name for name in names if Path(directory, name) in files]
