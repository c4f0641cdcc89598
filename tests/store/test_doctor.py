from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from bench_db.store.doctor import examine
from tests.strategies import publication
from tests.support.rights import as_nobody

if TYPE_CHECKING:
    from bench_db.store.database import Database
    from tests.support.s3_server import S3Server


def outcomes(uri: str | Path) -> dict[str, tuple[bool, str]]:
    return {check.name: (check.passed, check.finding) for check in examine(uri)}


class TestDirectory:
    """Every check of an address reports its result, and an examination leaves no file behind."""

    def test_a_store(self, database: Database) -> None:
        for number in range(2):
            run, results = publication(number)
            database.publish(results, run)
        found = outcomes(database.uri)
        assert list(found) == ["installation", "address", "directory", "store", "clock"]
        assert found["store"] == (True, "6 results of 2 runs")
        assert found["address"] == (True, database.uri)

    def test_no_store_yet(self, tmp_path: Path) -> None:
        found = outcomes(tmp_path / "a" / "b")
        assert found["directory"] == (True, f"{tmp_path} can be written")
        assert found["store"][0]
        assert "publishing makes it" in found["store"][1]
        assert list(tmp_path.iterdir()) == []

    def test_a_bad_address_ends_the_checks(self) -> None:
        found = outcomes("ftp://host/x")
        assert {name: passed for name, (passed, _) in found.items()} == {"installation": True, "address": False}

    def test_a_damaged_store_fails_its_check_alone(self, database: Database, tmp_path: Path) -> None:
        for manifest in (tmp_path / "store" / "results.lance" / "_versions").iterdir():
            manifest.write_bytes(b"")
        found = outcomes(database.uri)
        assert [name for name, (passed, _) in found.items() if not passed] == ["store"]

    def test_a_directory_without_the_right_to_write(self) -> None:
        with TemporaryDirectory() as directory:
            Path(directory).chmod(0o555)
            with as_nobody():
                found = outcomes(Path(directory, "store"))
            Path(directory).chmod(0o755)
        assert [name for name, (passed, _) in found.items() if not passed] == ["directory"]
        assert directory in found["directory"][1]


@pytest.mark.slow
class TestBucket:
    """A bucket has checks of its own; an unreachable one fails them and not those before."""

    def test_an_empty_prefix(self, bucket_uri: str) -> None:
        found = outcomes(bucket_uri)
        of_bucket = ["credentials", "bucket", "conditional writes", "deleting"]
        assert list(found) == ["installation", "address", *of_bucket, "store", "clock"]
        assert all(passed for passed, _ in found.values())
        assert "is empty at this prefix" in found["bucket"][1]

    def test_a_missing_bucket(self, bucket_uri: str, server: S3Server) -> None:
        assert server.endpoint
        found = outcomes(bucket_uri.replace("s3://", "s3://no-such-"))
        assert [name for name, (passed, _) in found.items() if passed] == ["installation", "address", "credentials"]
