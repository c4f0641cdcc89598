from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.ci.github.client import GitHub
from bench_db.ci.receivers import GitHubIssues, GitLabIssues, put_issue, send_mail
from bench_db.ci.web import Web
from bench_db.errors import DeliveryError, UserError
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, github_server
from tests.support.receivers import mail_server, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.github_server import FakeGitHub

MARKER = "<!-- bench-db: findings 1 -->"


def mail_text() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "s"
    message.set_content("text")
    return message


def sent(address: str, **words: Any) -> str:
    given = {"user": "", "password": "", "clock": Slept().clock(), "deadline_seconds": 5.0, **words}
    return send_mail(address, mail_text(), **given)


class TestMail:
    """Mail goes over TLS with a password, and an error names neither."""

    def test_a_password(self) -> None:
        with mail_server("right") as server:
            assert sent(server.url, user="bench", password="right") == ""
            assert server.logins == [("bench", "right")]
            with pytest.raises(DeliveryError, match=r"not taken \(SMTPAuthenticationError 535\)$") as caught:
                sent(server.url, user="bench", password="wrong")
        assert caught.value.is_refusal

    @pytest.mark.parametrize("secret", ["user", "password"])
    def test_letters_that_a_login_cannot_have(self, secret: str) -> None:
        words = {"user": "bench", "password": "right", secret: "Geheim\u00e4"}
        with mail_server("right") as server, pytest.raises(DeliveryError, match="letters that are not ASCII") as caught:
            sent(server.url, **words)
        assert caught.value.is_refusal
        assert "Geheim" not in str(caught.value)
        assert server.logins == []

    def test_letters_that_a_server_does_not_take(self) -> None:
        message = mail_text()
        message.replace_header("To", "\u00fcb@example.org")
        slept = Slept()
        with mail_server(takes_utf8=False) as server:
            with pytest.raises(DeliveryError, match=r"SMTPNotSupportedError\): the server does not offer") as caught:
                send_mail(server.url, message, user="", password="", clock=slept.clock(), deadline_seconds=5.0)
            assert server.mails == []
        assert caught.value.is_refusal
        assert slept.seconds == []

    def test_no_password_where_one_is_needed(self) -> None:
        with mail_server("right") as server, pytest.raises(DeliveryError, match="530"):
            sent(server.url)

    @pytest.mark.parametrize(
        "address", ["mail.example.org:587", "http://example.org", "smtp://", "smtp://[x", "smtp://x:y"]
    )
    def test_no_mail_server(self, address: str) -> None:
        with pytest.raises(UserError, match="smtp://host:587"):
            sent(address)

    def test_nobody_listens(self) -> None:
        with pytest.raises(DeliveryError, match="ConnectionRefusedError") as caught:
            sent("smtp://127.0.0.1:1")
        assert caught.value.is_refusal

    def test_another_machine_must_encrypt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bench_db.ci.receivers.is_loopback", lambda _host: False)
        with mail_server() as server:
            with pytest.raises(DeliveryError, match="SMTPNotSupportedError"):
                sent(server.url)
            assert server.mails == []


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


class TestIssues:
    """An issue is found by its marker, among those that we wrote."""

    @pytest.fixture
    def tracker(self, github: FakeGitHub) -> Iterator[GitHubIssues]:
        with GitHub(TOKEN, base_url=github.url, clock=Slept().clock()) as client:
            yield GitHubIssues(client, REPOSITORY)

    def put(self, tracker: GitHubIssues | GitLabIssues, *, is_open: bool = True) -> str:
        return put_issue(tracker, marker=MARKER, title="t", body=f"{MARKER}\nb", is_open=is_open, since=0)

    def test_created_updated_closed_and_reopened(self, tracker: GitHubIssues, github: FakeGitHub) -> None:
        pages = {self.put(tracker), self.put(tracker), self.put(tracker, is_open=False)}
        assert pages == {"https://github.test/issues/1"}
        assert [issue["state"] for issue in github.issues] == ["closed"]
        self.put(tracker)
        assert [issue["state"] for issue in github.issues] == ["open"]

    def test_none_is_created_that_would_be_closed(self, tracker: GitHubIssues, github: FakeGitHub) -> None:
        assert self.put(tracker, is_open=False) == ""
        assert github.issues == []

    def test_others_cannot_stand_in(self, tracker: GitHubIssues, github: FakeGitHub) -> None:
        shared = {"html_url": "", "state": "open", "body": MARKER}
        github.issues = [
            {**shared, "number": 1, "user": {"login": "mallory"}},
            {**shared, "number": 2, "user": None},
            {**shared, "number": 3, "user": {"login": "bench-bot[bot]"}, "pull_request": {}},
            {**shared, "number": 4, "user": {"login": "bench-bot[bot]"}, "body": f"> {MARKER}"},
        ]
        assert self.put(tracker) == "https://github.test/issues/5"

    def test_the_token_of_a_workflow(self, tracker: GitHubIssues, github: FakeGitHub) -> None:
        github.login = None
        assert self.put(tracker) == self.put(tracker)

    def test_beyond_a_page(self, tracker: GitHubIssues, github: FakeGitHub) -> None:
        github.issues = [
            {"number": n, "html_url": "", "state": "open", "body": None, "user": {"login": "x"}} for n in range(1, 151)
        ]
        assert self.put(tracker) == self.put(tracker) == "https://github.test/issues/151"

    def test_gitlab(self) -> None:
        with receiver() as server:
            server.issues = [{"iid": n, "web_url": "", "state": "opened", "description": None} for n in range(1, 151)]
            web = Web(clock=Slept().clock(), deadline_seconds=5, secrets=())
            tracker = GitLabIssues(web, "a/b", "t", server.url)
            assert self.put(tracker) == self.put(tracker) == "https://gitlab.test/151"
            self.put(tracker, is_open=False)
            assert server.issues[150]["state"] == "closed"
            assert {one["private-token"] for one in server.headers} == {"t"}
            assert "POST /projects/a%2Fb/issues" in server.requests
