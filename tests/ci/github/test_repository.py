from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bench_db.ci.github.client import GitHub
from bench_db.ci.github.records import Permission
from bench_db.ci.github.repository import Repository
from bench_db.errors import GitHubError, UserError
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply

WORKFLOW = "run-benchmarks.yml"


@pytest.fixture
def github(fake: FakeGitHub, slept: Slept) -> Iterator[GitHub]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock()) as opened:
        yield opened


@pytest.fixture
def repository(github: GitHub) -> Repository:
    return Repository(github, REPOSITORY)


class TestName:
    """A repository is owner/name; any other text is refused before a request."""

    @pytest.mark.parametrize("name", ["owner/name", "a/b", "o-1/n.a_m-e", "o/..."])
    def test_accepted(self, name: str, github: GitHub) -> None:
        assert Repository(github, name).full_name == name

    @pytest.mark.parametrize(
        "name", ["", "name", "owner/", "/name", "o/n/x", "o/.", "o/..", "-o/n", "o /n", "o/n?x=1", "o/n\n", "ö/n"]
    )
    def test_refused(self, name: str, github: GitHub, fake: FakeGitHub) -> None:
        with pytest.raises(UserError, match="write owner/name"):
            Repository(github, name)
        assert fake.requests == []

    def test_the_token_is_in_no_text(self, repository: Repository) -> None:
        assert REPOSITORY in repr(repository)
        assert TOKEN not in repr(repository)


class TestPaths:
    """A name in a path is quoted, so it cannot lead to another call."""

    def test_a_branch_with_a_slash(self, repository: Repository, fake: FakeGitHub) -> None:
        with pytest.raises(GitHubError):
            repository.commit("topic/../../../user?x=1")
        assert fake.requests == [("GET", "/repos/owner/name/commits/topic%2F..%2F..%2F..%2Fuser%3Fx%3D1")]


class TestRuns:
    """Runs are listed newest first, back to a time; a run that does not exist is none, any other fault an error."""

    def test_back_to_a_time(self, repository: Repository, fake: FakeGitHub) -> None:
        for day in (1, 2, 3):
            fake.created_at = f"2027-01-0{day}T00:00:00Z"
            repository.dispatch(WORKFLOW, "main", {})
        assert [run.id for run in repository.runs(WORKFLOW)] == [1002, 1001, 1000]
        since = datetime(2027, 1, 2, tzinfo=UTC)
        assert [run.id for run in repository.runs(WORKFLOW, since=since)] == [1002, 1001]

    def test_of_a_status(self, repository: Repository, fake: FakeGitHub) -> None:
        for _ in range(2):
            repository.dispatch(WORKFLOW, "main", {})
        fake.runs[1000]["status"] = "completed"
        assert [run.id for run in repository.runs(WORKFLOW, status="queued")] == [1001]

    def test_one(self, repository: Repository, fake: FakeGitHub) -> None:
        repository.dispatch(WORKFLOW, "main", {})
        assert [getattr(repository.run(number), "id", None) for number in (1000, 1)] == [1000, None]
        fake.fail("GET", Reply(status=403, document={"message": "no"}))
        with pytest.raises(GitHubError, match="403"):
            repository.run(1000)


class TestDispatch:
    """A dispatch starts one run, whether or not GitHub can say which."""

    def test_the_run(self, repository: Repository, fake: FakeGitHub) -> None:
        started = repository.dispatch(WORKFLOW, "main", {"git_sha": "a"})
        assert (started is not None, list(fake.runs), fake.runs[1000]["inputs"]) == (True, [1000], {"git_sha": "a"})

    @pytest.mark.parametrize("knows", [True, False])
    def test_a_server_that_does_not_say(self, knows: bool, repository: Repository, fake: FakeGitHub) -> None:  # noqa: FBT001
        fake.knows_return_run_details, fake.returns_run_details = knows, False
        assert repository.dispatch(WORKFLOW, "main", {}) is None
        assert list(fake.runs) == [1000]

    def test_another_refusal_is_not_tried_again(self, repository: Repository, fake: FakeGitHub) -> None:
        with pytest.raises(GitHubError, match="422"):
            repository.dispatch(WORKFLOW, "main", {"no_such": "x"})
        assert fake.asked("POST") == 1


class TestPeople:
    """A user who is no collaborator may do nothing; a token without an identity has no login."""

    def test_permission(self, repository: Repository, fake: FakeGitHub) -> None:
        fake.permissions["writer"] = "write"
        assert repository.permission("writer").permission == "write"
        assert repository.permission("stranger") == Permission(permission="none")
        fake.fail("GET", Reply(status=403, document={"message": "no"}))
        with pytest.raises(GitHubError, match="403"):
            repository.permission("writer")

    def test_me(self, repository: Repository, fake: FakeGitHub) -> None:
        assert repository.me() == "bench-bot[bot]"
        fake.login = None
        assert repository.me() is None


class TestPages:
    """A list is complete, however many pages it has."""

    def test_comments(self, repository: Repository) -> None:
        written = [repository.create_comment(7, f"{number}").id for number in range(101)]
        assert [comment.id for comment in repository.comments(7)] == written
        assert repository.update_comment(5, "changed").body == "changed"
        assert [comment.body for comment in repository.comments(7)][4] == "changed"
