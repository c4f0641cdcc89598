"""One registry declares the tables, and whatever handles tables takes them from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db.arrow import schema_of, to_table
from bench_db.model import Artifact
from bench_db.store import tables
from bench_db.store.database import connect
from bench_db.store.tables import REGISTRY, RESULTS_TABLE, SERIES_TABLE, Table
from tests.store.carriers import publish, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database

# Any record will do; this one is of no table that the store has by this name.
NOTES = Table(
    name="notes", schema=schema_of(Artifact, primary_key="key"), merge_key="key", row_key="key", recorded="added_at"
)


def _write(database: Database, *records: Artifact) -> None:
    database._engine.ensure(NOTES)
    database._engine.merge(NOTES, to_table(records, NOTES.schema))


def _note(number: int) -> Artifact:
    return Artifact(key=number, kind="note", name=f"note {number}", added_at=number)


class TestRegistry:
    """A table that is added to the registry is in everything that handles tables."""

    @pytest.fixture
    def noted(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
        monkeypatch.setattr(tables, "REGISTRY", (*REGISTRY, NOTES))
        _write(filled, _note(1), _note(4_000_000_000))
        return filled

    def test_info(self, noted: Database) -> None:
        assert rows_of(noted)["notes"] == 2

    def test_query(self, noted: Database) -> None:
        asked = "select name from notes order by name"
        assert noted.query(asked)["name"].to_list() == ["note 1", "note 4000000000"]
        then = noted.version
        publish(noted, 9)
        assert noted.query(asked, then)["name"].to_list() == ["note 1"]

    def test_query_before_anything_was_written(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables, "REGISTRY", (*REGISTRY, NOTES))
        assert database.query("select * from notes").columns == NOTES.schema.names

    def test_verify(self, noted: Database) -> None:
        assert noted.verify().problems == ()
        noted._engine.replace_all(NOTES, to_table([_note(1), _note(1)], NOTES.schema))
        assert [(p.table, p.kind) for p in noted.verify().problems] == [
            ("notes", "rows stored more than once; run 'bench-db store verify --repair'")
        ]

    def test_copy(self, noted: Database, target: Database) -> None:
        assert noted.copy_to(target).tables["notes"].new == 2
        assert rows_of(target) == rows_of(noted)

    def test_copy_as_it_was(self, noted: Database, target: Database) -> None:
        then = noted.version
        publish(noted, 9)
        noted.copy_to(target, as_of=then)
        assert rows_of(target)["notes"] == 1

    @pytest.mark.parametrize("name", ["parquet", "jsonl"])
    def test_export_and_import(self, noted: Database, target: Database, tmp_path: Path, name: str) -> None:
        assert noted.export_to(tmp_path / "out", format_name=name).files[f"notes.{name}"].rows == 2
        assert target.import_from(tmp_path / "out").tables["notes"].new == 2
        assert target.query("select * from notes").equals(noted.query("select * from notes"))
        noted.export_to(tmp_path / "out", format_name=name)  # in place of the one before

    def test_maintenance(self, noted: Database) -> None:
        _write(noted, _note(3), _note(5))  # as many rows as before: a larger fragment is left
        noted.optimize()
        assert {table.name: table.fragments for table in noted.info().tables}["notes"] == 1

    def test_it_gets_its_missing_columns(self, noted: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        more = schema_of(Artifact, primary_key="key").append(tables.RUNS_TABLE.schema.field("workflow"))
        wider = replace(NOTES, schema=more, last_required="added_at")
        monkeypatch.setattr(tables, "REGISTRY", (*REGISTRY, wider))
        assert noted.query("select workflow from notes")["workflow"].to_list() == [None, None]
        assert [step.name for step in noted.migrate()] == ["notes.workflow"]
        assert noted.info().pending == ()


class TestTables:
    """What the registry says of its tables fits together."""

    def test_names(self) -> None:
        names = [table.name for table in REGISTRY]
        assert len(set(names)) == len(names)
        assert [table.name for table in tables.stored()] == [
            name for name in names if name not in {"series", "fingerprints"}
        ]

    @pytest.mark.parametrize("table", REGISTRY, ids=lambda table: table.name)
    def test_columns_that_may_be_missing_are_nullable(self, table: Table) -> None:
        optional = [column for column in table.schema if column.name not in table.required]
        assert all(column.nullable for column in optional)
        assert {table.merge_key, table.row_key} <= set(table.schema.names)
        assert not table.recorded or table.recorded in table.required

    def test_a_derived_table_that_lacks_a_column_is_made_again(self, filled: Database) -> None:
        filled.optimize()
        before = filled.latest()
        filled._engine.open(SERIES_TABLE).dataset.drop_columns(["suite"])
        reopened = connect(filled.uri)
        assert reopened.latest().equals(before)
        assert [(p.table, p.harmless) for p in reopened.verify().problems] == [("series", True)]
        reopened.repair()
        assert reopened.verify().problems == ()
        assert reopened.latest().equals(before)

    def test_results_require_their_key(self) -> None:
        assert {"run_key", "series_key", "values_hash"} <= RESULTS_TABLE.required
