"""A git work tree per commit in a directory of our own, and one backfill at a time in it."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.schedule.git import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench_db.schedule.limits import Clock

_LOOK_EVERY_SECONDS = 0.5


@contextmanager
def alone(home: Path, clock: Clock, patience_seconds: float = 60.0) -> Iterator[int]:
    """The lock on a working directory, as a file descriptor that commands inherit.

    So a benchmark which outlives a killed backfill keeps the lock, and the next one waits instead of measuring beside it.
    """
    home.mkdir(parents=True, exist_ok=True)
    give_up = clock.now() + patience_seconds
    with (home / "lock").open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if clock.now() >= give_up:
                    message = f"{home}: another backfill, or a benchmark it left behind, is still running here; wait, or end it"
                    raise UserError(message) from error
                clock.sleep(_LOOK_EVERY_SECONDS)
        yield file.fileno()


@contextmanager
def checked_out(repository: Path, sha: str, home: Path) -> Iterator[Path]:
    """A fresh work tree of a commit, taken away afterwards; one that a killed process left is taken away before."""
    tree = home / "trees" / sha
    _remove(repository, tree)
    tree.parent.mkdir(parents=True, exist_ok=True)
    git(repository, "worktree", "add", "--force", "--detach", "--quiet", "--end-of-options", str(tree), sha)
    try:
        yield tree
    finally:
        _remove(repository, tree)


def _remove(repository: Path, tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    git(repository, "worktree", "prune")
