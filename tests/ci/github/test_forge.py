from collections.abc import Iterator
from itertools import pairwise

import pytest

from bench_db.ci.forge import CommentKind, Conclusion, RunStatus, Workflow
from bench_db.ci.github.forge import GitHubForge, connect
from bench_db.errors import UserError
from bench_db.schedule.plan import Scope
from tests.support.clocks import START, Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub

SHA = "a" * 40
WORKFLOW = Workflow(repository=REPOSITORY)


@pytest.fixture
def forge(fake: FakeGitHub, slept: Slept) -> Iterator[GitHubForge]:
    with connect({"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url}, slept.clock()) as opened:
        yield opened


class TestConnect:
    """The token and the address come from the environment; without a token the error names the variable."""

    @pytest.mark.parametrize("names", [("GITHUB_TOKEN",), ("GH_TOKEN",), ("GITHUB_TOKEN", "GH_TOKEN")])
    def test_a_token(self, names: tuple[str, ...], fake: FakeGitHub, slept: Slept) -> None:
        tokens = {name: f"ghp_of_{name}" for name in names}
        with connect({**tokens, "GITHUB_API_URL": fake.url}, slept.clock()) as forge:
            forge.comment(REPOSITORY, 7, "text")
            assert tokens[names[0]] not in repr(forge)
        assert {headers["authorization"] for headers in fake.headers} == {f"Bearer {tokens[names[0]]}"}

    @pytest.mark.parametrize("environment", [{}, {"GITHUB_TOKEN": ""}])
    def test_none(self, environment: dict[str, str], slept: Slept) -> None:
        with pytest.raises(UserError, match="GITHUB_TOKEN is not set"):
            connect(environment, slept.clock())


class TestRuns:
    """A dispatched run is found again by its correlation, and its status is that of GitHub."""

    def test_from_start_to_end(self, forge: GitHubForge) -> None:
        started = forge.dispatch(WORKFLOW, {"git_sha": SHA}, "c-1")
        assert forge.find(WORKFLOW, "c-1", int(START)) == started
        assert forge.find(WORKFLOW, "c-2", int(START)) is None
        assert forge.in_flight(WORKFLOW) == {SHA}
        running, ended = forge.run(WORKFLOW, started.run_id), forge.run(WORKFLOW, started.run_id)
        assert running == RunStatus(status="in_progress", is_finished=False)
        assert ended == RunStatus(status="completed", is_finished=True, is_success=True)
        assert forge.in_flight(WORKFLOW) == frozenset()

    def test_a_failure_names_its_jobs(self, forge: GitHubForge, fake: FakeGitHub) -> None:
        fake.looks_until_done, fake.conclusions[SHA] = 1, "failure"
        started = forge.dispatch(WORKFLOW, {"git_sha": SHA}, "c-1")
        found = forge.run(WORKFLOW, started.run_id)
        assert found == RunStatus(status="completed", is_finished=True, detail="failure: measure")

    def test_a_cancelled_run_has_no_failed_job(self, forge: GitHubForge, fake: FakeGitHub) -> None:
        fake.looks_until_done, fake.conclusions[SHA] = 1, "cancelled"
        started = forge.dispatch(WORKFLOW, {"git_sha": SHA}, "c-1")
        found = forge.run(WORKFLOW, started.run_id)
        assert found == RunStatus(status="completed", is_finished=True, detail="cancelled")

    def test_a_run_that_does_not_exist(self, forge: GitHubForge) -> None:
        assert forge.run(WORKFLOW, 1) is None


class TestCommits:
    """Commits are oldest first, and a time is sent in the form that GitHub reads."""

    def test_order_and_time(self, forge: GitHubForge, fake: FakeGitHub) -> None:
        commit = {"message": "subject\n\nbody", "committer": {"date": "2026-01-31T00:00:00Z"}}
        names = ["3" * 40, "2" * 40, "1" * 40]
        parents: list[list[dict[str, str]]] = [[{"sha": parent}] for _, parent in pairwise(names)] + [[]]
        fake.commits = [{"sha": n, "commit": commit, "parents": p} for n, p in zip(names, parents, strict=True)]
        found = forge.commits(REPOSITORY, Scope.ALL, "main", is_measured=lambda _: False, since=1_769_817_600)
        assert [c.sha for c in found] == names[::-1]
        assert {c.subject for c in found} == {"subject"}
        assert fake.asked("since=2026-01-31T00%3A00%3A00Z") == 1


class TestMayStart:
    """A writer and the author of the pull request may start a measurement, and nobody else."""

    @pytest.mark.parametrize(
        ("user", "may"), [("writer", True), ("admin", True), ("author", True), ("reader", False), ("stranger", False)]
    )
    def test_users(self, user: str, may: bool, forge: GitHubForge, fake: FakeGitHub) -> None:  # noqa: FBT001
        fake.permissions |= {"writer": "write", "admin": "admin", "reader": "read"}
        assert forge.may_start(REPOSITORY, 7, user) is may


class TestPosted:
    """A comment and a check are updated in place; the answer names what was written."""

    def test_a_comment(self, forge: GitHubForge, fake: FakeGitHub) -> None:
        first, second = forge.comment(REPOSITORY, 7, "one"), forge.comment(REPOSITORY, 7, "two")
        other = forge.comment(REPOSITORY, 7, "three", CommentKind.REFUSAL)
        assert (first, first.url) == (second, "https://github.test/c/1")
        assert other.id == 2
        assert ["two" in fake.comments[0]["body"], "three" in fake.comments[1]["body"]] == [True, True]

    def test_a_check_or_a_status(self, forge: GitHubForge, fake: FakeGitHub) -> None:
        for as_status, url in ((False, "https://github.test/check/1"), (True, "https://github.test/status")):
            posted = forge.check(
                REPOSITORY, SHA, "b", conclusion=Conclusion.FAILURE, title="t", summary="s", as_status=as_status
            )
            assert (posted.id, posted.url) == (1, url)
        assert (fake.checks[0]["conclusion"], fake.statuses[0]["state"]) == ("failure", "failure")
