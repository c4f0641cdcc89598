"""A package index on loopback that trusts a workflow: it changes the identity of a job into a token, and takes uploads with it."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from tests.support.serving import serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

REQUEST_TOKEN, IDENTITY, SHORT_LIVED = "the-request-token", "the-identity-of-the-job", "pypi-short-lived"


@dataclass(kw_only=True)
class FakeIndex:
    """The names of the files that were uploaded, and requests that were refused."""

    url: str = ""
    files: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """Return what a job gets from GitHub, and where uv publishes to."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/identity?version=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
            "UV_PUBLISH_URL": f"{self.url}/legacy/",
        }


class _Handler(BaseHTTPRequestHandler):
    state: FakeIndex

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        if self.path == "/_/oidc/audience":
            self._answer({"audience": "the index"})
        else:
            is_asked = self.path.startswith("/identity?") and "audience=" in self.path
            self._answer({"value": IDENTITY}, is_asked and REQUEST_TOKEN in (self.headers["Authorization"] or ""))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/_/oidc/mint-token":
            self._answer({"success": True, "token": SHORT_LIVED}, IDENTITY.encode() in body)
            return
        if self.path == "/_/oidc/burn-token":  # uv gives the token back
            self._answer({}, SHORT_LIVED.encode() in body)
            return
        given = re.search(rb'filename="([^"]+)"', body)
        # Basic authentication of the user __token__
        is_ours = self.path == "/legacy/" and (self.headers["Authorization"] or "").startswith(
            "Basic X190b2tlbl9fOnB5cGk"
        )
        if is_ours and given:
            self.state.files.append(given[1].decode())
        self._answer({}, is_ours and given is not None)

    def _answer(self, document: object, is_fine: bool = True) -> None:  # noqa: FBT001, FBT002 a condition
        if not is_fine:
            self.state.refused.append(self.path)
        content = json.dumps(document if is_fine else {}).encode()
        self.send_response(200 if is_fine else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def package_index(tls: ssl.SSLContext) -> Iterator[FakeIndex]:
    """Run an index until the block ends; uv asks for a token by TLS only."""
    state = FakeIndex()
    with serving(_Handler, state, tls) as state.url:
        yield state
