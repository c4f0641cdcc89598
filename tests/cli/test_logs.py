"""Logging: quiet unless asked, then every retry, request and maintenance, and never a secret."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.awsrequest import AWSRequest

from bench_db.cli import logs
from bench_db.clock import Clock
from bench_db.errors import ConflictError, UserError
from bench_db.masking import secrets_of
from bench_db.measure import git
from bench_db.store import s3
from bench_db.store.database import connect
from tests.cli import commands
from tests.cli.conftest import bench_db, bench_db_process
from tests.cli.kinds import publish
from tests.cli.test_schedule import ARGUMENTS, FILE, record, sha
from tests.strategies import publication
from tests.support import damage
from tests.support.faults import Fault, FaultRule
from tests.support.github_server import TOKEN, Reply

if TYPE_CHECKING:
    from bench_db.store.database import Database
    from tests.support.clocks import Slept
    from tests.support.faults import FaultProxy
    from tests.support.github_server import FakeGitHub
    from tests.support.histories import History
    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.sample(6)


@pytest.fixture
def store(tmp_path: Path) -> Database:
    made = connect(tmp_path / "store", create=True)
    publish(made, 0, {"f": 1.0})
    return made


class TestAsked:
    """Nothing is logged unless asked; the levels are info and debug."""

    def test_quiet(self, store: Database) -> None:
        assert bench_db("store", "optimize", "--store", store.uri).err == ""

    @pytest.mark.parametrize("words", [["--verbose", "latest"], ["latest", "--verbose"]], ids=" ".join)
    def test_verbose(self, store: Database, words: list[str]) -> None:
        err = bench_db(*words, "--store", store.uri).err
        assert f"bench_db.store.engine: {store.uri}: opening results took " in err

    @pytest.mark.parametrize(("words", "shown"), [([], False), (["--verbose"], True)], ids=["not asked", "asked"])
    def test_warnings_of_lance(self, store: Database, words: list[str], *, shown: bool) -> None:
        store.optimize()
        for path in damage.live_files(Path(store.uri), "results", "indexes"):
            damage.spoil(path, "delete")
            (path.parent / "bench_db.json").write_text("{}")  # the checksums of an index without files
        publish(store, 1, {"f": 1.0})
        done = bench_db_process(*words, "store", "optimize", "--store", store.uri)
        assert done.code == 0
        assert ("WARN  lance" in done.err) is shown

    def test_it_ends_with_the_command(self, store: Database) -> None:
        bench_db("--verbose", "latest", "--store", store.uri)
        assert bench_db("latest", "--store", store.uri).err == "of the main history (branch main)\n"

    @pytest.mark.parametrize(("level", "requests"), [("info", False), ("debug", True)])
    def test_the_environment(self, store: Database, level: str, requests: bool) -> None:  # noqa: FBT001 a column
        err = bench_db("store", "optimize", "--store", store.uri, BENCH_DB_LOG=level).err
        assert ("opening results took" in err) == requests
        assert "bench_db.store.maintain: results: compaction " in err
        assert "bench_db.store.maintain: maintenance took " in err

    def test_a_level_that_is_none(self, store: Database) -> None:
        answer = bench_db("latest", "--store", store.uri, BENCH_DB_LOG="warn")
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == "bench-db: BENCH_DB_LOG=warn: the levels are info and debug\n"

    def test_stdout_is_one_document(self, store: Database) -> None:
        assert len(bench_db("--verbose", "latest", "--store", store.uri, "--output", "json").document) == 1


class TestRetries:
    """Each retry says its attempt, the reason and the pause."""

    def test_conflicts_of_writers(self, store: Database, caplog: pytest.LogCaptureFixture) -> None:
        failures = iter([ConflictError("other writers"), ConflictError("other writers")])

        def action() -> str:
            if (error := next(failures, None)) is not None:
                raise error
            return "done"

        with caplog.at_level(logging.INFO, "bench_db"):
            assert store._engine.persist("publishing to results", action) == "done"
        assert [line.partition(" trying")[0] for line in caplog.messages] == [
            "publishing to results: attempt 1 failed: another writer came first;",
            "publishing to results: attempt 2 failed: another writer came first;",
        ]

    def test_requests_of_s3(
        self, server: S3Server, proxy: FaultProxy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        environment = replace(server, endpoint=proxy.endpoint).environment()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        uri = f"s3://{server.new_bucket()}/prefix"
        with caplog.at_level(logging.DEBUG, "bench_db"):
            database = connect(uri, create=True)
            proxy.inject(FaultRule(fault=Fault.SLOW_DOWN, times=3, methods=frozenset({"GET"})))
            database._engine.bucket.has_objects("prefix")  # type: ignore[union-attr]
            database.publish(publication(1)[1], publication(1)[0])
        text = caplog.text
        assert "PUT http://127.0.0.1:" in text
        assert ": 503 in " in text
        assert ": 200 in " in text
        assert "listing objects: attempt 1 failed: 503 SlowDown; trying again in 0.2 s" in text
        for secret in secrets_of(environment):
            assert secret not in text

    def test_requests_of_github(self, fake: FakeGitHub, tmp_path: Path) -> None:
        fake.commits = [record(i) for i in reversed(range(3))]
        commands.publish(FILE, tmp_path / "store", sha(1))
        fake.faults.append(("GET", Reply(status=502)))
        environment = {"GITHUB_API_URL": fake.url, "GITHUB_TOKEN": TOKEN, "LANCE_BENCH_URI": "store"}
        answer = commands.bench_db(*ARGUMENTS, "--dry-run", "--verbose", cwd=tmp_path, **environment)
        assert answer.returncode == 0
        lines = [line.partition(": ")[2] for line in answer.stderr.splitlines() if "bench_db.ci.github" in line]
        assert any(f"GET {fake.url}/repos/" in line and ": 502 in " in line for line in lines)
        assert any(": attempt 1 failed: 502; trying again in " in line for line in lines)
        assert any(": 200 in " in line for line in lines)
        assert not any("?" in line for line in lines)
        assert TOKEN not in answer.stderr

    def test_locks(self, history: History, tmp_path: Path, slept: Slept, caplog: pytest.LogCaptureFixture) -> None:
        with (
            git.alone(history.path, tmp_path / "home", Clock()),
            caplog.at_level(logging.INFO, "bench_db"),
            pytest.raises(UserError),
            git.alone(history.path, tmp_path / "home", slept.clock(), 1),
        ):
            raise AssertionError
        assert caplog.messages[0].endswith("home/lock: locked by another process; trying again in 0.5 s")


class TestSecrets:
    """No credential is in a log line: not of a URL, not of the environment."""

    URL = "https://key:hush-hush@bucket.s3.amazonaws.com/results/a.lance?X-Amz-Signature=5eCr3t&X-Amz-Credential=AKIA"

    def test_a_signed_url(self, caplog: pytest.LogCaptureFixture) -> None:
        request = AWSRequest(method="GET", url=self.URL)
        with caplog.at_level(logging.DEBUG, "bench_db"):
            s3._note_request(request)
            s3._log_response({"status_code": 200}, request.context, None)
            s3._log_response(None, request.context, ConnectionError("reset"))
        assert "GET https://***@bucket.s3.amazonaws.com/results/a.lance: 200 in " in caplog.text
        assert "ConnectionError in " in caplog.text
        assert not any(secret in caplog.text for secret in ("hush-hush", "5eCr3t", "AKIA"))

    def test_values_of_the_environment_are_masked(self, capsys: pytest.CaptureFixture[str]) -> None:
        environment = {
            "AWS_SECRET_ACCESS_KEY": "hush/hush",
            "MY_TOKEN": "t0ken-of-mine",
            "PATH": "/usr/bin",
            "A_TOKEN": "",
        }
        logs.start("info", environment)
        try:
            logging.getLogger("bench_db.store").info("with %s and %s in /usr/bin\nsecond", "hush/hush", "t0ken-of-mine")
        finally:
            logs.stop()
        err = capsys.readouterr().err
        assert err.endswith("bench_db.store: with *** and *** in /usr/bin second\n")
