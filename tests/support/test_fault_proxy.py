"""Every fault of the proxy, observed by real clients."""

import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

import lance
import pyarrow as pa
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 - botocore's, wider than the builtin
    HTTPClientError,
)

from tests.support.faults import Fault, FaultProxy, FaultRule
from tests.support.probes import address, wins
from tests.support.s3_server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HASTY = {"client_max_retries": "0", "read_timeout": "300ms"}


class TestFaults:
    """Each fault reaches a real client as the intended failure, and is counted."""

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
        assert wins(client, bucket, "key")

    def test_a_reset_is_one(self, proxy: FaultProxy) -> None:
        proxy.inject(FaultRule(fault=Fault.RESET))
        with socket.create_connection(address(proxy.endpoint), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: s3\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

    def test_a_lost_answer_hides_a_write_that_happened(
        self, client: "S3Client", proxy: FaultProxy, bucket: str
    ) -> None:
        proxy.inject(FaultRule(fault=Fault.LOSE_ANSWER, methods=frozenset({"PUT"}), times=1))
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            wins(client, bucket, "key")
        assert not wins(client, bucket, "key")

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
        assert wins(client, bucket, "key")
        assert wins(client, bucket, "key")

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
