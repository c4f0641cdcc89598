from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bench_db import Selection
from bench_db.errors import DamagedStoreWarning
from bench_db.model import Definition, RecordedCommit, Result, Samples
from bench_db.store import content, maintain, projection
from bench_db.store.database import connect
from bench_db.store.engine import Engine, locate
from bench_db.store.filters import condition
from bench_db.store.publish import Entry
from bench_db.store.tables import RESULTS_TABLE
from bench_db.summary import STATISTICS
from tests.strategies import commit_of, publication
from tests.support.campaigns import examples, sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from bench_db.model import ProjectionInfo
    from bench_db.store.database import Database
    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.few(1)

_ALL = Selection(everything=True)
_SELECTIONS = (
    Selection(),
    Selection(branch="dev"),
    Selection(pr_number=7),
    Selection(benchmark="bench*1", since=1_700_000_002),
    Selection(dut_name="engine", until=1_700_000_002),
)
_SMALL_FRAGMENT = 4
_KEY = ("series_key", "run_key", "mean")


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make levels of many blocks and files, and fragments that compactions leave, of few rows."""
    make_small(monkeypatch)


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_BLOCK_ROWS", 2)
    monkeypatch.setattr(projection, "_FILE_ROWS", 5)
    monkeypatch.setattr(projection, "_READ_ROWS", 2)
    monkeypatch.setattr(projection, "_SORTED_ROWS", 3)
    monkeypatch.setattr(projection, "_FEW", 1)
    monkeypatch.setattr(projection, "_MANY", 6)
    monkeypatch.setattr(projection, "ROWS_PER_FRAGMENT", _SMALL_FRAGMENT)
    monkeypatch.setattr(maintain, "ROWS_PER_FRAGMENT", _SMALL_FRAGMENT)


@contextmanager
def without_projection(database: Database) -> Iterator[None]:
    """Move the projection of a store away and back."""
    here = Path(database.uri) / projection.DIRECTORY
    if not here.exists():
        yield
        return
    away = here.rename(here.with_name("away"))
    try:
        yield
    finally:
        away.rename(here)


def answers(database: Database, selection: Selection) -> list[pl.DataFrame]:
    """Return what the questions about histories answer, in an order of their own."""
    points = database.points(selection, also=("branch", "mean"))
    trends = [database.trend("*", selection, last=3), database.trend("bench 1", selection, values=True)]
    return [points.series.sort("series_key"), points.rows.sort(_KEY), *trends, database.summary(selection)]


def assert_equal_without(database: Database, selection: Selection = _ALL) -> None:
    """Check every answer against the answer without the projection."""
    known = answers(database, selection)
    with without_projection(database):
        expected = answers(database, selection)
    for ours, theirs in zip(known, expected, strict=True):
        assert ours.equals(theirs), (ours, theirs)


def assert_parts(database: Database, selection: Selection, points: int) -> int:
    """Check that the parts of the points are the points, each series in one part, and return how many parts there are."""
    whole, parts = database.points(selection), list(database.points_in_parts(selection, points))
    order = ("series_key", "run_key", "median")
    keys = [key for part in parts for key in part.rows["series_key"].unique()]
    assert len(keys) == len(set(keys))
    assert pl.concat([part.rows for part in parts]).sort(order).equals(whole.rows.sort(order))
    named = pl.concat([part.series for part in parts]).sort("series_key")
    assert named.equals(whole.series.sort("series_key"))
    return len(parts)


def fill(database: Database, numbers: Iterator[int] | range, **stated: object) -> None:
    for number in numbers:
        run, results = publication(number, **stated)  # type: ignore[arg-type]
        database.publish(results, run)


def renew(database: Database) -> None:
    """Do what maintenance does, without indexes."""
    database._engine.compact(RESULTS_TABLE, _SMALL_FRAGMENT)
    projection.renew(database._engine)
    projection.clean(database._engine)


def files(database: Database) -> list[Path]:
    return sorted((Path(database.uri) / projection.DIRECTORY).glob("*.points"))


def without_data(database: Database) -> Database:
    """Return the store, opened again, without the data files of its results."""
    shutil.rmtree(Path(database.uri) / RESULTS_TABLE.directory / "data")
    return connect(database.uri)


def levels(database: Database) -> int:
    known = database.info().projection
    return 0 if known is None else known.levels


class _Stores(RuleBasedStateMachine):
    """Any sequence of what changes a store or its history, with every question after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        make_small(self.patch)
        self.directory = Path(tempfile.mkdtemp())
        self.database = connect(self.directory / "store", create=True)
        self.runs: list[int] = []

    @rule(
        number=st.integers(0, 12),
        rows=st.integers(1, 4),
        commit_time=st.integers(0, 3),
        of=st.sampled_from([("main", None), (None, None), ("dev", None), ("change", 7)]),
        place=st.sampled_from(["", "", "a"]),
    )
    def publish(self, number: int, rows: int, commit_time: int, of: tuple[str | None, int | None], place: str) -> None:
        run, results = publication(number, rows=rows, commit_time=commit_time, branch=of[0], place=place)
        run = replace(run, pr_number=of[1])
        results = [replace(result, pr_number=of[1]) for result in results]
        done = self.database.publish(self.odd(results, number), run, replace=bool(place))
        self.runs.append(done.run_key)

    @staticmethod
    def odd(results: list[Result], number: int) -> list[Result]:
        """Return results of which some failed, and some have another memory, which is no part of their series."""
        if number % 4 == 1:
            return [replace(results[0], values=Samples([]), error="it's broken"), *results[1:]]
        return results

    @rule(which=st.integers(0, 20), lifted=st.booleans())
    def exclude(self, which: int, *, lifted: bool) -> None:
        if self.runs:
            run = self.runs[which % len(self.runs)]
            self.database.exclude([run], reason="noise", lifted=lifted, at=1, by="me")

    @rule(which=st.integers(0, 20))
    def remove(self, which: int) -> None:
        if self.runs:
            self.database.remove_runs([self.runs.pop(which % len(self.runs))])

    @rule(kind=st.sampled_from(["join", "ignore", "alias", "metric"]), lifted=st.booleans())
    def define(self, kind: str, *, lifted: bool) -> None:
        field, value = {
            "join": ("", "bench 2"),
            "ignore": ("", ""),
            "alias": ("suite", "other"),
            "metric": ("", "time * 2"),
        }[kind]
        pattern = {"join": "bench 1", "ignore": "bench 0", "alias": "suite", "metric": "twice"}[kind]
        record = Definition(kind=kind, field=field, pattern=pattern, value=value, lifted=lifted, at=1, by="me")
        self.database.define([record])

    @rule(number=st.integers(0, 12), position=st.integers(0, 3), reachable=st.booleans())
    def order(self, number: int, position: int, *, reachable: bool) -> None:
        record = RecordedCommit(
            dut_name="engine", commit=commit_of(number), position=position, reachable=reachable, recorded_at=2
        )
        self.database.record_commits([record])

    @rule()
    def optimize(self) -> None:
        self.database.optimize()

    @rule(version=st.integers(0, 5))
    def restore(self, version: int) -> None:
        known = self.database.version
        self.database.restore(max(1, known - version))

    @rule(which=st.integers(0, 9), at=st.floats(0, 1), cut=st.booleans())
    def damage(self, which: int, at: float, *, cut: bool) -> None:
        known = files(self.database)
        if known:
            path = known[which % len(known)]
            read = path.read_bytes()
            place = int(at * (len(read) - 1))
            path.write_bytes(read[:place] if cut else read[:place] + bytes([read[place] ^ 1]) + read[place + 1 :])

    @rule(selection=st.sampled_from(_SELECTIONS))
    def ask(self, selection: Selection) -> None:
        assert_equal_without(self.database, selection)

    @rule(selection=st.sampled_from(_SELECTIONS), points=st.sampled_from([1, 3]))
    def ask_in_parts(self, selection: Selection, points: int) -> None:
        assert_parts(self.database, selection, points)

    @invariant()
    def the_points_are_those_without_it(self) -> None:
        known = self.database.points(_ALL, also=("branch",)).rows.sort(_KEY[:2])
        with without_projection(self.database):
            assert known.equals(self.database.points(_ALL, also=("branch",)).rows.sort(_KEY[:2]))

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.directory)


@pytest.mark.campaign("clocks")
class TestStores(_Stores.TestCase):  # type: ignore[misc, valid-type]
    """Whatever a store went through, histories are answered as without the projection."""

    settings = settings(sized("clocks", 3, full=100), stateful_step_count=8)


_OF = (("main", None), (None, None), ("dev", None), ("change", 7))
_DEFINED = {
    "join": ("", "bench 1", "bench 2"),
    "ignore": ("", "bench 0", ""),
    "alias": ("suite", "suite", "other"),
    "pool": ("test_bed", "b*", "beds"),
    "better": ("", "bench 3", "higher"),
    "main": ("", "engine", "dev"),
    "metric": ("", "twice", "time * 2"),
}


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
@pytest.mark.parametrize("count", range(1, 7))
@pytest.mark.usefixtures("small_files")
class TestRandomStores:
    """A store with every irregularity at once answers as without its levels, one to six, of which one may be torn."""

    @examples("clocks", 1, full=40)
    @given(drawn=st.data())
    def test_answers(self, count: int, drawn: st.DataObject, *, torn: bool) -> None:
        with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            patch.setattr(projection, "_MOST_SETTLED", 9)
            patch.setattr(projection, "_JOINED_FROM", float("inf"))
            database = connect(Path(directory) / "store", create=True)
            keys = self.levels(database, drawn, count)
            assert levels(database) == count
            self.records(database, drawn, keys)
            if torn:
                self.tear(database, drawn)
            for selection in (_ALL, *_SELECTIONS):
                assert_equal_without(database, selection)
            assert_parts(database, Selection(), 3)

    @staticmethod
    def levels(database: Database, drawn: st.DataObject, count: int) -> list[int]:
        """Publish runs of all branches, some failed, some NaN and one of a place that is replaced later, and make a level of some."""
        keys, number = [], 0
        for level in range(count):
            entries = []
            for which in range(len(_OF) if level == 0 else drawn.draw(st.integers(1, 3), "runs")):
                branch, pr_number = _OF[which] if level == 0 else drawn.draw(st.sampled_from(_OF), "of")
                time = drawn.draw(st.integers(0, 3), "commit time")
                place = "a" if number == 0 else ""
                run, results = publication(number, rows=4, branch=branch, commit_time=time, place=place)
                if number % 3 == 1:
                    results[0] = replace(results[0], values=Samples([]), error="it's broken")
                results = [replace(result, pr_number=pr_number) for result in results]
                entries.append(Entry(replace(run, pr_number=pr_number), results))
                number += 1
            keys += [done.run_key for done in database.publish_many(entries)]
            if level == 0:  # as other writers of Lance leave it
                where = f"benchmark_name = 'bench {drawn.draw(st.integers(1, 3), 'NaN')}'"
                values = ", ".join(f"'{name}', cast('NaN' as double)" for name in STATISTICS)
                done = database._engine.open(RESULTS_TABLE).dataset.update(
                    {"summary": f"named_struct({values})"}, where
                )
                assert done["num_rows_updated"] == len(_OF)
                database._engine.compact(RESULTS_TABLE, _SMALL_FRAGMENT)
            projection.renew(database._engine)
        assert database.rows(("median",), _ALL)["median"].is_nan().any()
        return keys

    @staticmethod
    def records(database: Database, drawn: st.DataObject, keys: list[int]) -> None:
        """Exclude a run, define names, record positions of some commits, and replace a run that a level has."""
        excluded = drawn.draw(st.sampled_from(keys[1:]), "excluded")
        database.exclude([excluded], reason="noise", lifted=False, at=1, by="me")
        for kind in drawn.draw(
            st.lists(st.sampled_from(sorted(_DEFINED)), min_size=1, max_size=3, unique=True), "kinds"
        ):
            field, pattern, value = _DEFINED[kind]
            record = Definition(kind=kind, field=field, pattern=pattern, value=value, lifted=False, at=1, by="me")
            assert database.define([record]) == 1
        placed = drawn.draw(st.lists(st.integers(1, len(keys) - 1), min_size=1, max_size=3, unique=True), "placed")
        states = [
            RecordedCommit(
                dut_name="engine",
                commit=commit_of(number),
                position=drawn.draw(st.sampled_from([None, 0, 1, 2]), "position"),
                reachable=drawn.draw(st.sampled_from([None, True, False]), "reachable"),
                recorded_at=2,
            )
            for number in placed
        ]
        database.record_commits(states)
        run, results = publication(100, rows=4, branch="main", place="a")
        assert database.publish(results, run, replace=True).replaced

    @staticmethod
    def tear(database: Database, drawn: st.DataObject) -> None:
        """Cut a file of a level, or change a byte of it."""
        part = st.floats(0, 1, exclude_max=True)  # names and sizes of files are not the same in every run
        path = (found := files(database))[int(drawn.draw(part, "file") * len(found))]
        read = path.read_bytes()
        place = int(drawn.draw(part, "byte") * len(read))
        cut = drawn.draw(st.booleans(), "cut")
        path.write_bytes(read[:place] if cut else read[:place] + bytes([read[place] ^ 1]) + read[place + 1 :])


class TestAnswers:
    """The projection answers, and the results are read only for what it does not have."""

    def test_without_the_data_of_the_results(self, database: Database) -> None:
        fill(database, range(4))
        database.optimize()
        expected = database.trend("bench 1"), database.points().rows.sort("run_key", "series_key"), database.summary()
        blind = without_data(database)
        found = blind.trend("bench 1"), blind.points().rows.sort("run_key", "series_key"), blind.summary()
        assert all(ours.equals(theirs) for ours, theirs in zip(found, expected, strict=True))
        assert expected[0].height == 4

    @pytest.mark.slow
    @pytest.mark.usefixtures("small_files")
    def test_of_several_levels_files_and_blocks(self, database: Database) -> None:
        for number in range(12):
            fill(database, range(number, number + 1), rows=1 + number % 4)
            if number % 3 == 2:
                renew(database)
        assert levels(database) > 1
        assert len(files(database)) > levels(database)
        assert_equal_without(database)

    @pytest.mark.slow
    def test_in_parts(self, database: Database) -> None:
        """Newer results are in the part of their series, those of a series that the newest rows do not name too."""
        fill(database, range(8))
        renew(database)
        fill(database, range(8, 10), place="new")
        assert assert_parts(database, _ALL, 4) > 2
        assert assert_parts(database, Selection(), 10_000) == 1
        with without_projection(database):
            assert assert_parts(database, _ALL, 4) == 1

    def test_memory_of_parts_is_given_back(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projection, "_BLOCK_ROWS", 100)
        fill(database, range(4), rows=300)
        database.optimize()
        of_files = [tracemalloc.Filter(inclusive=True, filename_pattern=content.__file__)]
        held = []
        tracemalloc.start()
        try:
            for part in database.points_in_parts(_ALL, 400):
                assert len(part.rows)
                del part
                traces = tracemalloc.take_snapshot().filter_traces(of_files).traces
                held.append(sum(trace.size for trace in traces))
        finally:
            tracemalloc.stop()
        (file,) = files(database)
        assert len(held) > 2
        assert 0 < max(held) < file.stat().st_size / 2  # the list of series, which is read once

    @pytest.mark.slow
    @pytest.mark.parametrize(("kind", "pattern", "value"), [("metric", "twice", "time * 2"), ("main", "*", "dev")])
    def test_in_parts_with_definitions_that_name_no_series(
        self, database: Database, kind: str, pattern: str, value: str
    ) -> None:
        """Derived points are not lost: their series are of no range of stored ones."""
        fill(database, range(8))
        renew(database)
        database.define([Definition(kind=kind, pattern=pattern, value=value, at=1, by="me")])
        assert len(database.points(_ALL).rows) == (48 if kind == "metric" else 24)
        assert (assert_parts(database, _ALL, 4) == 1) == (kind == "metric")

    def test_what_is_newer_is_read_beside(self, database: Database) -> None:
        fill(database, range(3))
        renew(database)
        fill(database, range(3, 5))
        known = database.info().projection
        assert known is not None
        assert (known.levels, known.rows, known.rows_outside) == (1, 9, 6)
        assert database.trend("bench 1")["dut_version"].to_list() == [f"1.0.{number}" for number in range(5)]
        assert_equal_without(database)

    def test_of_an_old_version(self, database: Database) -> None:
        for number in range(6):
            fill(database, range(number, number + 1))
            if number in {2, 4}:
                renew(database)
        for version in range(1, database.version + 1):
            known = database.trend("*", as_of=version)
            with without_projection(database):
                assert known.equals(database.trend("*", as_of=version))

    @pytest.mark.usefixtures("small_files")
    def test_rows_that_leave_leave_the_other_fragments_projected(self, database: Database) -> None:
        fill(database, range(4), rows=4)
        renew(database)
        run, _ = publication(2)
        removed = database.runs().filter(pl.col("file_name") == run.file_name).collect()["run_key"].to_list()
        database.remove_runs(removed)
        known = database.info().projection
        assert known is not None
        assert (known.rows, known.rows_outside) == (12, 0)
        assert_equal_without(database)

    @pytest.mark.slow
    def test_other_rows_that_leave_after_a_restore(self, database: Database) -> None:
        fill(database, range(4))
        renew(database)
        keys = database.runs().collect()["run_key"].to_list()
        whole = database.version
        database.remove_runs(keys[:1])
        projection.renew(database._engine)
        database.restore(whole)
        database.remove_runs(keys[1:2])
        assert_equal_without(database)

    def test_a_series_whose_machine_changes(self, database: Database) -> None:
        for number in range(4):
            run, results = publication(number)
            other = replace(run.test_bed, memory_gb=16 + number % 2, name="bed")
            results = [replace(result, test_bed=other) for result in results]
            database.publish(results, replace(run, test_bed=other))
        database.define([Definition(kind="pool", pattern="bed", at=1, by="me")])
        renew(database)
        assert_equal_without(database)


class TestRenew:
    """Maintenance makes levels for what is new, keeps large ones, and joins those that have grown alike."""

    @pytest.mark.slow
    @pytest.mark.usefixtures("small_files")
    def test_at_most_three_levels(self, database: Database) -> None:
        most = 0
        for number in range(9):
            fill(database, range(number, number + 1), rows=3)
            renew(database)
            most = max(most, levels(database))
        assert 1 < most <= 3
        assert database.info().projection == replace(known_of(database), rows=27, rows_outside=0)

    @pytest.mark.slow
    @pytest.mark.usefixtures("small_files")
    def test_a_large_level_is_written_once(self, database: Database) -> None:
        fill(database, range(16), rows=4)
        renew(database)
        before = {path: path.stat().st_mtime_ns for path in files(database)}
        fill(database, range(16, 17), rows=3)
        renew(database)
        assert {path: path.stat().st_mtime_ns for path in before} == before
        assert levels(database) == 2

    def test_an_empty_store(self, database: Database) -> None:
        database.optimize()
        assert database.info().projection is None
        assert database.trend("*").is_empty()

    def test_the_files_of_earlier_levels_leave_after_a_while(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(database, range(2))
        renew(database)
        (first,) = files(database)
        fill(database, range(2, 3))
        renew(database)
        assert first in files(database)
        monkeypatch.setattr(projection, "_GRACE_SECONDS", 0.0)
        renew(database)
        assert len(files(database)) == 1
        assert first not in files(database)
        assert_equal_without(database)

    def test_a_reader_of_an_earlier_level(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projection, "_GRACE_SECONDS", 0.0)
        fill(database, range(3))
        renew(database)
        engine = Engine(locate(database.uri), None)
        old = projection.Projection(engine, engine.open(RESULTS_TABLE))
        fill(database, range(3, 6))
        renew(database)
        gone = old.read(["median", "run_key"], pl.lit(value=True))
        assert gone.is_empty()
        assert sum(fragment.rows for fragment in old.rest) == 9

    @pytest.mark.slow
    def test_concurrent_maintainers(self, database: Database) -> None:
        fill(database, range(5))
        engines = [Engine(locate(database.uri), None) for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(projection.renew, engines * 2))
        assert known_of(database).rows == 15
        assert projection.fault(database._engine) == ("", False)
        assert_equal_without(database)

    @pytest.mark.slow
    def test_killed_while_a_level_is_written(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(database, range(3))
        renew(database)
        before = (Path(database.uri) / projection.LEVELS).read_bytes()
        fill(database, range(3, 5))
        monkeypatch.setattr(projection, "_READ_BYTES", 1)
        write = content.write

        def killed(_engine: Engine, _name: str, chunks: Iterator[bytes]) -> None:
            # what a killed process leaves: a part of a file under a name of its own
            (Path(database.uri) / projection.DIRECTORY / ".0123456789abcdef.part").write_bytes(next(chunks))
            raise KeyboardInterrupt

        monkeypatch.setattr(content, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            projection.renew(database._engine)
        monkeypatch.setattr(content, "write", write)
        assert (Path(database.uri) / projection.LEVELS).read_bytes() == before
        assert_equal_without(database)
        monkeypatch.setattr(projection, "_GRACE_SECONDS", 0.0)
        renew(database)
        assert known_of(database).rows == 15
        assert sorted(path.suffix for path in (Path(database.uri) / projection.DIRECTORY).iterdir()) == [
            ".json",
            ".points",
        ]


class TestSmall:
    """A store of few rows on a disk has a list without levels, beside which the versions of its tables are noted."""

    def test_levels_come_with_rows_and_go_with_them(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projection, "_LEAST_ROWS", 9)
        monkeypatch.setattr(projection, "_GRACE_SECONDS", -1.0)
        fill(database, range(2))
        renew(database)
        assert (files(database), database.info().projection) == ([], None)
        fill(database, range(2, 3))
        renew(database)
        assert known_of(database).rows == 9
        assert_equal_without(database)
        database._engine.delete(RESULTS_TABLE, condition("dut.version", "1.0.2"))
        renew(database)
        assert (files(database), database.info().projection) == ([], None)
        assert_equal_without(database)

    def test_a_bucket_has_levels(self, bucket_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projection, "_LEAST_ROWS", 9)
        database = connect(bucket_uri, create=True)
        fill(database, range(1))
        database.optimize()
        assert known_of(database).rows == 3

    def test_an_older_table_is_noticed(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """The note is of the last maintenance, whether or not the list without levels has changed."""
        monkeypatch.setattr(projection, "_LEAST_ROWS", 100)
        results = Path(database.uri) / RESULTS_TABLE.directory
        fill(database, range(1))
        database.optimize()
        backup = shutil.copytree(results, results.with_name("backup"))
        fill(database, range(1, 2))
        database.optimize()
        shutil.rmtree(results)
        backup.rename(results)
        with pytest.warns(DamagedStoreWarning, match="results is at version .* an older backup"):
            connect(database.uri).trend("*")


def known_of(database: Database) -> ProjectionInfo:
    known = database.info().projection
    assert known is not None
    return known


# Reads, changes the file of the level in place, and reads again: both answers and the rows of the first stay as they were.
_IN_PLACE = """
import os, sys
from pathlib import Path
from bench_db.store import projection
from bench_db.store.database import connect

uri, columns, how = sys.argv[1:]
database = connect(uri)
read = lambda: database.points(also=columns.split()).rows.sort("series_key", "run_key")
rows = database.points(also=columns.split()).rows
before = repr(rows.to_dicts())
expected = repr(read().to_dicts())
[path] = (Path(uri) / projection.DIRECTORY).glob("*.points")
size = path.stat().st_size
with path.open("r+b") as file:
    if how == "zeros":
        file.write(bytes(size))
    else:
        file.truncate({"emptied": 0, "cut": size // 2, "cut by one byte": size - 1}[how])
assert repr(rows.to_dicts()) == before
assert repr(read().to_dicts()) == expected
fault, is_used = projection.fault(database._engine)
assert fault and not is_used
"""


class TestDamage:
    """A damaged level or list is ignored, reported as harmless, and made again."""

    @pytest.mark.parametrize(
        ("how", "at"),
        [
            ("flipped", 0.0),
            ("flipped", 0.3),
            ("flipped", 0.9),
            ("cut", 0.5),
            ("cut", 0.99),
            ("lost", 0.0),
            ("zeros", 0.1),
        ],
    )
    def test_of_a_level(self, database: Database, how: str, at: float) -> None:
        fill(database, range(3))
        renew(database)
        (path,) = files(database)
        read = path.read_bytes()
        place = int(at * (len(read) - 1))
        if how == "lost":
            path.unlink()
        else:
            middle = bytes(len(read) - place) if how == "zeros" else bytes([read[place] ^ 255]) + read[place + 1 :]
            path.write_bytes(read[:place] + (b"" if how == "cut" else middle))
        assert_equal_without(database)
        fault, is_used = projection.fault(database._engine)
        assert not is_used
        if how in {"cut", "lost"} or place > 64:
            assert fault
        projection.renew(database._engine, checked=True)
        assert projection.fault(database._engine) == ("", False)

    @pytest.mark.parametrize("how", ["emptied", "cut", "cut by one byte", "zeros"])
    def test_of_an_open_file(self, database: Database, how: str) -> None:
        """A copy in place ends no process, and changes nothing that was read before."""
        fill(database, range(6), rows=200)
        renew(database)
        words = [sys.executable, "-c", _IN_PLACE, database.uri, "run_key branch mean", how]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.slow
    @pytest.mark.parametrize("how", ["flipped", "cut", "another format", "no text"])
    def test_of_the_list(self, database: Database, how: str) -> None:
        fill(database, range(3))
        renew(database)
        path = Path(database.uri) / projection.LEVELS
        read = path.read_bytes()
        body = read.partition(b"\n")[2].replace(b'"format": 1', b'"format": 2')
        path.write_bytes(
            {
                "flipped": read.replace(b'"rows": 9', b'"rows": 8'),
                "cut": read[:70],
                "another format": xxhash.xxh3_128_hexdigest(body).encode() + b"\n" + body,
                "no text": b"",
            }[how]
        )
        assert database.info().projection is None
        assert_equal_without(database)
        renew(database)
        assert known_of(database).rows == 9

    def test_verify_reports_and_repair_makes_it_again(self, database: Database) -> None:
        fill(database, range(3))
        renew(database)
        (path,) = files(database)
        path.write_bytes(path.read_bytes()[:-1])
        (problem,) = database.verify().problems
        assert (problem.table, problem.harmless) == (projection.DIRECTORY, True)
        database.repair()
        assert database.verify().problems == ()
        assert known_of(database).rows == 9

    @pytest.mark.slow
    def test_points_that_are_not_those_of_the_results(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(database, range(3))
        arranged = projection._arranged

        def wrong(rows: pa.Table) -> Iterator[tuple[pl.DataFrame, pa.RecordBatch]]:
            at = rows.schema.get_field_index("median")
            return arranged(rows.set_column(at, "median", rows["max"]))

        with monkeypatch.context() as patch:
            patch.setattr(projection, "_arranged", wrong)
            database.optimize()
        found = database.verify()
        assert not found.sound
        assert [problem.table for problem in found.problems] == [projection.DIRECTORY]
        database.repair()
        assert database.verify().problems == ()
        assert_equal_without(database)

    @pytest.mark.slow
    def test_a_list_that_names_a_file_of_another_content(self, database: Database) -> None:
        fill(database, range(3))
        renew(database)
        path = Path(database.uri) / projection.LEVELS
        listed = json.loads(path.read_bytes().partition(b"\n")[2])
        listed["levels"][0]["parts"][0]["sections"]["series"] = [0, 10]
        body = json.dumps(listed).encode()
        path.write_bytes(xxhash.xxh3_128_hexdigest(body).encode() + b"\n" + body)
        assert_equal_without(database)


@pytest.mark.slow
class TestBucket:
    """In a bucket a trend reads one range of each level."""

    def test_answers_and_requests(self, bucket_uri: str, server: S3Server) -> None:
        database = connect(bucket_uri, create=True)
        fill(database, range(3))
        expected = database.trend("bench 1")
        database.optimize()
        fill(database, range(3, 4))
        assert known_of(database).rows == 9
        again = connect(bucket_uri)
        server.reset_requests()
        found = again.trend("bench 1")
        assert server.requests().total() <= 20
        assert found.head(3).drop("change_since_first").equals(expected.drop("change_since_first"))
        assert found.height == 4

    def test_lost_and_old_files(self, bucket_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        database = connect(bucket_uri, create=True)
        fill(database, range(2))
        database.optimize()
        expected = database.trend("*")
        engine = database._engine
        (level,) = projection._listed(engine)
        content.remove(engine, f"{projection.DIRECTORY}/{level.parts[0].file}")
        assert connect(bucket_uri).trend("*").equals(expected)
        monkeypatch.setattr(projection, "_GRACE_SECONDS", -1.0)
        database.optimize()
        assert connect(bucket_uri).trend("*").equals(expected)
        projection.discard(engine)
        assert database.info().projection is None
