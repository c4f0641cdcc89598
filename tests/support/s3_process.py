"""The process behind `s3_server`: moto, with atomic conditional writes and a request log."""

import json
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# No bucket can have this name: bucket names contain no underscore.
REQUEST_LOG_PATH = "/_requests"
_LOG_LENGTH = 100_000
# 500 times as often as usual, to provoke every interleaving within a request.
_SWITCH_SECONDS = 1e-5


def serve(parent: "Connection") -> None:
    """Serve until the pipe to the parent closes, also when the parent dies."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Not the dispatcher of moto, which looks for the service in 175 directories at each request: 30 % of the time.
    application = _Counted(_Atomic(create_backend_app("s3")))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parent.send(server.server_port)
    try:
        parent.recv_bytes()
    except EOFError:
        os._exit(0)


class _Atomic:
    """Middleware that makes each conditional write atomic: moto checks for the key first and stores it later.

    Without the lock, 79 of 300 races of eight writers for one new key had several winners.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if "HTTP_IF_NONE_MATCH" not in environ or environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            return self._application(environ, start)
        # A sender that stalls in its body must not hold the lock.
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
        with self._lock:
            return self._application(environ, start)


class _Counted:
    """Middleware that logs the answers and serves the log."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._log: deque[dict[str, object]] = deque(maxlen=_LOG_LENGTH)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == REQUEST_LOG_PATH:
            body = json.dumps(list(self._log)).encode()
            if method == "DELETE":
                self._log.clear()
            start("200 OK", [("Content-Length", str(len(body)))])
            return [body]

        def logged(status: str, *rest: Any) -> Callable[[bytes], object]:
            query = environ.get("QUERY_STRING", "")
            self._log.append({"method": method, "path": path, "query": query, "status": int(status[:3])})
            return start(status, *rest)

        return self._application(environ, logged)
