"""Stores to test with, a directory or a bucket, with or without a proxy that misbehaves before it, and processes to race in."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.store.database import connect
from tests.store.carriers import fill
from tests.store.workers import PROCESSES, forks, get_ready
from tests.support import damage
from tests.support.other_s3 import other_s3_server
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench_db.store.database import Database
    from tests.support.faults import FaultProxy
    from tests.support.s3_server import S3Server


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with rows in every table, which tests only copy: to fill one takes 0.5 s."""
    return made_once(tmp_path_factory, "filled", lambda directory: fill(connect(directory / "store", create=True)))


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Database:
    """Return a store with rows in every table, of this test alone."""
    shutil.copytree(filled_once / "store", tmp_path / "filled")
    return connect(tmp_path / "filled")


@pytest.fixture(scope="session")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with rows, indexes and derived tables, which tests copy and damage."""
    return made_once(tmp_path_factory, "undamaged", lambda directory: damage.fill(directory / "store")) / "store"


@pytest.fixture(scope="session")
def truth(undamaged: Path) -> dict[str, Any]:
    """Return the answer of each reading of the undamaged store, which tests only compare: together they take 0.3 s."""
    return {name: read(connect(undamaged)) for name, read in damage.READINGS.items()}


@pytest.fixture
def target(tmp_path: Path) -> Database:
    """Another store, with nothing in it."""
    return connect(tmp_path / "target", create=True)


@pytest.fixture
def bucket_uri(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store's address in an empty bucket, with the environment that leads there."""
    go_to(server, monkeypatch)
    return f"s3://{server.new_bucket()}/some/prefix"


@pytest.fixture
def faulty_uri(server: S3Server, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with the proxy in between."""
    go_to(replace(server, endpoint=proxy.endpoint), monkeypatch)
    return f"s3://{server.new_bucket()}/some/prefix"


@pytest.fixture(scope="session")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with other_s3_server(tmp_path_factory.mktemp("localbucket")) as running:
        yield running


@pytest.fixture(
    params=["directory", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bucket", "other bucket"))]
)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, dict[str, str]]:
    """A store's address, and the environment its writers need."""
    if request.param == "directory":
        return str(tmp_path / "store"), {}
    if request.param == "other bucket":
        other: S3Server = request.getfixturevalue("other_server")
        go_to(other, monkeypatch)
        return f"s3://{other.new_bucket()}/some/prefix", other.environment()
    server: S3Server = request.getfixturevalue("server")
    return request.getfixturevalue("bucket_uri"), server.environment()


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    """Eight processes, kept for all races."""
    context = forks()
    with context.Pool(PROCESSES, get_ready, (context.Barrier(PROCESSES),)) as running:
        yield running
        running.close()
        running.join()


def go_to(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point lance and boto3 in this process to a server."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
