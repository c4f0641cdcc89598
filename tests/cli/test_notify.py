from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Answer, bench_db
from tests.support.certificates import Authority, authority
from tests.support.github_server import REPOSITORY, TOKEN, github_server
from tests.support.receivers import FakeMail, Fault, mail_server, receiver

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

CONFIG = """[project]
name = "engine"
[[notify]]
kind = "slack"
address_env = "HOOK"
"""


@pytest.fixture
def directory(demo_store: Path, tmp_path: Path) -> Path:
    """A directory with a configuration, and a store whose findings a scan has recorded."""
    (tmp_path / "bench-db.toml").write_text(CONFIG, "utf-8")
    copied = tmp_path / "store"
    assert bench_db("store", "copy", demo_store, copied).code == 0
    assert bench_db("scan", "--store", copied).code == 0
    return tmp_path


class TestNotify:
    """The command says what each receiver got, and fails with a line for each that failed."""

    def test_told_once(self, directory: Path) -> None:
        words = ("notify", "--config", directory / "bench-db.toml", "--store", directory / "store")
        with receiver() as server:
            hook = f"{server.url}/secret-path"
            preview = bench_db(*words, "--dry-run", HOOK=hook)
            assert (preview.code, server.requests) == (0, [])
            assert "slack (slack, http://127.0.0.1/…) would receive" in preview.out
            assert "new in the benchmarks" in preview.out
            server.faults = [Fault(status=404, text="no_service")]
            failed = bench_db(*words, HOOK=hook)
            assert failed.code == 3
            assert failed.err.splitlines() == ['bench-db: slack: http://127.0.0.1: 404 "no_service"']
            assert bench_db(*words, HOOK=hook).code == 0
            again = bench_db(*words, "--output", "json", HOOK=hook)
            assert json.loads(again.out)["receivers"][0]["findings"] == 0
            assert len(server.accepted) == 1
        assert "secret-path" not in preview.out + failed.out + failed.err

    def test_nobody(self, directory: Path) -> None:
        (directory / "bench-db.toml").write_text('[project]\nname = "engine"\n', "utf-8")
        said = bench_db("notify", "--config", directory / "bench-db.toml", "--store", directory / "store")
        assert (said.code, said.out) == (0, "no [[notify]] in bench-db.toml: no message was sent\n")

    def test_issues_without_a_table(self, directory: Path) -> None:
        about = ("--store", directory / "store", "--config", directory / "bench-db.toml")
        words = ("finding", "publish", "--issues", REPOSITORY, *about)
        with github_server() as server:
            variables = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url}
            assert bench_db(*words, "--dry-run", **variables).code == 0
            assert server.requests == []
            told = bench_db(*words, **variables)
            assert told.out.startswith(f"github {REPOSITORY} (github, {REPOSITORY}) received ")
            number = len(server.issues)
            assert number > 0
            assert bench_db(*words, **variables).code == 0
            assert len(server.issues) == number
            without = bench_db(*words, GITHUB_API_URL=server.url)
        assert (without.code, without.err) == (0, "")


class TestEncrypted:
    """Receivers are reached by TLS, with an authority that the process is given, and never with a certificate that it does not trust."""

    CONFIG = """[project]
name = "engine"
[[notify]]
kind = "webhook"
address_env = "HOOK"
[[notify]]
kind = "smtp"
address = "{mail}"
user = "bench"
token_env = "MAIL_PASSWORD"
from = "bench@example.org"
to = ["ann@example.org"]
"""

    @pytest.fixture
    def trusted(self, tmp_path: Path) -> Authority:
        return authority(tmp_path)

    def notify(self, directory: Path, mail: FakeMail, hook: str, certificates: Path | None) -> Answer:
        (directory / "bench-db.toml").write_text(self.CONFIG.format(mail=mail.url), "utf-8")
        about = ("--config", directory / "bench-db.toml", "--store", directory / "store")
        given = {} if certificates is None else {"SSL_CERT_FILE": str(certificates)}
        return bench_db("notify", *about, HOOK=hook, MAIL_PASSWORD="right", **given)

    def test_an_authority_of_ones_own(self, directory: Path, trusted: Authority) -> None:
        tls = trusted.server()
        with receiver(tls) as web, mail_server("right", tls=tls) as mail:
            told = self.notify(directory, mail, f"{web.url}/secret-path", trusted.file)
            assert told.code == 0, told.err
            assert web.url.startswith("https://")
            assert len(web.accepted) == len(mail.mails) == 1
            assert mail.logins == [("bench", "right")]

    @pytest.mark.parametrize("case", ["no authority", "another authority", "another host", "expired"])
    def test_refused(self, case: str, directory: Path, trusted: Authority, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        others = authority(tmp_path / "other").file if case == "another authority" else trusted.file
        host = "example.org" if case == "another host" else "127.0.0.1"
        tls = trusted.server(host, is_expired=case == "expired")
        with receiver(tls) as web, mail_server("right", tls=tls) as mail:
            told = self.notify(directory, mail, f"{web.url}/secret-path", None if case == "no authority" else others)
            assert told.code == 3
            assert [line.count("certificate is not trusted") for line in told.err.splitlines()] == [1, 1]
            assert "SSL_CERT_FILE" in told.err
            assert "secret-path" not in told.out + told.err
            assert (web.requests, mail.mails, mail.logins) == ([], [], [])
