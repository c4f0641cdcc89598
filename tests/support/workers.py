"""What the workers of one test run share: locks for tests that need the machine to themselves, and directories made once."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest


def common_directory(factory: pytest.TempPathFactory) -> Path:
    """Return the directory of this test run that all its workers see."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a directory that the first worker to ask for it fills; the tests only read it."""
    directory = common_directory(factory) / name
    finished = directory.with_suffix(".finished")
    with _locked(directory.with_suffix(".lock"), fcntl.LOCK_EX):
        if not finished.exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            make(directory)
            finished.touch()
    return directory


@contextmanager
def turn(directory: Path, *, alone: bool) -> Iterator[None]:
    """Run beside the tests of other workers, or while they wait.

    A test that waits to be alone keeps the queue locked, so that no other test starts before it.
    """
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with _locked(directory / "queue.lock", fcntl.LOCK_EX) as leave_queue, _locked(directory / "running.lock", kind):
        leave_queue()
        yield


class Turns:
    """The turns of one worker: tests that are alone and follow each other have one, and wait once for the other workers."""

    def __init__(self) -> None:
        self._taken = ExitStack()
        self._goes_on = False

    @contextmanager
    def take(self, directory: Path, *, alone: bool, next_alone: bool) -> Iterator[None]:
        """Run a test in its turn, and keep the turn for the next test if both are alone."""
        if not self._goes_on:
            self._taken.enter_context(turn(directory, alone=alone))
        self._goes_on = alone and next_alone
        try:
            yield
        finally:
            if not self._goes_on:
                self.end()

    def end(self) -> None:
        """End the turn, also of tests that were to follow and do not run."""
        self._taken.close()
        self._goes_on = False


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[Callable[[], None]]:
    """Lock a file until the block ends, or until the returned function is called."""
    with path.open("w") as file:

        def unlock() -> None:
            # a forked child may have inherited the descriptor, so closing ours is not enough
            fcntl.flock(file, fcntl.LOCK_UN)

        fcntl.flock(file, kind)
        try:
            yield unlock
        finally:
            unlock()
