"""Every question about histories is answered by the projection, and not by the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db.store.database import connect
from tests.cli.kinds import CANDIDATE, of_every_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUESTIONS: dict[str, Callable[[api.Database, Path], Any]] = {
    "trend": lambda store, _: store.trend("*"),
    "summary": lambda store, _: store.summary(),
    "compare": lambda store, _: api.compare(store, CANDIDATE),
    "check": lambda store, _: api.check(store, CANDIDATE, baseline="last:10"),
    "scan": lambda store, _: api.scan(store, dry_run=True),
    "detect": lambda store, _: api.detect(store),
    "noise": lambda store, _: api.noise(store),
    "site": api.site,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> api.Database:
    """Twenty-four commits and maintenance."""
    directory = tmp_path_factory.mktemp("projection") / "store"
    of_every_kind(directory)
    connect(directory).optimize()
    return api.connect(directory)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_projection_answers(
    question: str, store: api.Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="bench_db.store.projection")
    QUESTIONS[question](store, tmp_path / "site")
    answered = [record.args for record in caplog.records if "levels answer" in str(record.msg)]
    assert answered
    assert all(levels and not beside for levels, beside in answered)  # type: ignore[misc]
