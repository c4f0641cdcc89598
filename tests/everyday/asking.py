"""Publish to and ask the store beside a repository, through the command."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tests.cli.conftest import bench_db
from tests.support.everyday import BEGIN, HOUR

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.everyday import Repository


def store_of(repository: Repository) -> Path:
    return repository.path.parent / "store"


def publish(repository: Repository, file: Path, *more: object, **environment: str) -> Any:
    store = store_of(repository)
    words = ("publish", file, "--store", store, "--test-bed-name", "t", "--output", "json", *more)
    answer = bench_db(*words, HOME=str(store.parent), **environment)
    assert answer.code == 0, answer.err
    return answer.document


def asked(repository: Repository, *words: object, code: int = 0) -> Any:
    answer = bench_db(*words, "--store", store_of(repository), "--output", "json")
    assert answer.code == code, (answer.code, answer.err, answer.out)
    return answer.document


def order(repository: Repository, *more: object) -> list[str]:
    return [row["commit"] for row in asked(repository, "trend", "*", *more)]


def grown(repository: Repository, count: int, mean: float = 0.001, *more: object, start: int = 0) -> list[str]:
    """Commit and publish that many times on the branch that is checked out, an hour apart."""
    shas = []
    for number in range(start, start + count):
        shas.append(repository.commit_at(BEGIN + number * HOUR))
        publish(repository, repository.measured(mean, at=BEGIN + number * HOUR + 60), *more)
    return shas


def begun(repository: Repository, count: int) -> list[str]:
    """Grow a repository that has nothing yet: a copy of the longest beginning that a test has made, and what it lacks.

    A commit and its publish take 0.1 s of CPU.
    """
    beginnings = repository.path.parent.parent / "beginnings"
    made = max((n for path in beginnings.glob("*") if (n := int(path.name)) <= count), default=0)
    if made:
        shutil.rmtree(repository.path)
        for source, target in _places(beginnings / str(made), repository):
            shutil.copytree(source, target, symlinks=True)
        repository.count = made
    grown(repository, count - made, start=made)
    if made < count:
        for target, source in _places(beginnings / str(count), repository):
            shutil.copytree(source, target, symlinks=True)
    return repository.git("rev-list", "--reverse", "HEAD").split()


def _places(beginning: Path, repository: Repository) -> list[tuple[Path, Path]]:
    return [(beginning / "repo", repository.path), (beginning / "store", store_of(repository))]
