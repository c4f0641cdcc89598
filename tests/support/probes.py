"""Small requests of tests to a server."""

import socket
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import (
    ClientError,
)

from tests.support.s3_server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WRITERS = 8


def wins(client: "S3Client", bucket: str, key: str) -> bool:
    try:
        client.put_object(Bucket=bucket, Key=key, Body=b"mine", IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailed":
            return False
        raise
    return True


def race(server: S3Server, target: str) -> Counter[int]:
    """Return the statuses of concurrent writers of one key, whose last bytes are sent within microseconds."""
    head = f"PUT {target} HTTP/1.1\r\nHost: s3\r\nIf-None-Match: *\r\nContent-Length: 4\r\n\r\n"
    with ExitStack() as stack:
        place = address(server.endpoint)
        writers = [stack.enter_context(socket.create_connection(place, 30)) for _ in range(_WRITERS)]
        for writer in writers:
            writer.sendall(head.encode() + b"min")
        time.sleep(0.01)
        for writer in writers:
            writer.sendall(b"e")
        return Counter(int(writer.recv(65536).split()[1]) for writer in writers)


def address(endpoint: str) -> tuple[str, int]:
    parts = urlsplit(endpoint)
    return str(parts.hostname), int(parts.port or 0)


def await_refusal(endpoint: str) -> None:
    for _ in range(200):
        try:
            socket.create_connection(address(endpoint), 5).close()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail(f"{endpoint} still accepts connections after 10 s")
