from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import StoreNotFoundError
from bench_db.model import RecordedCommit
from bench_db.query.selection import Selection
from bench_db.store import history
from bench_db.store.database import connect, unopened
from bench_db.store.engine import Engine
from bench_db.store.tables import COMMITS_TABLE, DEFINITIONS_TABLE, EXCLUSIONS_TABLE, RESULTS_TABLE, Table
from tests.strategies import publication

if TYPE_CHECKING:
    from bench_db.store.database import Database
    from bench_db.store.engine import Snapshot

pytestmark = pytest.mark.few(1)


def published(database: Database, number: int, **facts: object) -> int:
    run, results = publication(number, rows=1)
    stated = {name: value for name, value in facts.items() if name != "commits"}
    results = [replace(result, **stated) for result in results]  # type: ignore[arg-type]
    return database.publish(results, replace(run, **stated), commits=facts.get("commits", ())).run_key  # type: ignore[arg-type]


class TestCommits:
    """A publish records its commit once, and completes what is known of it."""

    def test_recorded_once(self, database: Database) -> None:
        for number in (1, 1, 2):
            published(database, number)
        assert [record.time - 1_700_000_000 for record in database.commits()] == [1, 2]
        assert len(history.records_of_commits(database._engine)) == 2

    def test_completed_by_what_a_clone_knows(self, database: Database) -> None:
        published(database, 1)
        (known,) = database.commits()
        detail = RecordedCommit(dut_name="engine", commit=known.commit, position=5, parents=("p",), subject="s")
        run, _ = publication(1)
        assert history.known_in_full(database._engine, [run]) == set()
        published(database, 1, commits=[detail])
        assert history.known_in_full(database._engine, [run]) == {(known.dut_name, known.commit)}
        (known,) = database.commits()
        assert (known.position, known.parents, known.subject) == (5, ("p",), "s")
        published(database, 1)
        assert len(history.records_of_commits(database._engine)) == 2

    def test_an_older_state(self, database: Database) -> None:
        published(database, 1)
        version = database.version
        published(database, 2)
        assert len(database.commits()) == 2
        assert len(database.latest(as_of=version)) == 1

    @pytest.mark.parametrize("commits", [{"c1"}, {"c0", "c1", "c7"}, {"c1", "new"}, {"new"}])
    def test_records_of_some(self, database: Database, commits: set[str]) -> None:
        """They are the records of all commits, without those of others, in the same order, before and after files are joined."""
        for number in range(20):
            record = RecordedCommit(dut_name="d", commit=f"c{number % 12}", time=number, parents=("p",), subject="s")
            database.record_commits([record])
            every = history.records_of_commits(database._engine)
            some = history.records_of_commits(database._engine, commits)
            assert some == [one for one in every if one.commit in commits]
            assert bool(some) == bool(commits & {one.commit for one in every})

    def test_few_files(self, database: Database) -> None:
        """Every question reads all recorded commits, so their small files are joined early."""
        for number in range(20):
            database.record_commits([RecordedCommit(dut_name="d", commit=f"c{number}", time=number)])
        assert len(database._engine.open(COMMITS_TABLE).fragments()) <= 16
        assert [record.commit for record in database.commits()] == [f"c{number}" for number in range(20)]

    def test_order_survives_maintenance(self, database: Database) -> None:
        """The order in which records were written is that of the table, also after a compaction."""
        for reachable in (True, False, True, False):
            record = RecordedCommit(dut_name="d", commit="c", reachable=reachable, recorded_at=1)
            database.record_commits([replace(record, subject=f"{reachable}{len(database.commits())}")])
        written = [record.key for record in history.records_of_commits(database._engine)]
        database.optimize()
        assert [record.key for record in history.records_of_commits(database._engine)] == written
        assert database.commits()[0].reachable is False


class TestExclude:
    """The newest record of a run decides; one that changes nothing is not written."""

    def test_and_back(self, database: Database) -> None:
        key, other = published(database, 1), published(database, 2)
        for lifted, count in ((False, 1), (False, 1), (True, 2), (True, 2), (False, 1)):
            database.exclude([key], reason="r", lifted=lifted, at=5, by="me")
            assert len(database.rows(("run_key",), Selection(everything=True))) == count
        records = history.exclusions(database._engine)
        assert [record.lifted for record in records] == [False, True, False]
        assert [record.replaces for record in records] == [None, records[0].key, records[1].key]
        assert database.exclusion_reasons() == {key: "r"}
        assert database.runs_of(database.commits()[1].commit) == [other]

    def test_no_table_until_needed(self, database: Database) -> None:
        assert not {COMMITS_TABLE.name, EXCLUSIONS_TABLE.name} & database._engine.present()
        assert database.exclusion_reasons() == {}
        assert database.commits() == []


class TestRollup:
    """The cached newest rows follow the ledgers."""

    @pytest.mark.parametrize("maintained", [False, True])
    def test_an_excluded_newest_row(self, database: Database, *, maintained: bool) -> None:
        published(database, 1)
        newest = published(database, 3)
        if maintained:
            database.optimize()
        assert database.latest()["dut_version"].to_list() == ["1.0.3"]
        history.exclude(database._engine, [newest], reason="r", lifted=False, at=1, by="")
        assert database.latest()["dut_version"].to_list() == ["1.0.1"]
        published(database, 2)
        assert database.latest()["dut_version"].to_list() == ["1.0.2"]


class TestFirstPublish:
    """A store whose first publish has not made the results yet is no store that has lost them."""

    @pytest.fixture
    def beginning(self, database: Database) -> Database:
        """Return a store with what is there between the making of the runs and of the results."""
        shutil.rmtree(Path(database.uri) / RESULTS_TABLE.directory)
        return unopened(database.uri)

    @pytest.mark.parametrize("begun", [False, True])
    def test_readers(self, beginning: Database, *, begun: bool) -> None:
        if begun:
            (Path(beginning.uri) / RESULTS_TABLE.directory / "_transactions").mkdir(parents=True)
        told = "no table results yet, for no run is published: the next publish makes it"
        with pytest.raises(StoreNotFoundError, match=told):
            connect(beginning.uri)
        with pytest.raises(StoreNotFoundError, match=told):
            beginning.latest()

    def test_the_next_publish(self, beginning: Database) -> None:
        database = connect(beginning.uri, create=True)
        published(database, 1)
        assert database.latest().height == 1
        assert database.verify().sound

    def test_results_that_are_made_while_a_reader_looks(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place, aside = Path(database.uri) / RESULTS_TABLE.directory, tmp_path / "aside"
        place.rename(aside)
        opened = Engine._snapshot

        def then_made(engine: Engine, table: Table, version: int | str | None) -> Snapshot:
            try:
                return opened(engine, table, version)
            finally:
                if table is RESULTS_TABLE and aside.exists():
                    aside.rename(place)

        monkeypatch.setattr(Engine, "_snapshot", then_made)
        assert unopened(database.uri)._engine.open(RESULTS_TABLE).version == 1


class TestBeingMade:
    """A ledger that another process is making right now has nothing yet: no reader fails, and verify calls it no damage."""

    @pytest.fixture(params=[COMMITS_TABLE, EXCLUSIONS_TABLE, DEFINITIONS_TABLE], ids=lambda table: table.name)
    def beginning(self, database: Database, request: pytest.FixtureRequest) -> Database:
        """Return a store with what the directory of a table has before its first manifest."""
        published(database, 1)
        place = Path(database.uri) / request.param.directory
        shutil.rmtree(place, ignore_errors=True)
        (place / "_transactions").mkdir(parents=True)
        (place / "_transactions" / "0-a.txn").write_bytes(b"x")
        return connect(database.uri)

    def test_readers(self, beginning: Database) -> None:
        assert beginning.latest().height == 1
        assert beginning.trend("bench 0").height == 1
        assert beginning.has(beginning.latest()["commit"][0]).present
        assert beginning.exclusion_reasons() == {}
        assert beginning.definitions() == []
        assert len(beginning.commits()) <= 1
        assert beginning.verify().problems == ()
        assert beginning.verify_quickly(1).problems == ()

    @pytest.mark.parametrize("salvage", [False, True])
    def test_a_copy(self, beginning: Database, tmp_path: Path, *, salvage: bool) -> None:
        done = beginning.copy_to(connect(tmp_path / "target", create=True), salvage=salvage)
        assert (done.tables["results"].new, done.passed_over) == (1, ())

    def test_a_table_that_has_lost_its_versions_is_damage(self, database: Database) -> None:
        published(database, 1)
        shutil.rmtree(Path(database.uri) / COMMITS_TABLE.directory / "_versions")
        assert not connect(database.uri).verify().sound

    def test_writers_complete_it(self, beginning: Database) -> None:
        published(beginning, 2)
        beginning.exclude([], reason="x", lifted=False, at=1, by="")
        assert len(beginning.commits()) >= 1
        assert beginning.verify().sound
