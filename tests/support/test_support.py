"""The S3 server and the fault proxy, observed by the clients the project uses."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import lance
import pyarrow as pa
import pytest
from botocore.exceptions import (
    ClientError,
)

from tests.support.campaigns import rounds
from tests.support.fault_proxy import fault_proxy
from tests.support.faults import FaultProxy
from tests.support.probes import address, await_refusal, race, wins
from tests.support.s3_server import S3Server, s3_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ROUNDS = rounds("races", 40, full=600)
_WRITERS = 8
_LARGE = os.urandom(24 * 2**20)
_OWNER = """
import signal
from tests.support.s3_server import s3_server
if __name__ == "__main__":
    with s3_server() as server:
        print(server.endpoint, flush=True)
        signal.pause()
"""


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

    @pytest.mark.campaign("races")
    def test_one_conditional_writer_wins_each_race(self, server: S3Server, bucket: str) -> None:
        with closing(server.client()) as client:
            keys = [{"Bucket": bucket, "Key": f"race-{number}"} for number in range(_ROUNDS)]
            urls = [client.generate_presigned_url("put_object", key) for key in keys]
        statuses = [race(server, url.removeprefix(server.endpoint)) for url in urls]
        assert statuses == [{200: 1, 412: _WRITERS - 1}] * _ROUNDS

    def test_it_stops_listening_when_the_block_ends(self) -> None:
        with s3_server() as brief:
            endpoint = brief.endpoint
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address(endpoint), 5)

    def test_it_dies_with_its_owner(self) -> None:
        # Killed, so that the owner cannot clean up.
        command = [sys.executable, "-c", _OWNER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout
            endpoint = owner.stdout.readline().strip()
            socket.create_connection(address(endpoint), 5).close()
            owner.send_signal(signal.SIGKILL)
        await_refusal(endpoint)


class TestPassingThrough:
    """Without a rule the proxy changes no byte."""

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
            socket.create_connection(address(proxy.endpoint), 10) as connection,
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
        assert wins(client, bucket, "once")
        assert not wins(client, bucket, "once")

    def test_it_closes_while_a_client_keeps_its_connection(self, server: S3Server) -> None:
        started = time.monotonic()
        with fault_proxy(server.endpoint) as proxy:
            idle = socket.create_connection(address(proxy.endpoint), 5)
        idle.close()
        assert time.monotonic() - started < 2
