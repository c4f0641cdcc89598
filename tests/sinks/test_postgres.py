from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import StoreUnavailableError
from bench_db.sinks.address import Address
from bench_db.sinks.postgres import connected, literal, quoted
from tests.support.postgres_server import PASSWORD

if TYPE_CHECKING:
    from tests.support.postgres_server import Postgres

TEXTS = ("plain", "it's", 'a "name"', "back\\slash", "$1; DROP TABLE x --", "ü {} %s")


class TestTexts:
    """Names and texts reach the server as they are."""

    @pytest.mark.parametrize("text", TEXTS)
    def test_literal_and_name(self, postgres: Postgres, text: str) -> None:
        assert postgres.rows(f"SELECT {literal(text)} AS {quoted(text)}") == [{text: text}]


def prepare(postgres: Postgres, *, writing: bool = True, ending: bool = False) -> None:
    """Begin to make a mirror; with `ending` the server ends the connection, and otherwise this raises `InterruptedError`."""
    ours = "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE application_name = 'bench_db'"
    with connected(Address(postgres.address()), "gone", seconds=30, writing=writing) as sink:
        assert not ending or postgres.rows(ours) == [{"done": True}]
        sink.prepare([], "here", rebuild=False)
        raise InterruptedError


@pytest.fixture(autouse=True)
def no_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench_db.sinks.postgres.VIEWS", ())


class TestConnected:
    """A transaction is committed at the end, or leaves no trace; no message has the password."""

    def test_an_error_changes_nothing(self, postgres: Postgres) -> None:
        with pytest.raises(InterruptedError):
            prepare(postgres)
        assert not postgres.rows("SELECT 1 AS n FROM pg_namespace WHERE nspname = 'gone'")

    def test_reading_cannot_write(self, postgres: Postgres) -> None:
        said = "the server failed: cannot execute CREATE SCHEMA in a read-only transaction; nothing was changed"
        with pytest.raises(StoreUnavailableError, match=said):
            prepare(postgres, writing=False)

    def test_the_server_ends_in_between(self, postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with pytest.raises(StoreUnavailableError, match=r"failed: .*; nothing was changed, mirror again") as raised:
            prepare(postgres, ending=True)
        assert PASSWORD not in f"{raised.value} {raised.getrepr()} {caplog.text}"
