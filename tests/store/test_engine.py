from __future__ import annotations

from pathlib import Path
from threading import Event
from time import sleep
from typing import TYPE_CHECKING, NoReturn

import lance
import polars as pl
import pyarrow as pa
import pytest

from bench_db.errors import ConflictError
from bench_db.store.database import connect
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, SERIES_TABLE
from tests.strategies import HOSTILE, publication
from tests.test_arrow import SEED

if TYPE_CHECKING:
    from bench_db.store.database import Database


@pytest.fixture(params=[False, True], ids=["fresh", "maintained"])
def filled(request: pytest.FixtureRequest, database: Database) -> Database:
    for number in range(3):
        run, results = publication(number)
        database.publish(results, run)
    if request.param:
        database.optimize()
    return database


class TestLanceDb:
    """A plain LanceDB connection opens the store and sees the seed's table."""

    def test_the_seed_s_columns_in_order_with_its_types(self, filled: Database) -> None:
        import lancedb

        table = lancedb.connect(filled.uri).open_table("results")
        assert table.schema.names[: len(SEED)] == SEED.names
        assert table.schema.types[: len(SEED)] == SEED.types
        assert table.count_rows() == 9

    def test_the_rows_are_the_published_ones(self, filled: Database) -> None:
        import lancedb

        rows = lancedb.connect(filled.uri).open_table("results").to_arrow().select(SEED.names).to_pylist()
        expected = {result.id: result for result in filled.results()}
        assert {row["id"] for row in rows} == expected.keys()
        for row in rows:
            result = expected[row["id"]]
            assert row["values"] == result.values.tolist()
            assert result.summary is not None
            assert row["summary"]["median"] == result.summary.median
            assert row["dut"]["version"] == result.dut.version

    def test_the_store_s_own_connection(self, filled: Database) -> None:
        connection = filled.lancedb()
        assert {"results", "runs"} <= set(connection.list_tables().tables)
        query = connection.open_table("results").search().where("dut.version = '1.0.1'").limit(10)
        assert len(query.to_list()) == 3


class TestDirectly:
    """Lance and Polars read the store without bench_db."""

    def test_polars_scans_the_lance_dataset(self, filled: Database) -> None:
        dataset = lance.dataset(str(Path(filled.uri) / "results.lance"))
        kept = pl.from_arrow(
            dataset.to_table(columns=["benchmark_name", "timestamp"], filter="benchmark_name = 'bench 1'")
        )
        assert isinstance(kept, pl.DataFrame)
        assert kept["benchmark_name"].to_list() == ["bench 1"] * 3
        scanned = pl.scan_pyarrow_dataset(dataset).select("benchmark_name", "n").filter(pl.col("n") == 3).collect()
        assert scanned.height == 9

    def test_the_storage_version_is_set(self, filled: Database) -> None:
        for table in ("results", "runs"):
            assert lance.dataset(str(Path(filled.uri) / f"{table}.lance")).data_storage_version == "2.2"

    def test_a_row_of_lance_bench_fits_the_first_columns(self) -> None:
        from bench_db.arrow import RESULTS, from_table
        from bench_db.model import Result

        row = dict.fromkeys(SEED.names) | {
            "id": "x",
            "dut": {"name": HOSTILE, "version": "1", "timestamp": 1},
            "test_bed": {"name": "b", "cpu": "", "memory_gb": 1, "os": "", "created_at": 1},
            "benchmark_name": HOSTILE,
            "values": [1.0],
        }
        (result,) = from_table(pa.Table.from_pylist([row], SEED), Result)
        assert (result.benchmark_name, list(result.values), result.summary is None) == (HOSTILE, [1.0], True)
        assert RESULTS.names[: len(SEED)] == SEED.names


class TestOneLook:
    """Within one look a table is opened once until it is written, and each time outside."""

    def test_opened_once(self, database: Database) -> None:
        engine = database._engine
        with engine.one_look():
            before = engine.open(RESULTS_TABLE)
            assert engine.open(RESULTS_TABLE) is before
            run, results = publication(1)
            database.publish(results, run)
            after = engine.open(RESULTS_TABLE)
            assert (before.version + 1, after.dataset.count_rows()) == (after.version, 3)
            engine.look_again()
            assert engine.open(RESULTS_TABLE) is not after
        assert engine.open(RESULTS_TABLE) is not engine.open(RESULTS_TABLE)

    def test_what_was_merged_is_not_opened_again(self, database: Database) -> None:
        engine, other = database._engine, connect(database.uri)
        with engine.one_look():
            assert engine.merged_last(RESULTS_TABLE) is engine.open(RESULTS_TABLE)
            run, results = publication(1)
            database.publish(results, run)
            own = engine.merged_last(RESULTS_TABLE)
            run, results = publication(2)
            other.publish(results, run)
            assert engine.merged_last(RESULTS_TABLE) is own
            assert (own.dataset.count_rows(), len(own.fragments())) == (3, 1)
            assert engine.open(RESULTS_TABLE).dataset.count_rows() == 6
            engine.delete(RESULTS_TABLE, "true")
            assert engine.merged_last(RESULTS_TABLE).dataset.count_rows() == 0
        assert engine.merged_last(RESULTS_TABLE) is not engine.merged_last(RESULTS_TABLE)

    def test_what_is_made_again_is_opened_again(self, database: Database) -> None:
        engine = database._engine
        with engine.one_look():
            assert engine.open(RUNS_TABLE).missing == ()
            engine.replace_all(RUNS_TABLE, RUNS_TABLE.schema.empty_table())
            engine.replace_all(RUNS_TABLE, RUNS_TABLE.schema.empty_table())
            assert engine.open(RUNS_TABLE).version == 3


def _fail() -> NoReturn:
    message = "too late"
    raise ConflictError(message)


class TestBeside:
    """An action beside a block shares the look of its caller, and has ended when the block has."""

    def test_its_look(self, database: Database) -> None:
        engine, opened = database._engine, []
        with engine.one_look():
            before = engine.open(RESULTS_TABLE)
            with engine.beside(lambda: opened.append(engine.open(RESULTS_TABLE))):
                pass
            assert opened == [before]

    def test_at_the_same_time(self, database: Database) -> None:
        inside, begun = Event(), Event()

        def meet() -> None:
            begun.set()
            assert inside.wait(10)

        with database._engine.beside(meet):
            assert begun.wait(10)
            inside.set()

    def test_its_error(self, database: Database) -> None:
        done = []
        with pytest.raises(ConflictError, match="too late"), database._engine.beside(_fail):
            done.append(1)
        assert done == [1]

    def test_an_error_of_the_block(self, database: Database) -> None:
        done = []

        def outlast() -> None:
            sleep(0.1)
            done.append(1)

        with pytest.raises(ConflictError, match="too late"), database._engine.beside(outlast):
            _fail()
        assert done == [1]

    def test_answers_that_a_write_forgets_meanwhile(self, database: Database) -> None:
        engine = database._engine
        with engine.one_look():

            def forgotten() -> str:
                engine.look_again()
                return "answer"

            assert engine.asked("question", forgotten) == "answer"


class TestRemake:
    """A derived table is discarded for damage of its own alone."""

    def test_an_error_that_is_not_of_the_table_leaves_it(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, results = publication(1)
        database.publish(results, run)
        database.optimize()
        engine = database._engine
        rows = engine.open(SERIES_TABLE).dataset.to_table()
        assert len(rows)

        def fails(*_: object, **__: object) -> NoReturn:
            message = "other writers kept coming first"
            raise ConflictError(message)

        monkeypatch.setattr(engine, "replace_all", fails)
        with pytest.raises(ConflictError):
            engine.remake(SERIES_TABLE, rows)
        assert connect(database.uri)._engine.open(SERIES_TABLE).dataset.count_rows() == len(rows)


class TestTransactions:
    """A merge leaves its transaction in the manifest alone, and two of the same keys still cannot both insert them."""

    def test_no_file_with_the_keys_is_left(self, database: Database) -> None:
        for number in range(3):
            run, results = publication(number)
            database.publish(results, run)
        for table in (RESULTS_TABLE, RUNS_TABLE):
            place = Path(database.uri, table.directory)
            assert all(file.stat().st_size < 8192 for file in (place / "_transactions").iterdir())
            dataset = database._engine.open(table).dataset
            transaction = dataset.read_transaction(dataset.version)
            assert transaction is not None
            assert isinstance(transaction.operation, lance.LanceOperation.Update)

    def test_a_merge_of_an_older_version_inserts_no_row_twice(self, database: Database) -> None:
        run, results = publication(1)
        database.publish(results, run)
        engine = connect(database.uri)._engine
        run, results = publication(2)
        with engine.one_look():
            engine.open(RESULTS_TABLE)
            database.publish(results, run)
            rows = database._engine.open(RESULTS_TABLE).rows()
            assert engine.merge(RESULTS_TABLE, rows) == 0
        assert len(database.results()) == 6

    def test_a_transaction_that_the_manifest_lacks_stays(self, database: Database) -> None:
        engine, place = database._engine, Path(database.uri, RUNS_TABLE.directory)
        manifest = place / "_versions" / f"{2**64 - 1 - 7}.manifest"
        name = "6-01234567-89ab-cdef-0123-456789abcdef.txn"
        manifest.write_bytes(name.encode())
        file = place / "_transactions" / name
        file.write_bytes(b"x")
        engine._shrink(RUNS_TABLE, 7)
        assert file.exists()
        manifest.write_bytes(2 * name.encode())
        engine._shrink(RUNS_TABLE, 7)
        assert not file.exists()
        engine._shrink(RUNS_TABLE, 7)
        engine._shrink(RUNS_TABLE, 8)
