"""Fixtures for tests of the server and the proxy."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import FaultProxy
from tests.support.s3_server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def behind(server: S3Server, proxy: FaultProxy) -> S3Server:
    """Give the server as seen through the proxy."""
    return replace(server, endpoint=proxy.endpoint)


@pytest.fixture
def client(behind: S3Server) -> Iterator["S3Client"]:
    with closing(behind.client()) as built:
        yield built


@pytest.fixture
def bucket(server: S3Server) -> str:
    return server.new_bucket()
