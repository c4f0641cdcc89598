from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.errors import BenchDbError, CorruptStoreError, UserError
from bench_db.model import RecordedCommit, Result, Run, Samples, SummaryValues, Throughput
from bench_db.store import known, maintain, publish
from bench_db.store.database import connect
from bench_db.store.filters import condition
from bench_db.store.publish import Entry
from bench_db.store.tables import COMMITS_TABLE, RESULTS_TABLE, RUNS_TABLE
from tests.store.workers import without_samples
from tests.strategies import HOSTILE, commit_of, publication, publications
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from bench_db.store.database import Database
    from bench_db.store.engine import Engine, Merged
    from bench_db.store.tables import Table

pytestmark = pytest.mark.few(1)

_SUMMARY = SummaryValues(min=1, q1=1, median=1, q3=1, max=1, mean=1, standard_deviation=0)


def _content(database: Database) -> list[tuple[str, str]]:
    """All that the store says, in no order: the rows of both tables as text."""
    rows = [("result", repr(result)) for result in database.results()]
    return sorted([*rows, *(("run", repr(run)) for run in database.runs().collect().to_dicts())])


class TestPublish:
    """Publishing twice leaves the store as publishing once, and what was published is read back the same."""

    @examples("fuzz", 8, full=300)
    @given(published=publications())
    def test_records_through_lance_and_back(
        self, tmp_path_factory: pytest.TempPathFactory, published: tuple[Run, list[Result]]
    ) -> None:
        run, results = published
        database = connect(tmp_path_factory.mktemp("lance") / "store", create=True)
        done = database.publish(results, run)
        assert (done.new, done.unchanged) == (len(results), 0)
        assert database.results() == derive(run, results)[1]

    def test_again_adds_nothing(self, database: Database) -> None:
        run, results = publication(1)
        first = database.publish(results, run)
        once = _content(database)
        again = database.publish(results, run)
        assert (first.new, first.unchanged, again.new, again.unchanged) == (3, 0, 0, 3)
        assert _content(database) == once

    def test_again_after_maintenance_adds_nothing(self, database: Database) -> None:
        for number in range(3):
            database.publish(*reversed(publication(number)))  # type: ignore[arg-type]
        once = _content(database)
        database.optimize()
        assert [database.publish(publication(number)[1], publication(number)[0]).new for number in range(3)] == [
            0,
            0,
            0,
        ]
        assert _content(database) == once

    def test_the_same_content_from_another_job_is_the_same_run(self, database: Database) -> None:
        run, results = publication(1)
        database.publish(results, run)
        once = _content(database)
        assert database.publish(results, replace(run, run_id="other", attempt=2, file_name="renamed.json")).new == 0
        assert _content(database) == once

    @pytest.mark.slow
    @examples("clocks", 5, full=100)
    @given(order=st.permutations(range(5)), again=st.lists(st.integers(0, 4), max_size=3))
    def test_order_is_no_difference(
        self, tmp_path_factory: pytest.TempPathFactory, order: list[int], again: list[int]
    ) -> None:
        def published(numbers: list[int]) -> Database:
            database = connect(tmp_path_factory.mktemp("order") / "store", create=True)
            for number in numbers:
                run, results = publication(number, rows=2)
                database.publish(results, run)
            return database

        assert _content(published([*order, *again])) == _content(published([0, 1, 2, 3, 4]))

    def test_a_hostile_name_is_found_by_it(self, database: Database) -> None:
        run, results = publication(1, rows=2)
        hostile = replace(results[0], benchmark_name=HOSTILE, suite=HOSTILE, tags={HOSTILE: HOSTILE})
        database.publish([hostile, results[1]], run)
        assert database.trend(HOSTILE)["benchmark_name"].to_list() == [HOSTILE]
        assert database.results({"benchmark_name": HOSTILE})[0].tags == {HOSTILE: HOSTILE}
        assert database.has(str(run.commit), [HOSTILE]).present
        assert HOSTILE in database.latest()["benchmark_name"].to_list()

    def test_a_run_left_without_its_rows_is_completed(self, database: Database) -> None:
        run, results = publication(1)
        derived, _ = derive(run, results)
        database._engine.merge(RUNS_TABLE, to_table([derived], RUNS_TABLE.schema))
        assert database.results() == []
        assert database.publish(results, run).new == 3
        assert database.runs().collect().height == 1

    def test_rows_left_without_their_run_are_completed(self, database: Database) -> None:
        run, results = publication(1)
        database._engine.merge(RESULTS_TABLE, to_table(derive(run, results)[1], RESULTS_TABLE.schema))
        assert database.publish(results, run).new == 0
        assert database.runs().collect().height == 1
        assert len(database.results()) == 3


class TestPartial:
    """A run of which rows are missing is completed by the next publish, and only a whole one is unchanged."""

    @pytest.mark.parametrize("missing", [[0], [1, 2], [0, 1, 2]])
    def test_rows_missing(self, database: Database, missing: list[int]) -> None:
        run, results = publication(1)
        database.publish(results, run)
        once = _content(database)
        database._engine.delete(RESULTS_TABLE, condition("benchmark_name", [f"bench {row}" for row in missing]))
        done = database.publish(results, run)
        assert (done.new, done.unchanged) == (len(missing), 3 - len(missing))
        assert _content(database) == once
        assert database.publish(results, run).unchanged == 3

    def test_in_one_commit(self, database: Database) -> None:
        run, results = publication(1, rows=4)
        database.publish(results, run)
        database._engine.delete(RESULTS_TABLE, condition("benchmark_name", "bench 1"))
        before = database.version
        database.publish(results, run)
        assert [database.scan(as_of=v).collect().height for v in range(before, database.version + 1)] == [3, 4]


class TestReplace:
    """A replacement takes out the earlier run of its place, and nothing else."""

    def test_the_earlier_run_goes_and_others_stay(self, database: Database) -> None:
        other_run, other = publication(9, place="elsewhere")
        database.publish(other, other_run)
        first_run, first = publication(1, rows=4, place="ci")
        database.publish(first, first_run)
        second_run, second = publication(2, rows=2, place="ci")
        done = database.publish(second, second_run, replace=True)
        assert (done.new, done.replaced) == (2, 4)
        assert database.results() == [*derive(other_run, other)[1], *derive(second_run, second)[1]]
        assert set(database.runs().collect()["sha256"]) == {other_run.sha256, second_run.sha256}

    def test_artifacts_of_the_earlier_run_are_named(self, database: Database) -> None:
        """They stay, because a publish deletes no file; a run without any has no such note."""
        run, results = publication(1, place="ci")
        key = database.publish(results, run).run_key
        for content in (b"one", b"two"):
            database.put_artifact(content, kind="log", added_at=0, run=key)
        notes = []
        for number in (2, 3):
            run, results = publication(number, place="ci")
            notes += [
                note
                for note in database.publish(results, run, replace=True).notes
                if "artifacts of the replaced" in note
            ]
        command = f"'bench-db artifact delete --run {key:016x}' shows and deletes them"
        assert notes == [f"artifacts of the replaced run {key:016x} stay (2); {command}"]
        assert len(database.artifacts()) == 2

    def test_twice_is_once(self, database: Database) -> None:
        run, results = publication(1, place="ci")
        database.publish(results, run)
        once = _content(database)
        for _ in range(2):
            database.publish(results, run, replace=True)
            assert _content(database) == once

    def test_nothing_to_replace_is_a_publish(self, database: Database) -> None:
        run, results = publication(1, place="ci")
        done = database.publish(results, run, replace=True)
        assert (done.new, done.replaced) == (3, 0)

    def test_another_reading_of_the_same_content(self, database: Database) -> None:
        run, results = publication(1, rows=3)
        database.publish(results, run)
        corrected = [replace(results[0], values=Samples([5.0])), replace(results[2], benchmark_name="added")]
        database.publish(corrected, run, replace=True)
        assert sorted(database.results(), key=lambda r: r.benchmark_name) == sorted(
            derive(run, corrected)[1], key=lambda r: r.benchmark_name
        )
        assert database.runs().collect()["results"].to_list() == [2]

    def test_same_file_name_of_another_ci_run_stays(self, database: Database) -> None:
        run, results = publication(1, place="ci")
        database.publish(results, run)
        later, more = publication(2, place="ci")
        database.publish(more, replace(later, run_id="other"), replace=True)
        assert len(database.results()) == 6

    @pytest.mark.parametrize(
        "change",
        [{"commit": "2" * 40}, {"test_bed": "other"}, {"dut": "other"}, {"suite": "other"}, {"tags": {"os": "b"}}],
    )
    def test_another_place_in_the_same_job_stays(self, database: Database, change: dict[str, Any]) -> None:
        run, results = publication(1, place="ci")
        database.publish(results, run)
        of_run = {"commit": change["commit"]} if "commit" in change else {}
        if "test_bed" in change:
            of_run = {"test_bed": replace(run.test_bed, name="other")}
        elif "dut" in change:
            of_run = {"dut": replace(run.dut, name="other")}
        of_results = {"dut": run.dut, **(of_run or change)}
        moved = [replace(r, **of_results) for r in publication(2, place="ci")[1]]
        done = database.publish(moved, replace(run, sha256="0" * 64, **of_run), replace=True)
        assert (done.new, done.replaced) == (3, 0)
        assert len(database.results()) == 6

    def test_results_change_in_one_commit(self, database: Database) -> None:
        run, results = publication(1, rows=4, place="ci")
        database.publish(results, run)
        before = database._engine.open(RESULTS_TABLE).version
        run, results = publication(2, rows=3, place="ci")
        database.publish(results, run, replace=True)
        after = database._engine.open(RESULTS_TABLE).version
        counts = [database.scan(as_of=version).collect().height for version in range(before, after + 1)]
        assert set(counts) == {4, 3}

    def test_after_maintenance(self, database: Database) -> None:
        for number in range(3):
            run, results = publication(number, place=f"ci{number}")
            database.publish(results, run)
        database.optimize()
        run, results = publication(7, place="ci1")
        database.publish(results, run, replace=True)
        assert len(database.results()) == 9
        assert len({result.id for result in database.results()}) == 9
        assert database.trend("bench 0")["dut_version"].to_list() == ["1.0.0", "1.0.2", "1.0.7"]


class TestRefused:
    """What cannot be stored is refused with a reason before anything is written."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"values": Samples([1.0, math.nan])},
            {"values": Samples([math.inf])},
            {"values": Samples([math.inf, -math.inf])},
            {"values": Samples(), "summary": replace(_SUMMARY, mean=math.nan)},
            {"values": Samples(), "summary": replace(_SUMMARY, max=math.inf)},
            {"lower": math.nan},
            {"upper": -math.inf},
            {"throughput": Throughput(multiplier=math.nan, name="bytes", unit_system="binary")},
            {"values": Samples()},
            {"error": "boom", "values": Samples(), "summary": _SUMMARY},
            {"benchmark_name": "lone surrogate \ud800"},
            {"metadata": "\udcff"},
            {"pr_number": 2**40},
        ],
        ids=str,
    )
    def test_nothing_is_written(self, database: Database, wrong: dict[str, object]) -> None:
        run, results = publication(1)
        mixed = [*results[1:], replace(results[0], **wrong)]  # type: ignore[arg-type]
        with pytest.raises(UserError) as caught:
            database.publish(mixed, run)
        assert len(str(caught.value).splitlines()) == 1
        assert database.results() == []
        assert database.runs().collect().height == 0

    def test_no_results(self, database: Database) -> None:
        with pytest.raises(UserError, match="at least one result"):
            database.publish([], publication(1)[0])
        assert database.runs().collect().height == 0

    @pytest.mark.parametrize("again", [False, True])
    def test_a_key_of_other_content(self, database: Database, *, again: bool) -> None:
        run, results = publication(1)
        key = derive(run, results)[0].run_key
        foreign, rows = derive(*publication(2))
        database._engine.merge(RUNS_TABLE, to_table([replace(foreign, run_key=key)], RUNS_TABLE.schema))
        database._engine.merge(RESULTS_TABLE, to_table([replace(r, run_key=key) for r in rows], RESULTS_TABLE.schema))
        before = _content(database)
        with pytest.raises(CorruptStoreError, match="other content"):
            database.publish(results, run, replace=again)
        assert _content(database) == before

    def test_a_store_that_lost_a_column_is_not_written(self, tmp_path: Path) -> None:
        database = connect(tmp_path / "store", create=True)
        database._engine.open(RESULTS_TABLE).dataset.drop_columns(["series_key"])
        run, results = publication(1)
        with pytest.raises(BenchDbError, match="lacks the column 'series_key'"):
            database.publish(results, run)
        assert database.runs().select(pl.len()).collect().item() == 0


def _entries(*numbers: int, **facts: Any) -> list[Entry]:
    return [Entry(*publication(number, **facts)) for number in numbers]


def _twins() -> list[Entry]:
    """Return runs that have something to do with each other: repeated, in other bytes, elsewhere, bare, left over, rerun."""
    one, two = publication(1, samples_each=6), publication(2, samples_each=6)
    run, results = one
    elsewhere = replace(run, commit=commit_of("other"))
    moved = [replace(result, commit=elsewhere.commit) for result in results]
    rerun = [replace(result, values=Samples([value + 1 for value in result.values])) for result in results]
    cached = [*two[1], replace(results[0], benchmark_name="cached", commit=two[0].commit, dut=two[0].dut)]
    again = replace(cached[-1], commit=commit_of(3), dut=replace(two[0].dut, version="1.0.3"))
    third = replace(two[0], commit=again.commit, dut=again.dut, sha256="3" * 64)
    return [
        Entry(run, results),
        Entry(replace(run, sha256="1" * 64, file_name="copy.json"), results),
        Entry(elsewhere, moved),
        Entry(*without_samples(*publication(9))),
        Entry(*publication(9)),
        Entry(two[0], cached),
        Entry(third, [again]),
        Entry(third, [again, replace(again, benchmark_name="measured", values=Samples([1.5, 2, 3, 4, 5]))]),
        Entry(replace(run, sha256="4" * 64), rerun),
        Entry(run, results),
        Entry(*publication(10)),
    ]


class TestReplacingSamples:
    """A replacement may have the same measurements without their samples, or with them."""

    @pytest.mark.parametrize("first", [0, 1])
    def test_either_way(self, database: Database, first: int) -> None:
        pairs = [publication(9), without_samples(*publication(9))]
        for run, results in (pairs[first], pairs[1 - first], pairs[first]):
            database.publish(results, run, replace=True)
            assert database.runs().collect()["sha256"].to_list() == [run.sha256]
            assert [len(row.values) for row in database.results()] == [len(row.values) for row in results]
        assert database.verify().sound


class TestPublishMany:
    """Publishing many runs leaves the store as publishing them one by one, in a few commits."""

    @pytest.mark.parametrize("replacing", [False, True])
    @pytest.mark.parametrize("order", [1, -1])
    def test_as_one_by_one(self, database: Database, target: Database, *, order: int, replacing: bool) -> None:
        entries = _twins()[::order]
        single = [target.publish(entry.results, entry.run, replace=replacing) for entry in entries]
        assert list(database.publish_many(entries, replace=replacing)) == single
        assert _content(database) == _content(target)
        assert database.commits() == target.commits()
        assert list(database.publish_many(entries)) == [target.publish(e.results, e.run) for e in entries]
        assert _content(database) == _content(target)
        assert database.verify().sound

    def test_new_series_beside_others_of_the_batch(self, database: Database, target: Database) -> None:
        run, results = publication(1)
        tagged = [replace(result, tags={"gpu": "H100"}) for result in results]
        entries = [Entry(run, results), Entry(replace(run, sha256="5" * 64), tagged), *_entries(2)]
        single = [target.publish(entry.results, entry.run) for entry in entries]
        assert any("beside others" in note for note in single[1].notes)
        assert list(database.publish_many(entries)) == single
        assert _content(database) == _content(target)

    @pytest.mark.parametrize("name", ["\0", "a\0b"])
    def test_names_that_no_filter_can_hold(self, database: Database, name: str) -> None:
        """A run that Python made may have any texts, also a context that is no JSON."""
        for number in (1, 2):
            run, results = publication(number)
            run = replace(run, context="", dut=replace(run.dut, version=f"{name}{number}"))
            named = [replace(result, benchmark_name=name, dut=run.dut) for result in results]
            assert database.publish(named, run).new == len(named)
            assert database.publish(named, run).unchanged == len(named)
        database.optimize()
        assert database.verify().problems == ()

    def test_leftovers_of_the_batch_are_kept_when_asked(self, database: Database, target: Database) -> None:
        entries = _twins()
        single = [target.publish(entry.results, entry.run, keep_leftovers=True) for entry in entries]
        assert list(database.publish_many(entries, keep_leftovers=True)) == single
        assert _content(database) == _content(target)

    @pytest.mark.slow
    @examples("fuzz", 4, full=100)
    @given(drawn=st.lists(publications(), min_size=1, max_size=5), again=st.lists(st.integers(0, 4), max_size=3))
    def test_any_records(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        drawn: list[tuple[Run, list[Result]]],
        again: list[int],
    ) -> None:
        entries = [Entry(*pair) for pair in [*drawn, *(drawn[i % len(drawn)] for i in again)]]
        place = tmp_path_factory.mktemp("many")
        one, many = connect(place / "one", create=True), connect(place / "many", create=True)
        single = [one.publish(entry.results, entry.run) for entry in entries]
        assert list(many.publish_many(entries)) == single
        assert _content(many) == _content(one)

    def test_few_commits(self, database: Database) -> None:
        """A commit takes 64 runs."""
        before = [database._engine.open(table).version for table in (RUNS_TABLE, RESULTS_TABLE)]
        done = list(database.publish_many(_entries(*range(300))))
        assert [answer.new for answer in done] == [3] * 300
        assert [database._engine.open(table).version for table in (RUNS_TABLE, RESULTS_TABLE)] == [
            v + 5 for v in before
        ]
        assert len(database._engine.open(COMMITS_TABLE).versions()) == 6
        assert len(database.commits()) == 300

    def test_a_clone_is_asked_once_for_a_commit(self, database: Database) -> None:
        asked = []

        def commits() -> list[RecordedCommit]:
            asked.append(1)
            return [RecordedCommit(dut_name="engine", commit=commit_of("c"), position=4, parents=("p",))]

        runs = [publication(number, place="c") for number in range(3)]
        list(database.publish_many(Entry(run, results, commits) for run, results in runs))
        assert len(asked) == 1
        assert [record.position for record in database.commits()] == [4]

    def test_runs_are_not_all_in_memory(self, database: Database) -> None:
        """The stream is read as far as the next batch needs."""
        read = []

        def stream() -> Iterator[Entry]:
            for entry in _entries(*range(300)):
                read.append(entry)
                yield entry

        answers = database.publish_many(stream())
        assert next(answers).new == 3
        assert len(read) < 150

    def test_an_invalid_run_stores_nothing_of_its_batch(self, database: Database) -> None:
        run, _ = publication(2)
        with pytest.raises(UserError, match="at least one result"):
            list(database.publish_many([*_entries(1), Entry(run, []), *_entries(3)]))
        assert database.runs().collect().is_empty()

    @pytest.mark.parametrize("lost", [RESULTS_TABLE, None])
    def test_what_a_kill_left_is_completed(self, database: Database, lost: Table | None) -> None:
        """A process killed between the tables leaves runs without rows; one of an older release may leave a part of a run."""
        entries = _entries(1, 2, 3)
        list(database.publish_many(entries))
        once = _content(database)
        where = condition("benchmark_name", ["bench 1"]) if lost is None else condition("commit", entries[1].run.commit)
        database._engine.delete(RESULTS_TABLE, where)
        done = list(database.publish_many(entries))
        assert [(answer.new, answer.unchanged) for answer in done] == (
            [(1, 2)] * 3 if lost is None else [(0, 3), (3, 0), (0, 3)]
        )
        assert _content(database) == once
        assert database.verify().sound

    def test_another_writer_has_stored_some_of_them(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each answer has the rows that this merge has inserted, although the merge gives only their sum."""
        merged = type(database._engine).merged
        racing = connect(database.uri)

        def late(engine: Engine, table: Table, rows: pa.Table, **options: Any) -> Merged:
            if table is RESULTS_TABLE and engine is database._engine:
                list(racing.publish_many(_entries(2)))
            return merged(engine, table, rows, **options)

        monkeypatch.setattr(type(database._engine), "merged", late)
        done = list(database.publish_many(_entries(1, 2, 3)))
        assert [(answer.new, answer.unchanged) for answer in done] == [(3, 0), (0, 3), (3, 0)]
        assert database.scan().collect().height == 9

    @pytest.mark.slow
    def test_maintenance_once_at_the_end(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(publish, "_BATCH_RUNS", 1)
        optimized = []
        monkeypatch.setattr(maintain, "optimize", lambda engine: optimized.append(engine.open(RESULTS_TABLE).version))
        list(database.publish_many(_entries(*range(maintain.SMALL_FRAGMENTS + 3))))
        assert optimized == [database.version]


class TestSameMeasurements:
    """A metric that never changes has the same measurements at every commit, and costs no more for it."""

    @staticmethod
    def _size(number: int) -> tuple[Run, list[Result]]:
        run, results = publication(number, rows=2)
        constant = [replace(r, values=Samples([5.0]), summary=None, units="bytes", metric="size") for r in results]
        return run, constant

    def test_one_write_for_many_commits(self, database: Database) -> None:
        before = database.version
        entries = [Entry(*self._size(number)) for number in range(20)]
        done = list(database.publish_many(entries))
        assert [published.new for published in done] == [2] * 20
        assert database.version == before + 1
        assert [len(published.notes) for published in done] == [0, *[1] * 19]
        assert done[-1].notes[0].endswith(", and 18 more")

    def test_the_notes_of_one_by_one(self, tmp_path: Path) -> None:
        together, alone = (connect(tmp_path / name, create=True) for name in ("together", "alone"))
        pairs = [self._size(number) for number in range(6)]
        many = [published.notes for published in together.publish_many(Entry(*pair) for pair in pairs)]
        assert many == [alone.publish(results, run).notes for run, results in pairs]

    def test_the_look_up_is_linear(self, database: Database) -> None:
        """The records of 3,000 commits are gone through once, not once for each of them."""
        pairs = [derive(*self._size(number)) for number in range(3000)]
        records = [run for run, _ in pairs]
        calls = 0

        class Counted(list[Run]):
            def index(self, *_: Any) -> int:
                nonlocal calls
                calls += 1
                return 0

        run, results = derive(*self._size(3001))
        (look,) = known._looks(database._engine, Counted(records), [run], but_own=False)
        assert (len(look.elsewhere), calls) == (3000, 0)
        assert look.elsewhere[-1].commit == records[-1].commit
        assert results


class TestReplaceInOneCall:
    """Files of one call may have the same name in different directories; they do not replace each other."""

    def test_both_remain(self, database: Database) -> None:
        pairs = []
        for number in range(2):
            run, results = publication(1, rows=2)
            named = [replace(result, benchmark_name=f"{number} {result.benchmark_name}") for result in results]
            pairs.append((replace(run, run_id="job", file_name="results.json", sha256=f"{number}"), named))
        for _ in range(2):
            list(database.publish_many((Entry(*pair) for pair in pairs), replace=True))
            assert sorted(row.benchmark_name[:1] for row in database.results()) == ["0", "0", "1", "1"]
            assert database.runs().collect().height == 2
