"""A store outlives the release that made it: older ones are read, extended and completed, newer ones are read and never written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

from bench_db import NewerStoreWarning
from bench_db.arrow import ROW_CHECKSUM, from_table
from bench_db.derive import derive
from bench_db.errors import SchemaMismatchError
from bench_db.model import Baseline, Run, StoreChange
from bench_db.store import migrations
from bench_db.store.database import connect
from bench_db.store.engine import ROW_ID
from bench_db.store.filters import condition
from bench_db.store.tables import BASELINES_TABLE, REGISTRY, RESULTS_TABLE, RUNS_TABLE, TABLES
from tests.cli.commands import COMMAND, bench_db, document, environment
from tests.repository.tree import ROOT
from tests.store import releases
from tests.store.carriers import everything, fill, publish, rows_of
from tests.store.workers import PROCESSES, Widening, forks, migrate_slowly, widen
from tests.strategies import commit_of, publication
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.store.database import Database
    from bench_db.store.engine import Engine

pytestmark = pytest.mark.few(1)

RELEASE = "0.1"
WHEEL = releases.RELEASES / RELEASE / "bench_db-0.1.0-py3-none-any.whl"
CHECK = "from tests.store import releases; releases.main()"


def ran(source: Path, code: str, *arguments: str | Path) -> str:
    """What code printed, with the bench_db of a directory or a wheel."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env=environment(PYTHONPATH=os.pathsep.join((str(source), str(ROOT)))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a later release: `bench_db.model` has a column more in three records, and nothing else is touched."""
    source = tmp_path_factory.mktemp("later") / "src"
    shutil.copytree(ROOT / "packages" / "bench_db" / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    model = source / "bench_db" / "model.py"
    model.write_text(releases.added(model.read_text()))
    return source


class TestRelease:
    """What an earlier release left is read, extended, verified, copied and imported by every later one."""

    def test_the_present_code(self, tmp_path: Path) -> None:
        assert ran(ROOT / "packages" / "bench_db" / "src", CHECK, RELEASE, tmp_path) == "plain"

    @pytest.mark.slow
    def test_with_columns_added(self, later: Path, tmp_path: Path) -> None:
        """To add a nullable column touches one module, `bench_db.model`."""
        assert ran(later, CHECK, RELEASE, tmp_path) == "added"

    @pytest.mark.parametrize("table", ["runs", "results", "baselines", "findings", "artifacts"])
    def test_the_columns_of_the_first_release_are_the_required_ones(self, tmp_path: Path, table: str) -> None:
        database = connect(releases.unpacked(RELEASE, tmp_path))
        declared = next(one for one in REGISTRY if one.name == table)
        assert set(database._engine.open(declared).stored.names) == declared.required

    def test_no_file_holds_a_path_of_a_machine(self) -> None:
        with tarfile.open(releases.RELEASES / RELEASE / "store.tar.xz") as archive:
            files = [archive.extractfile(member) for member in archive if member.isfile()]
            contents = b"".join(file.read() for file in files if file)
        assert len(contents) > 100_000
        assert [path for path in ("tmp", "root", "home", "work") if f"/{path}/".encode() in contents] == []


OLD_PUBLISH = """
import sys
import bench_db
assert bench_db.__file__.startswith(sys.argv[2]), bench_db.__file__
from bench_db.store.database import connect
from tests.strategies import publication
run, results = publication(int(sys.argv[3]))
store = connect(sys.argv[1])
print(store.publish(results, run).new)
store.optimize()
print(store.verify().sound, store.latest().height)
"""
_LATER_PUBLISH = """
import sys
from pathlib import Path
from bench_db.store.database import connect
from tests.store import releases
store = connect(sys.argv[1], create=True)
for number in map(int, sys.argv[2:]):
    run, results = releases.more(number)
    store.publish(results, run)
found = {r.dut.version: r.warmups for r in store.results()}
print(sorted(found.items()), store.verify().problems, store.info().pending)
"""


class TestOldCode:
    """Release 0.1.0 does not know that a store is newer. It writes rows that the next open recognises and completes."""

    @pytest.mark.slow
    def test_a_store_with_more_columns(self, later: Path, tmp_path: Path) -> None:
        """Its rows have null in the new columns, which is what a later release reads for them anyway."""
        store = tmp_path / "store"
        ran(later, _LATER_PUBLISH, store, "1")
        assert ran(WHEEL, OLD_PUBLISH, store, WHEEL, "2").split() == ["3", "True", "3"]
        assert ran(later, _LATER_PUBLISH, store, "3") == (
            "[('1.0.1', 3), ('1.0.2', None), ('1.0.3', 3)] () ('0001-content-keys',)"
        )

    def test_a_store_of_the_present_code(self, database: Database) -> None:
        fill(database)
        assert ran(WHEEL, OLD_PUBLISH, database.uri, WHEEL, "20").split() == ["3", "True", "4"]
        assert database.verify().problems == ()
        run, results = publication(21)
        assert database.publish(results, run).new == 3

    def test_rows_that_miss_a_migration_are_pending_again(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migrations, "MIGRATIONS", (*BUILT_IN, Named()))
        database.migrate()
        assert database.info().pending == ()
        assert ran(WHEEL, OLD_PUBLISH, database.uri, WHEEL, "2").split()[0] == "3"
        missed = [(migrations.ContentKeys.name, 1), (Named.name, 3)]
        assert [(step.name, step.rows) for step in database.migrate(dry_run=True)] == missed
        assert [(step.name, step.rows) for step in database.migrate()] == missed
        assert database.info().pending == ()
        assert {result.branch for result in database.results()} == {"trunk"}
        assert database.verify().problems == ()


BUILT_IN = migrations.MIGRATIONS


class Named:
    """A migration that names the branch of rows without one."""

    name = "0001-branches"
    description = "name the branch"

    def rows(self, engine: Engine) -> int:
        return engine.count(RESULTS_TABLE, condition("branch", None))

    def apply(self, engine: Engine) -> None:
        engine.open(RESULTS_TABLE).dataset.update(
            {"branch": "'trunk'", ROW_CHECKSUM: "cast(null as bigint)"}, condition("branch", None)
        )


class Second(Named):
    name = "0002-nothing"
    description = "change nothing"

    def rows(self, engine: Engine) -> int:  # noqa: ARG002 there are none
        return 0


EVERY = tuple(sorted([*(migration.name for migration in BUILT_IN), Named.name, Second.name]))


class TestMigrate:
    """Named migrations are applied once, in order, and recorded in the store."""

    @pytest.fixture(autouse=True)
    def two(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two migrations that came after the store."""
        assert filled.migrate(dry_run=True) == []
        monkeypatch.setattr(migrations, "MIGRATIONS", (*BUILT_IN, Named(), Second()))

    def test_a_dry_run_changes_nothing(self, filled: Database) -> None:
        before = everything(filled.uri), filled.version
        steps = filled.migrate(dry_run=True)
        assert [(step.name, step.rows) for step in steps] == [(Named.name, 24), (Second.name, 0)]
        assert filled.info().pending == (Named.name, Second.name)
        assert (everything(filled.uri), filled.version) == before

    def test_applied_and_recorded(self, filled: Database) -> None:
        done = filled.migrate()
        assert done == [
            StoreChange(name=Named.name, description=Named.description, rows=24),
            StoreChange(name=Second.name, description=Second.description),
        ]
        assert {result.branch for result in filled.results()} == {"trunk"}
        info = filled.info()
        assert (info.migrations, info.pending) == (EVERY, ())
        recorded = filled.query("select name, rows from migrations order by name")
        assert recorded.rows() == [(Named.name, 24), (Second.name, 0)]
        assert filled.verify().problems == ()

    def test_again(self, filled: Database) -> None:
        filled.migrate()
        before = filled.version, rows_of(filled)
        assert filled.migrate() == []
        assert (filled.version, rows_of(filled)) == before

    def test_a_new_store_has_had_them_all(self, tmp_path: Path) -> None:
        database = connect(tmp_path / "new", create=True)
        assert database.info().migrations == EVERY
        assert database.migrate() == []

    def test_a_copy_says_what_its_origin_had(self, filled: Database, target: Database) -> None:
        filled.migrate()
        filled.copy_to(target)
        assert everything(target.uri) == everything(filled.uri)
        assert rows_of(target)["migrations"] == 2

    def test_a_release_without_them_reads_and_does_not_write(
        self, filled: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        filled.migrate()
        monkeypatch.setattr(migrations, "MIGRATIONS", (*BUILT_IN, Named()))
        with pytest.warns(NewerStoreWarning, match=Second.name):
            older = connect(filled.uri)
        assert older.latest().height == 4
        with pytest.raises(SchemaMismatchError, match=Second.name):
            publish(older, 9)


class TestContentKeys:
    """Every run of an older release gets the key of its measurements, whenever the process is killed."""

    @pytest.fixture
    def old(self, tmp_path: Path) -> Database:
        return connect(releases.unpacked(RELEASE, tmp_path))

    def test_the_keys_are_those_of_a_publish(self, old: Database) -> None:
        old.migrate()
        for key, content in old.runs().select("run_key", "content_key").collect().rows():
            run = from_table(old._engine.open(RUNS_TABLE).rows(condition("run_key", key)), Run)[0]
            assert derive(run, old.results({"run_key": key}))[0].content_key == content

    def test_the_order_of_runs_stays(self, old: Database) -> None:
        before = old._engine.open(RUNS_TABLE).read(("run_key", ROW_ID))
        old.migrate()
        assert old._engine.open(RUNS_TABLE).read(("run_key", ROW_ID)) == before

    def test_a_run_that_is_there_in_part_is_left_alone(self, old: Database) -> None:
        key = old.runs().collect()["run_key"][3]
        old._engine.delete(RESULTS_TABLE, condition("id", old.results({"run_key": key})[0].id))
        old.migrate()
        left = old.runs().filter(pl.col("content_key").is_null()).collect()
        assert left["run_key"].to_list() == [key]
        assert old.info().pending == ()

    @pytest.mark.campaign("kills")
    def test_killed_at_any_moment(self, tmp_path: Path) -> None:
        expected = connect(releases.unpacked(RELEASE, tmp_path / "whole"))
        expected.migrate()
        store, random = releases.unpacked(RELEASE, tmp_path / "killed"), Random(5)
        context = forks()
        for _ in range(rounds("kills", 3, full=80)):
            ready, theirs = context.Pipe(duplex=False)
            child = context.Process(target=migrate_slowly, args=(theirs, str(store)))
            child.start()
            assert ready.poll(60)
            time.sleep(random.uniform(0, 0.1))
            child.kill()
            child.join()
            assert len(connect(store).results()) == len(expected.results())
        killed = connect(store)
        killed.migrate()
        assert everything(store) == everything(expected.uri)
        assert killed.info().pending == ()
        assert killed.verify().sound


def _column(database: Database) -> None:
    database._engine.open(RESULTS_TABLE).dataset.add_columns(pa.schema([pa.field("later", pa.int64())]))


def _column_of_runs(database: Database) -> None:
    database._engine.open(RUNS_TABLE).dataset.add_columns({"later": "cast(1 as bigint)"})


def _name(database: Database) -> None:
    database._engine.open(RESULTS_TABLE).dataset.update_schema_metadata({"bench_db:migration:9999-later": "applied"})


def _artifact(database: Database, _: Path) -> object:
    return database.put_artifact(b"x", kind="log", name="x", added_at=1)


def _baseline(database: Database, _: Path) -> object:
    return database.set_baseline(Baseline(name="x", commit=commit_of(1), set_at=1))


def _incoming(database: Database, directory: Path) -> object:
    other = connect(directory / "other", create=True)
    fill(other, range(7, 8))
    return other.copy_to(database)


WRITES: dict[str, Callable[[Database, Path], object]] = {
    "publish": lambda database, _: publish(database, 9),
    "replace": lambda database, _: publish(database, 1, rows=4, replace=True),
    "artifact": _artifact,
    "baseline": _baseline,
    "findings": lambda database, _: database.record_findings(database.findings()),
    "optimize": lambda database, _: database.optimize(),
    "repair": lambda database, _: database.repair(),
    "tag": lambda database, _: database.tag("x"),
    "copy into it": _incoming,
    "migrate": lambda database, _: database.migrate(),
}


@pytest.mark.parametrize("newer", [_column, _name], ids=["column", "migration"])
class TestNewer:
    """A store that a newer release has written is read, with a warning that says what to do, and never written."""

    @pytest.fixture
    def store(self, filled: Database, newer: Callable[[Database], None]) -> Database:
        newer(filled)
        with pytest.warns(NewerStoreWarning, match=r"later.*upgrade bench_db"):
            return connect(filled.uri)

    def test_it_is_read(self, store: Database) -> None:
        assert len(store.results()) == store.scan().collect().height == 24
        assert store.runs().collect().height == 6
        assert store.latest().height == store.summary().height == 4
        assert store.trend("bench 0").height == 6
        assert store.query("select count(*) as n from results")["n"].to_list() == [24]
        assert (len(store.baselines()), len(store.findings()), len(store.artifacts())) == (1, 2, 6)
        assert store.has(commit_of(1)).present
        assert store.verify().sound
        assert store.info().tables

    @pytest.mark.parametrize("write", WRITES)
    def test_it_is_not_written(self, store: Database, tmp_path: Path, write: str) -> None:
        before = _files(Path(store.uri))
        with pytest.raises(SchemaMismatchError, match=r"newer bench_db has written this store.*upgrade bench_db"):
            WRITES[write](store, tmp_path)
        assert _files(Path(store.uri)) == before

    def test_it_is_not_copied_without_what_is_new(self, store: Database, target: Database, tmp_path: Path) -> None:
        for lose in (lambda: store.copy_to(target), lambda: store.export_to(tmp_path / "out")):
            with pytest.raises(SchemaMismatchError, match=r"newer bench_db.*later"):
                lose()

    def test_it_is_said_once(self, store: Database) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            store.latest()
            store.runs().collect()

    def test_the_command_line(self, store: Database, tmp_path: Path) -> None:
        read = bench_db("latest", "--store", store.uri, "--output", "json", cwd=tmp_path)
        assert len(document(read)) == 4
        [newer] = [line for line in read.stderr.splitlines() if line.startswith("bench-db: ")]
        assert "upgrade bench_db" in newer
        written = bench_db("baseline", "set", "x", commit_of(1), "--store", store.uri, cwd=tmp_path)
        assert written.returncode == 2
        assert "does not write to it" in written.stderr


class TestNewerTable:
    """A table of its own may be newer, too."""

    def test_runs(self, filled: Database) -> None:
        _column_of_runs(filled)
        run, results = publication(9)
        with pytest.warns(NewerStoreWarning, match="runs has the column 'later'"), pytest.raises(SchemaMismatchError):
            connect(filled.uri).publish(results, run)
        assert len(filled.results()) == 24

    def test_a_ledger(self, filled: Database) -> None:
        filled._engine.open(BASELINES_TABLE).dataset.add_columns({"later": "cast(1 as bigint)"})
        store = connect(filled.uri)
        with pytest.warns(NewerStoreWarning, match="baselines"):
            assert len(store.baselines()) == 1
        with pytest.raises(SchemaMismatchError):
            _baseline(store, Path())


def _files(store: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes()) for path in store.rglob("*") if path.is_file())


@pytest.mark.slow
class TestRaces:
    """Of several processes that add the same column while others publish, none loses, doubles or fails to write a row."""

    def test_widening(self, pool: Any, database: Database) -> None:
        jobs = [
            Widening(
                uri=database.uri, numbers=tuple(range(10 * process, 10 * process + 4)), old=process >= PROCESSES - 3
            )
            for process in range(PROCESSES)
        ]
        assert pool.map(widen, jobs, chunksize=1) == [[]] * PROCESSES
        rows = database._engine.open_any(RESULTS_TABLE).dataset.to_table()
        assert set(Counter(rows["run_key"].to_pylist()).values()) == {10}
        assert rows.num_rows == PROCESSES * 4 * 10
        found = Counter(rows["warmups"].to_pylist())
        assert found == {3: (PROCESSES - 3) * 40, None: 3 * 40}


class TestMigrateCommand:
    """`store migrate` says what it does; with nothing to do it says so."""

    def test_nothing(self, filled: Database, tmp_path: Path) -> None:
        for more in ((), ("--dry-run",)):
            said = bench_db("store", "migrate", "--store", filled.uri, *more, cwd=tmp_path)
            assert said.stdout.startswith("nothing to do")

    @pytest.mark.slow
    def test_columns(self, filled: Database, later: Path, tmp_path: Path) -> None:
        def migrate(*words: str) -> str:
            done = subprocess.run(
                [*COMMAND, "store", "migrate", "--store", filled.uri, *words],
                env=environment(PYTHONPATH=str(later)),
                capture_output=True,
                text=True,
                check=True,
                cwd=tmp_path,
            )
            return done.stdout

        columns = (
            "  runs.toolchain: add the column, string, as null\n  results.warmups: add the column, int32, as null\n"
        )
        columns += "  baselines.reason: add the column, string, as null\n"
        assert migrate("--dry-run") == f"would change\n{columns}"
        assert migrate() == f"changed\n{columns}"
        assert migrate().startswith("nothing to do")
        assert {table.name for table in TABLES} <= rows_of_newer(filled).keys()


def rows_of_newer(database: Database) -> dict[str, int]:
    """The rows of a store that a newer release has written."""
    with pytest.warns(NewerStoreWarning):
        return rows_of(connect(database.uri))
