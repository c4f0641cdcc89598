# /// script
# requires-python = ">=3.11"
# dependencies = ["wandb==0.31.0"]
# ///
"""What Weights & Biases' own `wandb sync` uploads of offline runs to a server on loopback, as JSON; a script with an environment of its own."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

received: dict[str, dict[str, Any]] = {}
changing = threading.Lock()


def run_of(name: str) -> dict[str, Any]:
    """Return what was received of a run so far."""
    return received.setdefault(name, {"bucket": {}, "stream": {}, "files": {}, "exit": None})


class Server(BaseHTTPRequestHandler):
    """The part of a server of W&B that `wandb sync` speaks to."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name of the base class
        """Print nothing."""

    def _content(self) -> bytes:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def _answer(self, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        """Take a file."""
        _, _, run, name = self.path.split("/", 3)
        with changing:
            run_of(run)["files"][name] = self._content().decode()
        self._answer({})

    def do_POST(self) -> None:
        """Answer a query of GraphQL, or take lines of a stream."""
        asked = json.loads(self._content())
        if self.path != "/graphql":
            with changing:
                self._take(self.path.split("/")[-2], asked)
            self._answer({})
            return
        variables = asked.get("variables") or {}
        if "upsertBucket" in asked["query"]:
            known = {name: value for name, value in variables.items() if value is not None}
            with changing:
                bucket = run_of(variables["name"])["bucket"]
                bucket |= known
                bucket.setdefault("configs", []).append(json.loads(known.get("config", "{}")))
            project = {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": "me"}}
            made = {"id": "x", "name": variables["name"], "displayName": "", "config": "{}", "project": project}
            self._answer({"data": {"upsertBucket": {"bucket": {**made, "historyLineCount": 0}, "inserted": True}}})
        elif "createRunFiles" in asked["query"]:
            at = f"http://{self.headers['Host']}/put/{variables['run']}"
            files = [{"name": name, "uploadUrl": f"{at}/{name}"} for name in variables["files"]]
            self._answer({"data": {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": files}}})
        else:
            self._answer({"data": {}})

    def _take(self, name: str, asked: dict[str, Any]) -> None:
        run = run_of(name)
        for file, part in (asked.get("files") or {}).items():
            run["stream"].setdefault(file, []).extend(json.loads(line) for line in part["content"])
        run["exit"] = asked.get("exitcode", run["exit"])


def main(runs: list[str]) -> None:
    """Sync some offline runs, and print what the server received of each."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        own = {"WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}", "WANDB_API_KEY": 40 * "k", "HOME": home}
        quiet = {"WANDB_ERROR_REPORTING": "false", "WANDB_CACHE_DIR": home, "WANDB_CONFIG_DIR": home}
        wandb = str(Path(sys.executable).with_name("wandb"))
        done = subprocess.run(
            [wandb, "sync", *runs], env=os.environ | own | quiet, capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.exit(f"wandb sync: {done.stdout}\n{done.stderr}")
    json.dump({"runs": received, "said": done.stdout + done.stderr}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
