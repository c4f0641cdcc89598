import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench_db import connect
from bench_db.cli.output_file import entry
from tests.cli.commands import bench_db, document, environment, publish
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply, github_server

pytestmark = pytest.mark.few(1)

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "packages/bench_db/src/bench_db/demo/pytest-benchmark").glob("*.json"))[:3]
SHA = "a" * 40


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        state.permissions = {"writer": "write", "reader": "read"}
        state.inputs = frozenset(
            {"git_sha", "correlation_id", "run_rust", "run_python", "rust_crates", "pr_number", "pr_repo"}
        )
        yield state


def payload(body: str, user: str = "writer", **more: Any) -> str:
    base = {"comment_body": body, "comment_user": user, "pr_number": 12, "pr_head_sha": SHA, "repository": REPOSITORY}
    return json.dumps({**base, **more})


def processed(fake: FakeGitHub, directory: Path, text: str, code: int = 0) -> dict[str, str]:
    answer = bench_db(
        "pr",
        "process-comment",
        "--output",
        "json",
        cwd=directory,
        COMMENT_PAYLOAD=text,
        GITHUB_TOKEN=TOKEN,
        GITHUB_API_URL=fake.url,
        GITHUB_OUTPUT="out",
    )
    found: dict[str, str] = document(answer, code)
    del found["schema_version"]
    assert (directory / "out").read_text() == "".join(entry(*item) for item in found.items())
    return found


def script(name: str, *arguments: str, cwd: Path, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**more), capture_output=True, text=True, input=given, check=False
    )


class TestProcessComment:
    """A command becomes an order and an invalid one an answer; other comments are ignored."""

    def test_an_order(self, fake: FakeGitHub, tmp_path: Path) -> None:
        found = processed(fake, tmp_path, payload("@bench-bot benchmark --crate lance-io"))
        assert (found["should_run"], found["commit_sha"], found["config_summary"]) == (
            "true",
            SHA,
            "Rust crates lance-io",
        )
        assert json.loads((tmp_path / "command.json").read_text()) == {
            "commit_sha": SHA,
            "pr_number": 12,
            "pr_repo": REPOSITORY,
            "run_rust": True,
            "run_python": False,
            "crates": ["lance-io"],
            "user": "writer",
        }

    def test_the_author_may(self, fake: FakeGitHub, tmp_path: Path) -> None:
        assert processed(fake, tmp_path, payload("@bench-bot benchmark", "author"))["should_run"] == "true"

    @pytest.mark.parametrize("user", ["reader", "stranger"])
    def test_others_may_not_and_get_no_answer(self, user: str, fake: FakeGitHub, tmp_path: Path) -> None:
        found = processed(fake, tmp_path, payload("@bench-bot benchmark", user))
        assert (found["should_run"], found["answer"]) == ("false", "")
        assert not (tmp_path / "command.json").exists()

    def test_a_contradiction_is_answered(self, fake: FakeGitHub, tmp_path: Path) -> None:
        found = processed(fake, tmp_path, payload("@bench-bot benchmark --rust-only --python-only"))
        assert found["should_run"] == "false"
        assert "contradict" in found["answer"]

    @pytest.mark.parametrize(
        ("kind", "flags", "runs"),
        [
            ("python", "--rust-only", False),
            ("python", "--crate lance-io", False),
            ("python", "--python-only", True),
            ("python", "", True),
            ("other", "--python-only", True),
            ("rust", "--python-only", False),
            ("rust", "", True),
        ],
    )
    def test_what_is_not_there_is_not_started(
        self,
        kind: str,
        flags: str,
        runs: bool,  # noqa: FBT001 a case
        fake: FakeGitHub,
        tmp_path: Path,
    ) -> None:
        suite = f'[suite.one]\nkind = "{kind}"\nbenchmark = "x"\noutputs = ["y"]\n'
        (tmp_path / "bench-db.toml").write_text(f'[project]\nname = "n"\nrepository = "{REPOSITORY}"\n{suite}')
        found = processed(fake, tmp_path, payload(f"@bench-bot benchmark {flags}"))
        assert found["should_run"] == str(runs).lower()
        assert ("there is no such suite" in found["answer"]) is not runs

    def test_prose_asks_nobody(self, fake: FakeGitHub, tmp_path: Path) -> None:
        assert processed(fake, tmp_path, payload("> @bench-bot benchmark"))["should_run"] == "false"
        assert fake.requests == []

    @pytest.mark.parametrize("text", ["", "{}", "[]", payload("x", pr_head_sha="main"), payload("x", pr_number="one")])
    def test_a_payload_that_is_none(self, text: str, fake: FakeGitHub, tmp_path: Path) -> None:
        answer = bench_db(
            "pr", "process-comment", cwd=tmp_path, COMMENT_PAYLOAD=text, GITHUB_TOKEN=TOKEN, GITHUB_API_URL=fake.url
        )
        assert answer.returncode == 2

    def test_an_output_cannot_be_broken_out_of(self) -> None:
        name, _, rest = entry("answer", "x\nEOF\nshould_run=true").partition("<<")
        delimiter, *lines, last, empty = rest.split("\n")
        assert (name, lines, last, empty) == ("answer", ["x", "EOF", "should_run=true"], delimiter, "")


class TestDispatch:
    """An order starts a run of the workflow."""

    def test_inputs(self, fake: FakeGitHub, tmp_path: Path) -> None:
        processed(fake, tmp_path, payload("@bench-bot benchmark --python-only"))
        arguments = ("--command-file", "command.json", "--workflow-repository", REPOSITORY, "--output", "json")
        answer = bench_db("pr", "dispatch", *arguments, cwd=tmp_path, GITHUB_TOKEN=TOKEN, GITHUB_API_URL=fake.url)
        assert document(answer)["run_id"] == 1000
        inputs = fake.runs[1000]["inputs"]
        del inputs["correlation_id"]
        assert inputs == {
            "git_sha": SHA,
            "pr_number": "12",
            "pr_repo": REPOSITORY,
            "run_rust": "false",
            "run_python": "true",
            "rust_crates": "",
        }


class TestMerge:
    """Local stores are merged without loss, and merging again adds nothing."""

    @pytest.fixture
    def results(self, tmp_path: Path) -> Path:
        for i, file in enumerate(FILES):
            publish(file, tmp_path / "results" / f"pr-results-{i}", SHA)
        return tmp_path / "results"

    def test_lossless_and_idempotent(self, results: Path, tmp_path: Path) -> None:
        first = document(bench_db("pr", "merge", results, "merged", "--output", "json", cwd=tmp_path))
        again = document(bench_db("pr", "merge", results, "merged", "--output", "json", cwd=tmp_path))
        assert (first["stores"], first["new"], again["new"]) == (3, first["rows"], 0)
        merged = {result.id: result for result in connect(tmp_path / "merged").results()}
        parts = [result for path in sorted(results.iterdir()) for result in connect(path).results()]
        assert merged == {result.id: result for result in parts}
        assert connect(tmp_path / "merged").runs().collect().height == 3

    @pytest.mark.slow
    def test_the_script_says_what_it_said(self, results: Path, tmp_path: Path) -> None:
        answer = script("merge_pr_results", str(results), "merged", cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.startswith("Found 3 Lance tables to merge\nMerged ")

    def test_nothing_makes_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert script("merge_pr_results", "empty", "merged", cwd=tmp_path).returncode == 0
        assert not (tmp_path / "merged").exists()


class TestScripts:
    """The scripts of lance-bench keep their flags and exit codes."""

    def test_a_comment_from_standard_input(self, fake: FakeGitHub, tmp_path: Path) -> None:
        answer = script(
            "post_pr_comment",
            "12",
            "--repo",
            REPOSITORY,
            "--token",
            TOKEN,
            cwd=tmp_path,
            given="hello",
            GITHUB_API_URL=fake.url,
        )
        assert answer.returncode == 0, answer.stderr
        assert "hello" in fake.comments[0]["body"]

    @pytest.mark.slow
    @pytest.mark.parametrize("flags", [["--body", ""], ["--body-file", "none"], ["--body", "a", "--body-file", "b"]])
    def test_a_comment_that_cannot_be_posted(self, flags: list[str], fake: FakeGitHub, tmp_path: Path) -> None:
        more = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url}
        assert script("post_pr_comment", "12", "--repo", REPOSITORY, *flags, cwd=tmp_path, **more).returncode == 1
        assert fake.comments == []

    @pytest.mark.slow
    def test_a_comment_without_a_token_or_refused(self, fake: FakeGitHub, tmp_path: Path) -> None:
        arguments = ("12", "--repo", REPOSITORY, "--body", "x")
        assert script("post_pr_comment", *arguments, cwd=tmp_path, GITHUB_API_URL=fake.url).returncode == 1
        fake.fail("POST", Reply(status=403, document={"message": "no"}))
        more = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url}
        assert script("post_pr_comment", *arguments, cwd=tmp_path, **more).returncode == 1

    @pytest.mark.slow
    def test_a_comment_processed(self, fake: FakeGitHub, tmp_path: Path) -> None:
        arguments = ("--payload-json", payload("@bench-bot benchmark"), "--output", "order.json")
        more = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url}
        assert script("process_pr_comment", *arguments, cwd=tmp_path, **more).returncode == 0
        assert json.loads((tmp_path / "order.json").read_text())["run_python"] is True
        assert script("process_pr_comment", *arguments, cwd=tmp_path, GITHUB_API_URL=fake.url).returncode == 1

    @pytest.mark.parametrize("name", ["post_pr_comment", "process_pr_comment", "merge_pr_results"])
    def test_wrong_flags(self, name: str, tmp_path: Path) -> None:
        assert script(name, "--nonsense", cwd=tmp_path).returncode == 2

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["schedule_benchmarks", "backfill_benchmarks"])
    def test_failures_are_exit_code_1(self, name: str, tmp_path: Path) -> None:
        assert script(name, cwd=tmp_path).returncode == 1
