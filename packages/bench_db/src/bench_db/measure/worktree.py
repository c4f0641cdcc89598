"""The working directory: a git work tree per commit, and locks so that only one process measures in it and in the clone."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.identity import is_full_sha
from bench_db.measure.git import git

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.clock import Clock

_LOOK_EVERY_SECONDS = 0.5
_CHECKOUT_SECONDS = 3600
_LOCK = "bench-db.lock"
_LOG = logging.getLogger(__name__)


def furnish(home: Path) -> None:
    """Create the directory if it does not exist, with a .gitignore so that a checkout around it stays clean."""
    if not home.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / ".gitignore").write_text("*\n", encoding="utf-8")


@contextmanager
def alone(repository: Path, home: Path, clock: Clock, patience_seconds: float = 20.0) -> Iterator[tuple[int, ...]]:
    """Lock a clone and a working directory, and yield the locks as file descriptors that commands inherit.

    So a benchmark that outlives a killed backfill keeps the locks, and the next backfill waits. Orphaned trees are removed.
    """
    shared = repository / git(repository, "rev-parse", "--git-common-dir").rstrip("\n")
    give_up = clock.now() + patience_seconds
    with ExitStack() as locks:
        try:
            furnish(home)
            files = [locks.enter_context(_locked(path, clock, give_up)) for path in (home / "lock", shared / _LOCK)]
        except OSError as error:
            message = f"{error.filename}: cannot be written: {error.strerror}; measuring needs a lock there"
            raise UserError(message) from error
        for left in (home / "trees").glob("*"):
            if is_full_sha(left.name):
                _remove(repository, left)
        yield tuple(file.fileno() for file in files)


@contextmanager
def _locked(path: Path, clock: Clock, give_up: float) -> Iterator[IO[bytes]]:
    with path.open("a+b") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if clock.now() >= give_up:
                    file.seek(0)
                    owner = file.read(20).decode("ascii", "replace").strip()
                    message = (
                        f"{path}: another backfill or bisect (process {owner}), or a benchmark it left behind, "
                        "still runs here; wait for it, or end it"
                    )
                    raise UserError(message) from error
                _LOG.info("%s: locked by another process; trying again in %.1f s", path, _LOOK_EVERY_SECONDS)
                clock.sleep(_LOOK_EVERY_SECONDS)
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield file


@contextmanager
def checked_out(repository: Path, sha: str, home: Path) -> Iterator[Path]:
    """Check out a commit with its submodules into a new work tree, which is removed afterwards. Raise `UserError` when git fails."""
    tree = home / "trees" / sha
    _remove(repository, tree)
    tree.parent.mkdir(parents=True, exist_ok=True)
    try:
        add = ("worktree", "add", "--force", "--detach", "--quiet", "--end-of-options", str(tree), sha)
        git(repository, *add, patience_seconds=_CHECKOUT_SECONDS)
        if (tree / ".gitmodules").is_file():
            git(tree, "submodule", "--quiet", "update", "--init", "--recursive", patience_seconds=_CHECKOUT_SECONDS)
        yield tree
    finally:
        _remove(repository, tree)


def _remove(repository: Path, tree: Path) -> None:
    """Remove a tree from the disk and from the list of the clone. Other trees stay listed, even missing ones."""
    if tree.is_symlink():
        tree.unlink()
    shutil.rmtree(tree, ignore_errors=True)
    if tree.is_dir():  # measured code can leave read-only directories, such as the module cache of Go
        for directory, _, _ in os.walk(tree):
            Path(directory).chmod(0o700)
        shutil.rmtree(tree, ignore_errors=True)
    with suppress(UserError):  # not one of its trees
        git(repository, "worktree", "remove", "--force", "--force", "--end-of-options", str(tree))
