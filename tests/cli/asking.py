"""A small store, and questions about a baseline that have one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish_all

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database

AT = 1_800_000_000


def wobble(number: int, level: float = 100.0) -> float:
    """A level with a little noise."""
    return level * (1 + 0.001 * (number % 3))


def nine_commits(path: Path) -> Database:
    """Nine commits of one level."""
    made = connect(path, create=True)
    publish_all(made, [entry(number, {"f": wobble(number)}) for number in range(9)])
    return made


def compared(store: Database, *words: object) -> Any:
    """The one comparison, and what it was held against."""
    answer = bench_db("compare", *words, "--store", store.uri, "--output", "json")
    assert answer.err == ""
    (row,) = answer.document["comparisons"]
    return {**answer.document, **row}


def refused(store: Database, *words: object, **environment: str) -> str:
    answer = bench_db(*words, "--store", store.uri, **environment)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    return answer.err
