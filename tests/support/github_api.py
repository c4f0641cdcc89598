"""The API description of GitHub, served on loopback by a server that refuses other requests."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import lacking

TOOLS = Path(__file__).parents[2] / ".ci" / "github-api"
DESCRIPTION = "node_modules/@octokit/openapi/generated/api.github.com.json"
_START_SECONDS = 60


def description() -> dict[str, Any]:
    """Return the description; install it if it is missing."""
    if shutil.which("npm") is None:
        lacking("npm is needed to check the GitHub client against GitHub's description")
    subprocess.run([TOOLS / "install"], check=True, timeout=300)
    found: dict[str, Any] = json.loads((TOOLS / DESCRIPTION).read_bytes())
    return found


def part_of(whole: dict[str, Any], paths: str) -> dict[str, Any]:
    """Return the part of a description for matching paths, with all references."""
    kept = {path: item for path, item in whole["paths"].items() if re.fullmatch(paths, path)}
    components: dict[str, Any] = {}
    waiting: list[Any] = [kept]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()
            reference = item.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/components/"):
                _, _, kind, name = reference.split("/")
                group = components.setdefault(kind, {})
                if name not in group:
                    group[name] = whole["components"][kind][name]
                    waiting.append(group[name])
    return {"openapi": whole["openapi"], "info": whole["info"], "paths": kept, "components": components}


@contextmanager
def checking_server(document: dict[str, Any], directory: Path) -> Iterator[str]:
    """Run a server that answers with the examples of the description, until the block ends; yield its URL."""
    file = directory / "github.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # not --errors: it validates answers too, and some examples of GitHub lack required fields
    command = [str(TOOLS / "node_modules/.bin/prism"), "mock", "-h", "127.0.0.1", "-p", str(port), str(file)]
    with (directory / "prism.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _wait(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server of GitHub's description did not start")
