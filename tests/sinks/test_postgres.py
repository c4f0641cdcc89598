from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from bench_db.errors import StoreUnavailableError, UserError
from bench_db.sinks.address import Address
from bench_db.sinks.postgres import connected, literal, quoted
from bench_db.sinks.sink import Column, Contents, Table
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

    def test_a_server_that_is_too_old(self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bench_db.sinks.postgres._OLDEST", 990_000)
        with pytest.raises(
            UserError, match=r"the server is PostgreSQL [\d.]+.*; a mirror needs PostgreSQL 99 or newer"
        ):
            prepare(postgres)

    def test_the_server_ends_in_between(self, postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with pytest.raises(StoreUnavailableError, match=r"failed: .*; nothing was changed, mirror again") as raised:
            prepare(postgres, ending=True)
        assert PASSWORD not in f"{raised.value} {raised.getrepr()} {caplog.text}"


KINDS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["é", None]),
    "json": (pa.string(), ['{"a": [1.50, "é"]}', None]),
    "boolean": (pa.bool_(), [True, None]),
    "int16": (pa.int16(), [-1, None]),
    "int32": (pa.int32(), [2, None]),
    "int64": (pa.int64(), [2**62, None]),
    "float64": (pa.float64(), [0.1, None]),
    "time": (pa.timestamp("us", "UTC"), [datetime(2026, 5, 28, 20, 26, 40, 5, tzinfo=UTC), None]),
    "texts": (pa.list_(pa.string()), [["a", None], []]),
    "int64s": (pa.list_(pa.int64()), [[1, None], None]),
    "float64s": (pa.list_(pa.float64()), [[-0.0, 1e300], None]),
}
EVERY = Table(
    name="every kind",
    key="key",
    columns=(Column(name="key", kind="int64"), *(Column(name=kind, kind=kind) for kind in KINDS)),  # type: ignore[arg-type]
    about="",
)


class TestReplace:
    """Rows of a key arrive with every type as it is, and the ledger finds each change of them."""

    def test_every_kind_beside_a_column_of_somebody_else(self, postgres: Postgres) -> None:
        rows = pa.table(
            {"key": pa.array([7, 8], pa.int64()), **{kind: pa.array(given, t) for kind, (t, given) in KINDS.items()}}
        )
        contents = {7: Contents(1, 70), 8: Contents(1, 80)}
        with connected(Address(postgres.address()), "kinds", seconds=30) as sink:
            sink.prepare([EVERY], "here", rebuild=False)
        postgres.run("ALTER TABLE kinds.\"every kind\" ADD COLUMN theirs text DEFAULT 'x'")
        for _ in range(2):  # the second replaces the rows of the first
            with connected(Address(postgres.address()), "kinds", seconds=30) as sink:
                assert sink.replace(EVERY, contents.keys(), contents, rows.to_batches())
        found = postgres.rows(
            'SELECT *, json::text AS said, json IS NULL AS empty FROM kinds."every kind" ORDER BY key'
        )
        assert [(row.pop("theirs"), row.pop("said"), row.pop("empty")) for row in found] == [
            ("x", '{"a": [1.50, "é"]}', False),
            ("x", None, True),
        ]
        assert found == rows.to_pylist()
        # Equal in SQL, and yet not what was written.
        for change in ('json = \'{"a": [1.5, "é"]}\'', "float64s = '{0, 1e300}'"):
            postgres.run('CREATE TABLE kinds.before AS SELECT * FROM kinds."every kind"')
            postgres.run(f'UPDATE kinds."every kind" SET {change} WHERE key = 7')
            with connected(Address(postgres.address()), "kinds", seconds=30, writing=False) as sink:
                assert sink.have(EVERY) == contents
                assert sink.have(EVERY, exact=True) == {7: Contents(1, None), 8: Contents(1, 80)}
            postgres.run('DELETE FROM kinds."every kind"', 'INSERT INTO kinds."every kind" TABLE kinds.before')
            postgres.run("DROP TABLE kinds.before")
