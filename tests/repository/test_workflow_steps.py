import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench_db import connect
from tests.cli.commands import publish
from tests.schedule.histories import History
from tests.support.actions import ROOT, Run
from tests.support.github_server import REPOSITORY, FakeGitHub, github_server

pytestmark = pytest.mark.slow

BENCH = "def test_work(benchmark):\n    benchmark.pedantic(sum, args=(range(9999),), rounds=5, warmup_rounds=1)\n"
CONFIG = f"""
[project]
name = "measured"
repository = "{REPOSITORY}"
test_bed = "here"
[suite.python]
kind = "python"
benchmark = "'{sys.executable}' -m pytest -q -p no:cacheprovider bench_work.py --benchmark-json=results.json"
outputs = ["results.json"]
[suite."rust/io"]
kind = "rust"
benchmark = "'{sys.executable}' -m pytest -q -p no:cacheprovider bench_work.py --benchmark-json=results.json"
outputs = ["results.json"]
"""
SECRETS = {"BENCH_S3_USER_ACCESS_KEY": "key", "BENCH_S3_USER_SECRET_KEY": "secret", "PR_COMMENT_TOKEN": "token"}


@pytest.fixture
def sha(tmp_path: Path) -> str:
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration" / "bench-db.toml").write_text(CONFIG)
    return History(tmp_path / "measured").commit(bench_work__py=BENCH)


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        state.inputs = frozenset(
            {"git_sha", "correlation_id", "run_rust", "run_python", "rust_crates", "pr_number", "pr_repo"}
        )
        yield state


def run(directory: Path, **given: object) -> Run:
    store = {**SECRETS, "LANCE_BENCH_DB_URI": str(directory / "store")}
    return Run(
        directory=directory / "run",
        measured=directory / "measured",
        configuration=directory / "configuration",
        secrets=store,
        **given,  # type: ignore[arg-type]
    )


class TestMeasuring:
    """A commit is measured without secrets and published by a job that has none of its code."""

    @pytest.mark.parametrize(
        ("workflow", "suite"),
        [("run-python-benchmarks", {"suite": "python"}), ("run-rust-benchmarks", {"crate_path": "rust/io"})],
    )
    def test_results_end_in_the_store(self, workflow: str, suite: dict[str, str], sha: str, tmp_path: Path) -> None:
        done = run(tmp_path, inputs={"git_sha": sha, **suite})
        done.workflow(workflow)
        assert done.results == {"measure": "success", "publish": "success"}, done.logs
        found = connect(tmp_path / "store").has(sha)
        assert (found.present, found.suites) == (True, {next(iter(suite.values())): 1})
        given = {*SECRETS.values(), str(tmp_path / "store")}
        assert not given & {*done.seen["Measure"].values(), *done.seen["Name the results"].values()}

    def test_those_of_a_pull_request_do_not(self, sha: str, tmp_path: Path) -> None:
        done = run(tmp_path, inputs={"git_sha": sha, "pr_number": "12"})
        done.workflow("run-python-benchmarks")
        assert done.results == {"measure": "success", "publish": "skipped"}, done.logs
        assert not (tmp_path / "store").exists()
        rows = connect(tmp_path / "run/artifacts/pr-results-python").results()
        assert {(row.pr_number, row.commit) for row in rows} == {(12, sha)}

    def test_a_commit_that_fails_is_red_and_in_the_store(self, sha: str, tmp_path: Path) -> None:
        broken = History(tmp_path / "other")
        sha = broken.commit(bench_work__py="raise RuntimeError('broken')\n")
        done = run(tmp_path, inputs={"git_sha": sha})
        done.measured = broken.path
        done.workflow("run-python-benchmarks")
        assert done.results == {"measure": "failure", "publish": "success"}, done.logs
        assert connect(tmp_path / "store").has(sha).failed == {"python": 1}
        logs = list((tmp_path / "run/artifacts/logs-pr-results-python").rglob("*.log"))
        assert "broken" in logs[0].read_text()


class TestStarting:
    """What is missing is started, and what a comment asks for."""

    def test_schedule(self, sha: str, fake: FakeGitHub, tmp_path: Path) -> None:
        date = {"date": "2026-01-31T00:00:00Z"}
        old = "b" * 40
        fake.commits = [
            {"sha": sha, "commit": {"message": "new", "committer": date}, "parents": [{"sha": old}]},
            {"sha": old, "commit": {"message": "old", "committer": date}, "parents": []},
        ]
        file = min((ROOT / "packages/bench_db/src/bench_db/demo/pytest-benchmark").glob("*.json"))
        publish(file, tmp_path / "store", old)
        done = run(tmp_path, environment={"GITHUB_API_URL": fake.url})
        done.workflow("schedule-benchmarks")
        assert done.results == {"schedule": "success"}, done.logs
        assert [started["inputs"]["git_sha"] for started in fake.runs.values()][-1] == sha

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ("@bench-bot benchmark --python-only", "acknowledgement"),
            ("@bench-bot benchmark --fast '; $(touch pwned) `touch pwned`", "refusal"),
            ("> @bench-bot benchmark", ""),
        ],
    )
    def test_comment(self, body: str, kind: str, sha: str, fake: FakeGitHub, tmp_path: Path) -> None:
        payload = {"comment_body": body, "comment_user": "author", "pr_number": 12, "pr_head_sha": sha}
        event = {"client_payload": {**payload, "repository": REPOSITORY}}
        done = run(tmp_path, event=event, environment={"GITHUB_API_URL": fake.url})
        done.workflow("comment-monitor")
        assert done.results == {"answer": "success"}, done.logs
        assert len(fake.runs) == (kind == "acknowledgement")
        assert [f"bench-db: {kind}" in comment["body"] for comment in fake.comments] == ([True] if kind else [])
        assert not list(tmp_path.rglob("pwned"))
        assert all(json.loads(json.dumps(started["inputs"]))["pr_number"] == "12" for started in fake.runs.values())
