"""The commits of a range, and the merge base of a pull request, from GitHub."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from bench_db.model import Commit
from bench_db.schedule.plan import Between, Commits, Range, Scope, Tags, oldest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench_db.ci.github.records import CommitRecord
    from bench_db.ci.github.repository import Repository

_MOST_COMMITS = 20_000
_LOOK_BACK = 100


def of_github(
    repository: Repository, chosen: Range, branch: str, is_measured: Callable[[str], bool], since: str | None = None
) -> list[Commit]:
    """Return the commits of a range along first parents, oldest first.

    For NEW they end a hundred commits before the newest measured one; `since` has the form 2026-01-31T00:00:00Z.
    """
    match chosen:
        case Tags(pattern=pattern):
            names = [tag.commit.sha for tag in repository.tags() if fnmatchcase(tag.name, pattern)]
            return oldest_first(_commit(repository.commit(sha)) for sha in names)
        case Between(start=start, end=end):
            return _first_parents(repository.compare(start, end).commits[::-1])
        case Commits(names=names):
            return oldest_first(_commit(repository.commit(name)) for name in names)
        case Scope.NEW:
            return _first_parents(_until_measured(repository.commits(branch, since), is_measured))
        case _:
            return _first_parents(islice(repository.commits(branch, since), _MOST_COMMITS))


def merge_base(repository: Repository, number: int, sha: str) -> Commit:
    """Return the commit where a pull request, whose newest commit is `sha`, leaves its base branch."""
    base = repository.pull_request(number).base
    return _commit(repository.compare(base.ref, sha).merge_base_commit)


def _until_measured(commits: Iterator[CommitRecord], is_measured: Callable[[str], bool]) -> Iterator[CommitRecord]:
    """Yield commits, newest first, until the look-back after the first measured one."""
    remaining = None
    for count, commit in enumerate(commits):
        yield commit
        if remaining is None and is_measured(commit.sha):
            remaining = _LOOK_BACK
        elif remaining is not None:
            remaining -= 1
        if remaining == 0 or count >= _MOST_COMMITS:
            return


def _first_parents(newest_first: Iterable[CommitRecord]) -> list[Commit]:
    """Return the chain from the first commit along first parents, oldest first."""
    records = {
        record.sha: record for record in newest_first
    }  # where clocks were wrong, a parent may come before its child
    chain: list[Commit] = []
    record = next(iter(records.values()), None)
    while record is not None:
        chain.append(_commit(record))
        record = records.pop(record.parents[0].sha, None) if record.parents else None
    return chain[::-1]


def _commit(record: CommitRecord) -> Commit:
    return Commit(
        sha=record.sha,
        time=int(record.commit.committer.date.timestamp()) if record.commit.committer else 0,
        parents=tuple(parent.sha for parent in record.parents),
        subject=record.commit.message.partition("\n")[0],
    )
