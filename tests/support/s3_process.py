"""The process behind `s3_server`: moto, with atomic conditional writes, quick listings and a request log."""

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
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from moto.core.responses import ActionResult
    from moto.s3.responses import S3Response

# No bucket can have this name: bucket names contain no underscore.
REQUEST_LOG_PATH = "/_requests"
_LOG_LENGTH = 100_000
# 500 times as often as usual, to provoke every interleaving within a request.
_SWITCH_SECONDS = 1e-5
# The elements of a listing in the order of moto, which is that of S3's model.
_OF_LISTING = (
    *(
        "IsTruncated",
        "Contents",
        "Name",
        "Prefix",
        "Delimiter",
        "MaxKeys",
        "CommonPrefixes",
        "EncodingType",
        "KeyCount",
    ),
    *("ContinuationToken", "NextContinuationToken", "StartAfter"),
)
_OF_OBJECT = ("Key", "LastModified", "ETag", "ChecksumAlgorithm", "Size", "StorageClass", "Owner")


def serve(parent: "Connection") -> None:
    """Serve until the pipe to the parent closes, also when the parent dies."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Not the dispatcher of moto, which looks for the service in 175 directories at each request: 30 % of the time.
    write_listings_quickly()
    application = _Counted(_Atomic(create_backend_app("s3")))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parent.send(server.server_port)
    try:
        parent.recv_bytes()
    except EOFError:
        os._exit(0)


def write_listings_quickly() -> None:
    """Write the listings of moto without its serializer.

    That parses and formats the date of each object: 11 ms of CPU for a listing of 60 objects, two thirds of the time of the server.
    """
    from moto.s3.responses import S3Response

    slowly = S3Response.serialized

    def serialized(response: "S3Response", answer: "ActionResult") -> Any:
        listing = answer.result
        if response.data.get("Action") != "ListObjectsV2" or not isinstance(listing, dict):
            return slowly(response, answer)
        body = (
            '<?xml version="1.0" encoding="utf-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{_elements(listing, _OF_LISTING)}</ListBucketResult>"
        )
        return 200, {"Content-Type": "application/xml", **response.response_headers}, body

    S3Response.serialized = serialized  # type: ignore[method-assign, assignment]


def _elements(values: dict[str, Any], names: Iterable[str]) -> str:
    return "".join(
        _element(name, value)
        for name in names
        if name in values
        for value in (values[name] if isinstance(values[name], list) else [values[name]])
    )


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        text = _elements(value, _OF_OBJECT if name == "Contents" else sorted(value))
    else:
        text = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{text}</{name}>" if text else f"<{name}/>"


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
