from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import bench_db
from bench_db.app import mirror as mirroring
from bench_db.app.mirror import Mirrored, mirror
from bench_db.errors import ConflictError, CorruptStoreError, StoreUnavailableError, UserError
from bench_db.model import Definition, Samples
from bench_db.store import tables
from bench_db.store.database import connect
from bench_db.store.tables import REGISTRY
from tests.sinks.stores import TABLES, dump, kill_half_way, publish, several_histories
from tests.store.carriers import fill
from tests.store.test_tables import NOTES, _note, _write
from tests.strategies import publication
from tests.support.postgres_server import PASSWORD
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench_db.store.database import Database
    from tests.support.postgres_server import Postgres

pytestmark = pytest.mark.sample(1)

# Runs of the store that is mirrored.
RUNS = 14
_numbers = count()


@pytest.fixture
def schema() -> str:
    """Return the name of a schema of this test alone."""
    return f"mirror {next(_numbers)}"


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with rows in most tables, which tests only copy."""

    def make(directory: Path) -> None:
        fill(several_histories(directory / "store"), range(20, 22))

    return made_once(tmp_path_factory, "to mirror", make)


@pytest.fixture
def store(filled_once: Path, tmp_path: Path) -> Database:
    shutil.copytree(filled_once / "store", tmp_path / "store")
    return connect(tmp_path / "store")


def counts(done: Mirrored, name: str = "results") -> tuple[int, int, int]:
    table = done.tables[name]
    return table.new, table.changed, table.removed


@pytest.fixture
def to(postgres: Postgres, schema: str) -> Callable[..., Mirrored]:
    """Return a function that mirrors a store into the schema of this test."""

    def call(database: Database, **options: Any) -> Mirrored:
        return mirror(database, postgres.address(), **{"schema": schema, **options})

    return call


class TestMirror:
    """A mirror has what the store has, however often and whenever it was written."""

    def test_again_changes_nothing(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        first = to(store)
        assert counts(first) == (RUNS, 0, 0)
        assert [name for name, table in first.tables.items() if table.new] == [
            *("runs", "results", "baselines", "findings", "artifacts", "commits", "definitions"),
        ]
        before = dump(postgres, schema)
        again = to(store)
        assert again.is_equal
        assert again.tables["results"].same == RUNS
        assert dump(postgres, schema) == before
        assert to(store, check=True).is_equal

    def test_a_table_is_one_bulk_insert_of_one_transaction(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        """A trigger counts the statements that insert; `xmin` is the transaction that a row is of."""
        to(store, since=4_000_000_000)
        postgres.run(
            f'CREATE TABLE "{schema}".counted (of text)',
            f"""CREATE FUNCTION "{schema}".count_it() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN INSERT INTO "{schema}".counted VALUES (TG_TABLE_NAME); RETURN NULL; END$$""",
            *(
                f"""CREATE TRIGGER counting AFTER INSERT ON "{schema}".{table}
                FOR EACH STATEMENT EXECUTE FUNCTION "{schema}".count_it()"""
                for table in ("runs", "results")
            ),
        )
        assert counts(to(store)) == (RUNS, 0, 0)
        inserted = postgres.rows(f'SELECT of, count(*) AS n FROM "{schema}".counted GROUP BY of ORDER BY of')
        assert inserted == [{"of": "results", "n": 1}, {"of": "runs", "n": 1}]
        every = " UNION ".join(f'SELECT xmin::text FROM "{schema}".{table}' for table in ("runs", "results", "counted"))
        assert len(postgres.rows(every)) == 1

    def test_excluded_and_included_again(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        key = publish(store, 41, branch="main")
        to(store)
        before = dump(postgres, schema, ["results", "runs"])
        store.exclude([key], reason="hot", lifted=False, at=5, by="me")
        done = to(store)
        assert (counts(done), counts(done, "runs"), counts(done, "exclusions")) == ((0, 0, 1), (0, 0, 1), (1, 0, 0))
        assert not postgres.rows(f'SELECT 1 AS found FROM "{schema}".results WHERE run_key = {key}')
        store.exclude([key], reason="", lifted=True, at=6, by="me")
        done = to(store)
        assert (counts(done), counts(done, "exclusions")) == ((1, 0, 0), (0, 0, 1))
        assert dump(postgres, schema, ["results", "runs"]) == before

    @pytest.mark.slow
    def test_removed_and_replaced(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        run, results = publication(50, place="once")
        store.publish(results, run)
        gone = publish(store, 51, branch="main")
        to(store)
        again, others = publication(52, place="once")
        store.publish([replace(one, dut=run.dut) for one in others], replace(again, dut=run.dut), replace=True)
        store.remove_runs([gone])
        assert counts(to(store)) == (1, 0, 2)
        found = postgres.rows(f"""SELECT median FROM "{schema}".results WHERE commit = '{run.commit}' ORDER BY 1""")
        assert [row["median"] for row in found] == [53.125, 54.125]  # a definition ignores the first

    @pytest.mark.slow
    def test_definitions_rename_and_ignore(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        store.define([Definition(kind="join", field="", pattern="bench 1", value="renamed", at=9)])
        done = to(store)
        assert done.tables["results"].changed > 5
        assert done.tables["results"].same > 0
        names = {
            row["name"] for row in postgres.rows(f'SELECT DISTINCT benchmark_name AS name FROM "{schema}".results')
        }
        assert "renamed" in names
        assert not names & {"bench 0", "bench 1", "bench old"}
        store.define([Definition(kind="ignore", field="", pattern="*", value="", at=10)])
        done = to(store)
        assert counts(done) == (0, 0, RUNS)

    @pytest.mark.slow
    def test_the_main_history_moves(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        store.define([Definition(kind="main", field="", pattern="*", value="feature", at=9)])
        to(store)
        rows = postgres.rows(f'SELECT DISTINCT branch FROM "{schema}".results WHERE main_history')
        assert {row["branch"] for row in rows} == {"feature", None}

    def test_an_empty_store(self, tmp_path: Path, to: Callable[..., Mirrored], postgres: Postgres, schema: str) -> None:
        database = connect(tmp_path / "empty", create=True)
        assert to(database).is_equal
        assert postgres.rows(f'SELECT count(*) AS n FROM "{schema}".latest') == [{"n": 0}]

    def test_every_table_of_the_registry(
        self, store: Database, monkeypatch: pytest.MonkeyPatch, to: Callable[..., Mirrored]
    ) -> None:
        monkeypatch.setattr(tables, "REGISTRY", (*REGISTRY, NOTES))
        _write(store, _note(1), _note(2))
        assert counts(to(store), "notes") == (2, 0, 0)
        assert set(to(store).tables) == {table.name for table in tables.stored()}

    @pytest.mark.slow
    def test_since(self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]) -> None:
        to(store)
        postgres.run(f'DELETE FROM "{schema}".results WHERE commit_time < to_timestamp(1700000003)')
        publish(store, 60, branch="main")
        done = to(store, since=1_700_000_003)
        assert counts(done) == (1, 0, 0)
        assert done.tables["results"].same < RUNS
        assert counts(to(store)) == (2, 0, 0)

    @pytest.mark.slow
    def test_since_into_an_empty_schema(self, store: Database, to: Callable[..., Mirrored]) -> None:
        new, _, _ = counts(to(store, since=1_700_000_009))
        assert new == 6
        assert to(store, since=1_700_000_009, check=True).is_equal
        assert counts(to(store)) == (RUNS - 6, 0, 0)

    @pytest.mark.slow
    def test_from_python(self, store: Database, postgres: Postgres, schema: str) -> None:
        done = bench_db.mirror(store.uri, postgres.address(), schema=schema)
        assert isinstance(done, bench_db.Mirrored)
        assert str(done.target) == f"postgresql://bench@127.0.0.1:{postgres.port}/postgres"


# Damage by name: statements in which {} is the schema, and the tables in which `check` then sees a difference.
_DAMAGE: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "dropped schema": (
        ("DROP SCHEMA {} CASCADE",),
        set(TABLES) - {"exclusions", "migrations", "notifications", "pairs", "scans"},
    ),
    "dropped tables": (("DROP TABLE {}.findings", "DROP VIEW {}.latest", "DROP TABLE {}.mirror"), {"findings"}),
    "dropped ledger": (
        ("DROP TABLE {}.mirror_ledger",),
        set(TABLES) - {"exclusions", "migrations", "notifications", "pairs", "scans"},
    ),
    "truncated": (("TRUNCATE {}.results", "DELETE FROM {}.runs WHERE branch = 'main'"), {"results", "runs"}),
    "altered structure": (
        (
            "ALTER TABLE {}.runs DROP COLUMN context",
            "ALTER TABLE {}.artifacts RENAME COLUMN name TO title",
            "ALTER TABLE {}.findings ALTER COLUMN state TYPE varchar(9)",
            'ALTER VIEW {}.trend RENAME COLUMN "index" TO number',
        ),
        {"runs", "artifacts", "findings"},
    ),
    "altered rows": (
        (
            "UPDATE {}.results SET median = median * 1.0000000000000002 WHERE commit_time = to_timestamp(1700000001)",
            'UPDATE {}.results SET "values"[1] = 3 WHERE commit_time = to_timestamp(1700000002)',
            """UPDATE {}.results SET metadata = '{{"a": 1}}' WHERE commit_time = to_timestamp(1700000003)""",
            "INSERT INTO {}.runs SELECT * FROM {}.runs",
            "UPDATE {}.commits SET time = time + interval '1 second'",
            "UPDATE {}.definitions SET pattern = 'x'",
            "INSERT INTO {}.baselines (key, name) VALUES (1, 'x')",
            "DELETE FROM {}.artifacts",
        ),
        {"results", "runs", "commits", "definitions", "baselines", "artifacts"},
    ),
}


@pytest.fixture(scope="module")
def whole(filled_once: Path, postgres: Postgres) -> dict[str, list[str]]:
    """Return the rows of a mirror that tests damage and restore."""
    mirror(filled_once / "store", postgres.address(), schema="damaged")
    return dump(postgres, "damaged")


class TestRebuild:
    """A mirror that somebody dropped, altered or truncated is found by `check` and restored by `rebuild`."""

    @pytest.mark.parametrize("damage", _DAMAGE)
    def test_damage(self, filled_once: Path, postgres: Postgres, whole: dict[str, list[str]], damage: str) -> None:
        statements, tables = _DAMAGE[damage]
        postgres.run(
            *(statement.replace("{}", "damaged").replace("{{", "{").replace("}}", "}") for statement in statements)
        )
        store = connect(filled_once / "store")
        checked = mirror(store, postgres.address(), schema="damaged", check=True)
        assert {name for name, table in checked.tables.items() if not table.is_equal} == tables
        restored = mirror(store, postgres.address(), schema="damaged", rebuild=True)
        assert restored.faults == checked.faults
        assert {name for name, table in restored.tables.items() if not table.is_equal} == tables
        assert dump(postgres, "damaged") == whole
        assert mirror(store, postgres.address(), schema="damaged", check=True).is_equal

    @pytest.mark.slow
    def test_the_rows_that_differ(self, filled_once: Path, postgres: Postgres, whole: dict[str, list[str]]) -> None:
        assert whole["results"]
        postgres.run("UPDATE damaged.results SET median = -median WHERE commit_time <= to_timestamp(1700000003)")
        checked = mirror(filled_once / "store", postgres.address(), schema="damaged", check=True)
        assert counts(checked) == (0, 3, 0)
        assert mirror(
            filled_once / "store", postgres.address(), schema="damaged"
        ).is_equal  # compares what it wrote itself
        assert counts(mirror(filled_once / "store", postgres.address(), schema="damaged", rebuild=True)) == (0, 3, 0)

    @pytest.mark.slow
    def test_check_changes_nothing(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        assert to(store, check=True).faults[0] == "mirror is missing"
        assert not postgres.rows(f"SELECT 1 AS n FROM pg_namespace WHERE nspname = '{schema}'")
        to(store)
        postgres.run(f'TRUNCATE "{schema}".runs')
        before = dump(postgres, schema)
        assert counts(to(store, check=True), "runs") == (RUNS, 0, 0)
        assert dump(postgres, schema) == before

    @pytest.mark.slow
    def test_a_mirror_sees_missing_rows(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        postgres.run(f"DELETE FROM \"{schema}\".results WHERE benchmark_name = 'bench 1'")
        assert to(store).tables["results"].changed > 5
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    def test_an_altered_view(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        postgres.run(
            f'ALTER VIEW "{schema}".trend RENAME COLUMN "index" TO "number"',
        )
        assert to(store, check=True).faults == ("the view trend was altered",)
        with pytest.raises(
            UserError, match=r"the view trend was altered; nothing was changed. Restore it with `rebuild`"
        ):
            to(store)
        to(store, rebuild=True)
        assert postgres.rows(f'SELECT max("index") AS n FROM "{schema}".trend')[0]["n"] > 3

    @pytest.mark.slow
    def test_grants_and_objects_of_others_stay(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        postgres.run(
            f'CREATE VIEW "{schema}".mine AS SELECT * FROM "{schema}".results',
            f'CREATE INDEX mine_too ON "{schema}".results (suite)',
            f'ALTER TABLE "{schema}".results ADD COLUMN comment text',
            f'TRUNCATE "{schema}".results',
        )
        to(store, rebuild=True)
        assert postgres.rows(f'SELECT count(*) AS n FROM "{schema}".mine')[0]["n"] > 0
        assert to(store, check=True).is_equal
        postgres.run(f'ALTER TABLE "{schema}".results DROP COLUMN suite CASCADE')
        postgres.run(f'CREATE VIEW "{schema}".mine AS SELECT run_key FROM "{schema}".results')
        with pytest.raises(UserError, match="Drop what depends on it first"):
            to(store, rebuild=True)

    @pytest.mark.slow
    def test_not_both(self, store: Database, to: Callable[..., Mirrored]) -> None:
        with pytest.raises(UserError, match="`rebuild` writes and `check` does not"):
            to(store, rebuild=True, check=True)


class TestOthers:
    """A mirror never overwrites what is not its own."""

    def test_a_table_of_somebody_else(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        postgres.run(f'CREATE SCHEMA "{schema}"', f'CREATE TABLE "{schema}".results (mine text)')
        for rebuild in (False, True):
            with pytest.raises(UserError, match="has 'results', which no mirror has made; choose another `schema`"):
                to(store, rebuild=rebuild)
        assert postgres.rows(f'SELECT count(*) AS n FROM "{schema}".results') == [{"n": 0}]

    @pytest.mark.slow
    def test_the_mirror_of_another_store(self, store: Database, tmp_path: Path, to: Callable[..., Mirrored]) -> None:
        to(store)
        other = connect(tmp_path / "other", create=True)
        publish(other, 1)
        with pytest.raises(UserError, match=f"is the mirror of {store.uri}, not of {other.uri}"):
            to(other)
        assert counts(to(other, rebuild=True)) == (0, 1, RUNS - 1)
        assert to(other, check=True).is_equal

    @pytest.mark.slow
    def test_a_database_in_another_encoding(self, store: Database, postgres: Postgres) -> None:
        postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        with pytest.raises(UserError, match="has the encoding LATIN1; create one with ENCODING 'UTF8'"):
            mirror(store, postgres.address("latin"))

    @pytest.mark.slow
    def test_a_user_without_rights(self, store: Database, postgres: Postgres) -> None:
        postgres.run("CREATE ROLE reader LOGIN PASSWORD 'x'")
        with pytest.raises(UserError, match=r"permission denied.*nothing was changed. Let the owner"):
            mirror(store, postgres.address(user="reader", password="x"), schema="not mine")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32, "a\0b"])
    def test_a_name_that_the_server_would_cut(self, store: Database, name: str, to: Callable[..., Mirrored]) -> None:
        with pytest.raises(UserError, match=r"`schema`: .* is no name of a schema"):
            to(store, schema=name)

    @pytest.mark.slow
    def test_any_other_name(self, store: Database, postgres: Postgres, to: Callable[..., Mirrored]) -> None:
        name = "ü" * 20 + "\"'; DROP --{results}"
        to(store, schema=name)
        assert to(store, schema=name, check=True).is_equal
        quoted = name.replace('"', '""')
        assert postgres.rows(f'SELECT count(*) AS n FROM "{quoted}".latest')[0]["n"] > 0


class TestContents:
    """What PostgreSQL cannot store is written in another form, and zones change nothing."""

    @pytest.mark.slow
    def test_difficult_texts_and_numbers(
        self, tmp_path: Path, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        database = connect(tmp_path / "difficult", create=True)
        run, [result] = publication(1, rows=1)
        difficult = replace(
            result,
            benchmark_name="long " * 500 + "'\"\\ ü 🎉",
            metadata='{"big": 18446744073709551615, "nan": NaN, "text": "\\u0000"}',
            tags={"k=\0": "ü,'", "n": "1"},
            values=Samples([1e-308, 1e308, -0.0]),
        )
        database.publish([difficult], replace(run, context="not JSON", notes=("one\0", "two"), skipped={"why": 3}))
        to(database)
        [row] = postgres.rows(
            "SELECT r.benchmark_name, metadata->>'nan' AS nan, metadata->'big' = '18446744073709551615' AS big,"
            " metadata->>'text' AS text, tags->>'n' AS tag, \"values\", context::text AS context, notes, skipped->>'why' AS why"
            f' FROM "{schema}".results r JOIN "{schema}".runs USING (run_key)'
        )
        assert row.pop("benchmark_name") == difficult.benchmark_name
        assert row == {
            "nan": "NaN",
            "big": True,
            "text": "␀",
            "tag": "1",
            "values": [1e-308, 1e308, -0.0],
            "context": '"not JSON"',
            "notes": ["one␀", "two"],
            "why": "3",
        }
        assert to(database, check=True).is_equal

    @pytest.mark.slow
    def test_the_zone_of_the_server(self, store: Database, postgres: Postgres) -> None:
        postgres.run("CREATE DATABASE zone TEMPLATE template0", "ALTER DATABASE zone SET timezone = 'Pacific/Apia'")
        postgres.run("ALTER DATABASE zone SET datestyle = 'German'", "ALTER DATABASE zone SET extra_float_digits = -5")
        postgres.run("ALTER DATABASE zone SET client_encoding = 'LATIN1'")
        publish(store, 90, branch="größer")
        address = postgres.address("zone")
        mirror(store, address)
        assert mirror(store, address, check=True).is_equal
        [row] = postgres.rows(
            "SELECT extract(epoch FROM min(commit_time))::bigint AS first FROM bench_db.results", database="zone"
        )
        assert row["first"] == 1_700_000_001

    def test_comments(self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]) -> None:
        to(store)
        found = postgres.rows(
            "SELECT c.relname::text AS name, obj_description(c.oid, 'pg_class') AS about FROM pg_class c"
            f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'v')"
        )
        assert {row["name"] for row in found} == {*TABLES, "mirror", "mirror_ledger", "latest", "series", "trend"}
        assert all(len(row["about"]) > 40 for row in found)
        [row] = postgres.rows(
            f"SELECT col_description('\"{schema}\".results'::regclass, attnum) AS about FROM pg_attribute"
            f" WHERE attrelid = '\"{schema}\".results'::regclass AND attname = 'main_history'"
        )
        assert "main branch" in row["about"]


class TestTogether:
    """Mirrors at once and a mirror that is killed leave a whole mirror."""

    @pytest.mark.slow
    def test_two_at_once(self, store: Database, to: Callable[..., Mirrored]) -> None:
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda _: to(connect(store.uri)), range(2)))
        assert sorted(counts(one) for one in done) == [(0, 0, 0), (RUNS, 0, 0)]
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    def test_a_mirror_that_takes_too_long(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        publish(store, 70)
        entered, leave = threading.Event(), threading.Event()

        def wait(_done: int, _total: int, _doing: str = "") -> None:
            entered.set()
            leave.wait(60)

        slow = type("Slow", (), {"__call__": staticmethod(wait), "say": staticmethod(lambda _line: None)})()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(to, connect(store.uri), progress=slow)
            assert entered.wait(60)
            with pytest.raises(ConflictError, match=rf"schema '{schema}' .* locked, probably by another mirror"):
                to(store, deadline_seconds=0.3)
            assert postgres.rows(f'SELECT count(*) AS n FROM "{schema}".runs') == [{"n": RUNS}]  # readers do not wait
            leave.set()
            assert counts(first.result(60)) == (1, 0, 0)

    @pytest.mark.slow
    @pytest.mark.parametrize("seconds", [900, 1e9, float("inf")])
    def test_a_long_deadline(self, store: Database, to: Callable[..., Mirrored], seconds: float) -> None:
        """Linux refused the number of probes from 258 s on, and PostgreSQL a limit of more than 2^31 ms."""
        assert counts(to(store, deadline_seconds=seconds)) == (RUNS, 0, 0)

    @pytest.mark.slow
    def test_killed_half_way(
        self, store: Database, postgres: Postgres, schema: str, to: Callable[..., Mirrored]
    ) -> None:
        to(store)
        before = dump(postgres, schema)
        for number in range(80, 84):
            publish(store, number)
        kill_half_way(store, postgres.address(), schema)
        assert dump(postgres, schema) == before
        assert counts(to(store)) == (4, 0, 0)
        assert to(store, check=True).is_equal


class TestUnreachable:
    """A server that cannot be used is an error with the address and what to do, and never with the password."""

    def test_nobody_listens(self, store: Database) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"postgresql://me:hunter2@127.0.0.1:{unused.getsockname()[1]}/db"
            with pytest.raises(StoreUnavailableError, match=r"no connection: .*refused.* Check the address") as raised:
                mirror(store, address)
        assert "hunter2" not in str(raised.value)
        assert raised.value.__cause__ is None

    @pytest.mark.slow
    def test_it_never_answers(self, store: Database) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            began = time.monotonic()
            with pytest.raises(StoreUnavailableError, match=r"no connection: .*timeout"):
                mirror(store, f"postgresql://127.0.0.1:{silent.getsockname()[1]}/db", deadline_seconds=2)
        assert time.monotonic() - began > 1

    def test_a_wrong_password(self, store: Database, postgres: Postgres) -> None:
        with pytest.raises(StoreUnavailableError, match="password authentication failed for user") as raised:
            mirror(store, postgres.address(password="hunter2:%/@"))
        assert "hunter2" not in str(raised.value)

    def test_a_database_that_is_not_there(self, store: Database, postgres: Postgres) -> None:
        with pytest.raises(StoreUnavailableError, match='database "nowhere" does not exist'):
            mirror(store, postgres.address("nowhere"))

    @pytest.mark.parametrize("way", ["PGPASSWORD", "PGPASSFILE", "service"])
    def test_the_password_from_elsewhere(  # noqa: PLR0917
        self,
        store: Database,
        postgres: Postgres,
        schema: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        way: str,
    ) -> None:
        address = postgres.address(password=None)
        if way == "PGPASSWORD":
            monkeypatch.setenv("PGPASSWORD", PASSWORD)
        elif way == "PGPASSFILE":
            file = tmp_path / "pgpass"
            file.write_text(f"*:*:*:*:{PASSWORD.replace(':', chr(92) + ':')}\n")
            file.chmod(0o600)
            monkeypatch.setenv("PGPASSFILE", str(file))
        else:
            file = tmp_path / "services"
            lines = (
                "[bench]",
                "host=127.0.0.1",
                f"port={postgres.port}",
                "user=bench",
                f"password={PASSWORD}",
                "dbname=postgres",
            )
            file.write_text("\n".join(lines))
            monkeypatch.setenv("PGSERVICEFILE", str(file))
            address = "postgresql://?service=bench"
        assert counts(mirror(store, address, schema=schema)) == (RUNS, 0, 0)

    def test_without_the_driver(self, store: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
        with pytest.raises(UserError, match=r"pip install '\./packages/bench_db\[postgres\]'"):
            mirror(store, postgres.address())


class TestAhead:
    """Each part is made while the one before is sent."""

    def test_an_error_in_between(self) -> None:
        def parts() -> Iterator[pa.RecordBatch]:
            yield batch
            message = "a damaged file"
            raise CorruptStoreError(message)

        batch = pa.record_batch({"a": [1]})
        made = mirroring._ahead(parts())
        assert next(made) is batch
        with pytest.raises(CorruptStoreError, match="a damaged file"):
            next(made)

    def test_it_is_left(self) -> None:
        made = mirroring._ahead(iter([pa.record_batch({"a": [number]}) for number in range(5)]))
        next(made)
        made.close()
        assert not [one for one in threading.enumerate() if one.name.startswith("bench-db-mirror")]


def test_a_mirror_in_parts(store: Database, monkeypatch: pytest.MonkeyPatch, to: Callable[..., Mirrored]) -> None:
    monkeypatch.setattr(mirroring, "_CHUNK_ROWS", 5)
    to(store)
    assert to(store, check=True).is_equal
