import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import bench_db, document, publish
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply, github_server

DATA = Path(__file__).parents[2] / "packages/bench_db/src/bench_db/demo/pytest-benchmark"
FILE = min(DATA.glob("*.json"))
ARGUMENTS = ("schedule", "--repository", REPOSITORY, "--workflow-repository", REPOSITORY, "--output", "json")


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        state.commits = [record(i) for i in reversed(range(6))]
        yield state


def sha(i: int) -> str:
    return f"{i:x}".ljust(40, "c")


def record(i: int) -> dict[str, Any]:
    committer = {"date": f"2026-01-{i + 1:02}T00:00:00Z"}
    parents = [{"sha": sha(i - 1)}] if i else []
    return {"sha": sha(i), "commit": {"message": f"change {i}\n\nbody", "committer": committer}, "parents": parents}


def scheduled(fake: FakeGitHub, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return bench_db(
        *ARGUMENTS, *arguments, cwd=directory, GITHUB_API_URL=fake.url, GITHUB_TOKEN=TOKEN, LANCE_BENCH_URI="store"
    )


def published(directory: Path, commit: str) -> None:
    publish(FILE, directory / "store", commit)


class TestSchedule:
    """Every commit since the last measured one is started once; an unreadable store starts nothing."""

    def test_all_since_the_last_measured(self, fake: FakeGitHub, tmp_path: Path) -> None:
        published(tmp_path, sha(2))
        found = document(scheduled(fake, tmp_path))
        assert [step["commit"] for step in found["steps"]] == [sha(3), sha(4), sha(5)]
        assert [run["inputs"]["git_sha"] for run in fake.runs.values()] == [sha(3), sha(4), sha(5)]
        assert [start["run_id"] for start in found["started"]] == [1000, 1001, 1002]

        again = document(scheduled(fake, tmp_path))
        assert (again["steps"], len(fake.runs)) == ([], 3)
        assert {out["commit"] for out in again["left_out"] if out["reason"] == "being measured now"} == {
            sha(3),
            sha(4),
            sha(5),
        }

    def test_runs_that_ended_without_results_are_tried_again_and_given_up(
        self, fake: FakeGitHub, tmp_path: Path
    ) -> None:
        published(tmp_path, sha(4))
        for attempt in range(1, 5):
            found = document(scheduled(fake, tmp_path))
            assert [step["attempt"] for step in found["steps"]] == ([attempt] if attempt <= 3 else [])
            for run in fake.runs.values():
                run |= {"status": "completed", "conclusion": "failure"}

    def test_no_store_is_an_error_and_starts_nothing(self, fake: FakeGitHub, tmp_path: Path) -> None:
        answer = scheduled(fake, tmp_path)
        assert (answer.returncode, fake.runs) == (3, {})
        assert "store" in answer.stderr

    def test_no_token_is_an_error(self, fake: FakeGitHub, tmp_path: Path) -> None:
        published(tmp_path, sha(4))
        answer = bench_db(*ARGUMENTS, cwd=tmp_path, GITHUB_API_URL=fake.url, LANCE_BENCH_URI="store")
        assert (answer.returncode, "GITHUB_TOKEN" in answer.stderr) == (2, True)

    def test_the_token_is_never_shown(self, fake: FakeGitHub, tmp_path: Path) -> None:
        published(tmp_path, sha(4))
        fake.fail(".", *[Reply(status=401, document={"message": f"bad {TOKEN}"})] * 9)
        answer = scheduled(fake, tmp_path, "--debug")
        assert answer.returncode != 0
        assert TOKEN not in answer.stdout + answer.stderr

    def test_a_dry_run_starts_nothing(self, fake: FakeGitHub, tmp_path: Path) -> None:
        published(tmp_path, sha(2))
        assert len(document(scheduled(fake, tmp_path, "--dry-run"))["steps"]) == 3
        assert fake.runs == {}


class TestBackfillOnGitHub:
    """A backfill on GitHub starts the same commits and waits for them."""

    def test_no_store_is_an_error_and_starts_nothing(self, fake: FakeGitHub, tmp_path: Path) -> None:
        more = {"GITHUB_API_URL": fake.url, "GITHUB_TOKEN": TOKEN, "LANCE_BENCH_URI": "store"}
        answer = bench_db("backfill", *ARGUMENTS[1:], "--engine", "github", cwd=tmp_path, **more)
        assert (answer.returncode, fake.runs) == (3, {})

    def test_carried_out(self, fake: FakeGitHub, tmp_path: Path) -> None:
        published(tmp_path, sha(2))
        arguments = ("--engine", "github", "--poll-seconds", "0.01", "--parallel", "2", "--range", "ALL")
        answer = bench_db(
            "backfill",
            *ARGUMENTS[1:],
            *arguments,
            cwd=tmp_path,
            GITHUB_API_URL=fake.url,
            GITHUB_TOKEN=TOKEN,
            LANCE_BENCH_URI="store",
        )
        assert [entry["state"] for entry in document(answer)["ended"]] == ["succeeded"] * 5
        assert fake.most_active == 2
