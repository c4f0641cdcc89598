from __future__ import annotations

import json
import re
from dataclasses import replace
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.app.failed_suites import failed_ranges, gone, is_of_suite, names_of
from bench_db.app.notify import Delivery, notify, publish_findings
from bench_db.clock import Clock
from bench_db.model import FAILURE, RecordedCommit, State, TestBed
from bench_db.rules import RULES
from bench_db.store.database import Database, connect
from tests.app.test_notify import LATER, NOW, config, table
from tests.cli.kinds import BED, entry, publish, sha
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, github_server
from tests.support.histories import DAY, FIRST
from tests.support.receivers import Fault, mail_server, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.github_server import FakeGitHub
    from tests.support.receivers import FakeReceiver

pytestmark = pytest.mark.sample(1)

LOG = "exit code 101\nthread 'main' panicked\n```\nend of the log"


def fails(store: Database, number: int, error: str = LOG, suite: str = "rust/io", bed: TestBed = BED) -> int:
    """Publish the failure of a suite at a commit, as `backfill` does; return the key of its run."""
    run, (result,), *_ = entry(number, {suite: error}, suite=suite, bed=bed, again=len(store.artifacts()))
    return store.publish([replace(result, source=FAILURE)], run).run_key


def succeeds(store: Database, number: int, suite: str = "rust/io", bed: TestBed = BED) -> None:
    run, results, *_ = entry(number, {"f": 1.0 + number}, suite=suite, bed=bed)
    store.publish(results, run)


@pytest.fixture
def store(tmp_path: Path) -> Database:
    """A store with three commits at which the suite succeeded."""
    store = connect(tmp_path / "store", create=True)
    for number in range(3):
        succeeds(store, number)
    return store


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


@pytest.fixture
def web() -> Iterator[FakeReceiver]:
    with receiver() as state:
        yield state


class Teller:
    """Notifies one receiver of a kind at a time that tests set."""

    def __init__(self, store: Database, file: str, environment: dict[str, str]) -> None:
        self.store, self.file, self.environment, self.time = store, file, environment, Slept(time=NOW)

    def __call__(self, **words: Any) -> Delivery:
        clock = Clock(now=lambda: self.time.time, sleep=self.time.sleep)
        [told] = notify(self.store, config_file=self.file, environment=self.environment, clock=clock, **words).receivers
        assert told.errors == ()
        return told


@pytest.fixture
def tell(store: Database, tmp_path: Path, github: FakeGitHub) -> Teller:
    return Teller(store, config(tmp_path, table("github", address=github.url)), {"GITHUB_TOKEN": TOKEN})


class TestRanges:
    """Neighbouring commits at which a suite failed on a test bed are one range, which its next success ends."""

    def test_ranges(self, store: Database) -> None:
        assert failed_ranges(store) == []
        for number in (3, 4, 8):
            fails(store, number)
        succeeds(store, 5)
        fails(store, 4, suite="other")
        fails(store, 4, bed=replace(BED, name="ci-2"))
        found = [(one.test_bed_name, one.suite, one.commits, one.until) for one in failed_ranges(store)]
        assert found == [
            ("ci-1", "other", (sha(4),), None),
            ("ci-1", "rust/io", (sha(3), sha(4)), sha(5)),
            ("ci-1", "rust/io", (sha(8),), None),
            ("ci-2", "rust/io", (sha(4),), None),
        ]

    @pytest.mark.parametrize("ahead", [0, 10 * DAY])
    def test_commits_are_in_their_order_whatever_their_clocks_say(self, store: Database, ahead: int) -> None:
        """Measured newest first, the broken commit has the second of the one that mends it, or a later one."""
        good, bad = entry(5, {"f": 1.0}, suite="rust/io"), entry(4, {"rust/io": LOG}, suite="rust/io")
        for (run, (result,), *_), number, source in ((good, 5, ""), (bad, 4, FAILURE)):
            dut = replace(run.dut, timestamp=FIRST + DAY * 5 + (ahead if source else 0))
            record = RecordedCommit(
                dut_name="d", commit=sha(number), time=dut.timestamp or 0, source="sync", position=number, branch="main"
            )
            store.record_commits([record])
            store.publish([replace(result, dut=dut, source=source, run_time=NOW - number)], replace(run, dut=dut))
        [one] = failed_ranges(store)
        assert (one.commits, one.until) == ((sha(4),), sha(5))

    def test_a_commit_that_failed_in_part_failed(self, store: Database) -> None:
        succeeds(store, 3)
        fails(store, 3)
        [one] = failed_ranges(store)
        assert (one.commits, one.error) == ((sha(3),), LOG)

    def test_a_failure_that_is_excluded_is_none(self, store: Database) -> None:
        key = fails(store, 3)
        store.exclude([key], reason="replaced by attempt 2", lifted=False, at=NOW, by="bench-db")
        assert failed_ranges(store) == []

    def test_a_benchmark_that_failed_is_no_suite(self, store: Database) -> None:
        run, results, *_ = entry(3, {"f": "assert 1 == 2"}, suite="rust/io")
        store.publish(results, run)
        assert failed_ranges(store) == []

    def test_a_suite_that_is_no_longer_measured_on_its_test_bed_fails_no_more(self, store: Database) -> None:
        fails(store, 3)
        for number in range(4, 4 + RULES.recent_commits):
            [one] = failed_ranges(store)
            assert (one.until, one.unmeasured, one.finding.state) == (None, 0, State.OPEN)
            succeeds(store, number, bed=replace(BED, name="ci-2"))
        [one] = failed_ranges(store)
        assert (one.until, one.unmeasured, one.finding.state) == (None, RULES.recent_commits, State.FIXED)

    def test_commits_of_another_device_do_not_end_a_range(self, store: Database) -> None:
        fails(store, 3)
        for number in range(4, 4 + RULES.recent_commits):
            publish(store, number, {"f": 1.0}, dut_name="other", commit=f"{number:040x}")
        [one] = failed_ranges(store)
        assert (one.unmeasured, one.finding.state) == (0, State.OPEN)

    def test_identities(self, store: Database) -> None:
        fails(store, 3)
        [one] = failed_ranges(store)
        assert is_of_suite(one.id)
        assert not is_of_suite("1f2e3d4c5b6a7988")
        assert names_of(one.id) == ("d", "ci-1", "rust/io", sha(3))
        assert (gone(one.id).commit, gone(one.id).state) == (sha(3), State.FIXED)


class TestIssues:
    """A range of failures is one issue: created once, brought up to date, and closed when the suite succeeds."""

    def test_once_updated_and_closed(self, store: Database, tell: Teller, github: FakeGitHub) -> None:
        fails(store, 3)
        [preview] = tell(dry_run=True).preview
        assert f"{sha(3)[:9]} suite rust/io fails on ci-1 at 1 measured commit\n  end of the log\n" in preview
        assert github.issues == []
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        [issue] = github.issues
        assert (issue["title"], issue["state"]) == (f"{sha(3)[:9]}: suite rust/io fails on ci-1", "open")
        assert f"````text\n{LOG}\n````" in issue["body"]
        fails(store, 4, "exit code 2\nanother end")
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        [issue] = github.issues
        assert "2 measured commits" in issue["body"]
        assert "another end" in issue["body"]
        assert issue["state"] == "open"
        succeeds(store, 5)
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        [issue] = github.issues
        assert issue["state"] == "closed"
        assert f"succeeds again at {sha(5)[:9]}" in issue["body"]
        fails(store, 6)
        tell()
        assert [one["state"] for one in github.issues] == ["closed", "open"]

    @pytest.mark.parametrize("number", [3, 4])
    def test_no_secret_and_no_place_is_in_an_issue(
        self, store: Database, tell: Teller, github: FakeGitHub, number: int
    ) -> None:
        tell.environment |= {"DEPLOY_PASSWORD": "s3cret-value"}
        said = "fatal: https://me:pw@host.test/x: s3cret-value refused, token=abc"
        fails(store, 3, f"exit code 128\n{said} at /var/ci/io.rs:3")
        if number > 3:
            tell()
            fails(store, 4, f"exit code 128\n{said} at /var/ci/io.rs:3")
        tell()
        [issue] = github.issues
        assert "fatal: https://***@host.test/x: *** refused, token=*** at io.rs:3" in issue["body"]
        assert not any(text in json.dumps(issue) for text in ("me:pw", "s3cret", "abc ", "/var/ci"))

    @pytest.mark.slow
    def test_suites_and_test_beds_are_apart(self, store: Database, tell: Teller, github: FakeGitHub) -> None:
        fails(store, 3)
        fails(store, 3, suite="other")
        fails(store, 3, bed=replace(BED, name="ci-2"))
        tell()
        first = sha(3)[:9]
        assert sorted(one["title"] for one in github.issues) == [
            f"{first}: suite other fails on ci-1",
            f"{first}: suite rust/io fails on ci-1",
            f"{first}: suite rust/io fails on ci-2",
        ]

    def test_a_range_that_ended_before_it_was_sent_is_no_issue(
        self, store: Database, tell: Teller, github: FakeGitHub
    ) -> None:
        fails(store, 3)
        succeeds(store, 4)
        assert tell().messages == ()
        assert github.issues == []

    @pytest.mark.slow
    def test_a_range_that_grows_backwards_is_one_issue(self, store: Database, tell: Teller, github: FakeGitHub) -> None:
        """A backfill measures the newest commits first."""
        for number in (9, 7, 5):
            fails(store, number)
            [preview] = tell(dry_run=True).preview
            assert f"{sha(number)[:9]} suite rust/io fails on ci-1 at " in preview
            assert [len(tell().messages) for _ in range(2)] == [1, 0]
        [issue] = github.issues
        assert (issue["title"], issue["state"]) == (f"{sha(5)[:9]}: suite rust/io fails on ci-1", "open")
        assert f"3 measured commits, {sha(5)[:9]} to {sha(9)[:9]}." in issue["body"]
        succeeds(store, 10)
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        assert [one["state"] for one in github.issues] == ["closed"]

    @pytest.mark.slow
    def test_a_range_is_closed_when_the_test_bed_has_another_name(
        self, store: Database, tell: Teller, github: FakeGitHub
    ) -> None:
        fails(store, 3)
        tell()
        for number in range(4, 4 + RULES.recent_commits):
            succeeds(store, number, bed=replace(BED, name="ci-2"))
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        [issue] = github.issues
        assert issue["state"] == "closed"
        assert f"The {RULES.recent_commits} newer measured commits of d have no result of this suite" in issue["body"]
        fails(store, 4 + RULES.recent_commits)
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        assert [one["state"] for one in github.issues] == ["open"]

    def test_a_range_that_is_stale_already_is_no_issue(self, store: Database, tell: Teller, github: FakeGitHub) -> None:
        fails(store, 3, suite="core")
        for number in range(4, 4 + RULES.recent_commits):
            succeeds(store, number, suite="engine")
        assert tell().messages == ()
        assert github.issues == []

    @pytest.mark.slow
    def test_the_title_has_the_device_where_there_are_several(
        self, store: Database, tell: Teller, github: FakeGitHub
    ) -> None:
        publish(store, 3, {"f": 1.0}, dut_name="other", commit="e" * 40)
        fails(store, 3)
        tell()
        [issue] = github.issues
        assert issue["title"] == f"{sha(3)[:9]}: suite rust/io of d fails on ci-1"

    @pytest.mark.slow
    def test_a_range_that_is_gone_is_closed(self, store: Database, tell: Teller, github: FakeGitHub) -> None:
        key = fails(store, 3)
        tell()
        store.exclude([key], reason="wrong machine", lifted=False, at=NOW, by="me")
        assert [len(tell().messages) for _ in range(2)] == [1, 0]
        [issue] = github.issues
        assert issue["state"] == "closed"
        store.exclude([key], reason="", lifted=True, at=NOW + 1, by="me")
        tell()
        assert [one["state"] for one in github.issues] == ["open"]

    @pytest.mark.slow
    def test_a_lost_message_is_sent_again_and_makes_no_second_issue(
        self, store: Database, tell: Teller, github: FakeGitHub
    ) -> None:
        fails(store, 3)
        notifications = store.notifications
        tell()
        claims = [one for one in notifications() if one.step == "claimed"]
        assert {one.finding_id.partition(" ")[0] for one in claims} == {"suite", "issue"}
        tell.time.sleep(LATER)
        assert tell().messages == ()
        assert len(github.issues) == 1

    def test_gitlab(self, store: Database, tmp_path: Path, web: FakeReceiver) -> None:
        keys = {"address": f"{web.url}/api/v4", "token_env": "T", "repository": "group/sub/name"}
        tell = Teller(store, config(tmp_path, table("gitlab", **keys)), {"T": "glpat-secret"})
        fails(store, 3)
        tell()
        succeeds(store, 4)
        tell()
        [issue] = web.issues
        assert issue["title"] == f"{sha(3)[:9]}: suite rust/io fails on ci-1"
        assert "It succeeds again" in issue["description"]

    def test_publish_findings(self, store: Database, github: FakeGitHub, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.chdir(tmp_path)
        environment = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}
        fails(store, 3)
        [told] = publish_findings(store, REPOSITORY, environment=environment).receivers
        assert (told.errors, len(github.issues)) == ((), 1)


class TestMessages:
    """A receiver of messages learns once that a suite fails, and once that it fails no more, however many commits are between."""

    @pytest.fixture
    def hook(self, store: Database, tmp_path: Path, web: FakeReceiver) -> Teller:
        return Teller(store, config(tmp_path, table("webhook", address_env="HOOK")), {"HOOK": f"{web.url}/hook"})

    def test_once_when_it_begins_and_once_when_it_ends(self, store: Database, hook: Teller, web: FakeReceiver) -> None:
        fails(store, 4)
        assert [len(hook().messages) for _ in range(2)] == [1, 0]
        for number in (5, 6, 3):  # newer commits, and one of a backfill before the first
            fails(store, number, "exit code 2\nanother end")
            assert hook().messages == ()
        succeeds(store, 7)
        assert [len(hook().messages) for _ in range(2)] == [1, 0]
        begun, ended = web.documents
        [first], [last] = begun["failures"], ended["failures"]
        assert first["id"] == last["id"]
        assert (first["state"], first["commits"], first["until"], first["error"]) == ("open", [sha(4)], None, LOG)
        assert (last["state"], last["until"]) == ("fixed", sha(7))
        assert last["commits"] == [sha(n) for n in (3, 4, 5, 6)]
        assert [first[name] for name in ("dut_name", "test_bed_name", "suite")] == ["d", "ci-1", "rust/io"]
        assert (begun["title"], begun["findings"]) == ("engine: 1 suite fails", [])
        assert begun["text"] == (
            f"engine: 1 suite fails\n\n{sha(4)[:9]} suite rust/io fails on ci-1 at 1 measured commit\n"
            f"  end of the log\n  bench-db artifact list --kind log --commit {sha(4)[:9]}\n"
        )
        assert ended["text"] == (
            "engine: 1 suite fails no more\n\n"
            f"{sha(3)[:9]} suite rust/io fails no more on ci-1: it succeeds at {sha(7)[:9]}\n"
        )
        fails(store, 8)
        assert len(hook().messages) == 1
        assert web.documents[2]["failures"][0]["commits"] == [sha(8)]

    def test_one_that_was_not_sent_has_no_end(self, store: Database, hook: Teller, web: FakeReceiver) -> None:
        fails(store, 3)
        succeeds(store, 4)
        assert hook().messages == ()
        assert web.requests == []

    @pytest.mark.slow
    def test_failures_that_are_excluded_and_included_again(
        self, store: Database, hook: Teller, web: FakeReceiver
    ) -> None:
        key = fails(store, 3)
        hook()
        for number, lifted in enumerate((False, True, False)):
            store.exclude([key], reason="" if lifted else "wrong machine", lifted=lifted, at=NOW + number, by="me")
            assert [len(hook().messages) for _ in range(2)] == [1, 0]
        states = [document["failures"][0]["state"] for document in web.documents]
        assert states == ["open", "fixed", "open", "fixed"]
        assert "its failures are no longer in the history" in web.documents[1]["text"]

    @pytest.mark.slow
    def test_a_test_bed_that_is_no_longer_measured(self, store: Database, hook: Teller, web: FakeReceiver) -> None:
        fails(store, 3)
        hook()
        for number in range(4, 4 + RULES.recent_commits):
            succeeds(store, number, bed=replace(BED, name="ci-2"))
        assert [len(hook().messages) for _ in range(2)] == [1, 0]
        assert "suite rust/io fails no more on ci-1: it is no longer measured there" in web.documents[1]["text"]
        fails(store, 4 + RULES.recent_commits)
        assert [len(hook().messages) for _ in range(2)] == [1, 0]
        assert web.documents[2]["failures"][0]["state"] == "open"

    @pytest.mark.slow
    def test_an_issue_follows_the_commits_and_a_message_does_not(
        self, store: Database, tmp_path: Path, github: FakeGitHub, web: FakeReceiver
    ) -> None:
        tables = (table("webhook", address_env="HOOK"), table("github", address=github.url))
        environment = {"GITHUB_TOKEN": TOKEN, "HOOK": f"{web.url}/hook"}
        for number in (3, 4):
            fails(store, number)
            notify(store, config_file=config(tmp_path, *tables), environment=environment)
        assert "2 measured commits" in github.issues[0]["body"]
        assert (len(github.issues), len(web.documents)) == (1, 1)

    @pytest.mark.slow
    def test_a_message_that_may_be_lost_is_sent_again_with_its_id(
        self, store: Database, hook: Teller, web: FakeReceiver
    ) -> None:
        fails(store, 3)
        web.is_idempotent = False
        web.faults = [Fault(status=400)]
        [told] = notify(store, config_file=hook.file, environment=hook.environment).receivers
        assert "400" in told.errors[0]
        assert web.documents == []
        assert [len(hook().messages) for _ in range(2)] == [1, 0]
        assert [document["failures"][0]["state"] for document in web.documents] == ["open"]

    def test_a_digest_has_it(self, store: Database, tmp_path: Path, web: FakeReceiver) -> None:
        tell = Teller(store, config(tmp_path, table("webhook", address_env="HOOK", digest="daily")), {"HOOK": web.url})
        fails(store, 3)
        assert tell().findings == 1
        fails(store, 3, suite="other")
        assert (tell().findings, tell().waiting) == (0, 1)
        tell.time.sleep(DAY)
        assert tell().findings == 1

    @pytest.mark.parametrize("kind", ["slack", "teams", "matrix", "smtp"])
    def test_every_kind_has_the_suite_and_no_secret(
        self, store: Database, tmp_path: Path, web: FakeReceiver, kind: str
    ) -> None:
        fails(store, 3, "exit code 128\nfatal: https://me:pw@host.test/x: s3cret-value refused at /var/ci/io.rs:3")
        environment = {"HOOK": web.url, "DEPLOY_PASSWORD": "s3cret-value", "MATRIX_TOKEN": "syt_secret"}
        with mail_server() as mail:
            keys: dict[str, dict[str, object]] = {
                "slack": {"address_env": "HOOK"},
                "teams": {"address_env": "HOOK"},
                "matrix": {"address": web.url, "token_env": "MATRIX_TOKEN", "room": "!r:example.org"},
                "smtp": {"address": mail.url, "from_": "bench@example.org", "to": ["team@example.org"]},
            }
            tell = Teller(store, config(tmp_path, table(kind, **keys[kind])), environment)
            assert [len(tell().messages) for _ in range(2)] == [1, 0]
            succeeds(store, 4)
            assert [len(tell().messages) for _ in range(2)] == [1, 0]
            sent = [message_from_bytes(one.content).as_string() for one in mail.mails if isinstance(one.content, bytes)]
        begun, ended = sent or [json.dumps(document, ensure_ascii=False) for document in web.documents]
        assert "suite rust/io fails on ci" in plain(begun)
        assert "https://***@host.test/x: *** refused at io.rs:3" in plain(begun)
        assert "fails no more on ci" in plain(ended)
        assert not any(text in begun for text in ("me:pw", "s3cret", "/var/ci"))


def plain(text: str) -> str:
    """Return a message without the escapes of Slack, cards and mail."""
    return re.sub(r"[\\\u200b]|=\n", "", text)
