"""A second forge is one package of another author: an entry point and a class, without any line about GitHub."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench_db.ci import forge
from bench_db.clock import Clock
from bench_db.errors import UserError
from tests.cli.commands import bench_db_process, document, environment, publish

FILE = min((Path(__file__).parents[2] / "packages/bench_db/src/bench_db/demo/pytest-benchmark").glob("*.json"))
STUB = '''
"""A forge that keeps everything in memory; every run succeeds when it is looked at."""

from bench_db.ci.forge import Posted, RunStatus, Started
from bench_db.model import Commit

COMMITS = [Commit(sha=f"{i:x}".ljust(40, "c"), time=i * 86_400, subject=f"change {i}") for i in range(6)]


class Memory:
    def __init__(self):
        self.runs, self.posted = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def commits(self, repository, chosen, branch, *, is_measured, since):
        return COMMITS

    def merge_base(self, repository, number, sha):
        return COMMITS[2]

    def may_start(self, repository, number, user):
        return user == "writer"

    def dispatch(self, workflow, inputs, correlation):
        self.runs.append((workflow.repository, dict(inputs), correlation))
        return Started(run_id=len(self.runs), url=f"memory:{len(self.runs)}")

    def find(self, workflow, correlation, since):
        numbers = [i for i, run in enumerate(self.runs, 1) if run[2] == correlation]
        return Started(run_id=numbers[0], url="memory:") if numbers else None

    def in_flight(self, workflow):
        return frozenset()

    def attempts(self, workflow, since):
        return {}

    def run(self, workflow, run_id):
        return RunStatus(status="done", is_finished=True, is_success=True)

    def comment(self, repository, number, text, kind="report", *, update=True):
        self.posted.append(("comment", repository, number, str(kind), text))
        return Posted(id=len(self.posted), url="memory:comment")

    def check(self, repository, sha, name, *, conclusion, title, summary, url=None, as_status=False):
        self.posted.append(("check", repository, sha, str(conclusion), title))
        return Posted(id=len(self.posted))


FORGE = Memory()


def connect(environment, clock):
    return FORGE
'''
USE = """
import json, sys
from bench_db.app import pull_request_results, pull_requests
from bench_db.app.backfill import backfill
from bench_db.app.schedule import schedule_runs
from stub_forge import COMMITS, FORGE

found = {"scheduled": schedule_runs("store", environment={}).frame()["commit"].to_list()}
ended = backfill("store", environment={}, engine="stub", poll_seconds=0.01, max_commits=2)
found["ended"] = [(attempt.commit, str(attempt.state)) for attempt in ended.ended]
payload = {"comment_body": "@bench-bot benchmark --go-only", "comment_user": "writer", "pr_number": 7, "pr_head_sha": "a" * 40}
decision = pull_requests.process_comment(json.dumps(payload), environment={})
with open("command.json", "w") as file:
    json.dump(decision.document, file)
found["inputs"] = pull_requests.dispatch(command_file="command.json", environment={}).inputs
stranger = pull_requests.process_comment(json.dumps({**payload, "comment_user": "stranger"}), environment={})
found["stranger"] = stranger.order
pull_requests.comment(7, "done", kind="acknowledgement", environment={})
pull_requests.check("a" * 40, conclusion="neutral", summary="all", environment={})
found["posted"] = FORGE.posted
compared = pull_request_results.compare(
    "a" * 40, uri="store", pr_number=7, local_results="local", repository="o/n", environment={}
)
found["merge_base"] = compared.merge_base.sha
found["github"] = [name for name in sys.modules if name.startswith("bench_db.ci.github") or name == "httpx"]
print(json.dumps(found))
"""
CONFIG = """
[project]
name = "p"
forge = "stub"
repository = "o/n"
[schedule.kinds.go]
label = "Go"
run_input = "run_go"
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory where a package with a forge is installed, with a project that uses it and its stores."""
    (tmp_path / "stub_forge.py").write_text(STUB)
    about = tmp_path / "stub_forge-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stub-forge\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[bench_db.forges]\nstub = stub_forge:connect\n")
    (tmp_path / "bench-db.toml").write_text(CONFIG)
    publish(FILE, tmp_path / "store", "3".ljust(40, "c"))
    publish(FILE, tmp_path / "local", "a" * 40)
    return tmp_path


@pytest.mark.slow
class TestSecondForge:
    """Every use case that asks a forge asks the one of the configuration, and loads no other."""

    def test_every_use_case(self, installed: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", USE],
            cwd=installed,
            env=environment(PYTHONPATH=str(installed)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        shas = [f"{i:x}".ljust(40, "c") for i in range(6)]
        assert found["scheduled"] == shas[4:]
        assert found["ended"] == [[shas[5], "succeeded"], [shas[4], "succeeded"]]
        about = {"git_sha": "a" * 40, "pr_number": "7", "pr_repo": "o/n"}
        assert found["inputs"] == {**about, "run_go": "true"}
        assert found["stranger"] is None
        assert found["posted"] == [
            ["comment", "o/n", 7, "acknowledgement", "done"],
            ["check", "o/n", "a" * 40, "neutral", "Benchmarks"],
        ]
        assert found["merge_base"] == shas[2]
        assert found["github"] == []

    def test_the_command_line(self, installed: Path) -> None:
        options = ("--store", "store", "--output", "json")
        plan = document(bench_db_process("schedule", "--dry-run", *options, cwd=installed, PYTHONPATH=str(installed)))
        assert [step["subject"] for step in plan["steps"]] == ["change 4", "change 5"]
        again = bench_db_process("backfill", "--engine", "stub", *options, cwd=installed, PYTHONPATH=str(installed))
        assert [attempt["state"] for attempt in document(again)["ended"]] == ["succeeded"] * 5
        assert (installed / ".bench-db" / "stub.jsonl").is_file()


class TestConnect:
    """A forge is found by its name; for any other name the error lists those that are installed."""

    def test_unknown(self) -> None:
        with pytest.raises(UserError, match=r"no forge 'gitlab'; installed: github"):
            forge.connect("gitlab", {}, Clock())

    def test_without_a_token(self) -> None:
        with pytest.raises(UserError, match="GITHUB_TOKEN is not set"):
            forge.connect("github", {}, Clock())
