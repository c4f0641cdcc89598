"""Stores that the use cases of verdicts read."""

from __future__ import annotations

import pytest

from bench_db.store.database import Database, connect
from tests.cli.asking import nine_commits, wobble
from tests.cli.kinds import entry, publish, publish_all


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Nine quiet commits of f and a tenth on which it is slower."""
    made = nine_commits(tmp_path_factory.mktemp("verdicts") / "store")
    publish(made, 9, {"f": 150.0})
    return made


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A series with a step at commit 20, and a short one."""
    made = connect(tmp_path_factory.mktemp("stepped") / "store", create=True)
    levels = [{"f": wobble(number, 100.0 if number < 20 else 130.0)} for number in range(30)]
    publish_all(made, [entry(n, level | ({"g": 5.0} if n < 3 else {})) for n, level in enumerate(levels)])
    return made
