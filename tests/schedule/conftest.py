from collections.abc import Iterator

import pytest

from tests.schedule.clocks import Slept
from tests.support.github_server import FakeGitHub, github_server


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


@pytest.fixture
def slept() -> Slept:
    return Slept()
