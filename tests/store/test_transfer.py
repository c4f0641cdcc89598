from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.errors import CorruptStoreError, NewerStoreWarning, SchemaMismatchError, UserError
from bench_db.store import maintain, source, transfer
from bench_db.store.database import Database, connect
from bench_db.store.engine import Engine, locate
from bench_db.store.filters import condition
from bench_db.store.source import StoreSource
from bench_db.store.tables import BASELINES_TABLE, RESULTS_TABLE, RUNS_TABLE
from bench_db.units import Direction
from tests.store.carriers import content, everything, fill, publish, rows_of
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from bench_db.model import Result, Run
    from bench_db.store.tables import Table

pytestmark = pytest.mark.sample(3)


class TestCopy:
    """A copy holds what the original holds, row for row and file for file; copying again adds nothing."""

    def test_everything(self, filled: Database, target: Database) -> None:
        done = filled.copy_to(target)
        assert {name: moved.new for name, moved in done.tables.items()} == rows_of(filled) == rows_of(target)
        assert everything(target.uri) == everything(filled.uri)
        assert done.files == 6
        assert target.verify().problems == ()

    @pytest.mark.slow
    def test_twice(self, filled: Database, target: Database) -> None:
        filled.copy_to(target)
        before = everything(target.uri)
        versions = {table.name: table.version for table in target.info().tables}
        again = filled.copy_to(target)
        assert (everything(target.uri), again.files) == (before, 0)
        assert {moved.new for moved in again.tables.values()} == {0}
        assert {table.name: table.version for table in target.info().tables} == versions

    def test_into_itself(self, filled: Database) -> None:
        before = everything(filled.uri)
        assert filled.copy_to(connect(filled.uri)).tables["results"].new == 0
        assert everything(filled.uri) == before

    def test_an_empty_store(self, database: Database, target: Database) -> None:
        assert database.copy_to(target).tables["runs"].rows == 0
        assert rows_of(target) == {"runs": 0, "results": 0}

    def test_only_what_is_new_is_added(self, filled: Database, target: Database) -> None:
        filled.copy_to(target)
        fill(filled, range(6, 9))
        done = filled.copy_to(target)
        assert (done.tables["results"].new, done.tables["runs"].new, done.files) == (12, 3, 3)
        assert everything(target.uri) == everything(filled.uri)

    @pytest.mark.slow
    def test_merging_two_stores_either_way(self, tmp_path: Path) -> None:
        merged = []
        for order in ((0, 1), (1, 0)):
            parts = [connect(tmp_path / f"part{i}-{order[0]}", create=True) for i in range(2)]
            fill(parts[0], range(5))
            fill(parts[1], range(3, 8))
            parts[order[0]].copy_to(parts[order[1]])
            parts[order[1]].copy_to(parts[order[0]])
            merged += [{name: sorted(rows) for name, rows in everything(part.uri).items()} for part in parts]
        assert all(one == merged[0] for one in merged)
        assert len(merged[0]["runs"]) == 8

    @pytest.mark.slow
    def test_in_small_groups(self, filled: Database, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source, "_GROUP_ROWS", 1)
        told: list[tuple[int, int]] = []
        filled.copy_to(target, progress=lambda done, total: told.append((done, total)))
        assert everything(target.uri) == everything(filled.uri)
        assert told == sorted(told)
        assert told[-1] == (54, 54)

    def test_without_artifacts(self, filled: Database, target: Database) -> None:
        assert "artifacts" not in filled.copy_to(target, artifacts=False).tables
        assert (target.artifacts(), (Path(target.uri) / "artifacts").exists()) == ([], False)
        assert target.verify().problems == ()

    @pytest.mark.slow
    def test_as_it_was(self, filled: Database, target: Database) -> None:
        filled.tag("then")
        before = everything(filled.uri)
        fill(filled, range(6, 8))
        filled.copy_to(target, as_of="then")
        copied = everything(target.uri)
        assert (copied["results"], copied["runs"]) == (before["results"], before["runs"])

    @pytest.mark.slow
    def test_some_runs(self, filled: Database, target: Database) -> None:
        first, second = (publish(filled, number, place="ci") for number in (20, 21))
        third = filled.artifacts()[2]
        assert third.run_key is not None
        done = filled.copy_to(target, runs=["ci", third.run_key])
        counts = {"runs": 3, "results": 10, "baselines": 0, "findings": 0, "artifacts": 1, "commits": 8}
        assert {name: moved.new for name, moved in done.tables.items()} == counts
        assert set(target.runs().collect()["run_key"]) == {first, second, third.run_key}
        assert (target.artifacts(), done.files) == ([third], 1)
        assert target.verify().problems == ()
        with pytest.raises(UserError, match="no run is called 'none'"):
            filled.copy_to(target, runs=["ci", "none"])

    @pytest.mark.slow
    def test_published_meanwhile(self, filled: Database, target: Database) -> None:
        held = StoreSource(filled._engine)
        before = everything(filled.uri)
        publish(filled, 9)
        maintain.optimize(filled._engine)
        transfer.bring(held, target._engine)
        assert everything(target.uri)["results"] == before["results"]

    @pytest.mark.slow
    def test_replaced_meanwhile(self, filled: Database, target: Database) -> None:
        publish(filled, 20, place="ci")
        replaced: list[int] = []

        class LateLook(Engine):
            """An engine between whose look at the results and at the runs somebody replaces a run."""

            def open(self, table: Table, version: int | str | None = None) -> Any:
                if table is RUNS_TABLE and not replaced:
                    replaced.append(publish(filled, 21, place="ci", replace=True))
                return super().open(table, version)

        Database(LateLook(locate(filled.uri), None)).copy_to(target)
        assert replaced
        assert everything(target.uri) == everything(filled.uri)

    @pytest.mark.slow
    def test_a_run_that_a_killed_writer_left_without_rows_is_completed(
        self, filled: Database, target: Database
    ) -> None:
        run, _ = derive(*publication(2, rows=4))
        target._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        filled.copy_to(target)
        assert rows_of(target) == rows_of(filled)
        assert target.verify().problems == ()

    @pytest.mark.slow
    def test_the_copy_is_fast_to_read(self, filled: Database, target: Database) -> None:
        filled.copy_to(target)
        results = next(table for table in target.info().tables if table.name == "results")
        assert (results.fragments, len(results.indexes)) == (1, len(RESULTS_TABLE.indexes))


class TestDiffering:
    """A run that both stores hold with other rows is told, and replaced only when asked for."""

    @pytest.fixture
    def mended(self, tmp_path: Path, filled: Database) -> Database:
        """A store whose run 2 was read anew from the same file: the direction of a result differs."""
        other = connect(tmp_path / "mended", create=True)
        filled.copy_to(other)
        run, results = publication(2, rows=4)
        other.publish([replace(results[0], direction=Direction.INFO), *results[1:]], run, replace=True)
        return other

    def test_left_as_it_is(self, filled: Database, mended: Database) -> None:
        before = everything(filled.uri)
        done = mended.copy_to(filled)
        assert done.differing == (derive(*publication(2, rows=4))[0].run_key,)
        assert (done.replaced, everything(filled.uri)) == ((), before)

    def test_replaced(self, filled: Database, mended: Database) -> None:
        done = mended.copy_to(filled, replace=True)
        assert (len(done.replaced), done.differing) == (1, ())
        assert sorted(map(repr, filled.results())) == sorted(map(repr, mended.results()))
        assert filled.verify().problems == ()
        assert mended.copy_to(filled).differing == mended.copy_to(filled, replace=True).replaced == ()

    @pytest.mark.slow
    def test_the_same_file_published_into_both_is_no_difference(self, filled: Database, target: Database) -> None:
        run, results = publication(2, rows=4)
        target.publish(
            [replace(r, timestamp=99, branch="b") for r in results], replace(run, ingested_at=99, run_id="x")
        )
        assert filled.copy_to(target).differing == ()
        assert len(target.results()) == 24


class TestRefused:
    """A source that is not sound is not copied as if it were, and what cannot be copied is never silent."""

    def test_values_that_changed(self, filled: Database, target: Database) -> None:
        run, results = derive(*publication(7))
        _write(filled, run, [replace(results[0], values_hash=1), *results[1:]])
        with pytest.raises(CorruptStoreError, match=results[0].id):
            filled.copy_to(target)
        assert not any(result.run_key == run.run_key for result in target.results())

    def test_rows_without_a_run(self, filled: Database, target: Database) -> None:
        filled._engine.delete(RUNS_TABLE, condition("commit", commit_of(3)))
        with pytest.raises(CorruptStoreError, match="1 runs have rows and no record"):
            filled.copy_to(target)
        assert rows_of(target) == {"runs": 0, "results": 0}

    @pytest.mark.slow
    def test_records_more_than_once(self, filled: Database, target: Database) -> None:
        rows = filled._engine.open(BASELINES_TABLE).dataset.to_table()
        filled._engine.replace_all(BASELINES_TABLE, rows.take([0, 0, 1]))
        with pytest.raises(CorruptStoreError, match="baselines has records more than once"):
            filled.copy_to(target)
        assert rows_of(target) == {"runs": 0, "results": 0}

    @pytest.mark.slow
    def test_a_key_of_other_content(self, filled: Database, target: Database) -> None:
        run, results = derive(*publication(2, rows=4))
        _write(target, replace(run, sha256="f" * 64), results[:2])
        with pytest.raises(CorruptStoreError, match=f"{run.run_key:016x} belongs to other content"):
            filled.copy_to(target)
        assert len(target.results()) == 2

    @pytest.mark.slow
    def test_the_same_measurements_in_other_bytes_are_none(self, filled: Database, target: Database) -> None:
        run, results = publication(2, rows=4)
        target.publish(results, replace(run, sha256="f" * 64))
        assert filled.copy_to(target).differing == ()
        assert len(target.results()) == 24
        assert "f" * 64 in target.runs().collect()["sha256"].to_list()

    @pytest.mark.slow
    def test_columns_of_a_newer_version(self, filled: Database, target: Database) -> None:
        filled._engine.open(RESULTS_TABLE).dataset.add_columns({"later": "cast(1 as bigint)"})
        with pytest.warns(NewerStoreWarning), pytest.raises(SchemaMismatchError, match="'later'"):
            filled.copy_to(target)

    @pytest.mark.slow
    @pytest.mark.parametrize("damage", [None, b"other"])
    def test_a_content_that_is_gone(self, filled: Database, target: Database, damage: bytes | None) -> None:
        gone = filled.artifacts()[2]
        file = Path(filled.uri) / gone.uri
        file.unlink()
        if damage:
            file.write_bytes(damage)
        done = filled.copy_to(target)
        assert (done.missing, done.files) == ((gone.sha256,), 5)
        assert [a for a in filled.artifacts() if a != gone] == target.artifacts()
        assert target.verify().problems == ()
        filled.put_artifact(content(2), kind="log", name="2.log", run=gone.run_key, added_at=0)
        assert filled.copy_to(target).missing == ()
        assert target.artifacts() == filled.artifacts()

    @pytest.mark.slow
    def test_a_content_the_copy_lost_is_copied_again(self, filled: Database, target: Database) -> None:
        filled.copy_to(target)
        (Path(target.uri) / target.artifacts()[1].uri).unlink()
        assert filled.copy_to(target).files == 1
        assert target.verify().problems == ()


def _write(database: Database, run: Run, results: list[Result]) -> None:
    database._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
    database._engine.merge(RESULTS_TABLE, to_table(results, RESULTS_TABLE.schema))
