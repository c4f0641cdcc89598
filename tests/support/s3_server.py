"""An S3 store on loopback in its own process, which counts requests."""

import itertools
import json
import multiprocessing
import os
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tests.support.s3_process import REQUEST_LOG_PATH, serve

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

_REGION = "us-east-1"
_ACCESS_KEY = "loopback"
_SECRET_KEY = "loopback-secret"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_bucket_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the server answered it."""

    method: str
    path: str
    query: str
    status: int


@dataclass(frozen=True, slots=True)
class S3Server:
    """The address of the store; use `dataclasses.replace` on the endpoint to reach it through a proxy."""

    endpoint: str

    def environment(self) -> dict[str, str]:
        """Return variables that point lance, boto3 and the command line of a child process to this store."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def storage_options(self) -> dict[str, str]:
        """Return the values of `environment` as `storage_options` of lance."""
        return {
            "aws_endpoint": self.endpoint,
            "aws_access_key_id": _ACCESS_KEY,
            "aws_secret_access_key": _SECRET_KEY,
            "aws_region": _REGION,
            "allow_http": "true",
        }

    def client(self) -> "S3Client":
        """Build a boto3 client that never retries, so that a fault reaches the test; close it."""
        from botocore.config import Config

        return _session().client(
            "s3",
            endpoint_url=self.endpoint,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 1},
                max_pool_connections=32,
                s3={"addressing_style": "path"},
            ),
        )

    def new_bucket(self, name: str = "") -> str:
        """Create an empty bucket and return its name; without boto3, whose client takes 80 ms to build."""
        name = name or f"bucket-{os.getpid()}-{next(_bucket_numbers)}"
        self._ask("PUT", f"/{name}")
        return name

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object; without boto3, whose request takes three times as long."""
        self._ask("PUT", f"/{bucket}/{urllib.parse.quote(key)}", data)

    def request_log(self) -> list[Request]:
        """Return every request answered since the last reset, oldest first."""
        return [Request(**request) for request in json.loads(self._ask("GET", REQUEST_LOG_PATH))]

    def requests(self) -> Counter[str]:
        """Count the requests answered since the last reset, per HTTP method."""
        return Counter(request.method for request in self.request_log())

    def reset_requests(self) -> None:
        """Forget the requests answered so far."""
        self._ask("DELETE", REQUEST_LOG_PATH)

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        # Without a type urllib states that of a form, and moto takes the content for its fields.
        typed = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(self.endpoint + path, data, typed, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_START_SECONDS) as answer:
            body: bytes = answer.read()
        return body


@cache
def _session() -> "Session":
    """Return the session of every client of this process: each session parses the model of S3 anew, which takes 60 ms."""
    from boto3.session import Session

    return Session(aws_access_key_id=_ACCESS_KEY, aws_secret_access_key=_SECRET_KEY, region_name=_REGION)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run an empty store until the block ends, or until this process dies."""
    # spawn: lance is not safe to fork.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), name="s3-server", daemon=True)
    with ours:
        with theirs:
            process.start()
        if not ours.poll(_START_SECONDS):
            process.kill()
            message = f"the S3 server did not start within {_START_SECONDS:.0f} s"
            raise TimeoutError(message)
        try:
            yield S3Server(f"http://127.0.0.1:{ours.recv()}")
        finally:
            ours.close()
            process.join(_STOP_SECONDS)
            process.kill()
            process.join(_STOP_SECONDS)
            process.close()
