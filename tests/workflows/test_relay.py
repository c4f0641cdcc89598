"""The workflow of docs/how-to/pull-requests.md that forwards comments of a measured repository."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.actions.definitions import ROOT
from tests.support.actions.runner import Platform, Run
from tests.support.histories import History
from tests.workflows.conftest import comment, strays

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.world import Ground

# `gh api` as far as it is used: fields of -F are numbers, or files when they begin with @, those of -f are texts as they are.
GH = """
import json, os, pathlib, sys

api, path, *words = sys.argv[1:]
document, method = {}, "GET"
while words:
    flag, value = words.pop(0), words.pop(0)
    if flag == "--jq":
        assert value == ".head.sha"
        continue
    name, _, text = value.partition("=")
    if flag == "-F":
        text = pathlib.Path(text[1:]).read_text() if text.startswith("@") else json.loads(text)
    else:
        assert flag == "-f"
    outer, _, inner = name.rstrip("]").partition("[")
    (document.setdefault(outer, {}) if inner else document).__setitem__(inner or outer, text)
    method = "POST"
with open(LOG, "a") as log:
    log.write(json.dumps([method, path, os.environ["GH_TOKEN"], document]) + "\\n")
print(SHA if method == "GET" else "")
"""
BODY = "@/etc/passwd \"'`touch pwned`$(touch pwned)\n\n@bench-bot benchmark --crate x\r\n${{ github.token }}"


def told(ground: Ground, directory: Path, issue: dict[str, Any]) -> tuple[Run, list[Any]]:
    """Run the workflow for a comment; return the run and its requests to GitHub."""
    section = (ROOT / "docs/how-to/pull-requests.md").read_text("utf-8").partition("## Let people ask")[2]
    [workflow] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    library = History(directory / "library")
    (library.path / ".github/workflows").mkdir(parents=True)
    (library.path / ".github/workflows/ask.yml").write_text(workflow)
    tools = directory / "tools"
    tools.mkdir()
    log = directory / "log"
    log.touch()
    (tools / "gh").write_text(f"#!{sys.executable}\nLOG, SHA = {str(log)!r}, {ground.slow!r}{GH}")
    (tools / "gh").chmod(0o755)
    platform = Platform(
        directory=directory / "runs",
        repository="owner/name",
        repositories={"owner/name": library.path},
        environments={"": {"LANCE_BENCH_DISPATCH_TOKEN": "dispatch-token"}},
        path=[tools],
    )
    event = {"issue": issue, "comment": {"body": BODY, "user": {"login": "writer"}}}
    return platform.run("ask", event="issue_comment", payload=event), [*map(json.loads, log.read_text().splitlines())]


class TestRelay:
    """Any comment on a pull request arrives in the form that `comment-monitor` reads; one on an issue does not."""

    def test_a_pull_request(self, ground: Ground, tmp_path: Path) -> None:
        run, asked = told(ground, tmp_path, {"number": 12, "pull_request": {"url": "x"}})
        assert run.results == {"tell": "success"}, run.logs
        document = {"event_type": "pr-comment", **comment(ground, BODY)}
        assert asked == [
            ["GET", "repos/owner/name/pulls/12", "workflow-token", {}],
            ["POST", "repos/OWNER/BENCHMARKS/dispatches", "dispatch-token", document],
        ]
        assert strays(tmp_path) == []

    @pytest.mark.parametrize("issue", [{"number": 12}, {"number": 12, "pull_request": None}])
    def test_an_issue(self, issue: dict[str, Any], ground: Ground, tmp_path: Path) -> None:
        run, asked = told(ground, tmp_path, issue)
        assert (run.results, asked) == ({"tell": "skipped"}, [])
