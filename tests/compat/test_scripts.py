from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_db.compat.scripts import VERBS, translated
from bench_db.store.database import connect
from tests.cli.kinds import publish
from tests.cli.test_schedule import record, sha
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, github_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.sample(2)

SCRIPTS = Path(__file__).parents[2] / "scripts"


class TestTranslated:
    """A script's arguments are those of its verb, but for the flags that lance-bench named otherwise."""

    @pytest.mark.parametrize(
        ("script", "given", "expected"),
        [
            ("schedule_benchmarks", "", "schedule"),
            ("backfill_benchmarks", "", "backfill --engine github"),
            ("merge_pr_results", "results out", "pr merge results out"),
            (
                "process_pr_comment",
                "--payload-json {} --output c.json",
                "pr process-comment --payload-json {} --command-file c.json",
            ),
            (
                "compare_pr_benchmarks",
                "abc --pr-number 3 --threshold 2.0 --baseline-limit 20 --min-baseline-count 5 --output r.md",
                "pr compare abc --pr 3 --report r.md",
            ),
            ("compare_pr_benchmarks", "abc --threshold", "pr compare abc"),
        ],
    )
    def test_arguments(self, script: str, given: str, expected: str) -> None:
        assert translated(script, given.split()) == (tuple(expected.split()), None)

    def test_a_token_is_taken_out(self) -> None:
        found = translated("post_pr_comment", ["7", "--token", "secret", "--repo", "a/b"])
        assert found == (("pr", "comment", "7", "--repo", "a/b"), "secret")

    def test_a_token_without_a_value_is_left_for_the_verb_to_refuse(self) -> None:
        assert translated("post_pr_comment", ["7", "--token"]) == (("pr", "comment", "7", "--token"), None)

    @pytest.mark.parametrize("script", sorted(VERBS))
    def test_each_is_a_script(self, script: str) -> None:
        assert f'run_script("{script}")' in (SCRIPTS / f"{script}.py").read_text("utf-8")

    def test_the_scheduler_and_the_backfill_need_what_they_name(self, tmp_path: Path) -> None:
        """Run as lance-bench runs them, without a token or configuration: exit code 1 and what is missing, and nothing is made."""
        for script in ("schedule_benchmarks", "backfill_benchmarks"):
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANCE_BENCH_URI": str(tmp_path / "s")}
            command = [sys.executable, str(SCRIPTS / f"{script}.py")]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
            )
            assert (done.returncode, done.stdout) == (1, ""), done.stderr
            assert done.stderr.startswith("Error: bench-db.toml: no such file")
            assert list(tmp_path.iterdir()) == []


CONFIG = f"""
[project]
name = "lance"
repository = "{REPOSITORY}"
[schedule]
workflow = "run-benchmarks.yml"
[suite.python]
benchmark = "x"
outputs = ["o.json"]
"""


class TestEnvironment:
    """With the variables that the README of lance-bench names, the scripts start what is missing, and nothing twice."""

    @pytest.fixture
    def fake(self, tmp_path: Path) -> Iterator[FakeGitHub]:
        """Six commits, the third of which is measured."""
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        publish(connect(tmp_path / "store", create=True), 2, {"f": 1.0}, commit=sha(2), suite="python")
        with github_server() as state:
            state.commits = [record(number) for number in reversed(range(6))]
            yield state

    def run(self, script: str, fake: FakeGitHub, directory: Path, *words: str, **more: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "GITHUB_API_URL": fake.url,
            "GITHUB_TOKEN": TOKEN,
            "LANCE_BENCH_REPO": REPOSITORY,
            "LANCE_BENCH_URI": str(directory / "store"),
            **more,
        }
        command = [sys.executable, str(SCRIPTS / f"{script}.py"), *words]
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_the_scheduler(self, fake: FakeGitHub, tmp_path: Path) -> None:
        """Every commit since the last measured one is started, and a second look finds nothing to do."""
        for _ in range(2):
            self.run("schedule_benchmarks", fake, tmp_path)
            assert [run["inputs"]["git_sha"] for run in fake.runs.values()] == [sha(3), sha(4), sha(5)]
        assert {run["workflow"] for run in fake.runs.values()} == {"run-benchmarks.yml"}

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({}, [5, 4, 3, 1, 0]),
            ({"MAX_COMMITS": "2"}, [5, 4]),
            # counted from the measured commit: commits that arrive later move none
            ({"MAX_COMMITS": "3", "COMMIT_INTERVAL": "2"}, [4, 0]),
        ],
    )
    def test_the_backfill(
        self, fake: FakeGitHub, tmp_path: Path, variables: dict[str, str], expected: list[int]
    ) -> None:
        """The newest commits, every Nth of them, are started one after another in the store of LANCE_BENCH_URI, and waited for."""
        words = ("--range", "ALL", "--poll-seconds", "0.01")
        out = self.run("backfill_benchmarks", fake, tmp_path, *words, **variables)
        assert [run["inputs"]["git_sha"] for run in fake.runs.values()] == [sha(number) for number in expected]
        assert ({run["status"] for run in fake.runs.values()}, fake.most_active) == ({"completed"}, 1)
        assert out.startswith(f"{len(expected)} measured in ")
