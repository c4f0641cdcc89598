"""One S3 server and one browser for all tests, whatever their order, and a proxy before the server that misbehaves when told to."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.report.browsing import chromium
from tests.support.fault_proxy import fault_proxy
from tests.support.faults import FaultProxy
from tests.support.s3_server import S3Server, s3_server


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
