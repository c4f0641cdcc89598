from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_db.arrow import to_table
from bench_db.model import Baseline, Samples
from bench_db.store import verify
from bench_db.store.filters import condition
from bench_db.store.tables import BASELINES_TABLE, RESULTS_TABLE, RUNS_TABLE
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from bench_db.store.database import Database


@pytest.fixture
def database(database: Database) -> Database:
    """Two runs of three results each, in two fragments."""
    for number in range(2):
        run, results = publication(number)
        database.publish(results, run)
    return database


def kinds(database: Database) -> dict[str, tuple[str, int, bool]]:
    """Return table, count and harmlessness by the kind of each problem."""
    found = verify.verify(database._engine)
    return {p.kind.partition(";")[0]: (p.table, p.count, p.harmless) for p in found.problems}


class TestVerify:
    """Each kind of damage is one problem with its table and its count; a sound store has none."""

    def test_sound(self, database: Database) -> None:
        steps: list[tuple[int, int]] = []
        found = verify.verify(database._engine, lambda done, total: steps.append((done, total)))
        assert (found.rows, found.runs, found.problems, found.sound) == (6, 2, (), True)
        assert steps == [(3, 6), (6, 6)]

    def test_changed_values(self, database: Database) -> None:
        rows = database._engine.open(RESULTS_TABLE).rows()
        other = rows.take([0, 1, 2, 3, 5, 4])
        at = rows.schema.get_field_index("values")
        database._engine.replace_all(RESULTS_TABLE, rows.set_column(at, rows.schema.field(at), other["values"]))
        assert kinds(database) == {"values differ from their checksum": ("results", 2, False)}

    def test_rows_more_than_once(self, database: Database) -> None:
        rows = database._engine.open(RESULTS_TABLE).rows()
        database._engine.replace_all(RESULTS_TABLE, rows.take([0, 1, 2, 3, 4, 5, 5]))
        assert kinds(database) == {
            "rows stored more than once": ("results", 1, False),
            "runs with more or fewer rows than published": ("runs", 1, False),
        }

    def test_rows_without_a_run(self, database: Database) -> None:
        database._engine.delete(RUNS_TABLE, condition("dut.version", "1.0.1"))
        assert kinds(database) == {"rows without a run": ("runs", 1, False)}

    def test_a_run_without_rows_is_harmless(self, database: Database) -> None:
        database._engine.delete(RESULTS_TABLE, condition("dut.version", "1.0.1"))
        assert kinds(database) == {"runs without rows": ("runs", 1, True)}
        assert verify.verify(database._engine).sound

    def test_a_damaged_file_does_not_hide_the_others(self, database: Database) -> None:
        files = sorted((Path(database.uri) / RESULTS_TABLE.directory / "data").iterdir())
        files[0].write_bytes(files[0].read_bytes()[:30])
        found = verify.verify(database._engine)
        assert found.rows == 3
        assert [p.example.partition(":")[0] for p in found.problems if p.kind == "data file cannot be read"] == [
            files[0].name
        ]

    def test_an_orphan_is_harmless(self, database: Database) -> None:
        data = Path(database.uri) / RESULTS_TABLE.directory / "data"
        (data / "0000.lance").write_bytes(next(data.iterdir()).read_bytes())
        assert kinds(database) == {"files of unfinished writes": ("results", 1, True)}

    def test_records_more_than_once(self, database: Database) -> None:
        record = database.set_baseline(Baseline(name="main", commit=commit_of(1), set_at=1))
        database._engine.replace_all(BASELINES_TABLE, to_table([record, record], BASELINES_TABLE.schema))
        assert kinds(database) == {"rows stored more than once": ("baselines", 1, False)}


class TestChangedRows:
    """The changed rows are those whose values do not have the stored checksum."""

    def test_only_the_changed_row(self, database: Database) -> None:
        run, [failed] = publication(2, rows=1)
        database.publish([replace(failed, values=Samples([]), error="out of memory")], run)
        rows = database._engine.open(RESULTS_TABLE).rows().combine_chunks()
        at = rows.schema.get_field_index("values_hash")
        sums = rows.column(at).to_pylist()
        sums[1] += 1
        changed = rows.set_column(at, rows.schema.field(at), [sums]).combine_chunks()
        assert verify.changed_rows(rows.to_batches()[0]) == []
        assert verify.changed_rows(changed.to_batches()[0]) == [rows.column("id")[1].as_py()]


class TestRepair:
    """Repair compacts, and neither removes a problem of the numbers nor changes a row."""

    def test_rows_stay(self, database: Database) -> None:
        database._engine.delete(RUNS_TABLE, condition("dut.version", "1.0.1"))
        before = sorted(map(repr, database.results()))
        verify.repair(database._engine)
        assert sorted(map(repr, database.results())) == before
        assert len(database._engine.open(RESULTS_TABLE).fragments()) == 1
        assert kinds(database) == {"rows without a run": ("runs", 1, False)}
