from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.schedule.clocks import Slept
from tests.schedule.histories import History
from tests.support.github_server import FakeGitHub, github_server


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


@pytest.fixture
def slept() -> Slept:
    return Slept()


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "clone")
