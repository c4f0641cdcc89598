"""A server of the tests on loopback, until a block ends."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Server(ThreadingHTTPServer):
    """A server that speaks TLS with a context; a client that refuses its certificate is no error of the server."""

    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in a thread of its own."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        try:
            encrypted = self.tls.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        with encrypted:
            super().finish_request(encrypted, client_address)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], state: object, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server whose handlers have `state`, and return its address; by TLS with a context."""
    server = _Server(("127.0.0.1", 0), type("Handler", (handler,), {"state": state}))
    server.tls = tls
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
