"""A bucket: credentials by the AWS chain, a deadline on every call, and the proof that it honours conditional writes."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache, partial
from http import HTTPStatus
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

from bench_db.errors import StoreUnavailableError
from bench_db.masking import redacted
from bench_db.store.faults import known
from bench_db.store.tables import PROBE, StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.awsrequest import AWSRequest

    from bench_db.store.engine import Location

Answer = TypeVar("Answer")
_LOG = logging.getLogger(__name__)

_CONNECT_SECONDS = 2
_READ_SECONDS = 4
_FRESH_SECONDS = 1.0


class Bucket:
    """The S3 side of a store. Its repr and its errors never hold a credential."""

    def __init__(self, location: Location) -> None:
        self.location = location
        with self._explaining("reading the AWS configuration"):
            self._session = _new_session()
        self._reached = False
        self._first_listing: tuple[float, list[str]] | None = None
        self._proved = False
        self._lazy_clients: dict[int, Any] = {}

    def __repr__(self) -> str:
        return f"Bucket({str(self.location)!r})"

    @property
    def client(self) -> Any:
        """The boto3 client, with short time-outs and one retry."""
        return self.client_waiting(_READ_SECONDS)

    def client_waiting(self, read_seconds: int) -> Any:
        """Return a client of the same bucket with another timeout for each answer."""
        if read_seconds not in self._lazy_clients:
            config = Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=read_seconds,
                retries={"total_max_attempts": 2, "mode": "standard"},
            )
            with self._explaining("reading the AWS configuration"):
                client = self._session.client("s3", config=config)
            client.meta.events.register("request-created.s3", _note_request)
            client.meta.events.register("response-received.s3", _log_response)
            self._lazy_clients[read_seconds] = client
        return self._lazy_clients[read_seconds]

    def storage_options(self) -> dict[str, str]:
        """Lance's options, credentials as they are now: a role's temporary ones are refreshed by boto3 when due."""
        options = {
            "region": self._session.region_name or "us-east-1",
            "timeout": "30s",
            "connect_timeout": f"{_CONNECT_SECONDS}s",
            "client_max_retries": "3",
            "client_retry_timeout": "15",
        }
        endpoint = self.client.meta.endpoint_url
        if "amazonaws.com" not in endpoint:
            options |= {"endpoint": endpoint, "allow_http": str(endpoint.startswith("http:")).lower()}
        credentials = self._credentials()
        if credentials is None:
            message = f"{self.location}: no AWS credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
            raise StoreUnavailableError(message)
        options |= {"access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key}
        return options | ({"session_token": credentials.token} if credentials.token else {})

    def _credentials(self) -> Any:
        with self._explaining("looking for AWS credentials"):
            found = self._session.get_credentials()
            return found and found.get_frozen_credentials()

    def has_objects(self, prefix: str) -> bool:
        """Return whether anything lies under a prefix."""
        answer = self.ask("listing objects", lambda: self.listed(prefix, MaxKeys=1))
        return bool(answer.get("KeyCount"))

    def directories(self) -> list[str]:
        """Return the names directly below the store that have something below them.

        The first contact has listed them: within a second of it the listing is used, once, instead of another request.
        """
        listing, self._first_listing = self._first_listing, None
        if listing is None or time.monotonic() - listing[0] >= _FRESH_SECONDS:
            return self._listed_tables()
        return listing[1]

    def _listed_tables(self) -> list[str]:
        prefix = f"{self.location.path}/".lstrip("/")
        names: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self.ask("listing objects", partial(self.listed, prefix, Delimiter="/", **more))
            names += [item["Prefix"].rstrip("/").rpartition("/")[2] for item in page.get("CommonPrefixes", ())]
            if not page.get("IsTruncated"):
                return names
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def remove(self, prefix: str) -> None:
        """Remove every object under a prefix."""
        while objects := self.ask("listing objects", lambda: self.listed(prefix)).get("Contents"):
            keys = {"Objects": [{"Key": item["Key"]} for item in objects]}
            self.ask("removing objects", partial(self.client.delete_objects, Bucket=self.location.bucket, Delete=keys))

    def rename(self, name: str, becomes: str) -> None:
        """Give an object of the store another name, both relative to the store."""
        key, other = (f"{self.location.path}/{one}".lstrip("/") for one in (name, becomes))
        source = {"Bucket": self.location.bucket, "Key": key}
        copy = partial(self.client.copy_object, Bucket=self.location.bucket, Key=other, CopySource=source)
        self.ask("renaming an object", copy)
        self.ask("renaming an object", partial(self.client.delete_object, **source))

    def listed(self, prefix: str, **limits: object) -> Any:
        """Return one page of the objects under a prefix."""
        return self.client.list_objects_v2(Bucket=self.location.bucket, Prefix=prefix, **limits)

    def ask(self, doing: str, question: Callable[[], Answer]) -> Answer:
        """Run a call of boto3 and return its answer. Retry when the server is busy, not when it is silent."""
        with self._explaining(doing):
            for attempt, pause in enumerate((0.2, 0.5, 1.0, 2.0), 1):
                try:
                    return question()
                except ClientError as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] < HTTPStatus.INTERNAL_SERVER_ERROR:
                        raise
                    why = f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error'].get('Code', '')}"
                _LOG.info("%s: attempt %d failed: %s; trying again in %.1f s", doing, attempt, why, pause)
                time.sleep(pause)
            return question()

    def within_deadline(self, doing: str, action: Callable[[], Answer], seconds: float) -> Answer:
        """Run a call and return its answer or raise its error. Raise `StoreUnavailableError` when there is none in time.

        A call that hangs inside Lance cannot be interrupted: its thread remains, and ends with the process.
        """
        if not self._reached:
            self._first_listing = time.monotonic(), self._listed_tables()
            self._reached = True
        answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        Thread(target=_answer, args=(action, answers), daemon=True).start()
        try:
            fine, answer = answers.get(timeout=seconds)
        except Empty:
            message = (
                f"{self.location}: no answer within {seconds:g} s while {doing}; nothing is half-written, try again"
            )
            raise StoreUnavailableError(message) from None
        if fine:
            return answer  # type: ignore[no-any-return]
        raise answer

    def prove_conditional_writes(self) -> bool:
        """Return whether the endpoint refuses to overwrite when asked to (If-None-Match); asked once, with an object of the store.

        Without it two commits at once silently lose one of them.
        """
        if not self._proved:
            put = partial(self.client.put_object, **self._probe, IfNoneMatch="*")
            doing = "proving that the endpoint honours conditional writes"
            # The object stays, so a writer needs one refusal. A doctor may delete it between two attempts.
            bodies = (b"1", b"2", b"3")
            self._proved = any(self.ask(doing, partial(_refuses, partial(put, Body=body))) for body in bodies)
        return self._proved

    def now(self) -> float:
        """Return the time by the clock of the bucket, in unix seconds, from the date of an answer."""
        answer = self.ask("reading the clock of the bucket", lambda: self.listed(self.location.path, MaxKeys=1))
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()

    def files(self, prefix: str, under: str = "") -> dict[str, StoredFile]:
        """Return size, time and ETag of every object whose key is the prefix and a name that begins with `under`, by that name."""
        found: dict[str, StoredFile] = {}
        more: dict[str, str] = {}
        while True:
            page = self.ask("listing objects", partial(self.listed, prefix + under, **more))
            found |= {
                item["Key"].removeprefix(prefix): StoredFile(
                    item["Size"], item["LastModified"].timestamp(), item.get("ETag", "")
                )
                for item in page.get("Contents", ())
            }
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def refuses_to_delete(self) -> str:
        """Delete the object of `prove_conditional_writes`; return why that is refused, or nothing when it is allowed."""
        try:
            self.client.delete_object(**self._probe)
        except (ClientError, BotoCoreError) as error:
            return redacted(" ".join(str(error).split()))
        return ""

    @property
    def _probe(self) -> dict[str, str]:
        return {"Bucket": self.location.bucket, "Key": f"{self.location.path}/{PROBE}".lstrip("/")}

    @contextmanager
    def _explaining(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, ValueError) as error:
            told = " ".join(str(error).split())
            cause = redacted(told)
            message = (
                f"{self.location}: failed while {doing}: {cause}; check the address, the credentials and the network"
            )
            # A traceback shows the cause too, so one that holds a credential is left out.
            raise known(error, doing, str(self.location)) or StoreUnavailableError(message) from (
                error if cause == told else None
            )


def _new_session() -> boto3.Session:
    """Return a session that shares what botocore has parsed of its files on S3: to parse them again takes 60 ms."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    return boto3.Session(botocore_session=core)


@cache
def _loader(data_path: str | None) -> Any:
    return create_loader(data_path)


def _note_request(request: AWSRequest, **_: object) -> None:
    """Keep the time, the method and the URL of a request, for the line that is logged with its answer."""
    request.context["bench_db"] = time.monotonic(), request.method, request.url


def _log_response(
    response_dict: Mapping[str, object] | None,
    context: Mapping[str, tuple[float, str, str]],
    exception: Exception | None,
    **_: object,
) -> None:
    """Log a request that boto3 sent; each of its own retries is a line."""
    began, method, url = context.get("bench_db", (time.monotonic(), "?", "?"))
    status = type(exception).__name__ if response_dict is None else response_dict.get("status_code")
    # the query of a signed URL is a credential
    address = redacted(url.partition("?")[0])
    _LOG.debug("%s %s: %s in %.3f s", method, address, status, time.monotonic() - began)


def _refuses(write: Callable[[], object]) -> bool:
    try:
        write()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.PRECONDITION_FAILED:
            return True
        raise
    return False


def _answer(action: Callable[[], Answer], answers: SimpleQueue[tuple[bool, Answer | BaseException]]) -> None:
    try:
        answers.put((True, action()))
    except BaseException as error:  # noqa: BLE001 raised again by the caller's thread
        answers.put((False, error))
