from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import bench_db
from bench_db.app.database import TIMES
from tests.strategies import publication

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.few(1)

_DATETIME = pl.Datetime("us", "UTC")


@pytest.fixture
def database(tmp_path: Path) -> bench_db.Database:
    """Four commits of three benchmarks, medians rising by the commit."""
    database = bench_db.connect(tmp_path / "store", create=True)
    for number in range(4):
        run, results = publication(number)
        at = 1_700_000_000 + number
        database.publish([replace(result, run_time=at) for result in results], replace(run, run_time=at))
    return database


class TestPublishMany:
    """Many runs are published from a stream; the answers are those of publishing each."""

    def test_a_stream(self, database: bench_db.Database) -> None:
        done = database.publish_many(publication(number) for number in (3, 4, 5))
        assert [(answer.new, answer.unchanged) for answer in done] == [(0, 3), (3, 0), (3, 0)]
        assert database.runs().collect().height == 6

    def test_replaced(self, database: bench_db.Database) -> None:
        database.publish_many([publication(10, place="ci")])
        done = database.publish_many([publication(11, place="ci"), publication(12, place="ci")], replace=True)
        assert [answer.replaced for answer in done] == [3, 3]
        assert database.runs().collect().height == 5


class TestWrongTypes:
    """A value of a wrong type is refused with the argument and the value, by every question that takes it."""

    @pytest.mark.parametrize(
        ("name", "ask"),
        [
            *((name, lambda db, value, name=name: db.latest(**{name: value})) for name in ("benchmark", "test_bed_name", "dut_name", "branch", "suite", "metric")),
            ("benchmark", lambda db, value: db.trend(value)),
            ("benchmark", bench_db.detect),
            ("run", lambda db, value: db.run(value)),
            ("branch", lambda db, value: db.list_runs(branch=value)),
            ("commit", lambda db, value: db.list_runs(commit=value)),
            ("commit", lambda db, value: db.has(value)),
            ("candidate", bench_db.compare),
            ("name", bench_db.commit),
            ("baseline", lambda db, value: bench_db.compare(db, "latest", baseline=value)),
            ("name", lambda db, value: bench_db.set_baseline(db, value, "latest", by="me")),
            ("address", lambda db, value: db.get(value)),
            ("sql", lambda db, value: db.query(value)),
            ("name", lambda db, value: db.put(b"x", name=value)),
            ("dut", lambda db, value: db.record(value).__enter__()),
            ("suite", lambda db, value: db.record("d", suite=value).__enter__()),
        ],
    )  # fmt: skip
    def test_a_text_is_expected(
        self, database: bench_db.Database, name: str, ask: Callable[[bench_db.Database, object], object]
    ) -> None:
        for value in (3, Path("a"), datetime(2026, 1, 1, tzinfo=UTC), ["a"]):
            with pytest.raises(
                bench_db.UserError, match=f"^`{name}`: a text is expected, not .*{type(value).__name__}"
            ):
                ask(database, value)

    @pytest.mark.parametrize("value", ["a", 3, ["a"]])
    def test_tags_are_a_mapping(self, database: bench_db.Database, value: object) -> None:
        with pytest.raises(bench_db.UserError, match=r"^`tags`: a mapping of names to values is expected, not "):
            database.latest(tags=value)  # type: ignore[arg-type]

    def test_runs_are_several(self, database: bench_db.Database) -> None:
        with pytest.raises(bench_db.UserError, match=r"^`runs`: a list of texts is expected, not '[0-9a-f]{16}'"):
            bench_db.exclude_runs(database, "why", runs=database.list_runs()["run"][0])
        with pytest.raises(bench_db.UserError, match=r"^`runs`: a list of texts is expected, not \(3,\)"):
            bench_db.exclude_runs(database, "why", runs=(3,))  # type: ignore[arg-type]

    def test_a_date_is_a_day(self, database: bench_db.Database) -> None:
        assert database.latest(as_of=datetime.now(UTC).date()).height == database.latest().height
        with pytest.raises(bench_db.UserError, match="no version is kept from 2001-01-01"):
            database.latest(as_of=date(2001, 1, 1))

    def test_no_version(self, database: bench_db.Database) -> None:
        with pytest.raises(bench_db.UserError, match=r"^`as_of`: a whole number, a text or a date is expected"):
            database.latest(as_of=Path("v1"))  # type: ignore[arg-type]

    def test_an_address_to_copy_to(self, database: bench_db.Database, tmp_path: Path) -> None:
        with pytest.raises(bench_db.StoreNotFoundError, match="no store at"):
            database.copy_to(tmp_path / "copy")
        bench_db.connect(tmp_path / "copy", create=True)
        assert database.copy_to(tmp_path / "copy").tables["runs"].new == 4


class TestConditions:
    """Conditions are keyword arguments of every question."""

    def test_of_latest(self, database: bench_db.Database) -> None:
        everything = database.latest()
        chosen = database.latest(benchmark="*1", dut_name=everything["dut_name"][0])
        assert chosen["benchmark_name"].to_list() == ["bench 1"]
        assert database.latest(test_bed_name="nowhere").is_empty()

    def test_of_trend_and_summary(self, database: bench_db.Database) -> None:
        name = database.latest()["test_bed_name"][0]
        assert database.trend("bench 1", test_bed_name=name, last=2)["index"].to_list() == [2, 3]
        assert database.summary(benchmark="bench 0")["n"].to_list() == [4]

    def test_of_scan_and_runs(self, database: bench_db.Database) -> None:
        assert database.scan(["benchmark_name"], benchmark="bench 2").collect().unique().height == 1
        assert database.runs().collect().height == 4
        assert database.runs(benchmark="nothing like it").collect().is_empty()

    def test_a_time_is_a_datetime_text_or_unix_seconds(self, database: bench_db.Database) -> None:
        times = database.scan(["commit_time"], benchmark="bench 0").collect()["commit_time"].sort().to_list()
        later = times[2]
        for since in (later, later.isoformat(), int(later.timestamp()), later.timestamp()):
            assert database.scan(benchmark="bench 0", since=since).collect().height == 2
            assert database.summary(benchmark="bench 0", until=since)["n"].to_list() == [3]
        with pytest.raises(bench_db.UserError, match="`since` soon: not a date or time"):
            database.latest(since="soon")


class TestFrames:
    """Times are datetimes, and one set of names is everywhere."""

    def test_times(self, database: bench_db.Database) -> None:
        for frame in (database.latest(), database.trend("*"), database.scan().collect(), database.runs().collect()):
            assert {"commit_time", "test_bed_name", "dut_version"} <= set(frame.columns)
            assert frame.schema["commit_time"] == frame.schema["run_time"] == frame.schema["published_at"] == _DATETIME
            assert not set(frame.columns) & (TIMES.keys() - TIMES.values())
        assert database.scan().collect()["run_time"].max() == datetime.fromtimestamp(1_700_000_003, UTC)

    def test_an_unknown_time_is_null(self, database: bench_db.Database) -> None:
        run, results = publication(9)
        timeless = replace(run.dut, name="timeless", timestamp=0)
        database.publish([replace(result, dut=timeless) for result in results], replace(run, dut=timeless))
        rows = database.latest(dut_name="timeless")
        assert rows["commit_time"].to_list() == rows["run_time"].to_list() == [None] * 3

    def test_points_name_their_run(self, database: bench_db.Database) -> None:
        """By the text that `run`, `set_baseline` and `put` take; JSON has it as `run_key`."""
        newest = database.list_runs()["run"][0]
        name = database.run(newest).results[0].benchmark_name
        for frame in (database.latest(), database.trend("*", last=1), bench_db.trend(database, "*", last=1).frame()):
            assert set(frame["run"]) == {newest}
            assert set(frame["run_key"]) == {database.run(newest).run.run_key}
        bench_db.define(database, "metric", "double", "time + time")
        assert (
            database.trend(name, metric="double")["run"].to_list()
            == database.trend(name, metric="time")["run"].to_list()
        )
        assert database.latest(benchmark="nothing").schema["run"] == pl.String

    def test_sql_has_the_same_names(self, database: bench_db.Database) -> None:
        answer = database.query("SELECT commit_time, dut_timestamp FROM results ORDER BY commit_time DESC LIMIT 1")
        assert answer["commit_time"][0] == database.latest()["commit_time"].max()
        assert answer["dut_timestamp"][0] == int(answer["commit_time"][0].timestamp())
        assert database.query("SELECT COUNT(*) AS n FROM runs WHERE published_at IS NOT NULL").columns == ["n"]

    def test_sql_reads_tables_alone(self, database: bench_db.Database, tmp_path: Path) -> None:
        (tmp_path / "secret.csv").write_text("a\n1\n")
        with pytest.raises(bench_db.UserError, match="read_csv"):
            database.query(f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
        with pytest.raises(bench_db.UserError, match="no table"):
            database.query(f"SELECT * FROM '{tmp_path / 'secret.csv'}'")

    def test_sql_over_answers(self, database: bench_db.Database) -> None:
        assert database.query("SELECT * EXCLUDE (tags) FROM latest").equals(database.latest())
        assert database.query("SELECT * EXCLUDE (tags) FROM series").equals(database.summary())
        joined = "SELECT COUNT(*) AS n FROM latest JOIN series USING (series_key) WHERE latest.median <= series.max"
        assert database.query(joined)["n"].to_list() == [database.latest().height]

    def test_sql_has_tags_in_every_table_with_their_text(self, tmp_path: Path) -> None:
        store = bench_db.connect(tmp_path / "store", create=True)
        with store.record("d", commit="a" * 40, environment={}, test_bed_name="t") as run:
            run.add("f", 1.0, tags={"gpu": "h100,=%", "batch": 32})
            run.add("g", 1.0)
        for table in ("results", "latest", "series", "points"):
            asked = f"SELECT tags['gpu'] AS gpu, cardinality(tags) AS n, typeof(tags) AS kind FROM {table} ORDER BY n"
            assert store.query(asked).rows() == [(None, 0, kind := "MAP(VARCHAR, VARCHAR)"), ("h100,=%", 2, kind)]
            assert store.query(f"SELECT tags FROM {table} WHERE commit = 'none'").is_empty()

    def test_sql_has_times_in_every_table(self, database: bench_db.Database) -> None:
        times = {
            **{name: ["at"] for name in ("findings", "definitions", "exclusions", "notifications", "scans")},
            "baselines": ["set_at"],
            "artifacts": ["added_at"],
            "commits": ["author_time", "measured_at", "recorded_at", "time"],
            "migrations": ["applied_at"],
        }
        for table, names in times.items():
            schema = database.query(f"SELECT * FROM {table}").schema
            assert {name: schema[name] for name in names} == dict.fromkeys(names, _DATETIME)

    def test_a_condition_on_a_text_still_reaches_the_store(self, database: bench_db.Database) -> None:
        plan = database.scan().filter(pl.col("benchmark_name") == "bench 1").select("median").explain()
        assert "benchmark_name" in plan.split("lance results")[1]

    def test_stale(self, database: bench_db.Database) -> None:
        run, results = publication(4)
        database.publish(results[:1], run)
        stale = dict(database.latest().select("benchmark_name", "stale").iter_rows())
        assert stale == {"bench 0": False, "bench 1": True, "bench 2": True}
        assert database.latest(benchmark="bench 2")["stale"].to_list() == [True]


class TestDatabase:
    """A database is its address."""

    def test_pickles_by_its_address(self, database: bench_db.Database) -> None:
        again = pickle.loads(pickle.dumps(database))
        assert (again.uri, repr(again)) == (database.uri, repr(database))
        assert again.latest().equals(database.latest())

    def test_a_pickle_holds_nothing_but_the_address(self, database: bench_db.Database) -> None:
        assert len(pickle.dumps(database)) < 200 + len(database.uri)

    def test_another_process_reads_it(self, database: bench_db.Database, tmp_path: Path) -> None:
        (tmp_path / "database").write_bytes(pickle.dumps(database))
        ask = f"import pickle; print(pickle.load(open({str(tmp_path / 'database')!r}, 'rb')).latest().height)"
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        assert json.loads(said.stdout) == 3
