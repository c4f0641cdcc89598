"""The HTTP client of GitHub: pages, ETags, rate limits, retries, a deadline, redaction."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from bench_db.ci.environment import PUBLIC_API
from bench_db.ci.retries import checked_address, pause_before_retry, rate_limit_wait
from bench_db.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.clock import Clock

# 2026-03-10 takes return_run_details away and always answers a dispatch with the run; this one is served until 2028.
API_VERSION = "2022-11-28"
ACCEPT = "application/vnd.github+json, application/json;q=0.9"
_CACHED_ANSWERS = 256
_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer."""

    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)

    @property
    def next_page(self) -> str | None:
        """The URL of the next page, None on the last."""
        links: str = self.headers.get("link", "")
        for link in links.split(","):
            url, _, rest = link.partition(";")
            if 'rel="next"' in rest:
                return url.strip().strip("<>")
        return None


class GitHub:
    """A connection to one GitHub, as one user.

    A request waits for rate limits and tries again after faults until `deadline_seconds` are over, then raises
    `GitHubError`. A request that creates something is repeated only when GitHub certainly did not act on it.
    """

    def __init__(
        self,
        token: str | None,
        *,
        base_url: str = PUBLIC_API,
        clock: Clock,
        deadline_seconds: float = 600.0,
        client: httpx.Client | None = None,
    ) -> None:
        self._base = checked_address(
            base_url, "GitHub", "give a token instead (GITHUB_TOKEN)", "GITHUB_API_URL"
        ).rstrip("/")
        self._token, self._clock, self._deadline = token, clock, deadline_seconds
        self._client = client or httpx.Client(timeout=httpx.Timeout(30.0, connect=10.0))
        self._answers: OrderedDict[str, Answer] = OrderedDict()

    def __repr__(self) -> str:
        return f"GitHub({self._base!r}, token={'***' if self._token else None})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, answer: type[_T], **query: str | int | None) -> _T:
        """Return a resource."""
        return self._typed(self._request("GET", self._url(path, query)), answer, path)

    def pages(self, path: str, page: type[_T], **query: str | int | None) -> Iterator[_T]:
        """Yield the pages of a list, 100 entries each. A page is requested when it is taken."""
        url: str | None = self._url(path, {"per_page": 100, **query})
        seen: set[str] = set()
        while url:
            if url in seen:
                message = self._clean(f"{path}: the list of pages leads back to {url}")
                raise GitHubError(message)
            seen.add(url)
            found = self._request("GET", url)
            yield self._typed(found, page, path)
            url = self._same_origin(found.next_page)

    def send(self, method: str, path: str, document: Mapping[str, object], answer: type[_T]) -> _T:
        """Send a change and return the answer: POST creates, PATCH may be repeated. `answer` must allow None for an empty one."""
        return self._typed(self._request(method, self._url(path, {}), document), answer, path)

    # -- one request -------------------------------------------------------------------------------------------------

    def _request(self, method: str, url: str, document: Mapping[str, object] | None = None) -> Answer:
        give_up = self._clock.now() + self._deadline
        attempt = 0
        while True:
            attempt += 1
            wait, fault = self._attempt(method, url, document, attempt)
            if isinstance(fault, Answer):
                return fault
            if wait is None or self._clock.now() + wait > give_up:
                raise fault
            _LOG.info(
                "%s %s: attempt %d failed: %s; trying again in %.1f s",
                method,
                self._shown(url),
                attempt,
                fault.status or "no answer",
                wait,
            )
            self._clock.sleep(wait)

    def _attempt(
        self, method: str, url: str, document: Mapping[str, object] | None, attempt: int
    ) -> tuple[float | None, Answer | GitHubError]:
        """Return an answer; or a fault and the seconds before a retry, None when a retry would be wrong."""
        may_repeat = method != "POST"
        began = self._clock.now()
        try:
            response = self._client.request(
                method, url, json=document, headers=self._headers(url), follow_redirects=method == "GET"
            )
        except httpx.HTTPError as error:
            _LOG.debug(
                "%s %s: %s after %.3f s", method, self._shown(url), type(error).__name__, self._clock.now() - began
            )
            never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            fault = GitHubError(self._clean(f"{method} {url}: no answer: {type(error).__name__} {error}"))
            fault.__cause__ = None if self._token and self._token in str(error) else error
            return (pause_before_retry(attempt, self._clock) if may_repeat or never_sent else None), fault
        _LOG.debug("%s %s: %d in %.3f s", method, self._shown(url), response.status_code, self._clock.now() - began)
        if response.status_code == httpx.codes.NOT_MODIFIED and url in self._answers:
            self._answers.move_to_end(url)
            return None, self._answers[url]
        if response.is_success:
            return None, self._remembered(method, url, response)
        wait = rate_limit_wait(response.status_code, response.headers, response.text, attempt, self._clock)
        if wait is None and response.is_server_error and may_repeat:
            wait = pause_before_retry(attempt, self._clock)
        return wait, self._refusal(method, url, response, wait)

    def _remembered(self, method: str, url: str, response: httpx.Response) -> Answer:
        answer = Answer(status=response.status_code, headers=response.headers, body=response.content)
        if method == "GET" and "etag" in response.headers:
            self._answers[url] = answer
            while len(self._answers) > _CACHED_ANSWERS:
                self._answers.popitem(last=False)
        return answer

    def _refusal(self, method: str, url: str, response: httpx.Response, wait: float | None) -> GitHubError:
        try:
            said = msgspec.json.decode(response.content, type=_Refusal).text
        except msgspec.MsgspecError:
            said = ""
        said = said or response.text[:600]
        hint = _HINTS.get(response.status_code, "")
        if wait is not None and not response.is_server_error:
            hint = f"the rate limit ends in {wait:.0f} s, later than this may take"
        text = f"{method} {url}: {response.status_code} {said}{f'; {hint}' if hint else ''}"
        return GitHubError(self._clean(text), status=response.status_code)

    def _headers(self, url: str) -> dict[str, str]:
        headers = {"Accept": ACCEPT, "X-GitHub-Api-Version": API_VERSION, "User-Agent": "bench-db"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if url in self._answers:
            headers["If-None-Match"] = self._answers[url].headers["etag"]
        return headers

    def _typed(self, answer: Answer, wanted: type[_T], path: str) -> _T:
        try:
            return msgspec.json.decode(answer.body or b"null", type=wanted)
        except msgspec.MsgspecError as error:
            message = self._clean(f"{path}: GitHub answered something unexpected: {error}")
            raise GitHubError(message, status=answer.status) from error

    # -- addresses and secrets -----------------------------------------------------------------------------------------

    def _url(self, path: str, query: Mapping[str, str | int | None]) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        return str(httpx.URL(f"{self._base}{path}", params=given) if given else httpx.URL(f"{self._base}{path}"))

    def _same_origin(self, url: str | None) -> str | None:
        """Return a link of an answer. Raise `GitHubError` when it leads to another host, because the token goes along."""
        if url is not None and urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            message = f"{self._base}: the next page is on another host, {urlsplit(url).netloc}; not followed"
            raise GitHubError(message)
        return url

    def _shown(self, url: str) -> str:
        """Return a URL without its query and the token."""
        return self._clean(url.partition("?")[0])

    def _clean(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text


class _Refusal(msgspec.Struct):
    """The body of a refusal."""

    message: str = ""
    errors: list[Any] = []

    @property
    def text(self) -> str:
        details = [e.get("message") or e.get("code") if isinstance(e, dict) else e for e in self.errors]
        return "; ".join([self.message, *(str(detail) for detail in details if detail)])


_HINTS = {
    401: "is the token valid? (GITHUB_TOKEN)",
    403: "the token lacks a permission this needs",
    404: "the name is wrong, or the token may not see it",
}
