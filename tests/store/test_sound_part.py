from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import CorruptStoreError
from bench_db.store.database import Database, connect, unopened
from bench_db.store.tables import BASELINES_TABLE, RESULTS_TABLE, RUNS_TABLE
from tests.store.carriers import rows_of
from tests.strategies import publication
from tests.support import damage
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Transfer

pytestmark = pytest.mark.sample(1)

LOST = damage.RUNS - 1  # the newest run, alone in its data file


@pytest.fixture
def damaged(undamaged: Path, tmp_path: Path) -> Path:
    """Return a copy of a store, to damage."""
    return damage.copied(undamaged, tmp_path / "damaged")


def _salvaged(damaged: Path, target: Database) -> Transfer:
    """Copy the sound part; the copy is sound, and copying again adds nothing."""
    done = unopened(damaged).copy_to(target, salvage=True)
    assert connect(target.uri).verify().problems == ()
    again = unopened(damaged).copy_to(target, salvage=True)
    assert (again.passed_over, {moved.new for moved in again.tables.values()}) == (done.passed_over, {0})
    return done


def _complete(target: Database, undamaged: Path, *numbers: int) -> None:
    """Publish runs into a copy; it then has what the store had before the damage."""
    for number in numbers:
        run, results = publication(number, rows=damage.ROWS, samples_each=6, branch="main")
        assert connect(target.uri).publish(results, run).new == damage.ROWS
    truth, again = connect(undamaged), connect(target.uri)
    assert again.verify().problems == ()
    assert sorted(map(repr, again.results())) == sorted(map(repr, truth.results()))


class TestLostFiles:
    """Sound runs are copied whole; a run with unreadable rows is named and left out, so that publishing it again completes."""

    @pytest.mark.parametrize("how", damage.BROKEN)
    def test_a_file_of_results(self, damaged: Path, undamaged: Path, target: Database, how: str) -> None:
        last = connect(damaged)._engine.open(RESULTS_TABLE).fragments()[-1]
        damage.spoil(damaged / "results.lance" / "data" / last.file, how)
        file, run = _salvaged(damaged, target).passed_over
        assert (file.table, file.name) == ("results", f"results.lance/data/{last.file}")
        assert "cannot be read" in file.reason
        assert (run.table, run.name.endswith(f" ({LOST}.json)")) == ("runs", True)
        assert run.reason == f"0 of {damage.ROWS} rows are sound; publish its file again"
        assert len(target.runs().collect()) == damage.RUNS - 1
        _complete(target, undamaged, LOST)

    @pytest.mark.slow
    def test_a_file_of_runs(self, damaged: Path, undamaged: Path, target: Database) -> None:
        last = connect(damaged)._engine.open(RUNS_TABLE).fragments()[-1]
        damage.spoil(damaged / "runs.lance" / "data" / last.file, "halve")
        file, run = _salvaged(damaged, target).passed_over
        assert file.name == f"runs.lance/data/{last.file}"
        assert run.reason == f"{damage.ROWS} rows without a record of their run; publish its file again"
        _complete(target, undamaged, LOST)

    @pytest.mark.slow
    @pytest.mark.parametrize("table", ["commits", "baselines", "findings", "definitions", "exclusions", "artifacts"])
    def test_a_ledger(self, damaged: Path, undamaged: Path, target: Database, table: str) -> None:
        for path in damage.live_files(damaged, table):
            damage.spoil(path, "empty")
        done = _salvaged(damaged, target)
        assert {one.table for one in done.passed_over} == {table}
        truth = rows_of(connect(undamaged))
        assert {name: n for name, n in rows_of(target).items() if n} == {
            name: n for name, n in truth.items() if name not in {table, "migrations"}
        }


class TestTornManifests:
    """A table whose newest version cannot be opened is copied as of the newest one that can, which is named."""

    @pytest.mark.parametrize("how", ["halve", "empty"])
    @pytest.mark.parametrize("table", ["results", "runs", "baselines"])
    def test_the_version_before(self, damaged: Path, target: Database, table: str, how: str) -> None:
        before = {path: path.read_bytes() for path in damaged.rglob("*") if path.is_file()}
        [manifest] = damage.live_files(damaged, table, "manifest")
        damage.spoil(manifest, how)
        first = _salvaged(damaged, target).passed_over[0]
        assert (first.table, first.name) == (table, "its newest version")
        assert "cannot be opened; version" in first.reason
        changed = [path for path, was in before.items() if path.read_bytes() != was]
        assert changed == [manifest]  # a salvage writes nothing to its source

    @pytest.mark.slow
    def test_no_version_at_all(self, damaged: Path, target: Database) -> None:
        for path in (damaged / "baselines.lance" / "_versions").glob("*.manifest"):
            damage.spoil(path, "halve")
        [one] = _salvaged(damaged, target).passed_over
        assert (one.table, one.reason.endswith("no version can be opened")) == ("baselines", True)

    @pytest.mark.slow
    def test_results_without_any(self, damaged: Path, target: Database) -> None:
        for path in (damaged / "results.lance" / "_versions").glob("*.manifest"):
            damage.spoil(path, "halve")
        with pytest.raises(CorruptStoreError, match="results: no version can be opened"):
            unopened(damaged).copy_to(target, salvage=True)


class TestChangedRows:
    """A row with a wrong checksum is not copied: its run is left out, or the record, and each is named."""

    def test_a_result(self, damaged: Path, undamaged: Path, target: Database) -> None:
        key = _change(damaged, "id", "schema_version = 7", RESULTS_TABLE.directory, f"dut.version = '1.0.{LOST}'")
        row, run = _salvaged(damaged, target).passed_over
        assert (row.table, row.name, row.reason) == ("results", f"row {key}", "it differs from its checksum")
        assert run.reason == f"{damage.ROWS - 1} of {damage.ROWS} rows are sound; publish its file again"
        _complete(target, undamaged, LOST)

    @pytest.mark.slow
    def test_a_record(self, damaged: Path, undamaged: Path, target: Database) -> None:
        key = _change(damaged, "key", "set_by = 'x'", BASELINES_TABLE.directory, "name = 'level 1'")
        done = _salvaged(damaged, target)
        assert f"row {key}" in {one.name for one in done.passed_over}
        assert 0 < rows_of(target)["baselines"] < rows_of(connect(undamaged))["baselines"]

    @pytest.mark.slow
    def test_records_more_than_once_are_copied_once(self, damaged: Path, undamaged: Path, target: Database) -> None:
        engine = connect(damaged)._engine
        rows = engine.open(BASELINES_TABLE).dataset.to_table()
        engine.replace_all(BASELINES_TABLE, rows.take([0, 0, *range(1, len(rows))]))
        [one] = _salvaged(damaged, target).passed_over
        assert one.reason == "it is there more than once; one was taken"
        assert connect(target.uri).baselines(history=True) == connect(undamaged).baselines(history=True)

    @pytest.mark.slow
    def test_two_rows_of_one_id(self, damaged: Path, undamaged: Path, target: Database) -> None:
        engine = connect(damaged)._engine
        rows = engine.open(RESULTS_TABLE).dataset.to_table(filter=f"dut.version = '1.0.{LOST}'")
        engine.delete(RESULTS_TABLE, f"dut.version = '1.0.{LOST}'")
        engine.merge(RESULTS_TABLE, rows.take([0, 0, *range(2, len(rows))]))
        [run] = _salvaged(damaged, target).passed_over
        assert run.reason == "two of its rows have one id; publish its file again"
        _complete(target, undamaged, LOST)


class TestFlips:
    """Of a store with a changed bit a salvage copies no row that differs, and leaves none out without naming something."""

    @pytest.mark.campaign("flips")
    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    @pytest.mark.parametrize("table", ["results", "runs", "baselines"])
    def test_a_bit_of_a_data_file(self, undamaged: Path, tmp_path: Path, table: str) -> None:
        truth = {repr(result) for result in connect(undamaged).results()}
        random = Random(table)
        for number in range(rounds("flips", 1, full=60)):
            store = damage.copied(undamaged, tmp_path / str(number))
            flipped = damage.flip(store, table, random)
            target = connect(tmp_path / f"copy {number}", create=True)
            done = unopened(store).copy_to(target, salvage=True)
            rows = {repr(result) for result in target.results()}
            assert rows <= truth, flipped
            assert done.passed_over or rows == truth, flipped


class TestSelected:
    """A salvage of some runs names what it passes over of these, and a sound store has nothing to name."""

    def test_a_sound_store(self, undamaged: Path, target: Database) -> None:
        done = connect(undamaged).copy_to(target, salvage=True)
        assert done.passed_over == ()
        assert {name: moved.new for name, moved in done.tables.items()} == rows_of(connect(undamaged))

    @pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
    def test_some_runs(self, damaged: Path, target: Database) -> None:
        last = connect(damaged)._engine.open(RESULTS_TABLE).fragments()[-1]
        damage.spoil(damaged / "results.lance" / "data" / last.file, "delete")
        keys = connect(damaged).runs().sort("run_time").collect()["run_key"].to_list()
        done = unopened(damaged).copy_to(target, runs=keys[:2], salvage=True)
        assert [one.table for one in done.passed_over] == ["results"]
        assert set(target.runs().collect()["run_key"]) == set(keys[:2])

    @pytest.mark.slow
    def test_without_it_a_changed_row_ends_the_copy(self, damaged: Path, target: Database) -> None:
        key = _change(damaged, "id", "schema_version = 7", RESULTS_TABLE.directory, f"dut.version = '1.0.{LOST}'")
        with pytest.raises(CorruptStoreError, match=f"row {key} of results .* --salvage' takes the others"):
            connect(damaged).copy_to(target)


class TestExport:
    """An export of the sound part is a whole export, which an import accepts."""

    @pytest.mark.parametrize("format_name", ["parquet", "jsonl"])
    def test_then_import(
        self, damaged: Path, undamaged: Path, target: Database, tmp_path: Path, format_name: str
    ) -> None:
        last = connect(damaged)._engine.open(RESULTS_TABLE).fragments()[-1]
        damage.spoil(damaged / "results.lance" / "data" / last.file, "halve")
        done = unopened(damaged).export_to(tmp_path / "out", format_name=format_name, salvage=True)
        assert [one.table for one in done.passed_over] == ["results", "runs"]
        target.import_from(tmp_path / "out")
        _complete(target, undamaged, LOST)


def _change(store: Path, key: str, change: str, directory: str, where: str) -> str:
    """Change a column of the first row of a filter behind the back of bench_db, so that its checksum is wrong; return its key."""
    engine = connect(store)._engine
    [table] = [table for table in (RESULTS_TABLE, BASELINES_TABLE) if table.directory == directory]
    dataset = engine.open(table).dataset
    found = dataset.to_table(columns=[key], filter=where)[key][0].as_py()
    column, value = change.split(" = ")
    quoted = f"'{found}'" if isinstance(found, str) else found
    dataset.update({column: value}, where=f"{key} = {quoted}")
    return str(found)
