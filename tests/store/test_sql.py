"""What a query may read: the tables of the store, and nothing else of the machine or the network."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import polars as pl
import pytest

from bench_db.errors import UserError
from bench_db.store import sql
from bench_db.store.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from bench_db.store.database import Database

SECRET = "the-content-of-a-file"

# {file} is a CSV file that exists, {parquet} a Parquet file, {address} a listening socket on loopback.
READS_A_FILE = (
    "select * from read_csv('{file}')",
    "select * from read_csv_auto('{file}')",
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_json('{file}')",
    "select * from read_ndjson('{file}')",
    "select * from read_parquet('{parquet}')",
    "select * from read_ipc('{parquet}')",
    "select * from parquet_scan('{parquet}')",
    "select * from parquet_metadata('{parquet}')",
    "select * from sniff_csv('{file}')",
    "select * from glob('{file}*')",
    "select * from read_duckdb('{file}')",
    "SELECT * FROM READ_CSV('{file}')",
    "select * from \"read_csv\"('{file}')",
    "select * from main.read_csv('{file}')",
    "select * from system.main.read_csv('{file}')",
    "select * from read_csv /* results */ ('{file}')",
    "select * from -- results\nread_csv('{file}')",
    "select * from '{file}'",
    'select * from "{file}"',
    "from '{file}'",
    "from read_csv('{file}')",
    "table '{file}'",
    "with x as (select * from read_csv('{file}')) select * from x",
    "with x as materialized (from '{file}') select * from x",
    'with "{file}" as (select * from "{file}") select * from "{file}"',
    'with recursive "{file}" as (select * from "{file}" union all select * from "{file}") select * from "{file}"',
    'select * from (with "{file}" as (select 1) select 2), "{file}"',
    "select (select name from read_csv('{file}'))",
    "select 1 where exists (select * from read_csv('{file}'))",
    "select 1 in (select name from read_csv('{file}'))",
    "select * from results, read_csv('{file}')",
    "select * from results join read_csv('{file}') on true",
    "select * from results, lateral (select * from read_csv('{file}'))",
    "select 1 union all select name from read_csv('{file}')",
    "select name from read_csv('{file}') intersect select name from read_csv('{file}')",
    "select * from results order by (select name from read_csv('{file}'))",
    "select * from results limit (select count(*) from read_csv('{file}'))",
    "select max(median) filter (where (select true from read_csv('{file}'))) from results",
    "select row_number() over (order by (select name from read_csv('{file}'))) from results",
    "select case when true then (select name from read_csv('{file}')) end",
    "select * from (pivot (from read_csv('{file}')) on name using count(*))",
    "select * from (unpivot (select name, name as b from read_csv('{file}')) on name)",
    "select * from (values ((select name from read_csv('{file}'))))",
    "select * from (describe select * from read_csv('{file}'))",
    "select * from (summarize select * from read_csv('{file}'))",
    "select * from query('select * from read_csv(''{file}'')')",
    "select * from query_table('{file}')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from ''{file}'''))",
    "select * from read_csv('http://{address}/x')",
    "select * from 'http://{address}/x.csv'",
    "select * from read_parquet('s3://{address}/x')",
)
NOT_ONE_SELECT = (
    "",
    "-- nothing",
    "selec",
    "select 1; select 2",
    "select 1; drop table results",
    "select 1; select * from read_csv('{file}')",
    "create table x as select 1",
    "create view results as select 1",
    "insert into results select * from results",
    "delete from results",
    "with x as (delete from results returning *) select * from x",
    "with x as (insert into results select * from results returning *) select * from x",
    "copy results to '{file}.out'",
    "copy (select 1) to '{file}.out'",
    "export database '{file}.out'",
    "import database '{file}'",
    "attach '{file}.db' as other",
    "install httpfs",
    "load '{file}'",
    "set enable_external_access = true",
    "reset enable_external_access",
    "pragma database_list",
    "call duckdb_settings()",
    "show tables",
    "describe results",
    "explain select 1",
    "prepare x as select 1",
    "begin",
    "vacuum",
    "checkpoint",
    "select * from (show tables)",
    "select * from (describe results)",
)
NOT_THE_STORES = (
    "select * from nowhere",
    "select * from information_schema.tables",
    "select * from duckdb_settings()",
    "select * from duckdb_settings",
    "select * from duckdb_databases",
    "select * from pg_catalog.pg_tables",
    "select * from sqlite_master",
    "select * from main.results",
    "select * from memory.main.results",
    "select * from pragma_version()",
    'with "sqlite_master" as (select * from "sqlite_master") select * from "sqlite_master"',
    "select * from results, (select * from later) as a, (with later as (select 1) select 2) as b",
    "select * from first_one, (with first_one as (select 1) select 2)",
    "select * from range(3)",
    "select * from generate_series(1, 3)",
    "select current_setting('secret_directory')",
    "select CURRENT_SETTING('secret_directory')",
    "select \"current_setting\"('secret_directory')",
    "select main.current_setting('secret_directory')",
    "select getvariable('x')",
    "select write_log('x')",
    "select nextval('x')",
    "select sleep_ms(1)",
    "select pg_sleep(1)",
    "select list_transform([1], lambda x: current_setting('secret_directory'))",
    "select list_transform([1], x -> current_setting('secret_directory'))",
    "select [current_setting(name) for name in ['secret_directory']]",
    "select unnest(range(1000000000))",
    "select generate_series(1, 1000000000)",
    "select repeat('x', 1000000000)",
    "select ?",
    "select $name",
    "select __internal_decompress_string(1)",
    "select frame from frame",
)
ALLOWED = (
    "select 1 as one",
    "  (select 1) ;  -- a comment",
    "/* from read_csv('x') */ select 'from read_csv(''x'')' as \"read_csv\"",
    "from results",
    "select * from RESULTS as r where r.median is not null",
    "values (1), (2)",
    "with a as (select 1 as n), b as (select n + 1 as n from a) select * from a union all select * from b",
    "with recursive a as (select 1 as n union all select n + 1 from a where n < 5) select sum(n) as n from a",
    "with results as (select 7 as n) select n from results",
    "select count(*) as n from results, runs where results.run_key = runs.run_key",
    "select benchmark_name, median(median) as m from results group by all having count(*) > 0 order by m limit 2",
    "select * exclude (metadata) replace (median / 1e6 as median) from results",
    "select columns('m.*') from results",
    "select distinct on (benchmark_name) benchmark_name, median from results order by benchmark_name, run_time desc",
    "select benchmark_name, lag(median) over (partition by series_key order by run_time) as before from results",
    "select avg(median) over w as m from results window w as (order by run_time rows between 2 preceding and current row)",
    "select * from results qualify row_number() over (partition by series_key order by run_time desc) = 1",
    "select count(*) filter (where error is null) as n from results",
    "select (select max(median) from results) as m",
    "select * from runs where exists (select 1 from results where results.run_key = runs.run_key)",
    "select * from runs where run_key in (select run_key from results) and not (attempt between 1 and 2)",
    "select suite, metric, count(*) as n from results group by grouping sets ((suite), (metric))",
    "select tags['k'] as k, cardinality(tags) as n, map_keys(tags) as names from results",
    "select unnest(values) as sample, commit from results",
    "select list_transform(values, lambda x: x / 1e6) as ms, [x * 2 for x in values if x > 0] as twice from results",
    "select r.benchmark_name from results r join lateral (select max(median) as m from results s where s.suite = r.suite) on true",
    "select date_trunc('month', to_timestamp(run_time)) as month, count(*) as n from results group by 1",
    "select case when median > 1 then 'slow' else 'fast' end as speed, cast(median as bigint) as m from results",
    "select cast(n as integer) as n, try_cast(commit as integer) as c, metadata::json as j from results",
    "select branch collate nocase as b from results where benchmark_name ilike '%BENCH%' or commit ~ 'a+'",
    "select * from results using sample 2 rows",
    "select * from results left join runs using (run_key) where results.median is distinct from 3",
    "select * from (values (1, 'a')) as t(n, name) union by name select 2 as n, 'b' as name",
    "select * from results intersect select * from results",
    "select 1 as a limit 50%",
    "select {'a': 1} as s, struct_extract({'a': 1}, 'a') as a from results order by #1",
    "select coalesce(branch, '-') as branch, interval 1 day as day, date '2026-01-31' as date from results",
    "select array_agg(median order by run_time) as history from results group by series_key",
    "select * from results asof join runs on results.run_time >= runs.run_time",
    "select * from results semi join runs using (run_key)",
)


@pytest.fixture(scope="module")
def filled(filled_once: Path) -> Database:
    """Return a store with rows in every table, which these tests only read."""
    return connect(filled_once / "store")


@pytest.fixture(scope="module")
def connection() -> Iterator[DuckDBPyConnection]:
    with sql.connected() as opened:
        yield opened


class TestRefused:
    """A query that names anything but tables of the store and its own is not run."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        file = tmp_path / "secret.csv"
        file.write_text(f"name\n{SECRET}\n")
        pl.DataFrame({"name": [SECRET]}).write_parquet(tmp_path / "secret.parquet")
        return file

    @pytest.mark.parametrize("text", [*READS_A_FILE, *NOT_ONE_SELECT, *NOT_THE_STORES])
    def test_checked(self, connection: DuckDBPyConnection, text: str) -> None:
        with pytest.raises((UserError, sql.engine().Error)):
            sql.checked(connection, text, ("runs", "results"))

    @pytest.mark.parametrize("text", [*READS_A_FILE[::5], *READS_A_FILE[-3:], *NOT_ONE_SELECT[5::12]])
    def test_nothing_is_read(self, filled: Database, secret: Path, text: str) -> None:
        there = sorted(secret.parent.iterdir())
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0)
            address = "{}:{}".format(*server.getsockname())
            with pytest.raises(UserError) as caught:
                filled.query(text.format(file=secret, parquet=secret.with_suffix(".parquet"), address=address))
            with pytest.raises(BlockingIOError):
                server.accept()
        assert SECRET not in str(caught.value)
        assert sorted(secret.parent.iterdir()) == there

    @pytest.mark.parametrize("depth", [500, 3000])
    def test_nested_too_deeply(self, filled: Database, depth: int) -> None:
        with pytest.raises(UserError):
            filled.query(f"select {'abs(' * depth}1{')' * depth}")

    def test_the_engine_refuses_too(self, secret: Path) -> None:
        """The second line of defence: what the check let through would still reach no file."""
        with sql.connected() as connection:
            for text in (f"select * from read_csv('{secret}')", f"copy (select 1) to '{secret}.out'", "install httpfs"):
                with pytest.raises(sql.engine().Error):
                    connection.execute(text)
            for text in ("set enable_external_access = true", "set lock_configuration = false"):
                with pytest.raises(sql.engine().Error, match="locked"):
                    connection.execute(text)
            frame = pl.DataFrame({"name": [SECRET]})
            with pytest.raises(sql.engine().Error):
                connection.sql("select * from frame")
            assert frame.height == 1

    def test_the_error_says_what_to_do(self, filled: Database) -> None:
        with pytest.raises(UserError, match=r"read_csv\(\.\.\.\) after FROM is refused.*tables of the store"):
            filled.query("select * from read_csv('x')")
        with pytest.raises(UserError, match=r"no table 'nowhere'; the tables are runs, results, baselines"):
            filled.query("select * from nowhere")
        with pytest.raises(UserError, match=r"one SELECT.*2 statements"):
            filled.query("select 1; select 2")


class TestAllowed:
    """One SELECT over the tables of the store runs, whatever its form."""

    def test_allowed(self, filled: Database, connection: DuckDBPyConnection) -> None:
        with sql.connected() as engine:
            engine.register("results", filled.scan().with_columns(x=1))
            engine.register("runs", filled.runs())
            for text in ALLOWED:
                sql.checked(connection, text, ("runs", "results"))
                assert engine.sql(text).columns, text

    def test_a_name_of_its_own_comes_first(self, filled: Database) -> None:
        assert filled.query("with results as (select 7 as n) select n from results").rows() == [(7,)]

    def test_every_column_by_its_name(self, filled: Database) -> None:
        for table in (
            "results",
            "runs",
            "baselines",
            "findings",
            "artifacts",
            "commits",
            "definitions",
            "exclusions",
            "notifications",
            "scans",
        ):
            columns = filled.query(f"select * from {table}").columns
            asked = ", ".join(f'"{name}"' if name in {"at", "by"} else name for name in columns)  # words of SQL
            assert filled.query(f"select {asked} from {table}").columns == columns


class TestAnswer:
    """Columns have the types that readers of frames expect."""

    def test_types(self, filled: Database) -> None:
        asked = (
            "select sum(n) as whole, 1.5 as exact, avg(n) as mean, count(*) as rows, any_value(tags) as tags, "
            "max(to_timestamp(run_time)) as at, max(to_timestamp(run_time)) - min(to_timestamp(run_time)) as took, "
            "cast(170141183460469231731687303715884105727 as hugeint) as huge from results"
        )
        answer = filled.query(asked)
        assert answer.schema == {
            "whole": pl.Int64,
            "exact": pl.Float64,
            "mean": pl.Float64,
            "rows": pl.Int64,
            "tags": pl.Map(pl.String, pl.String),
            "at": pl.Datetime("us", "UTC"),
            "took": pl.Duration("us"),
            "huge": pl.Float64,
        }

    @pytest.mark.parametrize(
        "value", ["uuid()", "'101'::bit", "'a'::blob", "time '10:00'", "null", "{'a': [1]}", "1::utinyint"]
    )
    def test_other_types(self, filled: Database, value: str) -> None:
        assert filled.query(f"select {value} as one").height == 1

    def test_months_are_of_no_length(self, filled: Database) -> None:
        with pytest.raises(UserError, match=r"'one'.*::VARCHAR"):
            filled.query("select interval 1 month as one")


class TestLimits:
    """A query of a stranger ends within its time, and gives no more rows than asked for."""

    def test_rows(self, filled: Database) -> None:
        everything = filled.query("select * from results")
        assert everything.height > 2
        for text in (
            "select * from results",
            "select * from results order by id",
            "select id from results where n > 0",
        ):
            assert filled.query(text, limit_rows=2).height == 2
        assert filled.query("select * from results", limit_rows=10_000).equals(everything)
        assert filled.query("select count(*) as n from results", limit_rows=1)["n"].to_list() == [everything.height]

    @pytest.mark.parametrize(
        "text",
        [
            "with recursive a as (select 1 as n union all select n + 1 from a) select count(*) from a",
            f"select count(*) from {', '.join(f'(values (0), (1)) as t{n}(n)' for n in range(50))} where t1.n + t2.n > random()",
        ],
    )
    @pytest.mark.parametrize("timeout", [1e-9, 0.3])
    def test_time(self, filled: Database, text: str, timeout: float) -> None:
        started = time.monotonic()
        with pytest.raises(UserError, match="longer than"):
            filled.query(text, timeout=timeout)
        assert time.monotonic() - started < 60  # without the limit it takes hours

    def test_time_of_reading(self, filled: Database) -> None:
        with pytest.raises(UserError, match="longer than"):
            filled.query("select * from results", timeout=1e-9)

    def test_enough_time(self, filled: Database) -> None:
        assert filled.query("select 1 as one", timeout=600).rows() == [(1,)]
