from collections.abc import Iterator

import pytest

from bench_db.ci.forge import CommentKind as Kind
from bench_db.ci.github.client import GitHub
from bench_db.ci.github.comments import SIGNATURE, marker, post
from bench_db.ci.github.repository import Repository
from bench_db.errors import UserError
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply


@pytest.fixture
def repository(fake: FakeGitHub, slept: Slept) -> Iterator[Repository]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock()) as github:
        yield Repository(github, REPOSITORY)


class TestPost:
    """One comment of each kind, changed in place; nobody else's comment is ever touched."""

    def test_a_report_is_replaced(self, fake: FakeGitHub, repository: Repository) -> None:
        post(repository, 1, "first")
        post(repository, 1, "second")
        assert [comment["body"] for comment in fake.comments] == [f"{marker(Kind.REPORT)}\nsecond\n\n{SIGNATURE}"]

    def test_an_acknowledgement_never_overwrites_a_report(self, fake: FakeGitHub, repository: Repository) -> None:
        post(repository, 1, "the report")
        post(repository, 1, "started", Kind.ACKNOWLEDGEMENT)
        post(repository, 1, "started again", Kind.ACKNOWLEDGEMENT)
        assert ["the report" in c["body"] for c in fake.comments] == [True, False]
        assert len(fake.comments) == 2

    def test_a_quotation_of_ours_is_not_ours(self, fake: FakeGitHub, repository: Repository) -> None:
        fake.login = "somebody"
        repository.create_comment(1, f"> {marker(Kind.REPORT)}\n> {SIGNATURE}\nthanks")
        repository.create_comment(1, f"{marker(Kind.REPORT)}\nforged")
        fake.login = "bench-bot[bot]"
        post(repository, 1, "report")
        assert [c["user"]["login"] for c in fake.comments] == ["somebody", "somebody", "bench-bot[bot]"]
        assert "forged" in fake.comments[1]["body"]

    def test_a_token_that_may_not_say_who_it_is(self, fake: FakeGitHub, repository: Repository) -> None:
        fake.login = None
        post(repository, 1, "first")
        post(repository, 1, "second")
        assert len(fake.comments) == 1

    def test_a_comment_that_may_not_be_changed(self, fake: FakeGitHub, repository: Repository) -> None:
        post(repository, 1, "first")
        fake.fail("PATCH", Reply(status=403, document={"message": "no"}))
        post(repository, 1, "second")
        assert len(fake.comments) == 2

    def test_no_update(self, fake: FakeGitHub, repository: Repository) -> None:
        post(repository, 1, "first")
        post(repository, 1, "second", update=False)
        assert len(fake.comments) == 2

    def test_a_long_text_is_cut(self, fake: FakeGitHub, repository: Repository) -> None:
        post(repository, 1, "x" * 100_000)
        body = fake.comments[0]["body"]
        assert len(body) <= 65_536
        assert body.endswith(SIGNATURE)

    @pytest.mark.parametrize("text", ["", " \n\t"])
    def test_an_empty_text_is_refused(self, text: str, fake: FakeGitHub, repository: Repository) -> None:
        with pytest.raises(UserError):
            post(repository, 1, text)
        assert fake.requests == []
