from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.arrow import from_table, to_table
from bench_db.derive import derive
from bench_db.model import Definition, Result, Run, SummaryValues
from bench_db.query.definitions import in_force
from bench_db.store import known
from bench_db.store.database import connect
from bench_db.store.engine import ROW_ID, Snapshot
from bench_db.store.filters import condition
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from tests.store import releases
from tests.store.workers import without_samples
from tests.strategies import HOSTILE, publication

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench_db.store.database import Database


def copied(database: Database, run_key: int) -> tuple[Run, list[Result]]:
    """Return a stored run and its results as an adapter reads them again from the file."""
    found = database._engine.open(RUNS_TABLE).rows(condition("run_key", run_key))
    (run,) = from_table(found, Run)
    return replace(run, run_key=0, content_key=None), database.results({"run_key": run_key})


class TestOwnKey:
    """Everything except the measurements, the device, the commit, the test bed and the pull request is no part of a run."""

    @pytest.mark.parametrize(
        "change", [{"sha256": "0" * 64}, {"branch": "x"}, {"run_id": "x"}, {"context": '{"x": 1}'}, {"ingested_at": 9}]
    )
    def test_provenance(self, database: Database, change: dict[str, object]) -> None:
        run, results = publication(1)
        database.publish(results, run)
        again = database.publish(results, replace(run, **change))  # type: ignore[arg-type]
        assert (again.new, again.unchanged, again.notes) == (0, 3, ())

    def test_without_a_commit_the_version_and_time_are(self, database: Database) -> None:
        run, results = publication(1)
        bare = replace(run, commit=None)
        rows = [replace(result, commit=None) for result in results]
        database.publish(rows, bare)
        assert database.publish(rows, replace(bare, sha256="0" * 64)).new == 0
        later = replace(bare, dut=replace(bare.dut, version="2"))
        assert database.publish([replace(r, dut=later.dut) for r in rows], later).new == 3

    def test_a_hostile_device(self, database: Database) -> None:
        run, results = publication(1)
        hostile = replace(run, dut=replace(run.dut, name=HOSTILE), sha256=HOSTILE + "\0")
        rows = [replace(result, dut=hostile.dut) for result in results]
        assert [database.publish(rows, hostile).new for _ in range(2)] == [3, 0]


class TestElsewhere:
    """The answer says where measurements are stored already."""

    def test_of_several_the_newest_is_named(self, database: Database) -> None:
        run, rows = publication(1)
        results = [replace(result, commit=None) for result in rows]
        for number in range(2):
            database.publish(results, replace(run, commit=f"{number}" * 40, run_id=f"ci-{number}"))
        done = database.publish(results, replace(run, commit="2" * 40))
        assert done.new == 3
        (note,) = done.notes
        assert "stored as run ci-1 of engine commit 1111" in note
        assert note.endswith("on bed, and 1 more")
        assert all("already stored" not in note for row in database.runs().collect()["notes"].to_list() for note in row)


class TestWithoutSamples:
    """A file with statistics alone is the run with samples whose count, smallest and largest value it has."""

    @pytest.mark.parametrize("samples_first", [True, False])
    def test_either_order(self, database: Database, *, samples_first: bool) -> None:
        both = [publication(1), without_samples(*publication(1))]
        answers = [database.publish(rows, run) for run, rows in (both if samples_first else both[::-1])]
        assert [(a.new, a.unchanged, a.replaced) for a in answers] == [
            (3, 0, 0),
            (0, 3, 0) if samples_first else (3, 0, 3),
        ]
        assert database.results() == derive(*publication(1))[1]
        assert database.runs().collect()["run_key"].to_list() == [derive(*publication(1))[0].run_key]
        assert [database.publish(rows, run).new for run, rows in both] == [0, 0]
        assert database.verify().problems == ()

    def test_at_another_place_it_is_another_run(self, database: Database) -> None:
        run, results = publication(1)
        database.publish(results, run)
        other, rows = without_samples(run, results)
        moved = [replace(row, commit=None) for row in rows]
        assert database.publish(moved, replace(other, commit="2" * 40)).new == 3

    @pytest.mark.parametrize("change", ["min", "max", "n", "name", "none"])
    def test_what_agrees_in_part_is_another_run(self, database: Database, change: str) -> None:
        run, results = publication(1)
        database.publish(results, run)
        other, rows = without_samples(run, results)
        summary = rows[2].summary
        assert summary is not None
        changed = {
            "min": {"summary": replace(summary, min=0.5)},
            "max": {"summary": replace(summary, max=99.0)},
            "n": {"n": 4},
            "name": {"benchmark_name": "other"},
            "none": {"summary": SummaryValues(median=summary.median, mean=summary.mean)},
        }[change]
        assert database.publish([*rows[:2], replace(rows[2], **changed)], other).new == 3  # type: ignore[arg-type]

    def test_samples_that_each_lacks_are_lost_by_none(self, database: Database) -> None:
        run, results = publication(1)
        other, rows = without_samples(run, results)
        assert database.publish([rows[0], *results[1:]], run).new == 3
        assert database.publish([results[0], *rows[1:]], other).new == 3


class TestOlderRuns:
    """Runs of a release without content keys stay recognised, with their ids and keys."""

    @pytest.fixture
    def old(self, tmp_path: Path) -> Database:
        return connect(releases.unpacked("0.1", tmp_path))

    @pytest.mark.parametrize("migrated", [False, True])
    def test_the_same_file(self, old: Database, *, migrated: bool) -> None:
        if migrated:
            old.migrate()
        before = old.results()
        for key in old.runs().collect()["run_key"].to_list()[:3]:
            run, results = copied(old, key)
            done = old.publish(results, run)
            assert (done.new, done.unchanged, done.notes) == (0, len(results), run.notes)
        assert old.results() == before

    @pytest.mark.parametrize("migrated", [False, True])
    def test_the_same_measurements_in_other_bytes(self, old: Database, *, migrated: bool) -> None:
        if migrated:
            old.migrate()
        run, results = copied(old, old.runs().collect()["run_key"][0])
        assert old.publish(results, replace(run, sha256="0" * 64)).new == 0

    def test_the_same_file_under_another_commit_or_suite(self, old: Database) -> None:
        run, results = copied(old, old.runs().collect()["run_key"][0])
        other = old.publish(
            [replace(r, commit="2" * 40) for r in results], replace(run, commit="2" * 40), keep_leftovers=True
        )
        assert (other.new, "already stored as run" in str(other.notes)) == (len(results), True)
        assert old.publish([replace(r, suite="other") for r in results], run).new == len(results)

    @pytest.mark.parametrize("migrated", [False, True])
    def test_a_run_with_a_row_missing(self, old: Database, *, migrated: bool) -> None:
        key = old.runs().collect()["run_key"][0]
        run, results = copied(old, key)
        old._engine.delete(RESULTS_TABLE, condition("id", results[1].id))
        if migrated:
            old.migrate()
        done = old.publish(results, run)
        assert (done.run_key, done.new, done.unchanged) == (key, 1, len(results) - 1)
        assert sorted(r.id for r in old.results({"run_key": key})) == sorted(r.id for r in results)
        assert old.verify().sound


class TestFind:
    """A look-up tells a run that is there whole from one that is there in part."""

    def test_counts(self, database: Database) -> None:
        run, results = derive(*publication(1))
        assert known.find(database._engine, run, results) == known.Known()
        database._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        assert known.find(database._engine, run, results).rows == 0
        database._engine.merge(RESULTS_TABLE, to_table(results[1:], RESULTS_TABLE.schema))
        found = known.find(database._engine, run, results)
        assert found.same is not None
        assert (found.same.run_key, found.rows) == (run.run_key, 2)

    def test_another_reading_of_the_same_bytes(self, database: Database) -> None:
        """A later release may read more from a file; both readings beside each other would count twice."""
        run, results = publication(1)
        database.publish(results[:2], run)
        done = database.publish(results, run)
        assert (done.new, done.unchanged) == (0, 2)
        assert "--replace stores this reading" in done.notes[0]
        assert database.publish(results, run, replace=True).replaced == 2
        assert len(database.results()) == 3


def moved(number: int, *, suite: str = "suite", bed: str = "bed", device: str = "engine") -> Sequence[Result]:
    """Return the derived results of a plain publication under other names."""
    run, results = publication(number)
    place = replace(run.test_bed, name=bed)
    dut = replace(run.dut, name=device)
    run = replace(run, test_bed=place, dut=dut)
    return derive(run, [replace(result, test_bed=place, dut=dut, suite=suite) for result in results])[1]


class TestNeighbours:
    """For new series the places of the same benchmarks are returned; for series that exist, none."""

    @pytest.mark.parametrize("optimized", [False, True])
    def test_places(self, database: Database, *, optimized: bool) -> None:
        run, results = publication(1)
        database.publish(results, run)
        if optimized:
            database.optimize()
        assert known.neighbours(database._engine, moved(2, bed="other")) == [("bed", "suite")]
        assert known.neighbours(database._engine, moved(2, suite="other")) == [("bed", "suite")]
        assert known.neighbours(database._engine, moved(2)) == []
        assert known.neighbours(database._engine, moved(2, device="other")) == []

    def test_series_newer_than_the_rollup(self, database: Database) -> None:
        database.publish(publication(1)[1], publication(1)[0])
        database.optimize()
        other = moved(2, bed="other")
        run = replace(publication(2)[0], test_bed=other[0].test_bed)
        database.publish(other, run)
        assert known.neighbours(database._engine, moved(3, bed="other")) == []

    @pytest.mark.parametrize(
        ("kind", "facts", "expected"),
        [("pool", {"pattern": "b*"}, [("bed", "suite")]), ("alias", {"pattern": "suite", "value": "other"}, [])],
    )
    def test_definitions(
        self, database: Database, kind: str, facts: dict[str, str], expected: list[tuple[str, str]]
    ) -> None:
        run, results = publication(1)
        database.publish(results, run)
        defined = in_force([Definition(kind=kind, field="suite" if kind == "alias" else "", at=1, **facts)])  # type: ignore[arg-type]
        found = known.neighbours(database._engine, moved(2, suite="other"), lambda: defined)
        assert found == expected

    def test_empty_store(self, database: Database) -> None:
        assert known.neighbours(database._engine, moved(1)) == []

    def test_of_a_series_that_goes_on_no_identity_is_read(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, results = publication(1)
        database.publish(results, run)
        asked = []
        read = Snapshot.read

        def noted(table: Snapshot, columns: Iterable[str], *more: Any, **options: Any) -> Any:
            asked.append((table.table.name, tuple(columns)))
            return read(table, columns, *more, **options)

        monkeypatch.setattr(Snapshot, "read", noted)
        assert known.neighbours(database._engine, moved(2)) == []
        assert asked == [("results", (ROW_ID,))]


class TestRuntimeOf:
    """The name and the first two numbers, so that a re-run under a newer patch is by the same runtime."""

    @pytest.mark.parametrize(
        ("context", "runtime", "tag"),
        [
            (
                {"machine_info": {"python_implementation": "CPython", "python_version": "3.13.0rc1"}},
                "CPython 3.13",
                "python=3.13",
            ),
            (
                {"machine_info": {"python_implementation": "PyPy", "python_version": "3.11.9"}},
                "PyPy 3.11",
                "python=pypy3.11",
            ),
            ({"machine_info": {"python_version": "3.9"}}, "Python 3.9", "python=3.9"),
            (
                {"metadata": {"python_implementation": "cpython", "python_version": "3.12.1 (64-bit)"}},
                "cpython 3.12",
                "python=3.12",
            ),
            ({"python": {"sysconfig": {"py_version": "3.12.1"}}}, "Python 3.12", "python=3.12"),
            ({"HostEnvironmentInfo": {"RuntimeVersion": ".NET 10.0.4 (10.0.426)"}}, ".NET 10.0", "runtime=10.0"),
            (
                {"HostEnvironmentInfo": {"RuntimeVersion": ".NET Framework 4.8.1"}},
                ".NET Framework 4.8",
                "runtime=netframework4.8",
            ),
            ({"HostEnvironmentInfo": {"RuntimeVersion": "Mono 6.12.0 (tarball)"}}, "Mono 6.12", "runtime=mono6.12"),
            ({"HostEnvironmentInfo": {"RuntimeVersion": "Mono"}}, "Mono", "runtime=mono"),
        ],
    )
    def test_named(self, context: object, runtime: str, tag: str) -> None:
        assert known.runtime_of(json.dumps(context)) == (runtime, tag)

    @pytest.mark.parametrize(
        "context", [{"machine_info": None, "python": "3.12"}, {"metadata": {"python_version": 3}}, {}, []], ids=range(4)
    )
    def test_not_named(self, context: object) -> None:
        assert known.runtime_of(json.dumps(context)) is None
