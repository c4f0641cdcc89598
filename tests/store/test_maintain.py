from __future__ import annotations

import errno
import os
import resource
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest
from lance.dataset import DatasetOptimizer

from bench_db.errors import StoreUnavailableError, UserError
from bench_db.model import Samples
from bench_db.store import content, engine, indexes, maintain, projection
from bench_db.store.database import connect
from bench_db.store.filters import condition
from bench_db.store.publish import Entry
from bench_db.store.tables import RESULTS_TABLE, ROWS_PER_FRAGMENT, RUNS_TABLE, StoredFile
from tests.strategies import commit_of, publication
from tests.support.rights import as_nobody
from tests.support.vanishing import Vanishing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.store.database import Database
    from bench_db.store.tables import IndexKind, Table

pytestmark = pytest.mark.few(1)


def _publish(database: Database, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        run, results = publication(number, rows=2)
        database.publish(results, run)


def _indexes(database: Database, table: Table) -> set[str]:
    dataset = database._engine.open(table).dataset
    return {name for index in dataset.describe_indices() for name in index.field_names}


class TestOptimize:
    """Maintenance changes how rows lie, never which rows there are."""

    def test_fragments_become_one(self, database: Database) -> None:
        _publish(database, 10)
        before = database.results()
        done = database.optimize()
        assert (done.fragments_before, done.fragments_after) == (10, 1)
        assert len(database._engine.open(RUNS_TABLE).fragments()) == 1
        assert sorted(map(repr, database.results())) == sorted(map(repr, before))

    def test_twice_changes_nothing(self, database: Database) -> None:
        _publish(database, 3)
        database.optimize()
        again = database.optimize()
        assert (again.fragments_before, again.fragments_after, again.series) == (1, 1, 2)

    @pytest.mark.parametrize(
        ("sizes", "left"),
        [
            ([3, 3, 3, 2], [11]),  # the smallest one does not keep the others apart
            ([2, 3, 4, 5, 6], [20]),
            ([1, 3], [1, 3]),  # not worth it: three of four rows would be written again
            ([9, 1, 1, 1], [9, 3]),
            ([1, 2, 4, 8, 2], [17]),
        ],
    )
    def test_rows_get_into_fragments_twice_as_large(
        self, database: Database, sizes: list[int], left: list[int]
    ) -> None:
        """Publishes of different sizes, as when a benchmark fails in one night or a batch is the last, are joined too."""
        for number, rows in enumerate(sizes):
            run, results = publication(number, rows=rows)
            database.publish(results, run)
        assert database.optimize().fragments_before == len(sizes)
        assert [fragment.rows for fragment in database._engine.open(RESULTS_TABLE).fragments()] == left

    def test_records_are_joined_from_the_end(self, database: Database) -> None:
        """So they keep their order: the batches of an import of many files, of which the last is smaller."""
        for first, runs in ((0, 3), (3, 3), (6, 2)):
            list(database.publish_many(Entry(*publication(number)) for number in range(first, first + runs)))
        before = database._engine.open(RUNS_TABLE).read(("run_key",))
        database.optimize()
        table = database._engine.open(RUNS_TABLE)
        assert [fragment.rows for fragment in table.fragments()] == [8]
        assert table.read(("run_key",)) == before

    def test_an_empty_store(self, database: Database) -> None:
        assert database.optimize().series == 0
        assert database.latest().height == 0

    @pytest.mark.slow
    def test_old_versions_go_and_tagged_ones_stay(self, database: Database) -> None:
        _publish(database, 3)
        tagged = database.tag("kept")
        _publish(database, 3, start=3)
        done = maintain.optimize(database._engine, kept=timedelta(0))
        dataset = database._engine.open(RESULTS_TABLE).dataset
        assert done.versions_removed > 5
        assert done.bytes_removed > 0
        assert {version["version"] for version in dataset.versions()} == {tagged, dataset.version}
        assert len(database.results(as_of="kept")) == 6
        assert len(database.results()) == 12

    def test_versions_of_today_are_kept(self, database: Database) -> None:
        _publish(database, 3)
        assert database.optimize().versions_removed == 0

    @pytest.mark.parametrize(("small", "kept"), [(None, True), (0, False)])
    def test_versions_of_an_hour_ago_go_when_a_table_is_large(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, small: int | None, *, kept: bool
    ) -> None:
        _publish(database, 12)
        then = database.version
        _publish(database, 3, start=12)
        if small is not None:
            monkeypatch.setattr(maintain, "_SMALL_BYTES", small)
        for manifest in (Path(database.uri) / RESULTS_TABLE.directory / "_versions").iterdir():
            os.utime(manifest, (time.time() - 3600,) * 2)
        database.optimize()
        dataset = database._engine.open(RESULTS_TABLE).dataset
        assert (then in {version["version"] for version in dataset.versions()}) is kept

    def test_the_projection_takes_room_for_versions(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """A table of 1.2 times the bytes of its newest version is not large, and with levels of half as many it is."""
        _publish(database, 12)
        newest = sum(fragment.bytes for fragment in database._engine.open(RESULTS_TABLE).fragments())
        monkeypatch.setattr(maintain, "_SMALL_BYTES", 0)
        files = {"data/one": StoredFile(int(1.2 * newest), 0.0)}
        monkeypatch.setattr(type(database._engine), "files", lambda *_: files)
        found = []
        for levels in (0, newest // 5, newest // 2):
            monkeypatch.setattr(projection, "listed_bytes", lambda _, levels=levels: levels)
            found.append(maintain._is_large(database._engine, RESULTS_TABLE))
        assert found == [False, False, True]

    @pytest.mark.slow
    def test_clean_up_leaves_no_file_of_a_removed_version(self, database: Database) -> None:
        _publish(database, 10)
        maintain.optimize(database._engine, kept=timedelta(0))
        assert len(list((Path(database.uri) / RESULTS_TABLE.directory / "data").iterdir())) == 1


class TestOutdated:
    """Versions go when they are old, or when they are many and nobody can hold them any more."""

    def test_by_age_and_by_count(self) -> None:
        second_ages = {number: 100_000 - 300 * number for number in range(300)}
        written = {number: 1e9 - age for number, age in second_ages.items()}
        day = maintain.outdated(written, 1e9, maintain.KEPT)
        assert [second_ages[number] for number in day] == [age for age in second_ages.values() if age >= 40_300]
        assert maintain.outdated(written, 1e9, maintain.YOUNG) == [n for n, age in second_ages.items() if age >= 600]
        assert maintain.outdated(dict.fromkeys(range(300), 1000000000.0), 1e9, maintain.KEPT) == []

    def test_a_future_time_is_not_old(self) -> None:
        assert maintain.outdated({1: 2e9, 2: 1e9}, 1e9, maintain.KEPT) == []


class TestLevels:
    """A row is rewritten when the fragments that join it at least double it, and not at every compaction."""

    def test_a_large_fragment_is_left(self, database: Database) -> None:
        _publish(database, 12)
        database.optimize()
        (large,) = database._engine.open(RESULTS_TABLE).fragments()
        _publish(database, 4, start=12)
        database.optimize()
        assert [fragment.rows for fragment in database._engine.open(RESULTS_TABLE).fragments()] == [24, 8]
        assert database._engine.open(RESULTS_TABLE).fragments()[0].file == large.file
        _publish(database, 8, start=16)
        assert database._engine.open(RESULTS_TABLE).small_fragments() == 10
        database.optimize()
        # Lance does not join a fragment that an index covers with one that it does not cover.
        assert [fragment.rows for fragment in database._engine.open(RESULTS_TABLE).fragments()] == [32, 16]


class TestCopied:
    """Fragments of many rows are joined without encoding them anew, and every row stays as it is."""

    @pytest.fixture
    def modes(self, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
        """Return how each compaction has joined fragments; those of four rows have many."""
        monkeypatch.setattr(engine, "_COPIED_ROWS", 4)
        found: list[str | None] = []
        join = DatasetOptimizer.compact_files

        def joined(self: DatasetOptimizer, **options: Any) -> object:
            done = join(self, **options)
            if done.fragments_added and RESULTS_TABLE.directory in self._dataset.uri:
                found.append(options.get("compaction_mode"))
            return done

        monkeypatch.setattr(DatasetOptimizer, "compact_files", joined)
        return found

    def _publish(self, database: Database, first: int) -> None:
        """Publish three runs of five rows, one of which has failed and one of which has tags."""
        for number in range(first, first + 3):
            run, (failed, tagged, *others) = publication(number, rows=5)
            odd = replace(failed, values=Samples([]), error="a test failed", iterations=())
            database.publish([odd, replace(tagged, tags={"gpu": "h100"}), *others], run)

    def test_rows_stay(self, database: Database, modes: list[str | None]) -> None:
        self._publish(database, 0)
        published = list(map(repr, database.results()))
        database._engine.compact(RESULTS_TABLE, ROWS_PER_FRAGMENT)
        assert modes == ["try_binary_copy"]
        assert list(map(repr, database.results())) == published
        database.optimize()
        self._publish(database, 3)
        published = sorted(map(repr, database.results()))
        database.optimize()
        database.optimize()
        assert modes == ["try_binary_copy"] * 3
        (joined,) = database._engine.open(RESULTS_TABLE).fragments()
        assert joined.rows == 30
        assert sorted(map(repr, database.results())) == published
        assert database.verify().sound
        assert set(database._engine.open(RESULTS_TABLE).indexed()) == {leaf for leaf, _ in RESULTS_TABLE.indexes}

    @pytest.mark.slow
    def test_levels_are_those_of_rows_that_are_encoded_anew(
        self, tmp_path: Path, modes: list[str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found: dict[int, list[list[int]]] = {}
        for many in (16, 1000):
            monkeypatch.setattr(engine, "_COPIED_ROWS", many)
            database = connect(tmp_path / f"{many}", create=True)
            for number in range(20):
                run, results = publication(number, rows=10)
                database.publish(results, run)
                database.optimize()
                parts = database._engine.open(RESULTS_TABLE).fragments()
                found.setdefault(many, []).append([part.rows for part in parts])
        assert found[16] == found[1000]
        assert "try_binary_copy" not in modes  # of one fragment of many rows and small ones

    def test_deleted_rows_go(self, database: Database, modes: list[str | None]) -> None:
        self._publish(database, 0)
        first, *others, last = database.results()
        for gone in (first, last):
            database._engine.delete(RESULTS_TABLE, condition("id", gone.id))
        database._engine.compact(RESULTS_TABLE, ROWS_PER_FRAGMENT)
        (joined,) = database._engine.open(RESULTS_TABLE).fragments()
        assert (joined.rows, joined.physical_rows, joined.deletions, modes) == (13, 13, None, [None])
        assert list(map(repr, database.results())) == list(map(repr, others))


class TestCleaning:
    """What cannot be cleaned is said, and everything else is done."""

    def test_without_the_right_to_delete(self) -> None:
        with TemporaryDirectory() as directory:
            database = connect(Path(directory) / "store", create=True)
            _publish(database, 3)
            database.optimize()
            _publish(database, 3, start=3)
            for path in (Path(directory), *Path(directory).rglob("*")):
                path.chmod(0o555 if path.parent.name == "_indices" else 0o777)
            with as_nobody():
                done = maintain.optimize(database._engine, kept=timedelta(0))
            assert done.not_cleaned.startswith("old versions stay, because files cannot be deleted")
            assert done.fragments_after == 2
            assert len(database.results()) == 12

    def test_versions_of_the_last_minutes_cannot_be_asked_for(self, database: Database) -> None:
        with pytest.raises(UserError, match="`older_than` 0:01:00"):
            database.optimize(older_than=timedelta(minutes=1))


class TestFullDisk:
    """On a full disk maintenance cleans and begins nothing that it cannot end, and a publish leaves nothing half-written."""

    def test_optimize_cleans_and_then_says_what_to_do(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _publish(database, 12)
        for manifest in _manifests(database)[1:]:
            os.utime(manifest, (time.time() - 3600,) * 2)
        before = database._engine.files(RESULTS_TABLE, "data/").keys()
        with monkeypatch.context() as full:
            full.setattr(shutil, "disk_usage", lambda _: _Disk(total=1 << 30, used=(1 << 30) - 4096, free=4096))
            with pytest.raises(
                StoreUnavailableError, match=r"and the disk has 4,096\. 1[1-9] old versions are removed with"
            ) as error:
                database.optimize(older_than=timedelta(minutes=10))
        assert "Make space on the disk, or repeat 'bench-db store optimize --older-than 10m' in 10 minutes" in str(
            error.value
        )
        assert len(database._engine.written(RESULTS_TABLE)) == 1
        assert database._engine.files(RESULTS_TABLE, "data/").keys() == before
        assert database.optimize().fragments_after == 1

    @pytest.mark.slow
    def test_a_publish_is_stored_without_room_for_maintenance(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: _Disk(total=1 << 30, used=(1 << 30) - 4096, free=4096))
        _publish(database, maintain.SMALL_FRAGMENTS)
        assert "the runs are stored, and maintenance was left" in caplog.text
        assert len(database._engine.open(RESULTS_TABLE).fragments()) == maintain.SMALL_FRAGMENTS

    @pytest.mark.parametrize("kilobytes", [4, 9, 30])
    def test_a_publish_that_finds_no_space(self, database: Database, kilobytes: int) -> None:
        """A limit of the size of files stops it at the record of the commit or run, at the rows, or at a manifest."""
        _publish(database, 2)
        truth = sorted(map(repr, database.results()))
        run, results = publication(50, rows=40, samples_each=40)
        with _largest(kilobytes * 1024), pytest.raises(StoreUnavailableError, match="no space is left while"):
            database.publish(results, run)
        assert sorted(map(repr, connect(database.uri).results())) == truth
        assert connect(database.uri).verify().sound
        assert connect(database.uri).publish(results, run).new == 40
        assert connect(database.uri).verify().sound


@contextmanager
def _largest(size: int) -> Iterator[None]:
    """Let this process write no file of more bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class _Disk(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


class TestIndexes:
    """What is looked up is indexed and the index is used; the key of merges has none, ever."""

    def test_all_but_the_run_key(self, database: Database) -> None:
        _publish(database, 3)
        database.optimize()
        leaves = {leaf.rsplit(".", 1)[-1] for leaf, _ in RESULTS_TABLE.indexes}
        indexed = {name.rsplit(".", 1)[-1] for name in _indexes(database, RESULTS_TABLE)}
        assert indexed == leaves
        assert "run_key" not in indexed | _indexes(database, RUNS_TABLE)
        assert {"series_key", "commit", "benchmark_name"} <= indexed

    @pytest.mark.slow
    def test_those_that_a_compaction_writes_anew_are_not_made_again(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only a damaged one is: making each from all rows at every maintenance takes seconds in a large table."""
        made: list[str] = []

        def make_index(table: Table, leaf: str, kind: IndexKind) -> None:
            made.append(leaf)
            make(table, leaf, kind)

        make = database._engine.make_index
        _publish(database, 3)
        database.optimize()
        monkeypatch.setattr(database._engine, "make_index", make_index)
        seen = [database._engine.open(RESULTS_TABLE).segments()]
        for start in (3, 6):
            _publish(database, 3, start=start)
            database.optimize()
            seen.append(database._engine.open(RESULTS_TABLE).segments())
        assert made == []
        segments = [name for found in seen for names in found.values() for name in names]
        assert len(segments) == len(set(segments)) > 2 * len(RESULTS_TABLE.indexes)
        assert indexes.sound(database._engine.open(RESULTS_TABLE)) == {leaf for leaf, _ in RESULTS_TABLE.indexes}
        assert [database.has(commit_of(number)).present for number in range(10)] == [True] * 9 + [False]

    @pytest.mark.slow
    def test_two_indexed_leaves_of_one_name_would_both_be_made(self) -> None:
        names = [leaf.rsplit(".", 1)[-1] for leaf, _ in RESULTS_TABLE.indexes]
        assert len(set(names)) == len(names)

    @pytest.mark.parametrize(
        "predicate",
        [
            f"`commit` = '{commit_of(1)}'",
            "`series_key` = 5",
            "`dut`.`version` = '1.0.1'",
            "`benchmark_name` = 'bench 1'",
        ],
    )
    def test_used(self, database: Database, predicate: str) -> None:
        _publish(database, 3)
        database.optimize()
        plan = database._engine.open(RESULTS_TABLE).dataset.scanner(columns=["id"], filter=predicate).explain_plan()
        assert "ScalarIndexQuery" in plan

    @pytest.mark.slow
    def test_rows_published_later_are_found_before_and_after_they_are_indexed(self, database: Database) -> None:
        _publish(database, 2)
        database.optimize()
        _publish(database, 2, start=2)
        for _ in range(2):
            assert [database.has(commit_of(number)).present for number in range(5)] == [True] * 4 + [False]
            assert database.trend("bench 1")["dut_version"].to_list() == [f"1.0.{number}" for number in range(4)]
            database.optimize()
        dataset = database._engine.open(RESULTS_TABLE).dataset
        assert {index.num_rows_indexed for index in dataset.describe_indices()} == {8}


class TestWhenDue:
    """Publishing maintains the store by itself once enough small fragments have gathered, and not before."""

    @pytest.mark.slow
    def test_after_fifty_publishes(self, database: Database) -> None:
        _publish(database, maintain.SMALL_FRAGMENTS - 1)
        assert len(database._engine.open(RESULTS_TABLE).fragments()) == maintain.SMALL_FRAGMENTS - 1
        assert not database.info().maintenance_due
        _publish(database, 1, start=maintain.SMALL_FRAGMENTS)
        assert len(database._engine.open(RESULTS_TABLE).fragments()) == 1
        assert _indexes(database, RESULTS_TABLE)
        assert len(database.results()) == 2 * maintain.SMALL_FRAGMENTS

    def test_publishing_what_is_there_maintains_nothing(self, database: Database) -> None:
        _publish(database, 2)
        version = database._engine.open(RESULTS_TABLE).version
        _publish(database, 2)
        assert database._engine.open(RESULTS_TABLE).version == version

    @pytest.mark.slow
    def test_versions_of_a_large_table_go_before(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every tenth publish removes those that are not young; nothing is compacted."""
        monkeypatch.setattr(maintain, "_SMALL_BYTES", 0)
        _publish(database, 19)
        young = database.version
        for manifest in _manifests(database)[1:]:
            os.utime(manifest, (time.time() - 3600,) * 2)
        _publish(database, 1, start=19)
        assert sorted(database._engine.written(RESULTS_TABLE)) == [young, young + 1]
        assert len(database._engine.open(RESULTS_TABLE).fragments()) == 20

    def test_a_small_table_keeps_its_versions(self, database: Database) -> None:
        _publish(database, 19)
        for manifest in _manifests(database):
            os.utime(manifest, (time.time() - 3600,) * 2)
        _publish(database, 1, start=19)
        assert len(database._engine.written(RESULTS_TABLE)) >= 20

    def test_a_publish_is_stored_whatever_stops_the_removal(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(maintain, "_SMALL_BYTES", 0)
        _publish(database, 9)
        oldest = _manifests(database)[-1]
        oldest.write_bytes(oldest.read_bytes()[:100])
        os.utime(oldest, (time.time() - 3600,) * 2)
        _publish(database, 1, start=9)
        assert len(database.results()) == 20

    @pytest.mark.slow
    def test_a_publish_is_stored_where_another_cleaning_removes_directories(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _publish(database, 9)
        monkeypatch.setattr(os, "scandir", vanishing := Vanishing(Path(database.uri, RESULTS_TABLE.directory)))
        _publish(database, 1, start=9)
        assert vanishing.removed
        assert len(database.results()) == 20

    @pytest.mark.slow
    def test_a_listing_that_fails_stops_the_removal_alone(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(_: object) -> NoReturn:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        _publish(database, 9)
        monkeypatch.setattr(os, "scandir", fails)
        with pytest.raises(StoreUnavailableError, match="listing the files of results"):
            database._engine.files(RESULTS_TABLE)
        _publish(database, 1, start=9)
        monkeypatch.undo()
        assert len(database.results()) == 20


@pytest.mark.slow
def test_what_a_day_takes_after_maintenance(
    database: Database, monkeypatch: pytest.MonkeyPatch, rows_with_levels: int
) -> None:
    """Rows of 20 samples in a directory take 1.5 times their bytes at most, versions of an hour ago and indexes included."""
    monkeypatch.setattr(projection, "_LEAST_ROWS", rows_with_levels)
    for first in range(0, 400, 40):
        entries = [Entry(*publication(number, rows=100, samples_each=20)) for number in range(first, first + 40)]
        list(database.publish_many(entries))
        database.optimize()
        for file in Path(database.uri).rglob("*"):
            os.utime(file, (time.time() - 3600,) * 2)
    database.optimize()
    data = sum(f.bytes for t in (RESULTS_TABLE, RUNS_TABLE) for f in database._engine.open(t).fragments())
    assert data < sum(facts.st_blocks * 512 for _, facts in content.files_below(Path(database.uri))) < 1.5 * data


def _manifests(database: Database) -> list[Path]:
    """Return the manifests of the results, newest first: their names count down."""
    return sorted((Path(database.uri) / RESULTS_TABLE.directory / "_versions").glob("*.manifest"))
