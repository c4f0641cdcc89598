from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from bench_db.arrow import ROW_CHECKSUM, to_table
from bench_db.model import Baseline, Samples
from bench_db.store import indexes, verify
from bench_db.store.database import connect, unopened
from bench_db.store.filters import condition
from bench_db.store.tables import BASELINES_TABLE, REGISTRY, RESULTS_TABLE, RUNS_TABLE, SERIES_TABLE
from tests.strategies import commit_of, publication
from tests.support import damage
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from bench_db.store.database import Database

pytestmark = pytest.mark.few(1)


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


class TestQuick:
    """A quick verification finds lost and cut files, damaged ledgers, doubled ids and missing rows, and names what it left."""

    @pytest.fixture
    def store(self, undamaged: Path, tmp_path: Path) -> Path:
        return damage.copied(undamaged, tmp_path / "store")

    def test_sound(self, store: Path) -> None:
        found = connect(store).verify_quickly(1)
        assert (found.problems, found.rows, found.runs) == ((), damage.RUNS * damage.ROWS, damage.RUNS)
        assert (found.sampled, found.seed) == (damage.RUNS * damage.ROWS, 1)
        assert found.unchecked[0] == "the checksums of all other results"

    @pytest.mark.parametrize("how", damage.BROKEN)
    @pytest.mark.parametrize("table", ["results", "runs", "baselines", "commits"])
    def test_a_broken_file(self, store: Path, table: str, how: str) -> None:
        damage.spoil(damage.live_files(store, table)[-1], how)
        found = connect(store).verify_quickly(1)
        assert not found.sound
        assert [p.kind.partition(";")[0] for p in found.problems if p.table == table][:1] == [
            "data files are missing or have another size"
        ]
        if table == "results":
            [unreadable] = [p for p in found.problems if p.kind.startswith("data file cannot be read")]
            assert unreadable.runs

    @pytest.mark.parametrize("how", ["halve", "empty"])
    def test_a_torn_manifest(self, store: Path, how: str) -> None:
        for path in damage.live_files(store, "baselines", "manifest"):
            damage.spoil(path, how)
        [one] = connect(store).verify_quickly(1).problems
        assert (one.table, one.kind.partition(";")[0]) == ("baselines", "table cannot be opened")

    @pytest.mark.slow
    def test_a_changed_row_is_in_some_samples(self, store: Path) -> None:
        dataset = connect(store)._engine.open(RESULTS_TABLE).dataset
        first = dataset.to_table(columns=["id"])["id"][0].as_py()
        dataset.update({"schema_version": "7"}, where=f"id = '{first}'")
        engine = connect(store)._engine
        found = [bool(verify.quick(engine, seed, sample=48).problems) for seed in range(12)]
        assert set(found) == {True, False}  # a sample of half the rows
        assert found == [bool(verify.quick(engine, seed, sample=48).problems) for seed in range(12)]
        [one] = verify.quick(engine, 0, sample=1000).problems
        assert (one.kind.partition(";")[0], one.example, len(one.runs)) == (
            "rows differ from their checksum",
            first,
            1,
        )

    def test_a_changed_record(self, store: Path) -> None:
        connect(store)._engine.open(BASELINES_TABLE).dataset.update({"set_by": "'x'"}, where="name = 'level 1'")
        [one] = connect(store).verify_quickly(1).problems
        assert (one.table, one.kind.partition(";")[0]) == ("baselines", "records differ from their checksum")

    def test_missing_and_doubled_rows(self, store: Path) -> None:
        engine = connect(store)._engine
        rows = engine.open(RESULTS_TABLE).rows()
        engine.replace_all(RESULTS_TABLE, rows.take([0, 0, *range(2, len(rows) - 1)]))
        found = {p.kind.partition(";")[0]: p.count for p in connect(store).verify_quickly(1).problems}
        assert found["rows stored more than once"] == 1
        assert found["runs with more or fewer rows than published"] == 1

    def test_an_artifact_that_is_cut(self, store: Path) -> None:
        [file] = [path for path in (store / "artifacts").rglob("*") if path.is_file()]
        damage.spoil(file, "halve")
        [one] = connect(store).verify_quickly(1).problems
        assert one.table == "artifacts"


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
        assert kinds(database) == {"rows differ from their checksum": ("results", 2, False)}

    @pytest.mark.slow
    def test_the_runs_of_changed_rows_are_named(self, database: Database) -> None:
        rows = database._engine.open(RESULTS_TABLE).rows()
        at = rows.schema.get_field_index("timestamp")
        changed = [time + (row == 4) for row, time in enumerate(rows["timestamp"].to_pylist())]
        database._engine.replace_all(RESULTS_TABLE, rows.set_column(at, rows.schema.field(at), [changed]))
        [problem] = verify.verify(database._engine).problems
        assert problem.runs == (f"{rows['run_key'][4].as_py():016x}",)
        assert "publish their files again with --replace" in problem.kind

    @pytest.mark.slow
    @pytest.mark.parametrize("column", ["id", "series_key", "tags_key", "summary"])
    def test_what_is_derived_in_a_row_without_a_checksum(self, database: Database, column: str) -> None:
        """A row of an older release has a checksum of its values alone."""
        rows = _without_checksums(database._engine.open(RESULTS_TABLE).rows())
        database._engine.replace_all(RESULTS_TABLE, rows)
        assert kinds(database) == {}
        at = rows.schema.get_field_index(column)
        others = rows[column].to_pylist()
        others[0] = {**others[0], "mean": 1e9} if column == "summary" else others[1] if column != "tags_key" else "a=b"
        column_type = rows.schema.field(at).type
        changed = rows.set_column(at, rows.schema.field(at), pa.array(others, column_type))
        database._engine.replace_all(RESULTS_TABLE, changed)
        assert kinds(database)["rows differ from their checksum"][1] == 1

    def test_rows_more_than_once(self, database: Database) -> None:
        rows = database._engine.open(RESULTS_TABLE).rows()
        database._engine.replace_all(RESULTS_TABLE, rows.take([0, 1, 2, 3, 4, 5, 5]))
        assert kinds(database) == {
            "rows stored more than once": ("results", 1, False),
            "runs with more or fewer rows than published": ("runs", 1, False),
        }

    @pytest.mark.slow
    def test_repair_leaves_one_of_doubled_rows(self, database: Database) -> None:
        """The one with its checksum, wherever it is."""
        rows = database._engine.open(RESULTS_TABLE).rows()
        at = rows.schema.get_field_index("timestamp")
        doubled = rows.take([0, 1, 2, 3, 3, 4, 5, 5])
        times = [time + (row in {3, 7}) for row, time in enumerate(doubled["timestamp"].to_pylist())]
        database._engine.replace_all(RESULTS_TABLE, doubled.set_column(at, rows.schema.field(at), [times]))
        assert verify.repair(database._engine) == ["results: 2 further copies of 2 rows taken out"]
        assert kinds(database) == {}
        assert database._engine.open(RESULTS_TABLE).rows() == rows

    @pytest.mark.slow
    def test_a_data_file_under_the_name_of_another(self, undamaged: Path, tmp_path: Path) -> None:
        """One run is doubled and one is lost: repair takes the copies out, and publishing again brings the lost one back."""
        store = damage.copied(undamaged, tmp_path / "store")
        *_, kept, lost = sorted(damage.live_files(store, "results"), key=lambda path: -path.stat().st_size)
        assert kept.stat().st_size == lost.stat().st_size
        lost.write_bytes(kept.read_bytes())
        assert {"rows stored more than once", "runs without rows"} < kinds(connect(store)).keys()
        assert connect(store).repair() == [f"results: {damage.ROWS} further copies of {damage.ROWS} rows taken out"]
        for run, published in damage.publications():
            connect(store).publish(published, run)
        assert connect(store).verify().problems == ()
        assert damage.answers(store) == damage.answers(undamaged)

    @pytest.mark.slow
    def test_repair_of_doubled_records(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        engine = connect(store)._engine
        rows = engine.open(BASELINES_TABLE).rows()
        engine.replace_all(BASELINES_TABLE, pa.concat_tables([rows, rows]))
        assert connect(store).repair() == [f"baselines: {len(rows)} further copies of {len(rows)} rows taken out"]
        assert connect(store).verify().problems == ()

    def test_rows_without_a_run(self, database: Database) -> None:
        database._engine.delete(RUNS_TABLE, condition("dut.version", "1.0.1"))
        assert kinds(database) == {"rows without a run": ("runs", 1, False)}

    def test_a_run_without_rows_is_harmless(self, database: Database) -> None:
        database._engine.delete(RESULTS_TABLE, condition("dut.version", "1.0.1"))
        assert kinds(database) == {"runs without rows": ("runs", 1, True)}
        assert verify.verify(database._engine).sound

    @pytest.mark.slow
    def test_a_damaged_file_does_not_hide_the_others(self, database: Database) -> None:
        files = sorted((Path(database.uri) / RESULTS_TABLE.directory / "data").iterdir())
        files[0].write_bytes(files[0].read_bytes()[:30])
        found = verify.verify(database._engine)
        assert found.rows == 3
        assert [
            p.example.partition(":")[0] for p in found.problems if p.kind.startswith("data file cannot be read")
        ] == [files[0].name]

    @pytest.mark.slow
    def test_a_list_of_deleted_rows_with_an_impossible_size(self, undamaged: Path, tmp_path: Path) -> None:
        """Lance would ask for so much memory that the process ends."""
        store = damage.copied(undamaged, tmp_path / "store")
        [file] = damage.live_files(store, "runs", "deletions")
        content = file.read_bytes()
        at = content.rindex((64).to_bytes(8, "little"))
        file.write_bytes(content[:at] + (64 + 2**54).to_bytes(8, "little") + content[at + 8 :])
        found = connect(store).verify()
        [problem] = [
            problem for problem in found.problems if problem.table == "runs" and "cannot be read" in problem.kind
        ]
        assert file.name in problem.example
        connect(store).repair()
        assert connect(store).runs().collect().height

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
        assert verify.changed_rows(changed.to_batches()[0]) == [(1, rows.column("id")[1].as_py())]


def _without_checksums(rows: pa.Table) -> pa.Table:
    at = rows.schema.get_field_index(ROW_CHECKSUM)
    return rows.set_column(at, rows.schema.field(at), pa.nulls(len(rows), pa.int64()))


_TABLES = [table.name for table in REGISTRY if table.name != "migrations"]
_LIVE = [
    *((table, "data") for table in _TABLES),
    *((table, "manifest") for table in rounds("flips", ["results", "runs", "series", "baselines"], full=_TABLES)),
    *((table, kind) for table in ("results", "runs") for kind in ("transaction", "deletions")),
    *(("results", "indexes"), ("projection", "levels"), ("projection", "points"), ("artifacts", "content")),
]
_CACHES = [
    *(("series", "data"), ("series", "manifest"), ("fingerprints", "data"), ("fingerprints", "manifest")),
    *(("projection", "levels"), ("projection", "points"), ("results", "indexes")),
]


class TestFlips:
    """After one bit has flipped, verification ends, each reading gives an answer or an error of bench_db, and none is wrong or
    missing in a store that verification calls sound. Damage to a cache changes no answer at all.
    """

    # A bit in the name of a migration makes it one of a later release.
    @pytest.mark.filterwarnings("ignore::bench_db.NewerStoreWarning", "ignore::bench_db.DamagedStoreWarning")
    @pytest.mark.campaign("flips")
    @pytest.mark.parametrize(("table", "kind"), _LIVE)
    def test_a_bit_of_a_live_file(
        self, undamaged: Path, truth: dict[str, Any], tmp_path: Path, table: str, kind: str
    ) -> None:
        random, store = Random(f"{table} {kind}"), tmp_path / "store"
        for number in range(rounds("flips", 1, full=60)):
            flipped = damage.flip(damage.copied(undamaged, store / str(number)), table, random, kind)
            sound = unopened(store / str(number)).verify().sound
            for name, answer in damage.answers(store / str(number)).items():
                if sound or (table, kind) in _CACHES:
                    assert answer == truth[name], (name, flipped)

    def test_an_index_that_misses_a_row(self, undamaged: Path, tmp_path: Path) -> None:
        """The index of another commit in place of that of this one has every row, and finds none by its value."""
        store = damage.copied(undamaged, tmp_path / "store")
        pages = [p for p in damage.live_files(store, "results", "indexes") if p.name == "page_data.lance"]
        texts = [path for path in pages if b"1.0." in path.read_bytes()]
        for path in texts:
            path.write_bytes(path.read_bytes().replace(b"1.0.2", b"1.0.9"))
            (path.parent / "bench_db.json").unlink()
        assert texts
        indexes.record(connect(store)._engine.open(RESULTS_TABLE))  # as if Lance had made it so
        [problem] = connect(store).verify().problems
        assert (problem.table, problem.harmless) == ("results", False)
        assert problem.kind.startswith("indexes do not find what a scan finds; run 'bench-db store verify --repair'")
        assert problem.example.startswith("dut.version: ")
        connect(store).repair()
        assert connect(store).verify().problems == ()
        assert connect(store)._engine.open(RESULTS_TABLE).indexed()

    def test_a_changed_rollup_is_ignored(self, database: Database) -> None:
        database.optimize()
        truth = database.latest()
        rows = database._engine.open(SERIES_TABLE)
        stored = rows.rows().replace_schema_metadata(rows.metadata)
        at = stored.schema.get_field_index("median")
        database._engine.replace_all(
            SERIES_TABLE, stored.set_column(at, stored.schema.field(at), [[1.0] * len(stored)])
        )
        assert database.latest().equals(truth)
        [problem] = database.verify().problems
        assert (problem.table, problem.harmless) == ("series", True)
        assert "does not match its checksum" in problem.example


class TestRepair:
    """Repair compacts, and neither removes a problem of the numbers nor changes a row."""

    def test_rows_stay(self, database: Database) -> None:
        database._engine.delete(RUNS_TABLE, condition("dut.version", "1.0.1"))
        before = sorted(map(repr, database.results()))
        verify.repair(database._engine)
        assert sorted(map(repr, database.results())) == before
        assert len(database._engine.open(RESULTS_TABLE).fragments()) == 1
        assert kinds(database) == {"rows without a run": ("runs", 1, False)}
