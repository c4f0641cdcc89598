"""The HTTP client of receivers of messages: retries within a deadline, and no secret in an error or a log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec

from bench_db.ci.retries import certificate_fault, pause_before_retry, rate_limit_wait, stated_wait
from bench_db.clock import Clock
from bench_db.errors import DeliveryError
from bench_db.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

_LONGEST_TEXT = 200
_UNAVAILABLE = 503
_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)


class _Masked(logging.Filter):
    """Replace secrets in what httpx logs, which is every address in full."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, with the secrets of the message masked."""
        text = record.getMessage()
        if (clean := masked(text, self.secrets)) != text:
            record.msg, record.args = clean, ()
        return True


_MASKED = _Masked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """A connection to servers, for one message that is tried again until `deadline_seconds` are over.

    `secrets` are the texts that no error and no log may have: addresses and tokens.
    """

    clock: Clock
    deadline_seconds: float
    secrets: tuple[str, ...] = field(repr=False)

    def send(  # noqa: PLR0913 all but the first three by keyword
        self,
        method: str,
        url: str,
        document: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
        after_silence: bool = True,
        after_fault: bool = True,
    ) -> httpx.Response:
        """Send a request and return the successful answer.

        A request that certainly did not arrive, and one beyond a rate limit, is repeated. Whether the server acted is not known without an
        answer and after a 5xx: `after_silence` and `after_fault` say whether the request is repeated then. Raises `DeliveryError`.
        """
        import httpx  # noqa: PLC0415 it imports a command line of its own

        logging.getLogger("httpx").addFilter(_MASKED)
        _MASKED.secrets.update(self.secrets)
        give_up, attempt = self.clock.now() + self.deadline_seconds, 0
        with httpx.Client(timeout=httpx.Timeout(30.0, connect=10.0), headers={"User-Agent": "bench-db"}) as client:
            try:
                request = client.build_request(method, url, json=document, headers=headers, params=query)
            except (httpx.InvalidURL, ValueError):
                message = f"{origin(url)}: not an address"
                raise DeliveryError(message, is_refusal=True) from None  # the error has all of the address
            while True:
                attempt += 1
                left = max(1.0, give_up - self.clock.now())
                request.extensions["timeout"] = httpx.Timeout(min(30.0, left), connect=min(10.0, left)).as_dict()
                wait, answer = self._attempt(client, request, attempt)
                if isinstance(answer, httpx.Response):
                    return answer
                is_unsure = not answer.is_refusal
                repeats = after_fault if answer.status else after_silence
                if wait is None or (is_unsure and not repeats) or self.clock.now() + wait > give_up:
                    raise answer
                _LOG.info("attempt %d failed: %s; trying again in %.1f s", attempt, answer, wait)
                self.clock.sleep(wait)

    def read(self, answer: httpx.Response, wanted: type[_T]) -> _T:
        """Return the document of an answer. Raise `DeliveryError` for another one."""
        try:
            return msgspec.json.decode(answer.content, type=wanted)
        except msgspec.MsgspecError as error:
            message = f"{origin(str(answer.url))} answered something unexpected: {_printable(masked(str(error), self.secrets))}"
            raise DeliveryError(message, is_refusal=False) from error

    def _attempt(
        self, client: httpx.Client, request: httpx.Request, attempt: int
    ) -> tuple[float | None, httpx.Response | DeliveryError]:
        """Return an answer; or a fault and the seconds before a retry, None when a retry would be wrong."""
        import httpx  # noqa: PLC0415 as above

        where = origin(str(request.url))
        pause = pause_before_retry(attempt, self.clock)
        try:
            answer = client.send(request)
        except httpx.HTTPError as error:
            if fault := certificate_fault(error):
                return None, DeliveryError(f"{where}: {fault}", is_refusal=True)
            never = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            return pause, DeliveryError(f"{where}: no answer ({type(error).__name__})", is_refusal=never)
        if answer.is_success:
            return None, answer
        wait = rate_limit_wait(answer.status_code, answer.headers, answer.text, attempt, self.clock)
        if wait is None and answer.is_server_error:
            stated = stated_wait(answer.headers, self.clock) if answer.status_code == _UNAVAILABLE else None
            wait = pause if stated is None else max(stated, pause)
        text = _printable(masked(" ".join(answer.text.split()), self.secrets)[:_LONGEST_TEXT])
        said = f"{where}: {answer.status_code} {text}".rstrip()
        return wait, DeliveryError(said, is_refusal=not answer.is_server_error, status=answer.status_code)


def origin(url: str) -> str:
    """Return the scheme and host of an address, without the path, which may be secret; empty for a text that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else ""


def _printable(text: str) -> str:
    """Return the text of a server without what would move a cursor or change a colour."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
