"""An HTTP proxy on loopback that stands before a server and misbehaves on request."""

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NoReturn
from urllib.parse import urlsplit

from tests.support.faults import Fault, FaultProxy

_MAX_CONNECTIONS = 256
_UPSTREAM_SECONDS = 60.0
_SILENCE_SECONDS = 300.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# Headers of one connection, or settled anew because the relay holds the whole body.
_NOT_RELAYED = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}
_MISSING_BYTES = 1000
_WITHOUT: dict[Fault | None, set[str]] = {Fault.IGNORE_CONDITION: {"if-none-match"}, Fault.WHOLE_OBJECT: {"range"}}
_CHANGED: dict[Fault | None, Callable[[bytes], bytes]] = {
    Fault.SHORT_BODY: lambda content: content[: len(content) // 2],
    Fault.STRANGE_BODY: lambda _: b"<!DOCTYPE html><title>Sign in</title>",
    Fault.EMPTY_BODY: lambda _: b"",
}
_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    """Relay requests to the server at the URL `target`, faithfully until a rule is injected."""
    address = urlsplit(target)
    with _Server(upstream=(str(address.hostname), address.port or 80)) as server:
        accepting = threading.Thread(target=server.serve_forever, args=(0.02,))
        accepting.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            accepting.join()
            server.proxy.inject()
            server.hang_up()


class _Server(ThreadingMixIn, TCPServer):
    # A test that fails must not keep the interpreter; server_close() joins the threads anyway.
    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = _MAX_CONNECTIONS

    def __init__(self, *, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Relay)
        self.proxy = FaultProxy(f"http://127.0.0.1:{self.server_address[1]}")

    def verify_request(self, request: Any, client_address: object) -> bool:  # noqa: ARG002
        with self._open_lock:
            self._open.add(request)
            return len(self._open) <= _MAX_CONNECTIONS

    def shutdown_request(self, request: Any) -> None:
        # Only close: the inherited shutdown() would send an orderly end before the reset.
        with self._open_lock:
            self._open.discard(request)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A peer that hangs up is this server's daily business.
        if not isinstance(sys.exception(), OSError | HTTPException):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Wake the threads that wait for a next request on a kept connection."""
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Relay(BaseHTTPRequestHandler):
    """One client connection and its own connection to the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream = HTTPConnection(*self.server.upstream, timeout=_UPSTREAM_SECONDS)

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _relay(self) -> None:
        body = self._read_body()
        rule, changed = self.server.proxy.judge(self.command, self.path)
        fault = rule.fault if rule else None
        if fault is Fault.SLOW_DOWN:
            headers = [("Content-Type", "application/xml")]
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, headers, _SLOW_DOWN)
            return
        if rule and fault is Fault.ANSWER:
            error = f"<Error><Code>{rule.code}</Code><Message>{rule.code}.</Message></Error>"
            self._send(rule.status, [("Content-Type", "application/xml")], error.encode())
            return
        if fault is Fault.SILENCE:
            changed.wait(_SILENCE_SECONDS)
        if fault in {Fault.SILENCE, Fault.RESET}:
            self._reset()
        answer = self._ask(body, without=_WITHOUT.get(fault, set()))
        content = answer.read()
        if fault is Fault.LOSE_ANSWER:
            self._reset()
        if rule and fault is Fault.DELAY:
            changed.wait(rule.delay_seconds)
        self._send(answer.status, answer.getheaders(), _CHANGED.get(fault, bytes)(content), fault, changed)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _relay  # noqa: N815 - http.server's names

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._read_chunks())
        return self._read(int(self.headers.get("Content-Length", 0)))

    def _read_chunks(self) -> Iterator[bytes]:
        while size := int(self._read_line().partition(b";")[0], 16):
            yield self._read(size)
            self._read_line()
        while self._read_line().strip():
            """A trailer, which nothing here needs."""

    def _read_line(self) -> bytes:
        return self.rfile.readline() or self._truncated()

    def _read(self, size: int) -> bytes:
        content = self.rfile.read(size)
        return content if len(content) == size else self._truncated()

    def _truncated(self) -> NoReturn:
        message = "the client hung up within its request"
        raise ConnectionError(message)

    def _ask(self, body: bytes, *, without: set[str]) -> HTTPResponse:
        dropped = _NOT_RELAYED | without
        self._upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in dropped:
                self._upstream.putheader(name, value)
        if body or self.command in {"PUT", "POST"}:
            self._upstream.putheader("Content-Length", str(len(body)))
        self._upstream.endheaders(body)
        return self._upstream.getresponse()

    def _send(
        self,
        status: int,
        headers: list[tuple[str, str]],
        content: bytes,
        fault: Fault | None = None,
        changed: threading.Event | None = None,
    ) -> None:
        length: str | None = str(len(content) + (_MISSING_BYTES if fault is Fault.LONG_LENGTH else 0))
        if self.command == "HEAD" or status in _BODILESS:
            declared = (value for name, value in headers if name.lower() == "content-length")
            length, content = next(declared, None), b""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _NOT_RELAYED:
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if fault is Fault.CUT_BODY:
            self.wfile.write(content[: len(content) // 2])
            self._reset()
        if changed and fault is Fault.TRICKLE:
            for at in range(len(content)):
                self.wfile.write(content[at : at + 1])
                if changed.wait(1.0):
                    self._reset()
            return
        self.wfile.write(content)
        if changed and fault is Fault.LONG_LENGTH:
            changed.wait(_SILENCE_SECONDS)
            self._reset()

    def _reset(self) -> NoReturn:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        raise ConnectionAbortedError
