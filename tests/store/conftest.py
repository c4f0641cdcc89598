"""Stores to test with: a directory, and a bucket on a real S3 server, with or without a proxy that misbehaves before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db import connect
from tests.store.carriers import fill
from tests.support.fault_proxy import fault_proxy
from tests.support.s3_server import S3Server, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench_db import Database
    from tests.support.faults import FaultProxy


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


@pytest.fixture
def filled(database: Database) -> Database:
    """Something in every table."""
    fill(database)
    return database


@pytest.fixture
def target(tmp_path: Path) -> Database:
    """Another store, with nothing in it."""
    return connect(tmp_path / "target", create=True)


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


@pytest.fixture
def bucket_uri(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store's address in an empty bucket, with the environment that leads there."""
    _go_to(server, monkeypatch)
    return f"s3://{server.new_bucket()}/some/prefix"


@pytest.fixture
def faulty_uri(server: S3Server, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with the proxy in between."""
    _go_to(replace(server, endpoint=proxy.endpoint), monkeypatch)
    return f"s3://{server.new_bucket()}/some/prefix"


def _go_to(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
