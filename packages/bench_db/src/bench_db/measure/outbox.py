"""What is measured and not published yet: kept beside the journal, so that a kill or a store that is away costs nothing."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "measured.json"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """One suite of one commit, measured, with all that publishing it takes; so publishing it again adds nothing.

    `outputs` are paths below the outbox; `provenance` holds the fields of `Provenance` that are stated.
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
    """A directory with a directory for each pending suite."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, for whatever store."""
        return not any(self._all())

    def tidy(self) -> None:
        """What a kill left of one that was not whole yet, or published already, away."""
        whole = {pending.key for pending in self._all()}
        for path in self.directory.glob("*"):
            if path.name not in whole:
                shutil.rmtree(path)

    def put(self, pending: Pending, outputs: tuple[Path, ...]) -> Pending:
        """The pending suite with copies of its output files, there as a whole or not at all."""
        unfinished = self.directory / f"{pending.key}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        kept = []
        for number, path in enumerate(outputs):
            place = (
                Path(str(number)) / path.name
            )  # the name says how a file is to be read, and two may be called the same
            (unfinished / place.parent).mkdir()
            if path.is_dir():
                shutil.copytree(path, unfinished / place, symlinks=True)
            else:
                shutil.copyfile(path, unfinished / place)
            kept.append(str(Path(pending.key) / place))
        pending = msgspec.structs.replace(pending, outputs=tuple(kept))
        (unfinished / _NAME).write_bytes(msgspec.json.encode(pending))
        unfinished.rename(self.directory / pending.key)
        return pending

    def of_store(self, uri: str) -> list[Pending]:
        """What waits for this store, in the order it was measured."""
        return [pending for pending in self._all() if pending.store == uri]

    def _all(self) -> Iterator[Pending]:
        for path in sorted(self.directory.glob(f"*/{_NAME}")):
            with suppress(msgspec.MsgspecError):  # the machine went down while it was written
                pending = msgspec.json.decode(path.read_bytes(), type=Pending)
                if pending.key == path.parent.name:
                    yield pending

    def remove(self, pending: Pending) -> None:
        """It is published."""
        # first what makes it pending: a kill in between must not leave it with some of its files
        (self.directory / pending.key / _NAME).unlink()
        shutil.rmtree(self.directory / pending.key)
