"""The S3 server and the fault proxy, observed by the clients the project uses."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import lance
import pyarrow as pa
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 - botocore's, wider than the builtin
    HTTPClientError,
)

from tests.support.fault_proxy import fault_proxy
from tests.support.faults import Fault, FaultProxy, FaultRule
from tests.support.s3_server import S3Server, s3_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ROUNDS = 300
_WRITERS = 8
_LARGE = os.urandom(24 * 2**20)
_HASTY = {"client_max_retries": "0", "read_timeout": "300ms"}
_OWNER = """
import signal
from tests.support.s3_server import s3_server
if __name__ == "__main__":
    with s3_server() as server:
        print(server.endpoint, flush=True)
        signal.pause()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


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


def _wins(client: "S3Client", bucket: str, key: str) -> bool:
    try:
        client.put_object(Bucket=bucket, Key=key, Body=b"mine", IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailed":
            return False
        raise
    return True


def _race(server: S3Server, target: str) -> Counter[int]:
    """The statuses of one key's writers, whose last bytes leave within microseconds."""
    head = f"PUT {target} HTTP/1.1\r\nHost: s3\r\nIf-None-Match: *\r\nContent-Length: 4\r\n\r\n"
    with ExitStack() as stack:
        address = _address(server.endpoint)
        writers = [stack.enter_context(socket.create_connection(address, 30)) for _ in range(_WRITERS)]
        for writer in writers:
            writer.sendall(head.encode() + b"min")
        time.sleep(0.01)
        for writer in writers:
            writer.sendall(b"e")
        return Counter(int(writer.recv(65536).split()[1]) for writer in writers)


def _address(endpoint: str) -> tuple[str, int]:
    parts = urlsplit(endpoint)
    return str(parts.hostname), int(parts.port or 0)


def _await_refusal(endpoint: str) -> None:
    for _ in range(200):
        try:
            socket.create_connection(_address(endpoint), 5).close()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail(f"{endpoint} still accepts connections after 10 s")


class TestServer:
    """The store answers real clients, counts their requests and ends with its owner."""

    def test_environment_is_all_that_lance_needs(
        self, server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        uri = f"s3://{bucket}/by-environment"
        lance.write_dataset(pa.table({"n": [1, 2, 3]}), uri)
        assert lance.dataset(uri).count_rows() == 3

    def test_buckets_are_distinct(self, server: S3Server) -> None:
        assert server.new_bucket() != server.new_bucket()

    def test_requests_are_counted_since_the_reset(self, server: S3Server, bucket: str) -> None:
        with closing(server.client()) as client:
            server.reset_requests()
            client.put_object(Bucket=bucket, Key="a", Body=b"a")
            client.head_object(Bucket=bucket, Key="a")
            client.get_object(Bucket=bucket, Key="a")["Body"].read()
            client.get_object(Bucket=bucket, Key="a")["Body"].read()
        assert server.requests() == Counter(PUT=1, HEAD=1, GET=2)
        assert {request.path for request in server.request_log()} == {f"/{bucket}/a"}
        server.reset_requests()
        assert server.requests() == Counter()

    def test_one_conditional_writer_wins_each_race(self, server: S3Server, bucket: str) -> None:
        with closing(server.client()) as client:
            keys = [{"Bucket": bucket, "Key": f"race-{number}"} for number in range(_ROUNDS)]
            urls = [client.generate_presigned_url("put_object", key) for key in keys]
        statuses = [_race(server, url.removeprefix(server.endpoint)) for url in urls]
        assert statuses == [{200: 1, 412: _WRITERS - 1}] * _ROUNDS

    def test_it_stops_listening_when_the_block_ends(self) -> None:
        with s3_server() as brief:
            endpoint = brief.endpoint
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(_address(endpoint), 5)

    def test_it_dies_with_its_owner(self) -> None:
        # Killed, so that nothing of the owner's own can clean up.
        command = [sys.executable, "-c", _OWNER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout
            endpoint = owner.stdout.readline().strip()
            socket.create_connection(_address(endpoint), 5).close()
            owner.send_signal(signal.SIGKILL)
        _await_refusal(endpoint)


class TestPassingThrough:
    """Without a rule the proxy changes nothing but the path the bytes take."""

    def test_lance_writes_and_reads(self, behind: S3Server, proxy: FaultProxy, bucket: str) -> None:
        uri, options = f"s3://{bucket}/table", behind.storage_options()
        rows = pa.table({"n": range(100_000)})
        lance.write_dataset(rows, uri, storage_options=options)
        lance.write_dataset(rows, uri, mode="append", storage_options=options)
        assert lance.dataset(uri, storage_options=options).to_table() == pa.concat_tables([rows, rows])
        assert proxy.requests()["PUT"] >= 6
        assert proxy.injected() == Counter()

    def test_a_large_body_arrives_whole(self, client: "S3Client", bucket: str) -> None:
        client.put_object(Bucket=bucket, Key="large", Body=_LARGE)
        head = client.head_object(Bucket=bucket, Key="large")
        assert head["ContentLength"] == len(_LARGE)
        assert client.get_object(Bucket=bucket, Key="large")["Body"].read() == _LARGE

    def test_a_chunked_body_arrives_whole_on_a_kept_connection(
        self, server: S3Server, proxy: FaultProxy, bucket: str
    ) -> None:
        with (
            closing(server.client()) as direct,
            socket.create_connection(_address(proxy.endpoint), 10) as connection,
        ):
            key = {"Bucket": bucket, "Key": "chunked"}
            target = direct.generate_presigned_url("put_object", key).removeprefix(server.endpoint)
            put = f"PUT {target} HTTP/1.1\r\nHost: s3\r\nTransfer-Encoding: chunked\r\n\r\n"
            for _ in range(2):
                connection.sendall(put.encode() + b"4\r\nlanc\r\n1\r\ne\r\n0\r\n\r\n")
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            assert direct.get_object(Bucket=bucket, Key="chunked")["Body"].read() == b"lance"

    def test_errors_and_empty_answers_pass(self, client: "S3Client", bucket: str) -> None:
        with pytest.raises(ClientError, match="404"):
            client.head_object(Bucket=bucket, Key="absent")
        answer = client.delete_object(Bucket=bucket, Key="absent")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert _wins(client, bucket, "once")
        assert not _wins(client, bucket, "once")

    def test_it_closes_while_a_client_keeps_its_connection(self, server: S3Server) -> None:
        started = time.monotonic()
        with fault_proxy(server.endpoint) as proxy:
            idle = socket.create_connection(_address(proxy.endpoint), 5)
        idle.close()
        assert time.monotonic() - started < 2


class TestFaults:
    """Each fault reaches a real client as the failure it stands for, and is counted."""

    def test_slow_down_strikes_so_many_requests_and_lance_retries(
        self, behind: S3Server, proxy: FaultProxy, bucket: str
    ) -> None:
        proxy.inject(FaultRule(fault=Fault.SLOW_DOWN, times=3))
        uri, options = f"s3://{bucket}/table", behind.storage_options()
        lance.write_dataset(pa.table({"n": [1]}), uri, storage_options=options)
        assert proxy.injected() == Counter({Fault.SLOW_DOWN: 3})

    def test_slow_down_strikes_the_same_share_for_the_same_seed(
        self, client: "S3Client", proxy: FaultProxy, bucket: str
    ) -> None:
        def struck(seed: int) -> list[bool]:
            proxy.inject(FaultRule(fault=Fault.SLOW_DOWN, share=0.3, seed=seed))
            return [_slowed(client, bucket) for _ in range(60)]

        first = struck(1)
        assert first == struck(1) != struck(2)
        assert 6 <= sum(first) <= 30

    def test_a_reset_request_does_not_reach_the_server(
        self, client: "S3Client", proxy: FaultProxy, bucket: str
    ) -> None:
        proxy.inject(FaultRule(fault=Fault.RESET, times=1))
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            client.put_object(Bucket=bucket, Key="key", Body=b"")
        assert _wins(client, bucket, "key")

    def test_a_reset_is_one(self, proxy: FaultProxy) -> None:
        proxy.inject(FaultRule(fault=Fault.RESET))
        with socket.create_connection(_address(proxy.endpoint), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: s3\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

    def test_a_lost_answer_hides_a_write_that_happened(
        self, client: "S3Client", proxy: FaultProxy, bucket: str
    ) -> None:
        proxy.inject(FaultRule(fault=Fault.LOSE_ANSWER, methods=frozenset({"PUT"}), times=1))
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            _wins(client, bucket, "key")
        assert not _wins(client, bucket, "key")

    def test_lance_recognises_its_own_commit_after_a_lost_answer(
        self, behind: S3Server, proxy: FaultProxy, bucket: str
    ) -> None:
        uri, options = f"s3://{bucket}/table", behind.storage_options()
        rows = pa.table({"n": range(10)})
        lance.write_dataset(rows, uri, storage_options=options)
        proxy.inject(FaultRule(fault=Fault.LOSE_ANSWER, methods=frozenset({"PUT"}), path=r"\.manifest", times=1))
        lance.write_dataset(rows, uri, mode="append", storage_options=options)
        assert proxy.injected() == Counter({Fault.LOSE_ANSWER: 1})
        assert lance.dataset(uri, storage_options=options).count_rows() == 20

    def test_a_delay_holds_back_the_answer(self, client: "S3Client", proxy: FaultProxy, bucket: str) -> None:
        client.list_objects_v2(Bucket=bucket)
        proxy.inject(FaultRule(fault=Fault.DELAY, delay_seconds=0.4))
        started = time.monotonic()
        client.list_objects_v2(Bucket=bucket)
        assert 0.4 <= time.monotonic() - started < 5

    def test_silence_lasts_until_the_rule_goes(self, behind: S3Server, proxy: FaultProxy, bucket: str) -> None:
        uri, options = f"s3://{bucket}/table", behind.storage_options()
        lance.write_dataset(pa.table({"n": [1]}), uri, storage_options=options)
        dataset = lance.dataset(uri, storage_options=options | _HASTY)
        proxy.inject(FaultRule(fault=Fault.SILENCE))
        with pytest.raises(pa.ArrowInvalid, match="error sending request"):
            dataset.to_table()
        proxy.inject()
        assert dataset.to_table().num_rows == 1

    def test_an_endpoint_without_conditions_lets_two_writers_win(
        self, client: "S3Client", proxy: FaultProxy, bucket: str
    ) -> None:
        proxy.inject(FaultRule(fault=Fault.IGNORE_CONDITION))
        assert _wins(client, bucket, "key")
        assert _wins(client, bucket, "key")

    def test_a_rule_spares_other_methods_and_paths(self, client: "S3Client", proxy: FaultProxy, bucket: str) -> None:
        proxy.inject(FaultRule(fault=Fault.RESET, methods=frozenset({"PUT"}), path="doomed"))
        client.put_object(Bucket=bucket, Key="spared", Body=b"")
        client.list_objects_v2(Bucket=bucket, Prefix="doomed")
        with pytest.raises((ConnectionError, HTTPClientError)):
            client.put_object(Bucket=bucket, Key="doomed", Body=b"")


def _slowed(client: "S3Client", bucket: str) -> bool:
    try:
        client.list_objects_v2(Bucket=bucket)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "SlowDown")
    return False
