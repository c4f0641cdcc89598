from collections.abc import Iterator
from typing import Any

import pytest

from bench_db.ci.github.checks import put, put_status
from bench_db.ci.github.client import GitHub
from bench_db.ci.github.records import CheckRun
from bench_db.ci.github.repository import Repository
from bench_db.errors import GitHubError, UserError
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply

SHA = "a" * 40


@pytest.fixture
def repository(fake: FakeGitHub, slept: Slept) -> Iterator[Repository]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock()) as github:
        yield Repository(github, REPOSITORY)


def said(repository: Repository, conclusion: str, name: str = "benchmarks", **more: Any) -> CheckRun:
    return put(repository, SHA, name, **{"conclusion": conclusion, "title": "t", "summary": "s", **more})


class TestPut:
    """A commit has one check per name, updated in place; a check of another app is not changed."""

    def test_it_is_replaced(self, fake: FakeGitHub, repository: Repository) -> None:
        first, second = said(repository, "failure"), said(repository, "success", title="✅", summary="well")
        assert first.id == second.id
        [check] = fake.checks
        assert (check["status"], check["conclusion"]) == ("completed", "success")
        assert check["output"] == {"title": "✅", "summary": "well"}

    def test_one_of_each_name_and_commit(self, fake: FakeGitHub, repository: Repository) -> None:
        said(repository, "failure")
        said(repository, "success", "benchmarks-arm")
        put(repository, "b" * 40, "benchmarks", conclusion="neutral", title="t", summary="s")
        assert [check["conclusion"] for check in fake.checks] == ["failure", "success", "neutral"]

    def test_one_of_another_app_is_left_alone(self, fake: FakeGitHub, repository: Repository) -> None:
        said(repository, "failure")
        fake.fail("PATCH", Reply(status=403, document={"message": "Invalid app_id"}))
        said(repository, "success")
        assert [check["conclusion"] for check in fake.checks] == ["failure", "success"]

    def test_a_token_that_may_not(self, fake: FakeGitHub, repository: Repository) -> None:
        fake.fail("POST", Reply(status=403, document={"message": "Resource not accessible by personal access token"}))
        with pytest.raises(GitHubError, match="403"):
            said(repository, "success")

    @pytest.mark.parametrize("sha", ["", "main", "abc1234", "a" * 39, "A" * 40, "a" * 40 + "\n"])
    def test_only_a_whole_sha(self, sha: str, fake: FakeGitHub, repository: Repository) -> None:
        with pytest.raises(UserError):
            put(repository, sha, "benchmarks", conclusion="success", title="t", summary="s")
        assert fake.requests == []

    def test_a_long_summary_is_cut_by_bytes(self, fake: FakeGitHub, repository: Repository) -> None:
        said(repository, "success", summary="é" * 65_535)
        assert len(fake.checks[0]["output"]["summary"].encode()) == 65_534


class TestStatus:
    """A status has the same verdict in one line."""

    @pytest.mark.parametrize(
        ("conclusion", "state"), [("failure", "failure"), ("success", "success"), ("neutral", "success")]
    )
    def test_states(self, conclusion: str, state: str, fake: FakeGitHub, repository: Repository) -> None:
        put_status(repository, SHA, "benchmarks", conclusion=conclusion, title="é" * 200, url="https://example.org")
        [status] = fake.statuses
        assert (status["sha"], status["context"], status["state"]) == (SHA, "benchmarks", state)
        assert status["description"] == "é" * 140

    def test_only_a_whole_sha(self, fake: FakeGitHub, repository: Repository) -> None:
        with pytest.raises(UserError):
            put_status(repository, "main", "benchmarks", conclusion="success", title="t")
        assert fake.requests == []
