from collections.abc import Iterator

import pytest

from bench_db.ci.github.client import GitHub
from bench_db.ci.github.records import CommitRecord, User
from bench_db.ci.github.repository import Repository
from bench_db.errors import GitHubError, UserError
from tests.support.clocks import START, Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply, github_server


def record(i: int) -> dict[str, object]:
    committer = {"date": "2026-01-31T00:00:00Z"}
    return {"sha": f"{i:040x}", "commit": {"message": f"c{i}", "committer": committer}, "parents": []}


@pytest.fixture
def github(fake: FakeGitHub, slept: Slept) -> Iterator[GitHub]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock(), deadline_seconds=300) as connection:
        yield connection


class TestPages:
    """A list is read to its end, or until the caller stops."""

    def test_every_page_is_read(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.commits = [record(i) for i in range(250)]
        found = list(Repository(github, REPOSITORY).commits("main"))
        assert [commit.sha for commit in found] == [f"{i:040x}" for i in range(250)]
        assert fake.asked("commits") == 3

    def test_a_reader_that_has_enough_stops(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.commits = [record(i) for i in range(250)]
        next(Repository(github, REPOSITORY).commits("main"))
        assert fake.asked("commits") == 1

    def test_the_token_never_follows_a_link_elsewhere(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("commits", Reply(document=[], headers={"Link": '<https://elsewhere.test/x>; rel="next"'}))
        with pytest.raises(GitHubError, match="on another host"):
            list(Repository(github, REPOSITORY).commits("main"))

    def test_a_list_that_leads_back_to_itself_ends(self, fake: FakeGitHub, github: GitHub) -> None:
        there = [Reply(document=[], headers={"Link": f'<$URL/repos/x?page={page}>; rel="next"'}) for page in (2, 3, 2)]
        fake.fail("GET", *there, *there, *there)
        with pytest.raises(GitHubError, match="leads back"):
            list(github.pages("/repos/x", list[CommitRecord]))
        assert len(fake.requests) == 3


class TestCache:
    """Unchanged answers come from the cache."""

    def test_an_unchanged_answer_comes_from_memory(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("user", Reply(document={"login": "me"}, headers={"ETag": '"v1"'}), Reply(status=304))
        assert [github.get("/user", User).login for _ in range(2)] == ["me", "me"]
        assert fake.headers[-1]["if-none-match"] == '"v1"'

    def test_a_changed_answer_replaces_it(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("user", Reply(document={"login": "me"}, headers={"ETag": '"v1"'}))
        github.get("/user", User)
        fake.login = "you"
        assert github.get("/user", User).login == "you"


class TestLimits:
    """The client waits for a rate limit, at most as long as GitHub states and the deadline allows."""

    def test_retry_after_is_obeyed(self, fake: FakeGitHub, github: GitHub, slept: Slept) -> None:
        fake.fail("user", Reply(status=429, headers={"Retry-After": "7"}))
        github.get("/user", User)
        assert slept.seconds == [7.0]

    def test_the_primary_limit_is_waited_for(self, fake: FakeGitHub, github: GitHub, slept: Slept) -> None:
        limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(START) + 42)}
        fake.fail("user", Reply(status=403, document={"message": "API rate limit exceeded"}, headers=limit))
        github.get("/user", User)
        assert slept.seconds == [43.0]

    @pytest.mark.parametrize("fast", [-3600, 3600])
    def test_the_time_of_the_primary_limit_is_githubs(
        self, fast: int, fake: FakeGitHub, github: GitHub, slept: Slept
    ) -> None:
        reset = str(int(START) + 42)
        slept.time += fast
        limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        fake.fail("user", Reply(status=403, document={"message": "API rate limit exceeded"}, headers=limit))
        github.get("/user", User)
        assert slept.seconds == [43.0]

    @pytest.mark.parametrize("value", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
    def test_a_limit_that_names_no_time_is_no_reason_to_hammer(
        self, value: str, fake: FakeGitHub, github: GitHub, slept: Slept
    ) -> None:
        fake.fail("user", *[Reply(status=429, headers={"Retry-After": value})] * 1000)
        with pytest.raises(GitHubError):
            github.get("/user", User)
        assert len(fake.requests) < 20
        assert len(slept.seconds) < 20

    def test_a_secondary_limit_without_a_time_is_waited_a_minute(
        self, fake: FakeGitHub, github: GitHub, slept: Slept
    ) -> None:
        fake.fail("user", Reply(status=403, document={"message": "You have exceeded a secondary rate limit"}))
        github.get("/user", User)
        assert slept.seconds == [60.0]

    def test_a_limited_request_that_creates_is_sent_again(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("POST", Reply(status=429, headers={"Retry-After": "1"}))
        Repository(github, REPOSITORY).create_comment(1, "hello")
        assert [comment["body"] for comment in fake.comments] == ["hello"]

    def test_a_limit_beyond_the_deadline_is_an_error_at_once(
        self, fake: FakeGitHub, github: GitHub, slept: Slept
    ) -> None:
        fake.fail("user", Reply(status=429, headers={"Retry-After": "3600"}))
        with pytest.raises(GitHubError, match="3600 s"):
            github.get("/user", User)
        assert slept.seconds == []

    def test_a_plain_refusal_is_no_limit(self, fake: FakeGitHub, github: GitHub, slept: Slept) -> None:
        fake.fail("user", Reply(status=403, document={"message": "Resource not accessible"}))
        with pytest.raises(GitHubError, match="lacks a permission"):
            github.get("/user", User)
        assert slept.seconds == []


class TestFaults:
    """The client retries until the deadline; it repeats a creating request only after a certain failure."""

    def test_a_read_survives_server_faults_and_lost_connections(
        self, fake: FakeGitHub, github: GitHub, slept: Slept
    ) -> None:
        fake.fail("user", Reply(status=502), Reply(status=503), Reply(status=0))
        assert github.get("/user", User).login == fake.login
        assert slept.seconds == [0.75, 1.5, 3.0]

    def test_the_deadline_ends_it(self, fake: FakeGitHub, github: GitHub, slept: Slept) -> None:
        fake.fail("user", *[Reply(status=500, document={"message": "no"})] * 50)
        with pytest.raises(GitHubError, match="500 no"):
            github.get("/user", User)
        assert 200 < sum(slept.seconds) <= 300

    def test_a_creation_is_not_repeated_after_a_fault(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("POST", Reply(status=502, after=True))
        with pytest.raises(GitHubError) as caught:
            Repository(github, REPOSITORY).create_comment(1, "hello")
        assert (len(fake.comments), caught.value.status) == (1, 502)

    def test_a_change_is_repeated_after_a_fault(self, fake: FakeGitHub, github: GitHub) -> None:
        repository = Repository(github, REPOSITORY)
        made = repository.create_comment(1, "hello")
        fake.fail("PATCH", Reply(status=502, after=True))
        assert repository.update_comment(made.id, "changed").body == "changed"

    def test_nobody_there_is_an_error_that_says_so(self, slept: Slept) -> None:
        with (
            GitHub(TOKEN, base_url="http://127.0.0.1:9", clock=slept.clock(), deadline_seconds=5) as github,
            pytest.raises(GitHubError, match="no answer: ConnectError") as caught,
        ):
            github.get("/user", User)
        assert caught.value.exit_code == 3

    def test_an_unexpected_answer_names_its_place(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("commits", Reply(document=[{"sha": 7}]))
        with pytest.raises(GitHubError, match=r"\$\[0\]\.sha"):
            github.get(f"/repos/{REPOSITORY}/commits", list[CommitRecord])


class TestSecrets:
    """The token appears in no output and is sent only to the API host."""

    def test_it_is_in_no_text(self, fake: FakeGitHub, github: GitHub) -> None:
        fake.fail("user", Reply(status=401, document={"message": f"bad credentials {TOKEN}"}))
        with pytest.raises(GitHubError) as caught:
            github.get("/user", User)
        assert TOKEN not in str(caught.value) + repr(caught.value) + repr(github) + repr(Repository(github, REPOSITORY))
        assert fake.headers[0]["authorization"] == f"Bearer {TOKEN}"

    def test_it_does_not_follow_a_redirection_elsewhere(self, fake: FakeGitHub, github: GitHub) -> None:
        with github_server() as other:
            fake.fail("user", Reply(status=302, headers={"Location": f"{other.url}/user"}))
            assert github.get("/user", User).login == other.login
            assert ["authorization" in headers for headers in fake.headers + other.headers] == [True, False]

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_nothing_is_created_elsewhere(self, status: int, fake: FakeGitHub, github: GitHub) -> None:
        with github_server() as other:
            fake.fail("POST", Reply(status=status, headers={"Location": f"{other.url}/repos/{REPOSITORY}/issues/1"}))
            with pytest.raises(GitHubError) as caught:
                Repository(github, REPOSITORY).create_comment(1, "hello")
            assert caught.value.is_refusal
            assert other.requests == []

    @pytest.mark.parametrize("url", ["http://github.test", "https://user:word@github.test", "ftp://github.test", "x"])
    def test_it_goes_nowhere_unsafe(self, url: str, slept: Slept) -> None:
        with pytest.raises(UserError):
            GitHub(TOKEN, base_url=url, clock=slept.clock())

    @pytest.mark.parametrize("name", ["", "a", "a/b/c", "../x", "a/..", "a/b?c", "a b/c", "a/b#", "-/x"])
    def test_a_repository_has_an_owner_and_a_name(self, name: str, github: GitHub) -> None:
        with pytest.raises(UserError):
            Repository(github, name)
