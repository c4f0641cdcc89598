"""A repository that only knows the action `publish`, by the three lines of docs/how-to/ci.md."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

from tests.support.actions.definitions import ROOT
from tests.support.actions.runner import Platform, Run
from tests.support.histories import History
from tests.support.s3_server import S3Server
from tests.workflows.world import EXECUTED, SECRETS, Ground

if TYPE_CHECKING:
    from pathlib import Path

RECORDED = ROOT / "tests/data/pytest-benchmark/5.3.1"
HOSTILE_FILE = "out put/$(touch pwned) `touch pwned`;'.json"
WORKFLOW = """\
name: Bench
on: push
permissions: {{}}
jobs:
  bench:
    name: Bench
    runs-on: ubuntu-latest
    environment: benchmarks
    permissions: {{contents: read}}
    steps:
      - uses: actions/checkout@v6
      - name: Benchmark
        run: cp recorded.json results.json
      - name: Before
        run: echo "$PATH" > path
{three_lines}
      - name: Unchanged
        run: test "$PATH" = "$(cat path)" && ! command -v uv
      - uses: {action}
        with:
          path: |
            results.json

            {hostile}
          store: s3://my-benchmarks/lance
          format: pytest-benchmark
          suite: "it's \\"x\\""
          testbed-name: a machine
          dut-name: library
          checkout: .
        env: {{ AWS_ACCESS_KEY_ID: "${{{{ secrets.BENCH_S3_USER_ACCESS_KEY }}}}", AWS_SECRET_ACCESS_KEY: x }}
"""


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """The run, the measured commit, and the address of the results."""

    run: Run
    commit: str
    server: S3Server
    executed: list[str]


def three_lines() -> str:
    """Return the lines of docs/how-to/ci.md for a workflow."""
    section = (
        (ROOT / "docs/how-to/ci.md").read_text("utf-8").partition("## Publish from a workflow you already have")[2]
    )
    found = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def publish_from_elsewhere(ground: Ground, directory: Path, server: S3Server) -> Foreign:
    """Push to the repository once and run its workflow."""
    library = History(directory / "library")
    (library.path / ".github/workflows").mkdir(parents=True)
    lines = three_lines()
    action = lines.split()[2]
    text = WORKFLOW.format(three_lines=indent(lines, " " * 6), action=action, hostile=HOSTILE_FILE)
    (library.path / ".github/workflows/bench.yml").write_text(text)
    shutil.copyfile(RECORDED / "outside_git.json", library.path / "recorded.json")
    (library.path / HOSTILE_FILE).parent.mkdir()
    shutil.copyfile(RECORDED / "without_raw_data.json", library.path / HOSTILE_FILE)
    (library.path / "pyproject.toml").write_text('[project]\nname = "small"\nversion = "1.2"\n')
    commit = library.commit("benchmarks")
    reached = {name: value for name, value in server.environment().items() if not name.endswith(("_KEY_ID", "_KEY"))}
    platform = Platform(
        directory=directory / "runs",
        repository="me/library",
        repositories={"me/library": library.path, "/".join(action.split("/")[:2]): ground.workflows},
        environments={"benchmarks": SECRETS},
        variables={**reached, "UV_NO_SYNC": "1", "UV_PROJECT_ENVIRONMENT": sys.prefix},
        executed=EXECUTED,
    )
    run = platform.run("bench", event="push")
    return Foreign(run=run, commit=commit, server=server, executed=[step for _, step in run.seen])
