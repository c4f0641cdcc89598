"""One S3 server and one browser for all tests, whatever their order, and a proxy before the server that misbehaves when told to."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.report.browsing import chromium
from tests.support.clocks import Slept
from tests.support.fault_proxy import fault_proxy
from tests.support.faults import FaultProxy
from tests.support.github_server import FakeGitHub, github_server
from tests.support.histories import History
from tests.support.s3_server import S3Server, s3_server
from tests.support.workers import common_directory, turn


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test marked `alone` run while the other workers wait."""
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    with turn(common_directory(factory), alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


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
