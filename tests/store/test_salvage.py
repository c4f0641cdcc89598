from __future__ import annotations

import os
import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import lance
import pyarrow as pa
import pytest

from bench_db.errors import BenchDbError, CorruptStoreError, DamagedStoreWarning, StoreUnavailableError, UserError
from bench_db.store import content
from bench_db.store.database import connect, unopened
from bench_db.store.filters import condition
from bench_db.store.publish import Entry
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, Table, registered
from tests.store.carriers import publish
from tests.strategies import commit_of, publication
from tests.support import damage
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf
    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.sample(1)

# Bytes of a bitmap: it has 16 before the first numbers, and the last is that of numbers near 65,535.
_CHANGED = {"another beginning": [0], "a number less": [16], "a number outside": [16, -1]}
LOST = damage.RUNS - 1  # the newest run, alone in its data file


@pytest.fixture(params=damage.BROKEN)
def broken(undamaged: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Database:
    """Return a store whose newest run has lost its data file."""
    store = damage.copied(undamaged, tmp_path / "broken")
    last = connect(store)._engine.open(RESULTS_TABLE).fragments()[-1]
    damage.spoil(store / "results.lance" / "data" / last.file, request.param)
    return connect(store)


def _without_lost(undamaged: Path, directory: Path) -> Database:
    store = connect(damage.copied(undamaged, directory))
    key = store.runs().filter(dut_version=f"1.0.{LOST}").collect()["run_key"].to_list()
    store._engine.delete(RESULTS_TABLE, f"run_key in ({key[0]})")
    return connect(store.uri)  # what was opened first is of before


class TestReading:
    """Readers answer from the sound part of a damaged store, and warn of the runs that are lost."""

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_every_reading_is_that_of_a_store_without_the_lost_run(
        self, broken: Database, undamaged: Path, tmp_path: Path
    ) -> None:
        truth = _without_lost(undamaged, tmp_path / "truth")
        for name, read in damage.READINGS.items():
            assert read(connect(broken.uri)) == read(truth), name

    def test_the_warning_names_the_file_the_runs_and_the_way_out(self, broken: Database) -> None:
        with pytest.warns(DamagedStoreWarning) as warned:
            broken.latest()
        [text] = [str(warning.message) for warning in warned]
        assert "1 data files cannot be read, such as results.lance/data/" in text
        assert f"These runs are not complete: {_run_id(broken)} ({LOST}.json)" in text
        assert "'bench-db store verify --repair'" in text

    @pytest.mark.slow
    @pytest.mark.parametrize(("how", "copied"), [("delete", True), ("halve", False)])
    def test_a_file_that_is_gone_may_be_of_a_copy_of_a_live_store(
        self, undamaged: Path, tmp_path: Path, how: str, *, copied: bool
    ) -> None:
        store = damage.copied(undamaged, tmp_path / "broken")
        damage.spoil(damage.live_files(store, "results")[0], how)
        with pytest.warns(DamagedStoreWarning) as warned:
            connect(store).latest()
        assert ("cp or rsync" in str(warned[0].message)) == copied

    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    @pytest.mark.parametrize("table", [table.name for table in registered() if table.name != "migrations"])
    def test_a_torn_manifest_stops_no_new_reader(self, undamaged: Path, tmp_path: Path, table: str) -> None:
        store = damage.copied(undamaged, tmp_path / "torn")
        for path in damage.live_files(store, table, "manifest"):
            damage.spoil(path, "halve")
        for read in damage.READINGS.values():
            read(connect(store))
        assert connect(store).version == connect(undamaged).version - (table == "results")

    @pytest.mark.slow
    def test_once_a_store(self, broken: Database, recwarn: pytest.WarningsRecorder) -> None:
        with pytest.warns(DamagedStoreWarning):
            broken.latest()
        broken.summary()
        assert [w for w in recwarn if w.category is DamagedStoreWarning] == []

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    @pytest.mark.parametrize("table", [RESULTS_TABLE, RUNS_TABLE], ids=lambda table: table.name)
    def test_rows_before_and_behind_a_lost_file(self, undamaged: Path, tmp_path: Path, table: Table) -> None:
        whole = connect(undamaged)._engine.open(table)
        for number, lost in enumerate(whole.fragments()):
            sound = [part for part in whole.fragments() if part.file != lost.file]
            store = damage.copied(undamaged, tmp_path / str(number))
            damage.spoil(store / table.directory / "data" / lost.file, "halve")
            read = connect(store).scan(["run_key"]) if table is RESULTS_TABLE else connect(store).runs()
            truth = whole.read(("run_key",), fragments=sound)["run_key"].to_pylist()
            assert read.collect()["run_key"].to_list() == truth

    @pytest.mark.slow
    def test_a_damaged_index_is_done_without(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "broken")
        for path in damage.live_files(store, "results", "indexes"):
            damage.spoil(path, "halve")
        with pytest.warns(DamagedStoreWarning, match="an index is damaged"):
            assert connect(store).has(commit_of(2)) == connect(undamaged).has(commit_of(2))


class TestWriting:
    """Publishing works before any repair: what cannot be read is taken out, its version keeps a tag, and lost runs can come again."""

    @pytest.mark.slow
    @pytest.mark.parametrize("left", ["_transactions", "nothing"])
    def test_beside_a_ledger_without_a_version(self, broken: Database, left: str) -> None:
        """As a sync that was interrupted leaves it, or another process that makes it right now."""
        ledger = Path(broken.uri) / "scans.lance"
        for part in ledger.iterdir():
            if part.name != left:
                shutil.rmtree(part)
        with pytest.warns(DamagedStoreWarning, match="1 data files cannot be read"):
            assert connect(broken.uri).latest().height == damage.ROWS
        with pytest.warns(DamagedStoreWarning, match="1 data files cannot be read"):
            assert publish(connect(broken.uri), 50)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_another_run_and_the_lost_one(self, broken: Database, undamaged: Path) -> None:
        assert publish(broken, 50, rows=2)
        run, results = publication(LOST, rows=damage.ROWS, samples_each=6, branch="main")
        assert broken.publish(results, run).new == damage.ROWS
        again = connect(broken.uri)
        assert again.verify().sound
        assert len(again.results()) == len(connect(undamaged).results()) + 2
        assert [name for name in again.info().tags if name.startswith("damaged-")]

    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_many(self, broken: Database) -> None:
        runs = [publication(number, rows=2) for number in (60, 61)]
        assert [done.new for done in broken.publish_many(Entry(*run) for run in runs)] == [2, 2]


class TestWholeFiles:
    """What may be a failure of the storage takes no file out of a store."""

    @pytest.fixture
    def odd(self, undamaged: Path, tmp_path: Path) -> Database:
        """Return a store in which a data file has its size and no content that Lance can read."""
        store = damage.copied(undamaged, tmp_path / "odd")
        last = connect(store)._engine.open(RESULTS_TABLE).fragments()[-1]
        path = store / "results.lance" / "data" / last.file
        path.write_bytes(path.read_bytes()[:-16] + bytes(16))
        return connect(store)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_publish_refuses(self, odd: Database) -> None:
        files = [part.file for part in odd._engine.open(RESULTS_TABLE).every_fragment()]
        with pytest.raises(CorruptStoreError, match="store verify"):
            publish(odd, 50, rows=2)
        again = connect(odd.uri)._engine
        assert [part.file for part in again.open(RESULTS_TABLE).every_fragment()] == files
        assert [tag for tag in connect(odd.uri).info().tags if tag.startswith("damaged-")] == []

    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_repair_takes_it_out(self, odd: Database) -> None:
        assert odd.repair()[0].startswith("results: 1 unreadable data files taken out")
        assert publish(connect(odd.uri), 50, rows=2)

    @pytest.mark.slow
    def test_bytes_that_cannot_be_had_are_no_damage(self, odd: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> NoReturn:
            message = "the line is down"
            raise StoreUnavailableError(message)

        monkeypatch.setattr(content, "chunks_in", fails)
        with pytest.raises(StoreUnavailableError, match="the line is down"):
            odd.latest()
        with pytest.raises(StoreUnavailableError, match="the line is down"):
            odd.repair()


class TestFewColumns:
    """Lance reads few columns of a file by its footer, and many without: a file that gives only some of them is damaged for all."""

    @pytest.fixture
    def store(self, undamaged: Path, tmp_path: Path) -> Path:
        store = damage.copied(undamaged, tmp_path / "store")
        [file] = damage.live_files(store, "baselines")
        content = file.read_bytes()
        for at in range(len(content) - 40, len(content) - 8):  # the numbers in the footer
            changed = bytearray(content)
            changed[at] ^= 16
            file.write_bytes(changed)
            if _reads(store, None) and not _reads(store, ["key"]):
                return store
        pytest.fail("no bit of the footer is damage of few columns alone")

    def test_verify_names_it(self, store: Path) -> None:
        [problem] = connect(store).verify().problems
        assert (problem.table, problem.kind.partition(";")[0]) == ("baselines", "data file cannot be read")

    def test_salvage_passes_it_over(self, store: Path, tmp_path: Path) -> None:
        done = unopened(store).copy_to(connect(tmp_path / "target", create=True), salvage=True)
        assert [one.table for one in done.passed_over] == ["baselines"]

    def test_repair_takes_it_out(self, store: Path) -> None:
        connect(store).repair()
        assert connect(store).verify().sound
        assert connect(store).baselines() == []


def _reads(store: Path, columns: list[str] | None) -> bool:
    try:
        return bool(lance.dataset(store / "baselines.lance").to_table(columns=columns))
    except (OSError, ValueError, RuntimeError):
        return False


class TestNames:
    """A bit in the manifest that changes the name or the type of a column is damage, for readers, for writers and for verify."""

    @pytest.fixture(params=[(b"\x04note", b"\x04nota"), (b"string", b"strinf")], ids=["a name", "a type"])
    def renamed(self, undamaged: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Database:
        store = damage.copied(undamaged, tmp_path / "renamed")
        [manifest] = damage.live_files(store, "findings", "manifest")
        was, becomes = request.param
        content = manifest.read_bytes()
        assert was in content
        manifest.write_bytes(content.replace(was, becomes))
        return connect(store)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_writers_refuse(self, renamed: Database, undamaged: Path) -> None:
        [found, *_] = connect(undamaged).findings(every=True)
        with pytest.raises(CorruptStoreError, match="findings"):
            renamed.record_findings([found])

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_readers_use_the_version_before_or_refuse(self, renamed: Database, undamaged: Path) -> None:
        [manifest] = damage.live_files(Path(renamed.uri), "findings", "manifest")
        if b"nota" in manifest.read_bytes():
            with pytest.raises(CorruptStoreError, match="has the column 'nota' in place of 'note'"):
                renamed.findings(every=True)
        else:
            assert renamed.findings(every=True) == connect(undamaged).findings(every=True)

    def test_verify_then_repair(self, renamed: Database, undamaged: Path) -> None:
        [problem] = renamed.verify().problems
        assert (problem.table, problem.kind.partition(";")[0]) == ("findings", "table cannot be opened")
        assert connect(renamed.uri).repair()[0].startswith("findings: went back to version ")
        again = connect(renamed.uri)
        assert again.verify().sound
        assert len(again.findings(every=True)) == len(connect(undamaged).findings(every=True))


_TABLES = ["results", "runs", "baselines", "commits", "definitions", "exclusions", "findings", "pairs", "notifications"]
_KINDS = [
    *((table, kind) for table in _TABLES for kind in ("data", "manifest")),
    *((table, kind) for table in ("series", "fingerprints") for kind in ("data", "manifest")),
    *((table, kind) for table in ("results", "runs") for kind in ("transaction", "deletions")),
    *(("results", "indexes"), ("projection", "levels"), ("projection", "points")),
]
_LOST_FILES = [(*kind, how) for kind in _KINDS for how in damage.BROKEN]
_FEW_IN_BUCKETS = [("results", "data", "halve"), ("runs", "manifest", "empty"), ("results", "deletions", "delete")]


class TestEveryKind:
    """Whatever file is lost: sound runs are read and others published before any repair, verify finds what changes an answer, and
    repair and publishing again complete the store.
    """

    @pytest.mark.campaign("flips")
    @pytest.mark.parametrize("lost", rounds("flips", _LOST_FILES[::7], full=_LOST_FILES), ids="-".join)
    def test_in_a_directory(
        self, undamaged: Path, truth: dict[str, Any], tmp_path: Path, lost: tuple[str, str, str]
    ) -> None:
        _survives(str(_without(lost, undamaged, tmp_path / "store")), truth)

    @pytest.mark.slow
    @pytest.mark.campaign("flips")
    @pytest.mark.parametrize("lost", rounds("flips", _FEW_IN_BUCKETS, full=_LOST_FILES), ids="-".join)
    def test_in_a_bucket(
        self,
        undamaged: Path,
        truth: dict[str, Any],
        tmp_path: Path,
        server: S3Server,
        bucket_uri: str,
        *,
        lost: tuple[str, str, str],
    ) -> None:
        _upload(_without(lost, undamaged, tmp_path / "store"), server, bucket_uri)
        _survives(bucket_uri, truth)


def _upload(store: Path, server: S3Server, bucket_uri: str) -> None:
    for path in (path for path in store.rglob("*") if path.is_file()):
        server.put(bucket_uri.split("/")[2], f"some/prefix/{path.relative_to(store)}", path.read_bytes())


def _without(lost: tuple[str, str, str], undamaged: Path, directory: Path) -> Path:
    table, kind, how = lost
    store = damage.copied(undamaged, directory)
    damage.spoil(damage.live_files(store, table, kind)[-1], how)
    return store


def _survives(uri: str, truth: dict[str, Any]) -> None:
    """Read, publish, verify, repair and publish again a store that has lost a file."""
    sound = unopened(uri).verify().sound
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedStoreWarning)
        answers = damage.answers(uri)
        assert [name for name, answer in answers.items() if isinstance(answer, BenchDbError)] == []
        assert answers["rows"]
        assert set(answers["rows"]) <= set(truth["rows"])
        assert not sound or answers == truth
        assert publish(connect(uri), 50, rows=2)
        unopened(uri).repair()
    again = connect(uri)
    for run, results in damage.publications():
        again.publish(results, run, replace=True)
    assert connect(uri).verify().sound
    assert len(connect(uri).results()) == len(truth["rows"]) + 2


class TestLostVersion:
    """Without its newest manifest a table opens at the version before; verify says so, and repair makes that the newest."""

    def test_of_a_ledger(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        [manifest] = damage.live_files(store, "exclusions", "manifest")
        manifest.unlink()
        for found in (unopened(store).verify(), unopened(store).verify_quickly(1)):
            [problem] = [problem for problem in found.problems if not problem.harmless]
            assert (problem.table, problem.kind.partition(";")[0]) == (
                "exclusions",
                "newest version is gone, with what it added",
            )
            assert problem.example == "version 2 is lost, version 1 answers"
        assert connect(store).repair() == ["exclusions: version 2 is lost, and version 1 is the newest now"]
        assert connect(store).verify().sound

    @pytest.mark.slow
    def test_as_of_a_version_that_was_cleaned_away(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        (store / "results.lance" / "_versions" / f"{2**64 - 1 - 3}.manifest").unlink()
        told = r"version 3 was cleaned away; versions kept: 1 to \d+, tags: none; a tag keeps a version"
        with pytest.raises(UserError, match=told):
            connect(store).latest(as_of=3)


class TestOlderBackup:
    """A table of an older backup beside newer ones is noticed by readers of what is derived, and by verify; repair accepts it."""

    @pytest.mark.parametrize(
        ("table", "readings"),
        [("results", ["latest", "trend", "summary"]), ("exclusions", ["latest", "trend", "summary"]), ("runs", [])],
    )
    def test_one_table(self, database: Database, tmp_path: Path, table: str, readings: list[str]) -> None:
        store, backup = Path(database.uri), tmp_path / "backup"
        publish(database, 1)
        [key] = database.runs().collect()["run_key"].to_list()
        database.exclude([key], reason="noise", lifted=False, at=1, by="test")
        shutil.copytree(store / f"{table}.lance", backup)
        database.exclude([key], reason="noise", lifted=True, at=2, by="test")
        publish(database, 2)
        database.optimize()
        assert connect(store).verify().problems == ()
        shutil.rmtree(store / f"{table}.lance")
        shutil.copytree(backup, store / f"{table}.lance")
        for name in readings:
            with pytest.warns(
                DamagedStoreWarning, match=rf"{table} is at version \d+, and the last maintenance has seen version"
            ):
                damage.READINGS[name](connect(store))
        for found in (connect(store).verify(), connect(store).verify_quickly(1)):
            assert (table, "tables are older than at the last maintenance") in [
                (problem.table, problem.kind.partition(",")[0]) for problem in found.problems if not problem.harmless
            ]
        publish(connect(store), 1)
        publish(connect(store), 2)
        connect(store).repair()
        assert connect(store).verify().sound
        with warnings.catch_warnings(action="error"):
            assert len(damage.READINGS["latest"](connect(store))) == 3

    def test_what_another_process_has_written_meanwhile(self, database: Database) -> None:
        """A reader that has opened a table before a maintenance sees what that derives, and warns of nothing."""
        publish(database, 1)
        reader = connect(database.uri)
        with reader.one_look():
            reader.latest()
            publish(database, 2)
            database.optimize()
            with warnings.catch_warnings(action="error"):
                reader.latest()


class TestNothingLeft:
    """A ledger that has lost every version is damage for verify and copy; repair says so, and the next record makes it anew."""

    @pytest.fixture(params=["nothing", "the note of the newest version", "an old transaction"])
    def store(self, undamaged: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        store = damage.copied(undamaged, tmp_path / "store")
        ledger = store / "findings.lance"
        note = (ledger / "_versions" / "latest_version_hint.json").read_bytes()
        shutil.rmtree(ledger)
        (ledger / "_versions").mkdir(parents=True)
        (ledger / "_transactions").mkdir()
        if request.param == "an old transaction":
            file = ledger / "_transactions" / "0-a.txn"
            file.write_bytes(b"x")
            os.utime(file, times=(time.time() - 660, time.time() - 660))
        elif request.param != "nothing":
            (ledger / "_versions" / "latest_version_hint.json").write_bytes(note)
        return store

    @pytest.mark.slow
    def test_verify(self, store: Path) -> None:
        for found in (unopened(store).verify(), unopened(store).verify_quickly(1)):
            assert [(p.table, p.harmless) for p in found.problems] == [("findings", False)]
            assert found.problems[0].kind.startswith("table cannot be opened")

    @pytest.mark.slow
    def test_copy(self, store: Path, tmp_path: Path) -> None:
        target = connect(tmp_path / "target", create=True)
        with pytest.raises(CorruptStoreError, match="findings has lost every version; restore it from a copy"):
            connect(store).copy_to(target)
        done = unopened(store).copy_to(target, salvage=True)
        assert [(p.table, p.name, p.reason) for p in done.passed_over] == [
            ("findings", "the whole table", "no version can be opened")
        ]

    def test_repair(self, store: Path, undamaged: Path) -> None:
        done = "findings: every version is lost, and the next record makes it anew"
        assert connect(store).repair() == [done]
        assert connect(store).verify().sound
        findings = connect(undamaged).findings()
        connect(store).record_findings(findings)
        assert len(connect(store).findings()) == len(findings)


class TestAsOf:
    """Where the newest manifest is cut, an earlier version answers as it did before, by its number, its tag and its time."""

    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    @pytest.mark.parametrize("how", ["halve", "empty"])
    @pytest.mark.parametrize("table", ["results", "runs", "exclusions"])
    def test_a_torn_manifest(self, undamaged: Path, tmp_path: Path, table: str, how: str) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        engine = connect(store)._engine
        number = sorted(engine.open(RESULTS_TABLE).versions())[-3]
        moment = engine.open(RESULTS_TABLE).versions()[number]
        connect(store).tag("before", number)
        expected = {as_of: _as_of(store, as_of) for as_of in (number, str(number), "before", moment)}
        damage.spoil(damage.live_files(store, table, "manifest")[-1], how)
        assert {as_of: _as_of(store, as_of) for as_of in expected} == expected
        assert any(expected.values())

    @pytest.mark.slow
    def test_wherever_it_is_cut(self, database: Database) -> None:
        """Lance meets some cuts with a panic of Rust in place of an error."""
        for number in range(3):
            publish(database, number)
        expected = database.latest(as_of=3).to_dicts()
        newest = damage.live_files(Path(database.uri), "results", "manifest")[-1]
        content = newest.read_bytes()
        for size in (200, 600, 2000, 4096, 4097, len(content) - 1):
            newest.write_bytes(content[:size])
            with pytest.warns(DamagedStoreWarning):
                assert connect(database.uri).latest(as_of=3).to_dicts() == expected, size

    @pytest.mark.slow
    def test_the_torn_version_is_none(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        newest = connect(store)._engine.open(RESULTS_TABLE).version
        damage.spoil(damage.live_files(store, "results", "manifest")[-1], "halve")
        message = f"there is no version {newest}; versions kept: 1 to {newest - 1}, tags: none"
        with pytest.warns(DamagedStoreWarning), pytest.raises(UserError, match=message):
            connect(store).latest(as_of=newest)

    @pytest.mark.slow
    def test_in_a_bucket(self, undamaged: Path, tmp_path: Path, server: S3Server, bucket_uri: str) -> None:
        _upload(_without(("results", "manifest", "halve"), undamaged, tmp_path / "store"), server, bucket_uri)
        with pytest.warns(DamagedStoreWarning):
            assert _as_of(bucket_uri, 3) == _as_of(undamaged, 3)


def _as_of(store: Path | str, as_of: AsOf) -> list[object]:
    rows = [connect(store).latest(as_of=as_of), connect(store).runs(as_of).drop("ingested_at").collect()]
    return [*(frame.to_dicts() for frame in rows), *map(repr, connect(store).results(as_of=as_of))]


class TestDeletions:
    """A damaged list of deleted rows is found before Lance reads it: for one of 2^54 bytes it would end the process."""

    @pytest.fixture(params=["size", "name"])
    def store(self, undamaged: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        store = damage.copied(undamaged, tmp_path / "store")
        for table in ("runs", "results"):
            [file] = damage.live_files(store, table, "deletions")
            content = file.read_bytes()
            at = content.rindex((64).to_bytes(8, "little"))
            huge = content[:at] + (64 + 2**54).to_bytes(8, "little") + content[at + 8 :]
            file.write_bytes(huge if request.param == "size" else content.replace(b"row_id", b"row_i\xe4"))
            assert file.read_bytes() != content
        return store

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_readers_do_without_it(self, store: Path, undamaged: Path) -> None:
        rows = set(map(repr, connect(undamaged).results()))
        answers = damage.answers(store)
        assert [name for name, answer in answers.items() if isinstance(answer, BenchDbError)] == []
        assert {*answers["rows"]} < rows
        assert answers["rows"]

    @pytest.mark.slow
    def test_readers_name_it(self, store: Path) -> None:
        with pytest.warns(DamagedStoreWarning, match="data files cannot be read"):
            assert connect(store).latest().height

    @pytest.mark.slow
    def test_writers_leave_it(self, store: Path) -> None:
        """The file has its size, so the storage may be at fault."""
        writes: list[Callable[[Database], object]] = [
            lambda database: publish(database, 50),
            lambda database: publish(database, 3, replace=True),
            lambda database: database.optimize(),
        ]
        for write in writes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DamagedStoreWarning)
                with pytest.raises(CorruptStoreError, match=r"_deletions/.* cannot be read"):
                    write(connect(store))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("rows", "fault"),
        [
            (lambda rows, _: [rows[0]] * len(rows), "lists a deleted row more than once"),
            (lambda rows, physical: [*rows[1:], physical], "lists a deleted row that the file does not have"),
        ],
        ids=["twice", "outside"],
    )
    def test_numbers_of_rows(
        self, undamaged: Path, tmp_path: Path, rows: Callable[[list[int], int], list[int]], fault: str
    ) -> None:
        """A list of the right length that names wrong rows brings deleted ones back."""
        store = damage.copied(undamaged, tmp_path / "store")
        [file] = damage.live_files(store, "results", "deletions")
        listed = pa.ipc.open_file(pa.py_buffer(file.read_bytes())).read_all()
        [fragment] = [f for f in connect(store)._engine.open(RESULTS_TABLE).every_fragment() if f.deletions]
        wrong = pa.array(rows(listed["row_id"].to_pylist(), fragment.physical_rows), pa.uint32())
        with pa.ipc.new_file(str(file), listed.schema) as writer:
            writer.write_table(pa.table([wrong], schema=listed.schema))
        for found in (connect(store).verify(), connect(store).verify_quickly(1)):
            assert fault in found.problems[0].example
        with pytest.warns(DamagedStoreWarning, match="data files cannot be read"):
            kept = [result.id for result in connect(store).results()]
        assert set(kept) < {result.id for result in connect(undamaged).results()}

    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_repair_takes_it_out(self, store: Path, undamaged: Path) -> None:
        connect(store).repair()
        for run, results in damage.publications():
            connect(store).publish(results, run, replace=True)
        assert connect(store).verify().sound
        assert connect(store).latest().height == connect(undamaged).latest().height


@pytest.fixture(scope="module")
def bitmapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a bitmap of the rows of a removed run, which share a data file with others."""
    store = connect(tmp_path_factory.mktemp("bitmap") / "store", create=True)
    both = [Entry(*publication(number, rows=rows, samples_each=1)) for number, rows in ((0, 5_001), (1, 8))]
    assert [done.new for done in store.publish_many(both)] == [5_001, 8]
    engine = store._engine
    engine.delete(RESULTS_TABLE, condition("dut.version", "1.0.0"))
    engine.delete(RUNS_TABLE, condition("dut.version", "1.0.0"))
    assert store.verify().problems == ()
    return Path(store.uri)


@pytest.mark.slow
class TestMisnamed:
    """A manifest under the name of a newer one lets no commit follow; verify says so, and repair goes back behind it."""

    @pytest.mark.parametrize("table", ["results", "runs", "scans"])
    def test_an_older_manifest_in_place_of_the_newest(self, undamaged: Path, tmp_path: Path, table: str) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        newest, older = sorted((store / f"{table}.lance" / "_versions").glob("*.manifest"))[:2]
        newest.write_bytes(older.read_bytes())
        for found in (connect(store).verify(), connect(store).verify_quickly(1)):
            assert not found.sound
            assert "newest manifest is that of another version" in [p.kind.partition(";")[0] for p in found.problems]
        assert any(done.startswith(f"{table}: went back to version ") for done in connect(store).repair())
        assert publish(connect(store), 50)
        for run, results in damage.publications():
            connect(store).publish(results, run)
        assert connect(store).verify().sound


class TestBitmaps:
    """A list of more than 5,000 deleted rows is a bitmap, and a damaged one is found as any other list."""

    @pytest.fixture
    def file(self, bitmapped: Path, tmp_path: Path) -> Path:
        [file] = damage.live_files(damage.copied(bitmapped, tmp_path / "store"), "results", "deletions")
        assert file.suffix == ".bin"
        return file

    @pytest.mark.parametrize("how", [*_CHANGED, *damage.BROKEN])
    def test_damage(self, file: Path, how: str) -> None:
        if how in damage.BROKEN:
            damage.spoil(file, how)
        else:
            listed = bytearray(file.read_bytes())
            for at in _CHANGED[how]:
                listed[at] ^= 1 << 7
            file.write_bytes(listed)
        store = file.parents[2]
        for found in (connect(store).verify(), connect(store).verify_quickly(1)):
            assert "_deletions/" in found.problems[0].example
        with pytest.warns(DamagedStoreWarning, match="data files cannot be read"):
            assert connect(store).latest().is_empty()
        if how in damage.BROKEN:
            with pytest.warns(DamagedStoreWarning, match="data files cannot be read"):
                publish(connect(store), 5)
        connect(store).repair()
        publish(connect(store), 1)
        assert connect(store).verify().sound


class TestRepair:
    """Repair takes out what cannot be read, names its runs, and publishing them again completes the store."""

    def test_a_lost_file(self, broken: Database, undamaged: Path) -> None:
        found = connect(broken.uri).verify()
        [unreadable] = [p for p in found.problems if p.kind.startswith("data file cannot be read")]
        [key] = unreadable.runs
        assert int(key, 16) in broken.runs().filter(dut_version=f"1.0.{LOST}").collect()["run_key"].to_list()
        [done] = broken.repair()
        assert done.startswith("results: 1 unreadable data files taken out; the tag damaged-")
        left = connect(broken.uri).verify()
        assert [(p.kind.partition(";")[0], p.runs) for p in left.problems if not p.kind.startswith("files of")] == [
            ("runs without rows", (key,))
        ]
        run, results = publication(LOST, rows=damage.ROWS, samples_each=6, branch="main")
        assert broken.publish(results, run).new == damage.ROWS
        truth, again = connect(undamaged), connect(broken.uri)
        assert again.latest().equals(truth.latest())
        assert sorted(map(repr, again.results())) == sorted(map(repr, truth.results()))

    @pytest.mark.parametrize("how", ["halve", "empty"])
    @pytest.mark.parametrize("table", ["results", "series", "baselines"])
    def test_a_torn_manifest(self, undamaged: Path, tmp_path: Path, table: str, how: str) -> None:
        store = damage.copied(undamaged, tmp_path / "torn")
        for path in damage.live_files(store, table, "manifest"):
            damage.spoil(path, how)
        assert [p.table for p in unopened(store).verify().problems][:1] == [table]
        assert unopened(store).repair() != []
        assert connect(store).verify().sound
        assert connect(store).latest().height == damage.ROWS

    @pytest.mark.parametrize("table", ["series", "fingerprints", "commits", "baselines", "definitions"])
    def test_a_lost_file_of_another_table(self, undamaged: Path, tmp_path: Path, table: str) -> None:
        store = damage.copied(undamaged, tmp_path / "broken")
        damage.spoil(damage.live_files(store, table)[0], "delete")
        connect(store).repair()
        again = connect(store)
        assert again.verify().sound
        for read in damage.READINGS.values():
            read(again)


def _run_id(store: Database) -> str:
    return str(store.runs().filter(dut_version=f"1.0.{LOST}").collect()["run_id"][0])
