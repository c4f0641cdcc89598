"""Receivers of messages: a webhook, Slack, Teams, Matrix, mail, and issues of GitHub and GitLab."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

from msgspec import Struct

from bench_db.ci.github.repository import Repository
from bench_db.ci.retries import certificate_fault, checked_address, is_loopback, pause_before_retry
from bench_db.errors import DeliveryError, ForgeError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import EmailMessage

    from bench_db.ci.github.client import GitHub
    from bench_db.ci.web import Web
    from bench_db.clock import Clock

_SUBMISSION, _SUBMISSION_TLS = 587, 465
_TEMPORARY = range(400, 500)
_TIMEOUT = 30.0


def post(  # noqa: PLR0913 the last two by keyword
    web: Web, address: str, document: Mapping[str, object], message_id: str, *, token: str = "", is_idempotent: bool
) -> None:
    """Post JSON to a webhook, with a token as that of a bearer. `is_idempotent` says that the receiver recognises the header `Idempotency-Key`."""
    checked = checked_address(address, "a webhook", "use a header or a token in its path", "address_env")
    headers = {"Idempotency-Key": message_id, **({"Authorization": f"Bearer {token}"} if token else {})}
    web.send("POST", checked, document, headers=headers, after_silence=is_idempotent, after_fault=is_idempotent)


def put_in_room(  # noqa: PLR0913 all but the first by keyword
    web: Web, *, address: str, token: str, room: str, message_id: str, content: Mapping[str, object]
) -> None:
    """Send a message to a room of Matrix; the server takes a transaction once, so it may be repeated."""
    base = checked_address(address, "a Matrix server", "name the variable of a token: token_env", "address").rstrip("/")
    path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/send/m.room.message/{message_id}"
    web.send("PUT", f"{base}{path}", content, headers={"Authorization": f"Bearer {token}"})


def send_mail(  # noqa: PLR0913 all but the first two by keyword
    address: str, message: EmailMessage, *, user: str, password: str, clock: Clock, deadline_seconds: float
) -> str:
    """Send a mail to the recipients in its headers, and return which the server refused, as `1 of 3 recipients`; empty for none.

    `address` is `smtp://host:587`, which must offer STARTTLS unless it is this machine, or `smtps://host:465`. Temporary refusals are
    tried again until the deadline. Raises `DeliveryError`; when the connection ends while the mail is sent, it is no refusal.
    """
    scheme, host, port = _mail_server(address)
    give_up, attempt = clock.now() + deadline_seconds, 0
    while True:
        attempt, began = attempt + 1, False
        try:
            with _mail_session(scheme, host, port, user=user, password=password) as session:
                began = True
                refused = session.send_message(message)
        except UnicodeError:
            said = f"{host}: the mail was not taken: its name, the user, the password or an address has letters that are not ASCII"
            raise DeliveryError(said, is_refusal=True) from None  # the error has the password
        except smtplib.SMTPNotSupportedError:
            said = f"{host}: the mail was not taken (SMTPNotSupportedError): the server does not offer STARTTLS, a login, or addresses beyond ASCII"
            raise DeliveryError(said, is_refusal=True) from None
        except ssl.SSLCertVerificationError as error:
            msg = f"{host}: {certificate_fault(error)}"
            raise DeliveryError(msg, is_refusal=True) from None
        except (smtplib.SMTPException, OSError) as error:
            code = _code(error)
            wait = pause_before_retry(attempt, clock)
            said = f"{host}: the mail was not taken ({type(error).__name__}{'' if code is None else f' {code}'})"
            if code is None and began:
                raise DeliveryError(said, is_refusal=False) from None
            if not (code is None or code in _TEMPORARY) or clock.now() + wait > give_up:
                raise DeliveryError(said, is_refusal=True) from None  # a server may repeat the user and the password
            clock.sleep(wait)
        else:
            recipients = sum(len((message[name] or "").split(",")) for name in ("To", "Cc") if message[name])
            return f"{len(refused)} of {recipients} recipients" if refused else ""


def _code(error: Exception) -> int | None:
    """Return the code with which a mail server refused; None without an answer."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((code for code, _ in error.recipients.values()), default=None)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None


def _mail_server(address: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in {"smtp", "smtps"} or not host:
        message = "the address of a mail server is smtp://host:587, or smtps://host:465"
        raise UserError(message)
    return scheme, host, port or (_SUBMISSION if scheme == "smtp" else _SUBMISSION_TLS)


@contextmanager
def _mail_session(scheme: str, host: str, port: int, *, user: str, password: str) -> Iterator[smtplib.SMTP]:
    context = ssl.create_default_context()
    if scheme == "smtps":
        session: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
    else:
        session = smtplib.SMTP(host, port, timeout=_TIMEOUT)
    try:
        session.ehlo()
        if scheme == "smtp" and (session.has_extn("starttls") or not is_loopback(host)):
            session.starttls(context=context)
        if user:
            session.login(user, password)
        yield session
        with suppress(smtplib.SMTPException, OSError):  # the mail is accepted
            session.quit()
    finally:
        session.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue: its number in the repository, its page, and whether it is open."""

    number: int
    url: str
    is_open: bool


class Tracker(Protocol):
    """The issues of a repository. Methods raise `ForgeError` or `DeliveryError`."""

    def find(self, marker: str, since: int) -> Issue | None:
        """Return our oldest issue whose text begins with a marker and that changed at `since` (unix seconds) or later; None without one."""

    def create(self, title: str, body: str) -> Issue:
        """Create an issue, once: it is not repeated when the answer is lost."""

    def update(self, issue: Issue, title: str, body: str, *, is_open: bool) -> Issue:
        """Replace the title and the text of an issue, and open or close it."""


class GitHubIssues:
    """The issues of a repository on GitHub, in which a token may write issues."""

    def __init__(self, github: GitHub, repository: str) -> None:
        self._repository = Repository(github, repository)

    def find(self, marker: str, since: int) -> Issue | None:
        """Return our oldest issue with a marker; the text of another author does not count."""
        login = self._repository.me()
        found = None
        for record in self._repository.issues(f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}"):
            author = record.user.login if record.user else ""
            wrote = author == login if login else author.endswith("[bot]")
            if wrote and record.pull_request is None and (record.body or "").startswith(marker):
                issue = Issue(number=record.number, url=record.html_url, is_open=record.state == "open")
                found = issue if found is None or issue.number < found.number else found
        return found

    def create(self, title: str, body: str) -> Issue:
        """Create an issue."""
        made = self._repository.create_issue(title, body)
        return Issue(number=made.number, url=made.html_url, is_open=True)

    def update(self, issue: Issue, title: str, body: str, *, is_open: bool) -> Issue:
        """Replace the title and the text of an issue, and open or close it."""
        state = "open" if is_open else "closed"
        made = self._repository.update_issue(issue.number, title=title, body=body, state=state)
        return Issue(number=made.number, url=made.html_url, is_open=is_open)


class _GitLabUser(Struct):
    id: int


class _GitLabIssue(Struct):
    iid: int
    web_url: str
    state: str
    description: str | None = None

    @property
    def issue(self) -> Issue:
        return Issue(number=self.iid, url=self.web_url, is_open=self.state == "opened")


class GitLabIssues:
    """The issues of a project on GitLab, in which a token with the scope `api` may write issues."""

    def __init__(self, web: Web, repository: str, token: str, address: str) -> None:
        base = checked_address(address, "GitLab", "name the variable of a token: token_env", "address").rstrip("/")
        self._web, self._headers = web, {"PRIVATE-TOKEN": token}
        self._user, self._issues = f"{base}/user", f"{base}/projects/{quote(repository, safe='')}/issues"

    def find(self, marker: str, since: int) -> Issue | None:
        """Return our oldest issue with a marker; the text of another author does not count."""
        me = self._web.read(self._web.send("GET", self._user, headers=self._headers), _GitLabUser).id
        query: dict[str, str | int] = {
            "author_id": me,
            "order_by": "created_at",
            "per_page": 100,
            "scope": "all",
            "sort": "asc",
            "updated_after": f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        page = "1"
        while page:
            answer = self._web.send("GET", self._issues, headers=self._headers, query={**query, "page": page})
            for record in self._web.read(answer, list[_GitLabIssue]):
                if (record.description or "").startswith(marker):
                    return record.issue
            page = answer.headers.get("x-next-page", "")
        return None

    def create(self, title: str, body: str) -> Issue:
        """Create an issue."""
        document = {"title": title, "description": body}
        answer = self._web.send(
            "POST", self._issues, document, headers=self._headers, after_silence=False, after_fault=False
        )
        return self._web.read(answer, _GitLabIssue).issue

    def update(self, issue: Issue, title: str, body: str, *, is_open: bool) -> Issue:
        """Replace the title and the text of an issue, and open or close it."""
        changes = {"title": title, "description": body}
        if is_open != issue.is_open:
            changes["state_event"] = "reopen" if is_open else "close"
        answer = self._web.send("PUT", f"{self._issues}/{issue.number}", changes, headers=self._headers)
        return self._web.read(answer, _GitLabIssue).issue


def put_issue(  # noqa: PLR0913 all but the first by keyword
    tracker: Tracker, *, marker: str, title: str, body: str, is_open: bool, since: int
) -> str:
    """Create the issue of a marker, or bring it up to date, and return its page; none is created that would be closed.

    When the answer to its creation is lost, the issue is looked up once more.
    """
    found = tracker.find(marker, since)
    if found is None and is_open:
        try:
            return tracker.create(title, body).url
        except (DeliveryError, ForgeError) as error:
            found = None if error.is_refusal else tracker.find(marker, since)
            if found is None:
                raise
    return "" if found is None else tracker.update(found, title, body, is_open=is_open).url
