"""The command line's own part of a mirror: flags, exit codes, JSON, and that nothing shows the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonschema import validate

from bench_db.app.schemas import schemas
from tests.cli.conftest import bench_db
from tests.support.postgres_server import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres_server import Postgres


class TestMirror:
    """`bench-db mirror` writes a mirror, and with --check exits with 1 when something differs."""

    def test_a_round(self, demo_store: Path, postgres: Postgres) -> None:
        arguments = ("mirror", postgres.address(), "--store", demo_store, "--schema", "of cli", "--output", "json")
        differing = bench_db(*arguments, "--check")
        assert (differing.code, differing.document["equal"]) == (1, False)
        written = bench_db(*arguments)
        validate(written.document, schemas()["mirror"])
        assert written.code == 0
        assert written.document["tables"]["runs"]["new"] == written.document["tables"]["runs"]["rows"] > 0
        equal = bench_db(*arguments, "--check")
        assert (equal.code, equal.document["equal"], equal.err) == (0, True, "")
        assert not any(PASSWORD in text for text in (written.out, written.err, differing.out, differing.err))

    def test_an_unreachable_server(self, demo_store: Path, postgres: Postgres) -> None:
        wrong = postgres.address(password="hunter2")
        answer = bench_db("mirror", wrong, "--store", demo_store, "--debug", "--verbose", "--deadline", "5")
        assert answer.code == 3
        shown = f"bench-db: postgresql://bench@127.0.0.1:{postgres.port}/postgres: no connection:"
        assert answer.err.splitlines()[-1].startswith(shown)
        assert "hunter2" not in answer.err + answer.out

    def test_flags_in_messages(self, demo_store: Path, postgres: Postgres) -> None:
        both = bench_db("mirror", postgres.address(), "--store", demo_store, "--check", "--rebuild")
        assert (both.code, both.err) == (2, "bench-db: --rebuild writes and --check does not: give one of them\n")
        wrong = bench_db("mirror", "mysql://me:hunter2@host/db", "--store", demo_store)
        assert (wrong.code, "ADDRESS: not the address" in wrong.err, "hunter2" in wrong.err) == (2, True, False)
