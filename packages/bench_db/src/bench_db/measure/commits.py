"""The commits a range means, from a local clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.measure import git
from bench_db.schedule.ranges import Between, Commits, Range, Tags, oldest_first

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Commit


def of_clone(repository: Path, chosen: Range, branch: str = "HEAD", *, first_parent: bool = True) -> list[Commit]:
    """The commits of a range, oldest first; for NEW, ALL and EXISTING the whole branch, from which the plan chooses."""
    match chosen:
        case Tags(pattern=pattern):
            return oldest_first(git.commit_of(repository, sha) for _, sha in git.tags(repository, pattern))
        case Between(start=start, end=end):
            return git.history(repository, end, start, first_parent=first_parent)
        case Commits(names=names):
            return oldest_first(git.commit_of(repository, name) for name in names)
        case _:
            return git.history(repository, branch, first_parent=first_parent)
