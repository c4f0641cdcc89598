from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import traceback
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from bench_db.errors import BenchDbError, ConflictError, CorruptStoreError, StoreUnavailableError, UserError
from bench_db.store import faults
from bench_db.store.database import Database, connect
from bench_db.store.engine import Engine, locate
from tests.strategies import publication
from tests.support.faults import Fault, FaultProxy, FaultRule

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.few(2)

_SECRET = "hush-hush-5eCr3t"
_ENGINE = Engine(locate("x"), None)


def _publish(database: Database) -> None:
    run, results = publication(0)
    database.publish(results, run)


class TestRefused:
    """What is wrong is said in one line with the next step, and never with a secret."""

    def test_a_missing_bucket(self, bucket_uri: str) -> None:
        assert bucket_uri
        for create in (False, True):
            with pytest.raises(StoreUnavailableError, match="bucket"):
                connect("s3://no-such-bucket-here/x", create=create)

    def test_no_credentials(self, bucket_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        with pytest.raises(StoreUnavailableError, match="credentials"):
            connect(bucket_uri)

    def test_nobody_listens(self, bucket_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            connect(bucket_uri)
        assert time.monotonic() - started < 15

    @pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_ENDPOINT_URL"])
    def test_a_configuration_that_cannot_be(self, bucket_uri: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "no such thing")
        with pytest.raises(BenchDbError) as caught:
            connect(bucket_uri)
        assert len(str(caught.value).splitlines()) == 1

    def test_lost_versions(self, bucket_uri: str, server: S3Server) -> None:
        _publish(connect(bucket_uri, create=True))
        bucket = bucket_uri.split("/")[2]
        with closing(server.client()) as client:
            for item in client.list_objects_v2(Bucket=bucket)["Contents"]:
                if "results.lance/_versions" in item["Key"]:
                    client.delete_object(Bucket=bucket, Key=item["Key"])
            before = client.list_objects_v2(Bucket=bucket)["KeyCount"]
            with pytest.raises(BenchDbError, match="_versions"):
                connect(bucket_uri, create=True)
            assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == before


@pytest.mark.slow
class TestSecrets:
    """No secret is in any repr, error or traceback, whatever fails."""

    @pytest.fixture
    def hushed(self, faulty_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRET)
        monkeypatch.setenv("AWS_SESSION_TOKEN", _SECRET + "-token")
        return faulty_uri

    def test_in_a_repr(self, hushed: str) -> None:
        database = connect(hushed, create=True)
        bucket = database._engine.bucket
        shown = [
            repr(database),
            str(database),
            repr(database._engine),
            repr(bucket),
            repr(database.scan()),
            database.scan().explain(),
        ]
        assert not [text for text in shown if _SECRET in text]

    @pytest.mark.parametrize(("fault", "path"), [(Fault.RESET, ""), (Fault.SLOW_DOWN, r"\.lance")])
    def test_in_an_error(self, hushed: str, proxy: FaultProxy, fault: Fault, path: str) -> None:
        database = connect(hushed, create=True)
        proxy.inject(FaultRule(fault=fault, path=path))
        with pytest.raises(BenchDbError) as caught:
            _publish(database)
        text = "".join(traceback.format_exception(caught.value))
        assert _SECRET not in text
        assert "Authorization" not in text
        assert len(str(caught.value).splitlines()) == 1

    def test_in_the_address_of_the_endpoint(self, hushed: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{_SECRET}@127.0.0.1:9")
        with pytest.raises(BenchDbError) as caught:
            connect(hushed)
        assert _SECRET not in str(caught.value)
        assert _SECRET not in "".join(traceback.format_exception(caught.value))

    def test_the_environment_is_left_alone(self, hushed: str) -> None:
        before = dict(os.environ)
        run, results = publication(0)
        connect(hushed, create=True).publish(results, replace(run, run_id="x"))
        assert dict(os.environ) == before
        assert connect(hushed).scan().select(pl.len()).collect().item() == 3


class TestMeaning:
    """The meaning of an error is that of its message, and not of the digits in the name of a file."""

    def test_a_file_with_403_in_its_name(self) -> None:
        message = "Not found: /store/results.lance/data/0110403501.lance"
        with pytest.raises(CorruptStoreError, match="run 'bench-db store verify'"), _ENGINE.explaining("reading"):
            raise OSError(message)

    @pytest.mark.parametrize("took", ["403.5", "501.5", "503.5"])
    def test_a_duration_is_no_status(self, took: str) -> None:
        message = (
            f"Generic S3 error: Error performing GET http://127.0.0.1/b/x in {took}ms, after 3 retries, max_retries: 3, "
            "retry_timeout: 15s - Server returned non-2xx status code: 507 Insufficient Storage"
        )
        told = r"with an error that bench_db does not know: .*run 'bench-db doctor', then 'bench-db store verify'$"
        with pytest.raises(StoreUnavailableError, match=told), _ENGINE.explaining("reading"):
            raise OSError(message)

    @pytest.mark.parametrize(
        ("message", "kind", "told"),
        [
            ("error decoding response body", StoreUnavailableError, "connection to the storage failed"),
            ("request or response body error", StoreUnavailableError, "connection to the storage failed"),
            ("503 Service Unavailable", StoreUnavailableError, "connection to the storage failed"),
            ("<Code>ExpiredToken</Code>", StoreUnavailableError, "credentials have expired"),
            ("<Code>RequestTimeTooSkewed</Code>", StoreUnavailableError, "set the clock"),
            ("field 7 references parent id 99", CorruptStoreError, "store verify"),
            ("position 8 is outside metadata region", CorruptStoreError, "store verify"),
            ("Tail read position 12", CorruptStoreError, "store verify"),
            ("producer terminated", CorruptStoreError, "store verify"),
            ("columns with differing lengths", CorruptStoreError, "store verify"),
            ("Arrow file does not contain correct footer", CorruptStoreError, "store verify"),
        ],
    )
    def test_a_message_of_lance(self, message: str, kind: type[BenchDbError], told: str) -> None:
        with pytest.raises(kind, match=told), _ENGINE.explaining("reading"):
            raise OSError(message)

    def test_a_panic_of_lance(self) -> None:
        panic = type("PanicException", (BaseException,), {})("called unwrap")
        with pytest.raises(CorruptStoreError, match="called unwrap"), _ENGINE.explaining("reading"):
            raise panic

    @pytest.mark.parametrize(
        "why",
        [
            "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)",
            "Disk quota exceeded (os error 122)",
            "[Errno 28] No space left on device: 'levels.json'",
        ],
    )
    def test_a_full_disk(self, why: str) -> None:
        with (
            pytest.raises(StoreUnavailableError, match=r"no space is left while publishing.*store optimize") as caught,
            _ENGINE.explaining("publishing"),
        ):
            raise OSError(why)
        assert not faults.is_damage(caught.value)

    def test_a_process_that_may_write_no_large_file(self, tmp_path: Path) -> None:
        """A real refusal of the system: the error says so, and the same publish succeeds afterwards."""
        store = connect(tmp_path / "store", create=True)
        limited = (
            "import resource, sys; from bench_db.store.database import connect; from tests.strategies import publication\n"
            "run, results = publication(0)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
            "connect(sys.argv[1]).publish(results, run)"
        )
        command = [sys.executable, "-c", limited, store.uri]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert "StoreUnavailableError" in ended.stderr
        assert "no space is left while publishing to " in ended.stderr.splitlines()[-1]
        _publish(store)
        assert store.verify().sound

    @pytest.mark.parametrize("why", ["not permitted (os error 1)", "not supported (os error 95)"])
    def test_a_file_system_without_hard_links(self, why: str) -> None:
        message = (
            f"LanceError(IO): Generic LocalFileSystem error: Unable to rename file: Operation {why}, commit.rs:1663:50"
        )
        with (
            pytest.raises(StoreUnavailableError, match=r"cannot make hard links.*another file system") as caught,
            _ENGINE.explaining("creating runs"),
        ):
            raise OSError(message)
        assert not faults.is_damage(caught.value)
        assert not faults.is_transient(caught.value.__cause__ or caught.value)

    def test_a_server_without_conditional_writes(self) -> None:
        message = "Generic S3 error: Server returned error response: 501 Not Implemented: <Code>NotImplemented</Code>"
        with (
            pytest.raises(StoreUnavailableError, match=r"does not implement.*conditional") as caught,
            _ENGINE.explaining("publishing to runs"),
        ):
            raise OSError(message)
        assert not faults.is_transient(caught.value.__cause__ or caught.value)  # a repetition fails in the same way

    @pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\x01", "\x7f"], ids=["LF", "CR", "TAB", "SOH", "DEL"])
    def test_an_address_with_a_control_character(self, tmp_path: Path, sign: str) -> None:
        with pytest.raises(
            UserError, match=re.escape(f"a{sign}b".encode("unicode_escape").decode()) + ".*line break, tab"
        ):
            connect(tmp_path / f"a{sign}b", create=True)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("error", "damage"),
        [
            (CorruptStoreError("damaged"), True),
            (StoreUnavailableError("s: storage failed while reading: Tail read position"), True),
            (StoreUnavailableError("s: access refused while reading"), False),
            (ConflictError("other writers"), False),
            (UserError("no such run"), False),
            (KeyError("row"), True),
        ],
        ids=str,
    )
    def test_what_can_come_from_damage(self, error: Exception, *, damage: bool) -> None:
        assert faults.is_damage(error) is damage
