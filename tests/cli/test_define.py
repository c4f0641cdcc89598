from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestDefine:
    """Each verb adds one definition and lists those in force."""

    def test_verbs(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        for words in (
            ("join", "a", "b"),
            ("alias", "suite", "", "s"),
            ("pool", "ci"),
            ("better", "time", "higher"),
            ("main", "d", "release"),
            ("ignore", "smoke*"),
            ("metric", "doubled", "time * 2", "--unit", "s", "--better", "lower"),
        ):
            assert bench_db("define", *words, "--store", database.uri).code == 0
        listed = bench_db("define", "list", "--store", database.uri).out.splitlines()
        assert [line.split()[0] for line in listed[2:]] == [
            "join",
            "alias",
            "pool",
            "better",
            "main",
            "ignore",
            "metric",
        ]
        ended = bench_db("define", "end", "alias", "", "--field", "suite", "--store", database.uri).out
        assert "alias" not in ended

    def test_unmapped(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        nothing = bench_db("define", "unmapped", "--store", database.uri)
        assert nothing.out == "every name of the fields that have aliases or pools is defined\n"
        suites = bench_db("define", "unmapped", "--field", "benchmark", "--store", database.uri, "--output", "json")
        assert [(row["field"], row["name"]) for row in suites.document["unmapped"]] == [("benchmark", "f")]
        bench_db("define", "alias", "benchmark", "g", "h", "--store", database.uri)
        shown = bench_db("define", "unmapped", "--store", database.uri).out
        assert shown.splitlines()[-1].split()[:5] == ["benchmark", "f", "d", "1", "result"]
        since = bench_db("define", "unmapped", "--since", "2200-01-01", "--store", database.uri, "--output", "json")
        assert since.document["unmapped"] == []

    def test_names_of_alias_tables_are_counted_in_rows(self, database: Database, tmp_path: Path) -> None:
        """A row of a file can have several results: the number is that of rows, and is called so."""
        (tmp_path / "rows.json").write_text(json.dumps([{"n": n, "gpu": "b200", "a_ms": n, "b_ms": n} for n in (1, 2)]))
        mine = {"name": "n{n}", "metrics": ["*_ms"], "tags": ["gpu"], "fields": {"gpu": {"alias": "gpu"}}}
        formats = {"format": {"mine": mine}, "alias": {"gpu": {}}}
        build = api.Provenance(dut_name="d", dut_version="1", dut_timestamp=1_780_000_000)
        done = api.publish(database, tmp_path / "rows.json", format="mine", formats=formats, provenance=build)
        assert done.new == 4
        heading, *_, row = bench_db("define", "unmapped", "--store", database.uri).out.splitlines()
        assert heading.split() == ["field", "name", "device", "counted", "last", "seen"]
        assert row.split()[:5] == ["alias.gpu", "b200", "d", "2", "rows"]
