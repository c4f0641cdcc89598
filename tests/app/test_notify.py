from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bench_db
from bench_db.app.notify import Delivery, Notified, notify
from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.model import Finding, NotificationStep, State
from bench_db.rules import RULES
from bench_db.store.database import Database, connect
from bench_db.store.publish import Entry
from tests.strategies import commit_of, publication
from tests.support.clocks import Slept
from tests.support.damage import copied
from tests.support.github_server import REPOSITORY, TOKEN, Reply, github_server
from tests.support.receivers import Fault, ids_in, mail_server, receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.github_server import FakeGitHub
    from tests.support.receivers import FakeMail, FakeReceiver

pytestmark = pytest.mark.sample(1)

FINDINGS, COMMITS = 1_000, 25
NOW = 1_790_000_000
LATER = 60 * RULES.claim_minutes + 1
SECRET = "T0SECRET/B0SECRET/x0x0x0x0"


def found(number: int, key: int, **changes: Any) -> Finding:
    about = {
        "id": f"f{number:04}",
        "series_key": key,
        "commit": commit_of(number % COMMITS),
        "index": 9,
        "effect": 0.1 + number / 10_000,
        "low": 0.05,
        "high": 0.3,
        "p_value": 1e-6,
        "provisional": False,
        "at": NOW - 1_000 + number % COMMITS,
    }
    return Finding(**{**about, **changes})


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 1,000 findings of 25 commits, of which no message was sent."""
    directory = tmp_path_factory.mktemp("thousand") / "store"
    store = connect(directory, create=True)
    rows = [FINDINGS, *[1] * (COMMITS - 1)]
    runs = (publication(number, rows=count, branch="main") for number, count in enumerate(rows))
    assert sum(published.new for published in store.publish_many(Entry(*run) for run in runs)) == sum(rows)
    keys = dict(store.latest().select("benchmark_name", "series_key").iter_rows())
    store.record_findings([found(number, keys[f"bench {number}"]) for number in range(FINDINGS)])
    return directory


@pytest.fixture
def store(thousand: Path, tmp_path: Path) -> Database:
    return connect(copied(thousand, tmp_path / "store"))


@pytest.fixture
def few(thousand: Path, tmp_path: Path) -> Database:
    """A store with three findings of two commits."""
    store = connect(copied(thousand, tmp_path / "few"))
    keys = dict(store.latest().select("benchmark_name", "series_key").iter_rows())
    (tmp_path / "few" / "findings.lance").rename(tmp_path / "findings")
    store = connect(tmp_path / "few")
    store.record_findings([found(n, keys[f"bench {n}"], commit=commit_of(n // 2)) for n in range(3)])
    return store


@pytest.fixture
def web() -> Iterator[FakeReceiver]:
    with receiver() as state:
        yield state


@pytest.fixture
def mail() -> Iterator[FakeMail]:
    with mail_server() as state:
        yield state


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


@pytest.fixture
def servers(web: FakeReceiver, github: FakeGitHub) -> tuple[FakeReceiver, FakeGitHub]:
    return web, github


def config(directory: Path, *tables: str) -> str:
    file = directory / "bench-db.toml"
    head = f'[project]\nname = "engine"\nrepository = "{REPOSITORY}"\n'
    file.write_text(head + "\n".join(tables), "utf-8")
    return str(file)


def table(kind: str, **keys: object) -> str:
    lines = [f"{name.rstrip('_')} = {json.dumps(value)}" for name, value in {"kind": kind, **keys}.items()]
    return "\n".join(["[[notify]]", *lines, ""])


class Teller:
    """Notifies the receivers of a configuration at a time that tests set."""

    def __init__(self, store: Database, file: str, environment: Mapping[str, str]) -> None:
        self.store, self.file, self.environment = store, file, environment
        self.time = Slept(time=NOW)

    def __call__(self, **words: Any) -> Notified:
        clock = Clock(now=lambda: self.time.time, sleep=self.time.sleep)
        return notify(self.store, config_file=self.file, environment=self.environment, clock=clock, **words)

    def one(self, **words: Any) -> Delivery:
        [told] = self(**words).receivers
        return told


KINDS = ("webhook", "slack", "teams", "matrix", "smtp", "github", "gitlab")


@pytest.fixture
def teller(tmp_path: Path, web: FakeReceiver, mail: FakeMail, github: FakeGitHub) -> Callable[..., Teller]:
    """Return a function that makes a teller for kinds of receivers, each with further keys."""
    environment = {
        "HOOK": f"{web.url}/services/{SECRET}",
        "MATRIX_TOKEN": "syt_secret",
        "GITLAB_TOKEN": "glpat-secret",
        "GITHUB_TOKEN": TOKEN,
    }
    needed: dict[str, dict[str, object]] = {
        **{kind: {"address_env": "HOOK"} for kind in ("webhook", "slack", "teams")},
        "matrix": {"address": web.url, "room": "!room:example.org", "token_env": "MATRIX_TOKEN"},
        "smtp": {"address": mail.url, "from": "bench@example.org", "to": ["team@example.org"]},
        "github": {"address": github.url},
        "gitlab": {"address": f"{web.url}/api/v4", "token_env": "GITLAB_TOKEN", "repository": "group/sub/name"},
    }

    def make(store: Database, *kinds: str, owners: str = "", **keys: object) -> Teller:
        tables = [table(kind, **{**needed[kind], **keys}) for kind in kinds]
        return Teller(store, config(tmp_path, *tables, owners), environment)

    return make


class TestOnce:
    """Each change of state of a finding reaches a receiver once, asserted at the receiver."""

    @pytest.mark.slow
    def test_a_thousand_findings(self, store: Database, teller: Callable[..., Teller], web: FakeReceiver) -> None:
        tell = teller(store, "webhook")
        told = tell.one()
        assert (told.findings, len(told.messages), told.errors) == (FINDINGS, 1, ())
        assert tell.one().findings == 0
        [document] = web.documents
        assert Counter((f["id"], f["state"]) for f in document["findings"]) == Counter(
            {(f"f{n:04}", "open"): 1 for n in range(FINDINGS)}
        )
        assert len(document["groups"]) == COMMITS
        assert len(document["text"]) < 10_000
        assert "and 600 more findings of 15 more commits: bench-db finding list" in document["text"]

    def test_a_webhook_with_a_token(self, few: Database, teller: Callable[..., Teller], web: FakeReceiver) -> None:
        assert teller(few, "webhook", token_env="MATRIX_TOKEN").one().errors == ()
        assert [one["authorization"] for one in web.headers] == ["Bearer syt_secret"]
        teller(few, "webhook", name="without").one()
        assert "authorization" not in web.headers[1]

    def test_more_than_a_message_has(
        self, store: Database, teller: Callable[..., Teller], web: FakeReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bench_db.app.notify.RULES", replace(RULES, message_findings=300))
        tell = teller(store, "webhook")
        web.faults = [Fault(status=0) for _ in range(100)]
        told = tell.one()
        assert (told.messages, told.findings, told.waiting) == ((), 0, 700)
        web.faults = []
        assert len(tell.one().messages) == 4
        seen = [f["id"] for document in web.documents for f in document["findings"]]
        assert len(seen) == len(set(seen)) == FINDINGS

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"github", "gitlab"}])
    def test_every_kind(
        self, kind: str, store: Database, teller: Callable[..., Teller], web: FakeReceiver, mail: FakeMail
    ) -> None:
        tell = teller(store, kind)
        [name] = tell.one().messages
        tell.time.sleep(2 * LATER)
        assert tell.one().messages == ()
        messages = web.documents or [str(mail.mails[0].content)]
        assert len(messages) == len(web.requests) + len(mail.mails) == 1
        assert "1,000 new" in json.dumps(messages[0])
        assert name in json.dumps(messages[0]) or name in web.requests[0]

    @pytest.mark.parametrize("kind", ["github", "gitlab"])
    def test_issues(
        self, kind: str, store: Database, teller: Callable[..., Teller], web: FakeReceiver, github: FakeGitHub
    ) -> None:
        tell = teller(store, kind)
        told = [tell.one() for _ in range(4)]
        assert [(len(one.messages), one.findings, one.waiting) for one in told] == [
            (10, 400, 600),
            (10, 400, 200),
            (5, 200, 0),
            (0, 0, 0),
        ]
        issues = github.issues or web.issues
        bodies = [issue.get("body") or issue["description"] for issue in issues]
        assert Counter(body.split()[3] for body in bodies) == Counter(commit_of(n) for n in range(COMMITS))
        assert all("40 findings of engine" in body for body in bodies)
        assert all(re.fullmatch(r"[0-9a-f]{9}: 40 slower, median \+\d+\.\d %, bed", one["title"]) for one in issues)
        newest = {commit_of(number) for number in range(15, 25)}
        assert {body.split()[3] for body in bodies[:10]} == newest

    def test_states(self, few: Database, teller: Callable[..., Teller], web: FakeReceiver, github: FakeGitHub) -> None:
        tell = teller(few, "webhook", "github")
        tell()
        for number, state in enumerate((State.FIXED, State.REOPENED, State.FIXED, State.REOPENED, State.BLESSED)):
            old = next(f for f in few.findings() if f.id == "f0002")
            few.record_findings([replace(old, state=state, at=NOW + number, note=str(number))])
            few.record_findings([replace(old, state=state, at=NOW + number, note=f"{number} again", provisional=True)])
            tell()
            assert github.issues[0]["state"] == ("open" if state is State.REOPENED else "closed")
            tell()
        seen = [(f["id"], f["state"]) for document in web.documents for f in document["findings"] if f["id"] == "f0002"]
        assert [state for _, state in seen] == ["open", "fixed", "reopened", "fixed", "reopened", "blessed"]
        assert len(github.issues) == 2

    def test_an_end_is_for_those_who_know_the_beginning(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        old = next(f for f in few.findings() if f.id == "f0001")
        few.record_findings([replace(old, state=State.FIXED, at=NOW)])
        teller(few, "webhook").one()
        assert [f["id"] for f in web.documents[0]["findings"]] == ["f0002", "f0000"]

    def test_a_commit_that_is_excluded(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver, github: FakeGitHub
    ) -> None:
        tell = teller(few, "webhook", "github")
        tell()
        runs = few.runs_of(commit_of(1))
        few.exclude(runs, reason="noise", lifted=False, at=NOW, by="me")
        tell()
        [closed] = web.documents[1]["findings"]
        assert (closed["id"], closed["state"]) == ("f0002", "fixed")
        assert closed["note"] == "its commit is no longer in the main history"
        few.exclude(runs, reason="", lifted=True, at=NOW + 1, by="me")
        tell()
        assert [(f["id"], f["state"]) for f in web.documents[2]["findings"]] == [("f0002", "reopened")]
        assert {issue["state"] for issue in github.issues} == {"open"}

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["webhook", "matrix", "slack"])
    def test_a_commit_that_is_excluded_again_and_again(
        self, kind: str, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        tell = teller(few, kind)
        assert [tell.one().findings, tell.one().findings] == [3, 0]
        runs = few.runs_of(commit_of(1))
        names = list[str]()
        for number in range(4):
            few.exclude(runs, reason=f"noise {number}", lifted=number % 2 == 1, at=NOW + number, by="me")
            told = tell.one()
            assert (told.findings, tell.one().findings) == (1, 0)
            names += told.messages
            assert ("1 reopened" if number % 2 else "1 fixed") in json.dumps(web.documents[-1])
        assert (len(set(names)), len(web.accepted)) == (4, 5)

    def test_only_what_got_worse(self, few: Database, teller: Callable[..., Teller], web: FakeReceiver) -> None:
        old = next(f for f in few.findings() if f.id == "f0001")
        few.record_findings([replace(old, id="f0009", effect=-0.2, at=NOW)])
        assert teller(few, "webhook").one().findings == 3
        assert teller(few, "webhook", name="all", changes="all").one().findings == 4
        assert "f0009" in ids_in(json.dumps(web.documents[1]))


class TestFaults:
    """A receiver that fails gets a message once in the end, does not keep others from theirs, and is named."""

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(status=500),
            Fault(status=503, headers={"Retry-After": "17"}),
            Fault(status=429, headers={"Retry-After": "17"}),
            Fault(status=0),
            Fault(status=0, after=True),
            Fault(status=502, after=True),
        ],
        ids=["500", "503", "429", "closed", "closed after acceptance", "502 after acceptance"],
    )
    @pytest.mark.parametrize("kind", ["webhook", "matrix"])
    def test_retried(
        self, kind: str, fault: Fault, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        web.faults = [fault]
        tell = teller(few, kind)
        assert tell.one().errors == ()
        assert (len(web.accepted), len(web.requests)) == (1, 2)
        if fault.headers:
            assert tell.time.time - NOW >= 17
        keys = {one["idempotency-key"] for one in web.headers} if kind == "webhook" else set(web.requests)
        assert len(keys) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("after", [True, False])
    def test_retried_by_the_next_notify(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver, *, after: bool
    ) -> None:
        web.faults = [Fault(status=0, after=after) for _ in range(100)]
        tell = teller(few, "webhook", "smtp")
        first, second = tell().receivers
        assert first.errors == (f"{web.url.rpartition(':')[0]}: no answer (RemoteProtocolError)",)
        assert first.findings == 0
        assert second.findings == 3
        assert 60 <= tell.time.time - NOW <= RULES.message_seconds
        web.faults = []
        assert [one.findings for one in tell().receivers] == [3, 0]
        assert len(web.accepted) == 1

    @pytest.mark.slow
    def test_what_changed_meanwhile_is_a_message_of_its_own(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        web.faults = [Fault(status=0, after=True) for _ in range(100)]
        tell = teller(few, "webhook")
        tell()
        old = next(f for f in few.findings() if f.id == "f0001")
        few.record_findings([replace(old, id="f0007", at=NOW)])
        web.faults = []
        assert len(tell.one().messages) == 2
        assert Counter(ids_in(json.dumps(web.documents[0]["findings"]))).keys() == {"f0000", "f0001", "f0002"}
        assert ids_in(json.dumps(web.documents[1]["findings"])) == ["f0007"]

    def test_a_refusal_is_told_anew(self, few: Database, teller: Callable[..., Teller], web: FakeReceiver) -> None:
        web.faults = [Fault(status=410, text=f"gone: {SECRET}")]
        tell = teller(few, "slack")
        told = tell.one()
        assert told.errors == ('http://127.0.0.1: 410 "gone: ***/***/***"',)
        old = next(f for f in few.findings() if f.id == "f0001")
        few.record_findings([replace(old, id="f0007", at=NOW)])
        assert (tell.one().findings, len(web.accepted)) == (4, 1)

    @pytest.mark.slow
    @pytest.mark.parametrize(("status", "error"), [(0, "no answer"), (504, "504")])
    @pytest.mark.parametrize("kind", ["slack", "teams"])
    def test_without_idempotency_a_lost_answer_is_left_to_the_next_notify(  # noqa: PLR0917 fixtures
        self, kind: str, status: int, error: str, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        web.is_idempotent = False
        web.faults = [Fault(status=status, after=True)]
        tell = teller(few, kind)
        assert error in tell.one().errors[0]
        assert len(web.accepted) == 1
        tell()
        first, second = (json.dumps(one) for one in web.documents)
        [name] = set(re.findall(r"message ([0-9a-f]{16})", first))
        assert f"message {name}" in second

    @pytest.mark.parametrize("kind", ["github", "gitlab"])
    @pytest.mark.parametrize("status", [0, 502])
    def test_an_issue_whose_creation_was_not_answered(
        self,
        kind: str,
        status: int,
        few: Database,
        teller: Callable[..., Teller],
        servers: tuple[FakeReceiver, FakeGitHub],
    ) -> None:
        web, github = servers
        github.fail("POST .*issues", Reply(status=status, after=True))
        tell = teller(few, kind)
        if kind == "gitlab":
            take = web.take

            def lossy(method: str, path: str, document: Any, headers: dict[str, str]) -> Any:
                answer = take(method, path, document, headers)
                return (status, None, {}) if method == "POST" and len(web.issues) == 1 else answer

            web.take = lossy  # type: ignore[method-assign]
        told = tell.one()
        assert (told.findings, told.errors) == (3, ())
        assert len(github.issues or web.issues) == 2

    def test_mail_that_was_not_acknowledged(self, few: Database, teller: Callable[..., Teller], mail: FakeMail) -> None:
        mail.answers = ["lost"]
        tell = teller(few, "smtp")
        assert "not taken (SMTPServerDisconnected)" in tell.one().errors[0]
        tell()
        ids = [re.search(r"Message-ID: (<\S+>)", str(one.content)) for one in mail.mails]
        assert len(ids) == 2
        assert len({one and one[1] for one in ids}) == 1

    def test_mail_that_is_refused_for_now(self, few: Database, teller: Callable[..., Teller], mail: FakeMail) -> None:
        mail.answers = ["451 later", "452 later"]
        assert teller(few, "smtp").one().errors == ()
        assert len(mail.mails) == 1

    def test_a_password_that_no_login_takes(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        tell = teller(few, "smtp", user="bench", token_env="PASSWORD", owners=table("webhook", address_env="HOOK"))
        tell.environment = {**tell.environment, "PASSWORD": "Geheim\u00e4"}
        first, second = tell().receivers
        assert ("not ASCII" in first.errors[0], second.errors, len(web.accepted)) == (True, (), 1)
        steps = {one.step for one in few.notifications() if one.receiver == "smtp"}
        assert steps == {NotificationStep.CLAIMED, NotificationStep.REFUSED}

    def test_a_fault_of_ours(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message is tried again by the next `notify`, not when its claim has ended."""
        tell = teller(few, "webhook")
        with monkeypatch.context() as patched:
            patched.setattr("bench_db.report.alarms.webhook", lambda _alarm: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                tell()
        assert (tell.one().findings, len(web.accepted)) == (3, 1)

    def test_mail_that_is_refused(self, few: Database, teller: Callable[..., Teller], mail: FakeMail) -> None:
        mail.answers = ["554 spam"]
        tell = teller(few, "smtp")
        assert tell.one().errors == ("127.0.0.1: the mail was not taken (SMTPDataError 554)",)
        assert tell.one().findings == 3
        assert len(mail.mails) == 1

    def test_a_recipient_who_is_refused(self, few: Database, teller: Callable[..., Teller], mail: FakeMail) -> None:
        mail.unknown = frozenset({"gone@example.org"})
        tell = teller(few, "smtp", to=["team@example.org", "gone@example.org"])
        told = tell.one()
        assert (told.findings, told.errors) == (3, ("1 of 2 recipients were refused",))
        assert tell.one().findings == 0

    def test_nobody_listens(self, few: Database, teller: Callable[..., Teller]) -> None:
        tell = teller(few, "webhook", "smtp")
        tell.environment = {"HOOK": "http://127.0.0.1:1/x"}
        first, second = tell().receivers
        assert first.errors == ("http://127.0.0.1: no answer (ConnectError)",)
        assert second.findings == 3

    def test_a_variable_that_is_not_set(self, few: Database, teller: Callable[..., Teller]) -> None:
        tell = teller(few, "slack", "matrix")
        tell.environment = {"MATRIX_TOKEN": "x"}
        first, second = tell().receivers
        assert first.errors[0].startswith("the variable HOOK is not set; [[notify]]")
        assert first.target == "$HOOK"
        assert (second.findings, few.notifications()[0].receiver) == (3, "matrix")

    @pytest.mark.parametrize("kind", ["matrix", "github", "gitlab"])
    def test_a_variable_that_has_no_token(self, kind: str, few: Database, teller: Callable[..., Teller]) -> None:
        tell = teller(few, kind)
        tell.environment = dict.fromkeys(tell.environment, "tok\u00e9n\nx")
        [error] = tell.one().errors
        assert error.endswith("was it copied whole, and nothing else?")

    def test_a_variable_with_a_line_end(self, few: Database, teller: Callable[..., Teller], web: FakeReceiver) -> None:
        tell = teller(few, "matrix", "webhook")
        tell.environment = {name: f"{value}\n" for name, value in tell.environment.items()}
        assert tell().passed
        assert len(web.accepted) == 2

    def test_a_receiver_that_answers_nonsense(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        web.faults = [Fault(status=200, text="<html>")]
        first, second = teller(few, "gitlab", "webhook")().receivers
        assert first.errors[0].startswith("http://127.0.0.1 answered something unexpected")
        assert second.findings == 3

    def test_a_deadline_beyond_the_claim(self, few: Database, teller: Callable[..., Teller]) -> None:
        with pytest.raises(UserError, match="`deadline_seconds` 900: at most 300"):
            teller(few, "webhook")(deadline_seconds=900)


# Kills the process when the ledger or the receiver is reached for the n-th time.
_KILLED = """
import os, signal, sys
from bench_db.app import notify as module
from bench_db.store.database import Database, connect
from bench_db.store.publish import Entry

step = int(sys.argv[3])
steps = iter(range(100))
def dying(call):
    def wrapped(*arguments, **named):
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = call(*arguments, **named)
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    return wrapped
Database.record_notifications = dying(Database.record_notifications)
module._Telling._deliver = dying(module._Telling._deliver)
module.notify(connect(sys.argv[1]), config_file=sys.argv[2], environment=dict(os.environ))
print("not killed")
"""


class TestKills:
    """A process that is killed before or after the claim, the message or its outcome leaves a receiver that gets the message once."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("kind", "step"),
        [*((kind, step) for kind in ("webhook", "github") for step in range(6)), ("matrix", 3), ("gitlab", 3)],
    )
    def test_killed(
        self,
        kind: str,
        step: int,
        few: Database,
        teller: Callable[..., Teller],
        servers: tuple[FakeReceiver, FakeGitHub],
    ) -> None:
        web, github = servers
        tell = teller(few, kind)
        command = [sys.executable, "-c", _KILLED, few.uri, tell.file, str(step)]
        environment = {**os.environ, **tell.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        tell.store = connect(few.uri)
        tell.time = Slept(time=Clock().now())
        tell()
        tell.time.sleep(LATER)
        tell()
        tell()
        if kind in {"github", "gitlab"}:
            assert len(github.issues or web.issues) == 2
        else:
            assert len(web.accepted) == 1
        assert tell.one().findings == 0
        changes = Counter(
            (one.finding_id, one.state)
            for one in tell.store.notifications()
            if one.finding_id.startswith("f")
            and any(
                outcome.claim == one.claim and outcome.step is NotificationStep.DELIVERED
                for outcome in tell.store.notifications()
            )
        )
        assert changes == {("f0000", "open"): 1, ("f0001", "open"): 1, ("f0002", "open"): 1}

    @pytest.mark.slow
    def test_a_thousand_findings_through_kills_and_lost_answers(
        self, store: Database, teller: Callable[..., Teller], web: FakeReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Four messages, a kill at each step of one and every second answer lost after acceptance: each finding arrives once."""
        monkeypatch.setattr("bench_db.app.notify.RULES", replace(RULES, message_findings=300))
        limited = _KILLED.replace(
            "step = int",
            "import dataclasses\nmodule.RULES = dataclasses.replace(module.RULES, message_findings=300)\nstep = int",
        )
        tell = teller(store, "webhook")
        web.faults = [Fault(status=0, after=True), Fault(status=503), Fault(status=200, after=True)] * 4
        killed = 0
        for step in (3, 4, 9):
            command = [sys.executable, "-c", limited, store.uri, tell.file, str(step)]
            environment = {**os.environ, **tell.environment}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
            killed += done.returncode == -signal.SIGKILL
        assert killed == 3
        tell.store = connect(store.uri)
        tell.time = Slept(time=Clock().now())
        for _ in range(3):
            tell()
            tell.time.sleep(LATER)
        assert tell.one().findings == 0
        arrived = Counter((f["id"], f["state"]) for document in web.documents for f in document["findings"])
        assert arrived == Counter({(f"f{n:04}", "open"): 1 for n in range(FINDINGS)})
        assert len(web.requests) > len(web.accepted) >= 4

    def test_a_message_under_way_is_left_alone(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        tell = teller(few, "webhook")
        command = [sys.executable, "-c", _KILLED, few.uri, tell.file, "1"]
        subprocess.run(command, env={**os.environ, **tell.environment}, timeout=120, check=False)
        tell.store, tell.time = connect(few.uri), Slept(time=Clock().now())
        assert tell.one() == replace(tell.one(), findings=0, messages=())
        assert web.requests == []


class TestRaces:
    """Of several processes at once each change is sent by one."""

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["webhook", "github"])
    def test_eight_at_once(
        self, kind: str, store: Database, teller: Callable[..., Teller], web: FakeReceiver, github: FakeGitHub
    ) -> None:
        web.is_idempotent = False
        tell = teller(store, kind)
        outcomes: list[Notified] = []
        start = threading.Barrier(8)

        def run() -> None:
            own = Teller(connect(store.uri), tell.file, tell.environment)
            start.wait()
            outcomes.append(own())

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(one.passed for one in outcomes)
        if kind == "webhook":
            assert len(outcomes) == 8
            assert len(web.accepted) == 1
            assert sum(one.receivers[0].findings for one in outcomes) == FINDINGS
        else:
            commits = Counter(issue["body"].split()[3] for issue in github.issues)
            assert set(commits.values()) == {1}
            assert len(commits) >= 10

    def test_two_scans_at_one_commit_make_one_issue(
        self, few: Database, teller: Callable[..., Teller], github: FakeGitHub
    ) -> None:
        """The second process sees a finding more, which it claims, and the issue is being written by the first."""
        tell = teller(few, "github")
        other = Teller(connect(few.uri), tell.file, tell.environment)
        seen: list[Notified] = []
        handler = other.store.record_findings
        old = next(f for f in few.findings() if f.id == "f0002")

        class Between(Slept):
            """Lets another process notify while this one waits to repeat a request."""

            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if not seen:
                    handler([replace(old, id="f0008", at=NOW)])
                    seen.append(other())

        tell.time = Between(time=NOW)
        github.fail("GET .*issues", Reply(status=503))
        assert (tell.one().findings, len(github.issues)) == (1, 2)
        [between] = seen[0].receivers
        assert (between.findings, between.waiting, between.errors) == (2, 1, ())
        assert (other.one().findings, len(github.issues)) == (1, 2)
        assert sum("f0008" in issue["body"] for issue in github.issues) == 1


class TestDigest:
    """A digest is one message a day or week, in UTC."""

    @pytest.mark.parametrize(("digest", "hours"), [("daily", 24), ("weekly", 24 * 7)])
    def test_held(
        self, digest: str, hours: int, few: Database, teller: Callable[..., Teller], web: FakeReceiver
    ) -> None:
        tell = teller(few, "webhook", digest=digest)
        assert tell.one().findings == 3
        old = next(f for f in few.findings() if f.id == "f0001")
        few.record_findings([replace(old, id="f0007", at=NOW)])
        told = tell.one()
        assert (told.findings, told.waiting) == (0, 1)
        tell.time.sleep(3_600 * hours)
        assert tell.one().findings == 1
        assert len(web.accepted) == 2


class TestChoice:
    """Receivers, dates and owners choose who gets what."""

    def test_since(self, store: Database, teller: Callable[..., Teller]) -> None:
        tell = teller(store, "webhook")
        assert tell.one(since=NOW - 1_000 + 20, dry_run=True).findings == 5 * FINDINGS // COMMITS
        assert tell.one(since=NOW).findings == 0
        assert teller(store, "webhook", since="2030-01-01").one().findings == 0

    def test_one_receiver(self, few: Database, teller: Callable[..., Teller]) -> None:
        tell = teller(few, "webhook", "matrix")
        assert [one.name for one in tell(receivers=["matrix"]).receivers] == ["matrix"]
        with pytest.raises(UserError, match=r"no receiver 'pager'.*declares: webhook, matrix"):
            tell(receivers=["pager"])

    def test_a_dry_run_sends_and_records_nothing(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver, mail: FakeMail
    ) -> None:
        tell = teller(few, "slack", "smtp", "matrix", "github")
        done = tell(dry_run=True)
        assert [one.target for one in done.receivers] == [
            "http://127.0.0.1/…",
            "t…@example.org by smtp://127.0.0.1",
            "!room:example.org on http://127.0.0.1",
            REPOSITORY,
        ]
        assert done.receivers[0].preview[0].startswith("engine: 3 new in the benchmarks\n")
        assert len(done.receivers[3].preview) == 2
        assert (web.requests, mail.mails, few.notifications()) == ([], [], [])
        assert SECRET not in json.dumps(done.document)

    def test_owners(
        self, few: Database, teller: Callable[..., Teller], web: FakeReceiver, mail: FakeMail, github: FakeGitHub
    ) -> None:
        owners = """
[[owner]]
benchmarks = ["bench 0", "bench 1"]
mention = { slack = "U01", smtp = "ann@example.org", github = "ann", webhook = "Ann", matrix = "@ann:example.org" }
[[owner]]
benchmarks = ["b* 2"]
mention = { slack = "S02", github = "org/team", webhook = "Bob" }
[[owner]]
benchmarks = ["other*"]
mention = { slack = "U03", webhook = "Eve" }
"""
        teller(few, "slack", "smtp", "github", "webhook", "matrix", owners=owners)()
        slack, hook, matrix = web.documents
        assert "<@U01> <!subteam^S02>" in json.dumps(slack)
        assert hook["owners"] == ["Ann", "Bob"]
        assert matrix["m.mentions"] == {"user_ids": ["@ann:example.org"]}
        assert mail.mails[0].rcpt_tos == ["team@example.org", "ann@example.org"]
        assert "@org/team\n" in github.issues[0]["body"]
        assert "@ann\n" in github.issues[1]["body"]


class TestSecrets:
    """No address and no token is in an answer, an error, a log or the store."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_nowhere(
        self,
        kind: str,
        few: Database,
        teller: Callable[..., Teller],
        servers: tuple[FakeReceiver, FakeGitHub],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        web, github = servers
        caplog.set_level("DEBUG")
        tell = teller(few, kind, **({"user": "bench", "token_env": "GITLAB_TOKEN"} if kind == "smtp" else {}))
        secrets = [SECRET, "syt_secret", "glpat-secret", TOKEN]
        web.faults = [Fault(status=403, text=" ".join(secrets))]
        github.fail("issues", Reply(status=403, document={"message": " ".join(secrets)}))
        done = tell()
        assert not done.passed
        seen = json.dumps(done.document) + caplog.text + repr(few.notifications())
        own = [value for name, value in tell.environment.items() if name in Path(tell.file).read_text("utf-8")]
        for secret in [*own, *([TOKEN] if kind == "github" else []), *([SECRET] if SECRET in str(own) else [])]:
            assert secret not in seen


class TestPython:
    """The use case is public."""

    def test_by_address(self, few: Database, teller: Callable[..., Teller]) -> None:
        tell = teller(few, "webhook")
        done = bench_db.notify(few.uri, config_file=tell.file, environment=tell.environment)
        assert done.passed
        assert done.frame()["findings"].to_list() == [3]
