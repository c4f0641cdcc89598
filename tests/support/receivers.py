"""Receivers of messages on loopback: HTTP servers that take a message once, and a mail server; faults can be injected."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.serving import serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer in place of the usual one; `status` 0 closes the connection. With `after` the message is accepted first.

    A text is sent as JSON, bytes as they are.
    """

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    text: str | bytes = ""
    after: bool = False
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request that was accepted."""

    path: str
    document: Any
    headers: dict[str, str]


@dataclass(kw_only=True)
class FakeReceiver:
    """An HTTP receiver, which tests read and change.

    `accepted` has every message once: one with an `Idempotency-Key`, or of a transaction of Matrix, that it has taken is answered and dropped.
    `requests` counts all of them. GitLab's issues are in `issues`.
    """

    url: str = ""
    accepted: list[Arrived] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    is_idempotent: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def documents(self) -> list[Any]:
        """Return the bodies of the accepted messages."""
        return [one.document for one in self.accepted]

    def take(self, method: str, path: str, document: Any, headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        """Accept a message, or act as GitLab."""
        parts = urlsplit(path)
        if "/projects/" in parts.path or parts.path.endswith("/user"):
            return self._gitlab(method, parts.path, parse_qs(parts.query), document)
        key = path if method == "PUT" else headers.get("idempotency-key", "")
        if not (self.is_idempotent and key and key in self.keys):
            self.keys.add(key)
            self.accepted.append(Arrived(path=path, document=document, headers=headers))
        return 200, {"event_id": "$1"}, {}

    def _gitlab(
        self, method: str, path: str, query: dict[str, list[str]], document: Any
    ) -> tuple[int, Any, dict[str, str]]:
        if path.endswith("/user"):
            return 200, {"id": 7}, {}
        if method == "GET":
            assert query["author_id"] == ["7"]
            page, size = int(query["page"][0]), int(query["per_page"][0])
            part = self.issues[(page - 1) * size : page * size]
            return 200, part, {"x-next-page": str(page + 1) if page * size < len(self.issues) else ""}
        if method == "POST":
            number = 1 + len(self.issues)
            self.issues.append(
                {"iid": number, "web_url": f"https://gitlab.test/{number}", "state": "opened", **document}
            )
            return 201, self.issues[-1], {}
        issue = self.issues[int(path.rpartition("/")[2]) - 1]
        issue |= {name: document[name] for name in ("title", "description")}
        issue["state"] = {"close": "closed", "reopen": "opened"}.get(document.get("state_event"), issue["state"])
        return 200, issue, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    state: FakeReceiver

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        document = json.loads(self.rfile.read(size)) if size else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.state.lock:
            self.state.requests.append(f"{self.command} {self.path}")
            self.state.headers.append(headers)
            fault = self.state.faults.pop(0) if self.state.faults else None
            status: int = 0
            answer: Any = None
            more: dict[str, str] = {}
            if fault is None or fault.after:
                status, answer, more = self.state.take(self.command, self.path, document, headers)
        if fault is not None:
            if fault.delay:
                threading.Event().wait(fault.delay)
            status, answer, more = fault.status, fault.text, fault.headers
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 http.server's names


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[FakeReceiver]:
    """Run an HTTP receiver until the block ends; by TLS with a context."""
    state = FakeReceiver()
    with serving(_Handler, state, tls) as state.url:
        yield state


@dataclass(kw_only=True)
class FakeMail:
    """A mail server: the mails it took, and the answers to give in their place, one a mail.

    An answer `lost` takes the mail and closes the connection.
    """

    url: str = ""
    mails: list[Envelope] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()
    logins: list[tuple[str, str]] = field(default_factory=list)
    password: str = ""

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer == "lost":
            self.mails.append(envelope)
            transport = server.transport
            assert isinstance(transport, asyncio.WriteTransport)
            transport.abort()
            await asyncio.sleep(0)
        elif answer.startswith("2"):
            self.mails.append(envelope)
        return "250 OK" if answer == "lost" else answer

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        """Accept the one password."""
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=given.password.decode() == self.password, handled=False)


@contextmanager
def mail_server(
    password: str = "", *, takes_utf8: bool = True, tls: ssl.SSLContext | None = None
) -> Iterator[FakeMail]:
    """Run a mail server until the block ends; `takes_utf8` says whether it offers SMTPUTF8. With `tls` it asks for STARTTLS first."""
    state = FakeMail(password=password)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        state,
        hostname="127.0.0.1",
        port=port,
        authenticator=state.authenticate,
        auth_require_tls=tls is not None,
        tls_context=tls,
        require_starttls=tls is not None,
        auth_required=bool(password),
        enable_SMTPUTF8=takes_utf8,
    )
    state.url = f"smtp://127.0.0.1:{port}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # every connection warns of a password without TLS
        controller.start()
        try:
            yield state
        finally:
            controller.stop()


def ids_in(text: str) -> list[str]:
    """Return the ids of findings in the documents of `tests.app.test_notify`, in their order."""
    return re.findall(r"\bf\d{4}\b", text)
