"""Checks of the installation and of the access to a store."""

from __future__ import annotations

import os
import platform
import tempfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.errors import BenchDbError, MissingExtraError, StoreNotFoundError
from bench_db.model import Check
from bench_db.rules import RULES
from bench_db.store import maintain
from bench_db.store.database import bucket_at, connect, engine_at
from bench_db.store.engine import Location, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench_db.store.s3 import Bucket

_LIBRARIES = ("bench-db", "pylance", "pyarrow", "polars", "boto3", "duckdb", "lancedb", "numba")


def examine(uri: str | Path) -> list[Check]:
    """Run all checks that apply to an address; a failed one does not stop the others."""
    versions = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    installed = Check(name="installation", passed=True, finding=f"Python {platform.python_version()}, {versions}")
    return [installed, *_checks_of(uri)]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _checks_of(uri: str | Path) -> Iterator[Check]:
    try:
        location = locate(uri)
    except BenchDbError as error:
        yield Check(name="address", passed=False, finding=str(error))
        return
    yield Check(name="address", passed=True, finding=str(location))
    yield from _bucket_checks(location) if location.is_s3 else (_checked("directory", lambda: _directory(location)),)
    store = _checked("store", lambda: _store(uri))
    yield store
    if store.passed:
        yield from _commit_times(uri)
    if location.is_s3 or os.access(location.path, os.W_OK | os.X_OK):  # no error for a path that no file can have
        yield _checked("clock", lambda: _clock(uri))


def _bucket_checks(location: Location) -> Iterator[Check]:
    try:
        bucket = bucket_at(location)
    except MissingExtraError as error:
        yield Check(name="bucket", passed=False, finding=str(error))
        return
    yield _checked("credentials", lambda: _credentials(bucket))
    yield _checked("bucket", lambda: _reached(bucket))
    yield _checked("conditional writes", lambda: _conditional(bucket))
    yield _checked("deleting", lambda: _deleting(bucket))


def _checked(name: str, look: Callable[[], tuple[bool, str]]) -> Check:
    try:
        passed, finding = look()
    except StoreNotFoundError as error:
        return Check(name=name, passed=True, finding=f"{error} (publishing makes it, too)")
    except (BenchDbError, OSError) as error:
        return Check(name=name, passed=False, finding=str(error))
    return Check(name=name, passed=passed, finding=finding)


def _credentials(bucket: Bucket) -> tuple[bool, str]:
    bucket.storage_options()
    return True, "found by the AWS chain"


def _reached(bucket: Bucket) -> tuple[bool, str]:
    there = bucket.has_objects(bucket.location.path)
    return True, "answers, and holds something at this prefix" if there else "answers, and is empty at this prefix"


def _conditional(bucket: Bucket) -> tuple[bool, str]:
    if bucket.prove_conditional_writes():
        return True, "honoured: concurrent writers are kept apart"
    return (
        False,
        "IGNORED by the endpoint: two writers at once would silently lose data; use --single-writer or another endpoint",
    )


def _deleting(bucket: Bucket) -> tuple[bool, str]:
    refusal = bucket.refuses_to_delete()
    if refusal:
        return False, f"refused, so maintenance cannot remove old versions and the store grows; grant it ({refusal})"
    return True, "allowed"


def _clock(uri: str | Path) -> tuple[bool, str]:
    fault = maintain.fault_of_clock(engine_at(uri))
    return not fault, fault or "agrees with that of the store"


def _commit_times(uri: str | Path) -> Iterator[Check]:
    """Name the commits that are dated after they were measured; a store without one, or without a store, has no such check."""
    try:
        commits = connect(uri).commits()
    except (BenchDbError, OSError):  # the check of the store says why
        return
    early = [one for one in commits if one.measured_at is not None and one.time > one.measured_at]
    if early:
        first = early[0]
        when = datetime.fromtimestamp(first.time, UTC)
        finding = (
            f"{len(early)} dated after they were measured, such as {first.commit[: RULES.sha_length]} of {when:%Y-%m-%d %H:%M} UTC; they are "
            "ordered as made when they were measured, and after their parents where 'bench-db commits sync' has recorded these"
        )
        yield Check(name="commit times", passed=True, finding=finding)


def _directory(location: Location) -> tuple[bool, str]:
    nearest = next(parent for parent in (Path(location.path), *Path(location.path).parents) if parent.exists())
    if not os.access(nearest, os.W_OK):
        return (
            False,
            f"{nearest} cannot be written by this user: reading works, publishing needs the right to write there",
        )
    with tempfile.NamedTemporaryFile(dir=nearest, prefix=".bench-db-probe-"):
        return True, f"{nearest} can be written"


def _store(uri: str | Path) -> tuple[bool, str]:
    info = connect(uri).info()
    rows = {table.name: table.rows for table in info.tables}
    return True, f"{rows['results']:,} results of {rows['runs']:,} runs"
