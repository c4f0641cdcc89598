"""Files in a bucket: written atomically in parts, read in parts, with a deadline for each part."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from bench_db.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from bench_db.store.s3 import Bucket

Answer = TypeVar("Answer")

# Sent data may wait in the buffers of a slow line; the deadline of the part limits the wait.
_READ_SECONDS = 60


class Objects:
    """The files of a store in a bucket, by their path inside the store; `seconds` is the deadline of each part."""

    def __init__(self, bucket: Bucket, seconds: float) -> None:
        self._bucket = bucket
        self._seconds = seconds

    def size(self, name: str) -> int | None:
        """Return the size in bytes; None if the file is missing."""
        head = partial(self._bucket.client.head_object, **self._named(name))
        answer = self._bucket.ask("looking for a file", partial(_unless_missing, head))
        return None if answer is None else int(answer["ContentLength"])

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the size in bytes of every file whose path has this prefix."""
        return {name: int(item["Size"]) for name, item in self._listed(prefix)}

    def times(self, prefix: str) -> dict[str, float]:
        """Return when every file whose path has this prefix was written, in unix seconds of the clock of the bucket."""
        return {name: item["LastModified"].timestamp() for name, item in self._listed(prefix)}

    def _listed(self, prefix: str) -> Iterator[tuple[str, Any]]:
        under, more = self._key(prefix), dict[str, Any]()
        while True:
            answer = self._bucket.ask("listing files", partial(self._bucket.listed, under, **more))
            yield from ((prefix + item["Key"].removeprefix(under), item) for item in answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def get(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return a file, or the bytes from `start` to `stop`; None if the file is missing."""
        limits = {} if stop is None else {"Range": f"bytes={start}-{stop - 1}"}
        get = partial(self._client.get_object, **self._named(name), **limits)
        return self._ask("reading a file", partial(_unless_missing, partial(_body, get)))

    def chunks(self, name: str, size: int, chunk: int) -> Iterator[bytes]:
        """Yield a file of a known size in chunks."""
        get = partial(self._client.get_object, **self._named(name))
        for start in range(0, size, chunk):
            part = partial(get, Range=f"bytes={start}-{min(start + chunk, size) - 1}")
            yield self._ask("reading a file", partial(_body, part))

    def put(self, name: str, chunks: Iterator[bytes]) -> None:
        """Write chunks as one file and replace an existing one; an error in the chunks changes nothing.

        All chunks except the last have 5 MiB or more.
        """
        first, second = next(chunks, b""), next(chunks, None)
        if second is None:
            self._ask("writing a file", partial(self._client.put_object, **self._named(name), Body=first))
            return
        begin = partial(self._client.create_multipart_upload, **self._named(name))
        upload = self._named(name) | {"UploadId": self._ask("beginning to write a file", begin)["UploadId"]}
        try:
            size, parts = self._sent(upload, chain((first, second), chunks))
            self._end(name, upload, size, parts)
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self._bucket.client.abort_multipart_upload(**upload)
            raise

    def delete(self, name: str) -> None:
        """Delete a file; one that is missing is no error."""
        self._ask("deleting a file", partial(self._client.delete_object, **self._named(name)))

    def _sent(self, upload: dict[str, str], chunks: Iterator[bytes]) -> tuple[int, list[dict[str, Any]]]:
        """Send the parts; return the total size, and the parts in the form that completes an upload."""
        size, parts = 0, list[dict[str, Any]]()
        for number, chunk in enumerate(chunks, 1):
            send = partial(self._client.upload_part, **upload, PartNumber=number, Body=chunk)
            answer = self._ask("writing a file", send)
            sums = {name: text for name, text in answer.items() if name == "ETag" or name.startswith("Checksum")}
            parts.append({"PartNumber": number, **sums})
            size += len(chunk)
        return size, parts

    def _end(self, name: str, upload: dict[str, str], size: int, parts: Sequence[Mapping[str, object]]) -> None:
        end = partial(self._client.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
        # A missing upload is complete: its answer was lost, and boto3 has retried.
        if self._ask("writing a file", partial(_unless_missing, end)) is None and self.size(name) != size:
            message = f"{self._bucket.location}: {name} was not written whole; try again"
            raise StoreUnavailableError(message)

    @property
    def _client(self) -> Any:
        return self._bucket.client_waiting(_READ_SECONDS)

    def _ask(self, doing: str, question: Callable[[], Answer]) -> Answer:
        return self._bucket.within_deadline(doing, partial(self._bucket.ask, doing, question), self._seconds)

    def _named(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket.location.bucket, "Key": self._key(name)}

    def _key(self, name: str) -> str:
        return f"{self._bucket.location.path}/{name}".lstrip("/")


def _unless_missing(question: Callable[[], Answer]) -> Answer | None:
    """Return the answer, or None if the object is missing."""
    try:
        return question()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
            raise
    return None


def _body(get: Callable[[], Mapping[str, BinaryIO]]) -> bytes:
    content: bytes = get()["Body"].read()
    return content
