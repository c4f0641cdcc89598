from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.errors import CorruptStoreError, UserError
from bench_db.model import Baseline, Result
from bench_db.store import maintain
from bench_db.store.database import Database, connect
from bench_db.store.engine import Engine, locate
from bench_db.store.export import MANIFEST
from bench_db.store.filters import condition
from bench_db.store.formats import FORMATS
from bench_db.store.ledger import set_baseline
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from tests.store.carriers import everything, files_in, fill, publish, rows_of
from tests.strategies import publication, publications, texts, times
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from bench_db import Run

pytestmark = pytest.mark.sample(4)

each_format = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _stores() -> SearchStrategy[tuple[list[tuple[Run, list[Result]]], list[Baseline], list[tuple[bytes, str]]]]:
    """Whatever a hostile tool, user and file name may have left in a store."""
    baselines = st.builds(Baseline, name=texts(), commit=st.none() | texts(), set_at=times(), set_by=texts())
    files = st.tuples(st.binary(max_size=20), texts())
    return st.tuples(st.lists(publications(), max_size=3), st.lists(baselines, max_size=2), st.lists(files, max_size=3))


class TestRoundTrip:
    """What is exported and imported is what there was, row for row, and is exported as the same bytes again."""

    @pytest.mark.slow
    @each_format
    @given(held=_stores())
    @examples("fuzz", 5, full=200)
    def test_anything(self, tmp_path_factory: pytest.TempPathFactory, name: str, held: Any) -> None:
        directory = tmp_path_factory.mktemp("round")
        origin = connect(directory / "origin", create=True)
        published, baselines, files = held
        for run, results in published:
            origin.publish(results, run)
        for baseline in baselines:  # of any commit, as if its results were taken out since
            set_baseline(Engine(locate(directory / "origin"), None), baseline)
        for number, (data, label) in enumerate(files):
            origin.put_artifact(data, kind=label, name=label, commit=label, added_at=number)
        done = origin.export_to(directory / "out", format_name=name)
        target = connect(directory / "target", create=True)
        target.import_from(directory / "out")
        assert everything(target.uri) == everything(origin.uri)
        assert target.export_to(directory / "again", format_name=name) == done
        assert files_in(directory / "again") == files_in(directory / "out")
        assert target.verify().problems == origin.verify().problems

    @pytest.mark.slow
    @each_format
    def test_many_rows(self, database: Database, out: Path, target: Database, name: str) -> None:
        fill(database)
        for number in range(40, 42):
            publish(database, number, rows=4200)
        database.export_to(out, format_name=name)
        done = target.import_from(out)
        assert {name: moved.new for name, moved in done.tables.items()} == rows_of(database)
        assert everything(target.uri) == everything(database.uri)

    def test_across_formats(self, filled: Database, out: Path, tmp_path: Path) -> None:
        filled.export_to(out, format_name="jsonl")
        target = connect(tmp_path / "target", create=True)
        target.import_from(out)
        assert target.export_to(tmp_path / "a") == filled.export_to(tmp_path / "b")

    @each_format
    def test_import_twice(self, filled: Database, out: Path, target: Database, name: str) -> None:
        filled.export_to(out, format_name=name)
        target.import_from(out)
        before = everything(target.uri)
        again = target.import_from(out)
        assert ({moved.new for moved in again.tables.values()}, again.files) == ({0}, 0)
        assert everything(target.uri) == before

    def test_import_into_what_is_there(self, filled: Database, out: Path, target: Database) -> None:
        filled.export_to(out)
        fill(target, range(4, 9))
        target.import_from(out)
        assert rows_of(target) == {
            "runs": 9,
            "results": 36,
            "baselines": 9,
            "findings": 9,
            "artifacts": 9,
            "commits": 9,
        }
        assert target.verify().problems == ()


class TestExport:
    """An export is a manifest and files that depend on the rows alone, and is whole or none."""

    @pytest.mark.slow
    @each_format
    def test_maintenance_changes_nothing(self, database: Database, out: Path, name: str) -> None:
        fill(database, range(12))
        before = database.export_to(out / "before", format_name=name)
        maintain.optimize(database._engine)
        assert database.export_to(out / "after", format_name=name) == before
        assert files_in(out / "after") == files_in(out / "before")

    def test_the_manifest_says_what_each_file_is(self, filled: Database, out: Path) -> None:
        done = filled.export_to(out)
        manifest = json.loads((out / MANIFEST).read_text())
        assert (manifest["format"], manifest["schema_version"]) == ("parquet", 1)
        assert set(manifest["files"]) == set(done.files) == {path.name for path in out.glob("*.parquet")}
        for name, said in manifest["files"].items():
            content = (out / name).read_bytes()
            rows = pq.read_metadata(out / name).num_rows
            assert said == {"rows": rows, "bytes": len(content), "sha256": sha256(content).hexdigest()}

    def test_anybody_can_read_it(self, filled: Database, out: Path) -> None:
        import duckdb

        filled.export_to(out)
        with duckdb.connect() as connection:
            count = connection.execute(
                "select count(*), sum(r.n), max(len(r.values)) from read_parquet(?) r join read_parquet(?) u using (run_key)",
                [str(out / "results.parquet"), str(out / "runs.parquet")],
            ).fetchone()
        assert count == (24, 72, 3)

    def test_in_place_of_an_earlier_one(self, filled: Database, out: Path, tmp_path: Path) -> None:
        filled.export_to(out, format_name="jsonl")
        (out / ".1234.part").write_bytes(b"left by a killed one")
        fill(filled, range(6, 8))
        filled.export_to(out)
        filled.export_to(tmp_path / "fresh")
        assert files_in(out) == files_in(tmp_path / "fresh")

    @pytest.mark.slow
    def test_contents_are_copied_once_and_mended(self, filled: Database, out: Path) -> None:
        filled.export_to(out)
        first, second, *_ = sorted(path for path in (out / "artifacts").rglob("*") if path.is_file())
        before = first.stat().st_mtime_ns
        second.write_bytes(b"damaged")
        filled.export_to(out)
        assert first.stat().st_mtime_ns == before
        assert sha256(second.read_bytes()).hexdigest() == second.name

    def test_never_over_something_else(self, filled: Database, out: Path) -> None:
        out.mkdir()
        (out / "thesis.tex").write_bytes(b"years of work")
        (out / "manifest.json").write_bytes(b"{}")
        with pytest.raises(UserError, match=r"thesis\.tex"):
            filled.export_to(out)
        assert files_in(out) == {"thesis.tex": b"years of work", "manifest.json": b"{}"}

    def test_where_nothing_can_be_written(self, filled: Database, out: Path) -> None:
        out.write_bytes(b"")
        with pytest.raises(UserError, match="cannot be written"):
            filled.export_to(out)

    def test_without_artifacts(self, filled: Database, out: Path, target: Database) -> None:
        filled.export_to(out, artifacts=False)
        assert "artifacts" not in " ".join(files_in(out))
        assert "artifacts" not in target.import_from(out).tables
        assert target.artifacts() == []

    def test_some_runs(self, filled: Database, out: Path, target: Database) -> None:
        key = publish(filled, 20, place="ci")
        filled.export_to(out, runs=["ci"])
        target.import_from(out)
        assert [result.run_key for result in target.results()] == [key] * 3
        assert rows_of(target) == {"runs": 1, "results": 3, "commits": 7}

    def test_as_it_was(self, filled: Database, out: Path) -> None:
        filled.tag("then")
        before = filled.export_to(out)
        fill(filled, range(6, 8))
        after = filled.export_to(out, as_of="then")
        assert after.files["results.parquet"] == before.files["results.parquet"]
        assert after.files["runs.parquet"] == before.files["runs.parquet"]

    def test_one_that_failed_is_none(self, filled: Database, out: Path, target: Database) -> None:
        filled.export_to(out)
        run, results = derive(*publication(7))
        filled._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        changed = [replace(results[0], values_hash=1), *results[1:]]
        filled._engine.merge(RESULTS_TABLE, to_table(changed, RESULTS_TABLE.schema))
        with pytest.raises(CorruptStoreError, match="checksum"):
            filled.export_to(out)
        with pytest.raises(UserError, match="no finished export"):
            target.import_from(out)

    def test_rows_without_a_run(self, filled: Database, out: Path) -> None:
        filled._engine.delete(RUNS_TABLE, condition("dut.version", "1.0.3"))
        with pytest.raises(CorruptStoreError, match="no record of their own"):
            filled.export_to(out)
        assert not out.exists()

    @pytest.mark.slow
    def test_contents_that_are_gone_are_named(self, filled: Database, out: Path, target: Database) -> None:
        gone = filled.artifacts()[0]
        (Path(filled.uri) / gone.uri).unlink()
        assert filled.export_to(out).missing == (gone.sha256,)
        assert target.import_from(out).missing == (gone.sha256,)
        assert target.artifacts() == filled.artifacts()[1:]

    def test_a_number_that_json_cannot_hold(self, filled: Database, out: Path) -> None:
        run, results = derive(*publication(7))
        filled._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        odd = [replace(result, lower=float("nan")) for result in results]
        filled._engine.merge(RESULTS_TABLE, to_table(odd, RESULTS_TABLE.schema))
        with pytest.raises(UserError, match="Parquet"):
            filled.export_to(out, format_name="jsonl")


class TestInvalid:
    """A time that no run can have is refused before anything of the export is stored."""

    @each_format
    @pytest.mark.parametrize("field", ["commit", "run"])
    def test_milliseconds(self, database: Database, out: Path, target: Database, name: str, field: str) -> None:
        run, results = publication(1)
        late = 1_700_000_000_000
        dut = replace(run.dut, timestamp=late) if field == "commit" else run.dut
        run_time = late if field == "run" else None
        run, rows = derive(replace(run, dut=dut), [replace(r, dut=dut, run_time=run_time) for r in results])
        database.publish(*publication(2)[::-1])
        database._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        database._engine.merge(RESULTS_TABLE, to_table(rows, RESULTS_TABLE.schema))
        database.export_to(out, format_name=name)
        with pytest.raises(UserError, match=r"has 1700000000000: these are milliseconds.*nothing was imported"):
            target.import_from(out)
        assert target.scan().collect().is_empty()


class TestForged:
    """An export whose rows do not follow from what was measured is refused, although its checksums are right; nothing is stored."""

    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            (
                lambda rows: [replace(rows[0], summary=replace(rows[0].summary, median=1e-9)), *rows[1:]],
                "do not follow",
            ),
            (lambda rows: [replace(rows[0], benchmark_name="another"), *rows[1:]], "do not follow"),
            (lambda rows: [replace(rows[0], series_key=5), *rows[1:]], "do not follow"),
            (lambda rows: rows[1:], "has 2 rows and was published with 3"),
            (lambda rows: [rows[1], *rows[1:]], "two rows of results have one id"),
        ],
        ids=["statistics", "name", "series", "missing row", "doubled row"],
    )
    def test_refused(
        self,
        filled: Database,
        out: Path,
        target: Database,
        change: Callable[[list[Result]], list[Result]],
        refusal: str,
    ) -> None:
        run, results = derive(*publication(40))
        filled._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        filled._engine.merge(RESULTS_TABLE, to_table(change(list(results)), RESULTS_TABLE.schema))
        filled.export_to(out)
        with pytest.raises(CorruptStoreError, match=refusal):
            target.import_from(out)
        assert target.scan().collect().is_empty()
        assert target.runs().collect().is_empty()
