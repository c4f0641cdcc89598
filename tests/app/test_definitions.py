from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db.errors import BenchDbError, UserError
from bench_db.model import RecordedCommit
from bench_db.query.selection import Selection
from bench_db.store.database import connect
from tests.cli.kinds import BED, publish, sha

if TYPE_CHECKING:
    from bench_db.store.database import Database

pytestmark = pytest.mark.sample(12)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestDefine:
    """A definition is in force until it is ended; the same one again changes nothing."""

    def test_and_end(self, database: Database) -> None:
        publish(database, 1, {"old": 1.0})
        publish(database, 2, {"new": 2.0})
        first = api.define(database, "join", "old", "new", by="me", at=1)
        assert (first.changed, api.define(database, "join", "old", "new").changed) == (1, 0)
        assert database.trend("new")["median"].to_list() == [1.0, 2.0]
        assert api.definitions(database).frame()["value"].to_list() == ["new"]
        assert json.loads(json.dumps(first.document))["definitions"][0]["pattern"] == "old"
        assert api.define(database, "join", "old", lifted=True).changed == 1
        assert database.trend("new")["median"].to_list() == [2.0]

    @pytest.mark.parametrize(
        ("kind", "more", "said"),
        [
            ("rename", {}, "is no kind of definition"),
            ("alias", {"field": "cpu"}, "cannot have an alias"),
            ("alias", {"field": "dut", "value": "*"}, "means any suite, and no dut"),
            ("better", {"value": "more"}, "is no direction"),
            ("join", {"value": "x"}, "is no new name"),
        ],
    )
    def test_refused(self, database: Database, kind: str, more: dict[str, str], said: str) -> None:
        with pytest.raises(UserError, match=said):
            api.define(database, kind, "x", **more)  # type: ignore[arg-type]


FORMULA = "tok_s / power"


def serve(store: api.Database, number: int, served: dict[str, tuple[Any, Any]], **stated: Any) -> None:
    """Publish a run with the rate and the power of each framework; null leaves a metric out."""
    about: dict[str, Any] = {"dut": "model", "commit": sha(number), "test_bed_name": "h100", "branch": "main"}
    with store.record(**{**about, "dut_timestamp": 1_700_000_000 + 86_400 * number, **stated}) as run:
        for framework, (rate, power) in served.items():
            tags = {"framework": framework}
            known = {"tok_s": (rate, "tokens/s", "higher"), "power": (power, "W", "lower")}
            for metric, (value, unit, better) in known.items():
                if value is not None:
                    run.add("chat", value, metric=metric, unit=unit, better=better, tags=tags)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Database:
    monkeypatch.chdir(tmp_path)
    store = api.connect(tmp_path / "store", create=True)
    for number in range(1, 9):
        serve(store, number, {"trt": (100.0 + number % 3, 10), "vllm": (80.0, 10)})
    api.define(store, "metric", "per_watt", FORMULA)
    return store


class TestDerivedMetric:
    """A derived metric is a series as others in every answer, and no row is stored of it."""

    def test_every_answer_shows_it(self, served: api.Database, tmp_path: Path) -> None:
        serve(served, 9, {"trt": (50, 10), "vllm": (80, 10)})
        of: dict[str, Any] = {"metric": "per_watt"}
        newest = served.latest(**of)
        assert newest.select("benchmark_name", "units", "direction", "n", "commit", "stale").unique().rows() == [
            ("chat", "tokens/s/W", "higher", 1, sha(9), False)
        ]
        assert dict(newest.select("tags_key", "median").rows()) == {"framework=trt": 5.0, "framework=vllm": 8.0}
        trend = served.trend("chat", tags={"framework": "trt"}, **of)
        assert trend["median"].to_list() == [10.1, 10.2, 10.0, 10.1, 10.2, 10.0, 10.1, 10.2, 5.0]
        assert trend["index"].to_list() == list(range(9))
        assert served.trend("chat", tags={"framework": "trt"}, last=2, values=True, **of)["values"].to_list() == [
            None,
            None,
        ]
        summary = served.summary(**of)
        assert dict(summary.select("tags_key", "n").rows()) == {"framework=trt": 9, "framework=vllm": 9}
        assert served.summary(last=3, **of)["n"].to_list() == [3, 3]
        compared = {c.series.tags_key: c.verdict for c in api.compare(served, sha(9), **of).comparisons}
        assert compared == {"framework=trt": "regressed", "framework=vllm": "unchanged"}
        every = {(c.series.metric, c.series.tags_key) for c in api.compare(served, sha(9)).comparisons}
        assert len(every) == 6
        found = api.frontier(served, "power", "per_watt", by=["framework"])
        assert sorted(found.frame().select("x", "y").rows()) == [(10.0, 5.0), (10.0, 8.0)]
        api.site(served, tmp_path / "site", at=0)
        page = "".join(path.read_text() for path in (tmp_path / "site").rglob("*.js"))
        assert "per_watt" in page
        assert {series.metric for series in api.scan(served, **of).series.values()} == {"per_watt"}

    @pytest.mark.slow
    def test_sql_and_conditions(self, served: api.Database) -> None:
        for table, rows in (("latest", 2), ("series", 2), ("points", 16), ("results", 0)):
            sql = f"SELECT count(*) AS n FROM {table} WHERE metric = 'per_watt'"
            assert served.query(sql)["n"].to_list() == [rows]
        (key,) = served.latest(metric="per_watt", tags={"framework": "trt"})["series_key"]
        assert served.trend("chat", series_key=key)["metric"].unique().to_list() == ["per_watt"]
        assert served.latest(series_key=key).height == 1
        assert served.latest(metric="tok_s")["metric"].unique().to_list() == ["tok_s"]
        assert served.latest(benchmark="other", metric="per_watt").is_empty()
        early = served.latest(metric="per_watt", until="2023-11-16")
        assert early["commit"].unique().to_list() == [sha(2)]

    def test_columns_of_runs_by_the_keys_of_derived_series(self, served: api.Database, tmp_path: Path) -> None:
        keys = served.latest(metric="per_watt")["series_key"].to_list()
        stored = connect(tmp_path / "store")
        runs = stored.rows(("run_key", "run_time"), Selection(), keys=keys)
        assert (len(runs), runs["run_key"].n_unique()) == (16, 8)
        assert len(stored.rows(("run_key",), Selection())) == 32

    def test_nothing_is_stored_and_it_can_be_ended(self, served: api.Database) -> None:
        assert set(served.scan(["metric"]).collect()["metric"]) == {"tok_s", "power"}
        assert served.latest().height == 6
        api.define(served, "metric", "per_watt", lifted=True)
        assert served.latest().height == 4

    def test_the_newest_result_has_every_metric(self, served: api.Database) -> None:
        serve(served, 9, {"trt": (500, None), "vllm": (None, 3)})
        newest = {row["tags_key"]: row for row in served.latest(metric="per_watt").iter_rows(named=True)}
        assert (newest["framework=trt"]["median"], newest["framework=trt"]["commit"]) == (10.2, sha(8))
        assert newest["framework=trt"]["stale"]
        serve(served, 10, {"trt": (500, 0), "vllm": (3, 1)})
        newest = {row["tags_key"]: row for row in served.latest(metric="per_watt").iter_rows(named=True)}
        assert newest["framework=trt"]["median"] is None
        assert newest["framework=trt"]["error"] == "no finite value of tok_s / power: power is 0"
        assert newest["framework=vllm"]["median"] == 3.0
        assert api.frontier(served, "power", "per_watt").left_out == {"failed": 1}

    @pytest.mark.slow
    def test_other_histories(self, served: api.Database) -> None:
        serve(served, 20, {"trt": (1, 1)}, branch="topic")
        serve(served, 21, {"trt": (2, 1)}, pr_number=7)
        of: dict[str, Any] = {"metric": "per_watt", "tags": {"framework": "trt"}}
        assert served.latest(branch="topic", **of)["median"].to_list() == [1.0]
        assert served.latest(pr_number=7, **of)["median"].to_list() == [2.0]
        assert served.latest(**of)["median"].to_list() == [10.2]
        assert served.trend("chat", everything=True, **of).height == 10
        (run,) = api.runs(served, commit=sha(8)).frame()["run"]
        api.exclude_runs(served, runs=[run], reason="noisy")
        assert served.latest(**of)["commit"].to_list() == [sha(7)]

    def test_stored_results_of_its_name_hide_it_where_they_are(self, served: api.Database) -> None:
        serve(served, 20, {"trt": (50, 10)}, pr_number=7)
        before = served.latest(metric="per_watt")
        for more in ({"pr_number": 8}, {"dut": "other"}):
            about: dict[str, Any] = {"dut": "model", "test_bed_name": "h100", "branch": "topic", **more}
            with served.record(commit=sha(21), dut_timestamp=1_702_000_000, **about) as run:
                for metric, unit in (("per_watt", "tokens/s/W"), ("per_watt_hour", "x")):
                    run.add("chat", 7.0, metric=metric, unit=unit, better="higher", tags={"framework": "trt"})
        assert served.latest(metric="per_watt", dut_name="model").equals(before)
        of: dict[str, Any] = {"metric": "per_watt", "tags": {"framework": "trt"}, "dut_name": "model"}
        assert served.trend("chat", **of)["median"].to_list()[-1] == 10.2
        assert [one.verdict for one in api.compare(served, sha(20), **of).comparisons] == ["regressed"]
        assert served.latest(pr_number=7, **of)["median"].to_list() == [5.0]
        assert served.latest(pr_number=8, **of)["median"].to_list() == [7.0]
        assert served.trend("chat", everything=True, **of)["median"].to_list() == [7.0]
        vllm: dict[str, Any] = {**of, "tags": {"framework": "vllm"}}
        assert served.trend("chat", everything=True, **vllm).height == 8
        (fault,) = api.definitions(served).metric_faults
        assert "a benchmark shows these instead in each history that has some" in fault

    def test_results_that_an_alias_joins_in_one_run(self, served: api.Database) -> None:
        with served.record("model", commit=sha(9), dut_timestamp=1_702_000_000, test_bed_name="h100") as run:
            for name in ("one", "two"):
                run.add(name, 3.0, metric="tok_s", unit="tokens/s", better="higher")
        api.define(served, "alias", "two", "one", field="benchmark")
        api.define(served, "metric", "per_watt", lifted=True)
        api.define(served, "metric", "double", "tok_s * 2", dut_name="model")
        assert served.trend("one", metric="double").is_empty()
        assert served.latest(benchmark="one", metric="double").is_empty()
        assert "a run has several of one" in str(api.definitions(served).metric_faults)

    @pytest.mark.slow
    def test_metrics_of_two_files_of_a_job(self, served: api.Database) -> None:
        api.define(served, "metric", "sum", "one / two")
        for metric in ("one", "two"):
            about: dict[str, Any] = {"commit": sha(9), "dut_timestamp": 1_702_000_000, "run_id": "job"}
            with served.record("model", test_bed_name="h100", **about) as run:
                run.add("split", 3.0, metric=metric, unit="x", better="higher")
        (fault,) = api.definitions(served).metric_faults
        assert "their results are in different files" in fault

    @pytest.mark.slow
    def test_names_of_other_definitions_apply_first(self, served: api.Database) -> None:
        serve(served, 9, {"trt": (70, 10)}, test_bed_name="h1oo")
        api.define(served, "alias", "h1oo", "h100", field="test_bed")
        api.define(served, "alias", "tok_s", "rate", field="metric")
        of: dict[str, Any] = {"metric": "per_watt", "tags": {"framework": "trt"}}
        assert served.latest(**of).is_empty()
        api.define(served, "metric", "per_watt", "rate / power; unit=tokens/J")
        assert served.latest(**of).select("median", "units").rows() == [(7.0, "tokens/J")]
        assert served.trend("chat", **of).height == 9
        api.define(served, "better", "per_watt", "lower")
        assert served.latest(**of)["direction"].to_list() == ["lower"]

    @pytest.mark.slow
    def test_optimizing_changes_nothing(self, served: api.Database) -> None:
        before = served.latest()
        served.optimize()
        assert served.latest().equals(before)
        assert served.trend("chat", metric="per_watt").height == 16

    def test_what_cannot_be_derived_is_said(self, served: api.Database) -> None:
        assert api.define(served, "metric", "bad", "tok_s / tokens").metric_faults == [
            "metric bad: there are no results of tokens"
        ]
        with pytest.raises(UserError, match="has results of a metric 'tok_s'; give the derived one another name"):
            api.define(served, "metric", "tok_s", "power * 2")
        with pytest.raises(UserError, match="expected a metric"):
            api.define(served, "metric", "bad", "tok_s /")

    def test_a_unit_that_fits_no_benchmark_is_refused(self, served: api.Database) -> None:
        with served.record("model", commit=sha(9), dut_timestamp=1_702_000_000, test_bed_name="h100") as run:
            run.add("load", 3.0, unit="s")
            run.add("load", 2.0, metric="wait", unit="ms")
            run.add("load", 2.0, metric="memory", unit="MiB")
        sum_of_both = (
            "metric sum: nanoseconds \\+ bytes is no quantity; state the unit of the result; nothing was defined"
        )
        with pytest.raises(UserError, match=sum_of_both):
            api.define(served, "metric", "sum", "time + memory")
        scaled = "metric both: unit 'ms': 'time \\+ wait' is in seconds already.*; nothing was defined"
        with pytest.raises(UserError, match=scaled):
            api.define(served, "metric", "both", "time + wait; unit=ms")
        with pytest.raises(UserError, match=scaled):
            api.define(served, "metric", "both", "time + wait; unit=ms", dut_name="model")
        Path("bench-db.toml").write_text('[project]\nname = "model"\n[define.metric]\nboth = "time + wait; unit=ms"\n')
        with pytest.raises(UserError, match=scaled):
            api.sync_definitions(served)
        assert [one.pattern for one in api.definitions(served).definitions] == ["per_watt"]
        assert api.define(served, "metric", "both", "time + wait; unit=ms", dut_name="other").changed == 1
        assert api.define(served, "metric", "both", "time + wait").changed == 1
        assert served.latest(metric="both").select("median", "units").rows() == [(3_002_000_000.0, "nanoseconds")]

    def test_a_unit_that_fits_some_benchmarks_is_a_fault(self, served: api.Database) -> None:
        with served.record("model", commit=sha(9), dut_timestamp=1_702_000_000, test_bed_name="h100") as run:
            for name, unit in (("one", "s"), ("other", "MiB")):
                run.add(name, 3.0, unit="s")
                run.add(name, 2.0, metric="more", unit=unit)
        done = api.define(served, "metric", "sum", "time + more")
        assert [fault for fault in done.metric_faults if "no quantity" in fault] == [
            "metric sum: nanoseconds + bytes is no quantity; state the unit of the result"
        ]
        assert served.latest(metric="sum")["benchmark_name"].to_list() == ["one"]

    def test_one_that_is_in_force_stays(self, served: api.Database) -> None:
        """A metric that was defined before there were results is a fault of `definitions`, and no error of a nightly `sync`."""
        Path("bench-db.toml").write_text('[project]\nname = "model"\n[define.metric]\nboth = "time * 2; unit=ms"\n')
        assert api.sync_definitions(served).changed == 1
        with served.record("model", commit=sha(9), dut_timestamp=1_702_000_000, test_bed_name="h100") as run:
            run.add("load", 3.0, unit="s")
        assert "is in seconds already" in str(api.sync_definitions(served).metric_faults)

    def test_it_is_defined_again(self, served: api.Database) -> None:
        assert api.define(served, "metric", "per_watt", FORMULA).changed == 0
        assert api.define(served, "metric", "per_watt", f"{FORMULA} * 2", dut_name="model").changed == 1
        assert api.define(served, "metric", "per_watt", f"{FORMULA} * 3").changed == 1
        assert served.latest(metric="per_watt", tags={"framework": "vllm"})["median"].to_list() == [16.0]

    def test_results_of_the_device_alone_take_a_name(self, served: api.Database) -> None:
        assert api.define(served, "metric", "tok_s", "power * 2", dut_name="other").changed == 1
        with pytest.raises(UserError, match="has results of a metric 'tok_s'"):
            api.define(served, "metric", "tok_s", "power * 2", dut_name="model")

    def test_a_file_states_it(self, served: api.Database) -> None:
        Path("bench-db.toml").write_text('[project]\nname = "model"\n[define.metric]\njoules = "power * 2; unit=J"\n')
        assert api.sync_definitions(served).changed == 1
        assert served.latest(metric="joules")["units"].unique().to_list() == ["J"]
        Path("bench-db.toml").write_text('[project]\nname = "model"\n[define.metric]\njoules = "power *"\n')
        with pytest.raises(BenchDbError, match=r"found the end.* at define\.metric\.joules"):
            api.sync_definitions(served)


class TestAnnotate:
    """A commit has one annotation for each device and one for all; results are not touched, and it can be taken away."""

    def test_and_remove(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        before = database.trend("f")
        assert api.annotate(database, sha(1)[:9], " release 1.2 ", by="me", at=5).changed == 1
        assert api.annotate(database, sha(1), "release 1.2").changed == 0
        assert api.annotate(database, sha(1), "release 1.3", dut_name="d").changed == 1
        (one, other) = api.definitions(database).definitions
        assert (one.kind, one.pattern, one.value, one.dut_name) == ("annotation", sha(1), "release 1.2", None)
        assert (other.value, other.dut_name) == ("release 1.3", "d")
        assert database.trend("f").equals(before)
        assert not api.unmapped(database).frame().height
        assert api.annotate(database, sha(1)[:9], remove=True).changed == 1
        assert [left.value for left in api.definitions(database).definitions] == ["release 1.3"]

    def test_a_commit_that_is_recorded_alone(self, database: Database) -> None:
        other = RecordedCommit(dut_name="d", commit="b" * 40, time=1, source="sync")
        database.record_commits([other])
        assert api.annotate(database, "b" * 8, "new runner").definitions[0].pattern == "b" * 40

    @pytest.mark.parametrize(
        ("commit", "rest", "said"),
        [
            ("f" * 40, {"text": "x"}, "no such commit is measured or recorded; 'bench-db commits sync'"),
            ("no-branch", {"text": "x"}, "no such commit is measured or recorded"),
            ("0abc000", {"text": " "}, "needs a text"),
            ("0abc000", {"remove": True}, "no such commit has an annotation"),
            ("version:1", {"text": "x"}, "no such commit is measured"),
        ],
    )
    def test_refused(self, database: Database, commit: str, rest: dict[str, Any], said: str) -> None:
        publish(database, 0, {"f": 1.0})
        with pytest.raises(UserError, match=said):
            api.annotate(database, sha(0)[:7] if commit == "0abc000" else commit, **rest)

    def test_an_abbreviation_of_two_commits(self, database: Database) -> None:
        for last in "12":
            database.record_commits([RecordedCommit(dut_name="d", commit="c" * 39 + last, time=1, source="sync")])
        with pytest.raises(UserError, match="2 commits begin so; give more digits"):
            api.annotate(database, "c" * 10, "x")

    def test_a_copy_and_an_export_keep_it(self, database: Database, tmp_path: Path) -> None:
        publish(database, 1, {"f": 1.0})
        api.annotate(database, sha(1), "release 1.2")
        database.export_to(tmp_path / "out")
        taken = connect(tmp_path / "taken", create=True)
        taken.import_from(tmp_path / "out")
        assert [one.value for one in taken.definitions()] == ["release 1.2"]


class TestUnmapped:
    """A name is unmapped when no definition of its field matches or gives it; stored names count, of other branches too."""

    def test_names(self, database: Database) -> None:
        publish(database, 1, {"old": 1.0, "f": 1.0}, bed=replace(BED, name="ci-linus"))
        publish(database, 2, {"new": 2.0}, bed=replace(BED, name="ci-linux"))
        publish(database, 3, {"new": 2.5}, bed=replace(BED, name="laptop"), branch="topic")
        assert api.unmapped(database).frame().is_empty()
        api.define(database, "alias", "ci-linus*", "ci-linux", field="test_bed")
        found = api.unmapped(database).frame()
        assert found.select("field", "name", "dut_name", "results").rows() == [("test_bed", "laptop", "d", 1)]
        api.define(database, "join", "old", "new")
        api.define(database, "better", "recall", "higher")
        api.define(database, "alias", "", "*", field="suite")
        assert api.unmapped(database).frame()["field"].to_list() == ["test_bed"]
        assert api.unmapped(database, field="benchmark").frame()["name"].to_list() == ["f"]
        api.define(database, "ignore", "f")
        assert api.unmapped(database, field="benchmark").document == {"unmapped": []}
        api.define(database, "pool", "laptop")
        assert api.unmapped(database).frame().is_empty()

    def test_a_definition_of_another_device(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        api.define(database, "join", "f", "g", dut_name="other")
        assert api.unmapped(database, field="benchmark").frame()["name"].to_list() == ["f"]

    def test_a_field_that_is_none(self, database: Database) -> None:
        with pytest.raises(UserError, match="`field`: 'cpu' has no definitions"):
            api.unmapped(database, field="cpu")


class TestUnmappedOfTables:
    """Names that an alias table of a declared format lacked are listed with their rows, those of all runs together."""

    def test_names(self, database: Database, tmp_path: Path) -> None:
        formats = {
            "format": {
                "mine": {"name": "n", "metrics": ["t_ms"], "tags": ["gpu"], "fields": {"gpu": {"alias": "gpu"}}}
            },
            "alias": {"gpu": {"h100*": "h100"}},
        }
        for number, names in enumerate([("h100-x", "b200", "b200"), ("b200", "mi7")]):
            rows = [{"gpu": name, "t_ms": number + place} for place, name in enumerate(names)]
            (tmp_path / "rows.json").write_text(json.dumps(rows))
            build = api.Provenance(dut_name="d", dut_version=str(number), dut_timestamp=1_780_000_000)
            api.publish(database, tmp_path / "rows.json", format="mine", formats=formats, provenance=build)
        found = api.unmapped(database).frame()
        assert found.select("field", "name", "dut_name", "results").rows() == [
            ("alias.gpu", "b200", "d", 3),
            ("alias.gpu", "mi7", "d", 1),
        ]
        assert found["last_seen"].null_count() == 0
        assert api.unmapped(database, since="2200-01-01").frame().is_empty()
        assert api.unmapped(database, field="metric").frame()["name"].to_list() == ["t"]


class TestSync:
    """The definitions of a file are added and ended with it; others stay."""

    def test_with_the_file(self, database: Database, tmp_path: Path) -> None:
        publish(database, 1, {"old": 1.0, "smoke": 1.0}, bed=replace(BED, name="ci-linus"))
        publish(database, 2, {"new": 2.0}, bed=replace(BED, name="ci-linux"))
        file = tmp_path / "bench-db.toml"
        file.write_text(
            "[project]\nname = 'd'\n[define]\npool = ['ci-linux']\nignore = ['smoke*']\nmain = 'main'\n"
            "[define.join]\nold = 'new'\n[define.alias.test_bed]\n'ci-linus*' = 'ci-linux'\n[define.better]\nrecall = 'higher'\n"
        )
        api.define(database, "ignore", "other")
        done = api.sync_definitions(database, str(file), by="ci")
        assert (done.changed, len(done.definitions)) == (6, 7)
        assert database.trend("*")["median"].to_list() == [1.0, 2.0]
        assert api.sync_definitions(database, str(file)).changed == 0

        file.write_text("[project]\nname = 'd'\n[define.join]\nold = 'newer'\n")
        assert api.sync_definitions(database, str(file)).changed == 6
        assert [(one.kind, one.value) for one in api.definitions(database).definitions] == [
            ("ignore", ""),
            ("join", "newer"),
        ]

    def test_of_another_project(self, database: Database, tmp_path: Path) -> None:
        for name in ("d", "e"):
            (tmp_path / f"{name}.toml").write_text(f"[project]\nname = '{name}'\n[define.join]\na = 'b'\n")
            api.sync_definitions(database, str(tmp_path / f"{name}.toml"))
        (tmp_path / "e.toml").write_text("[project]\nname = 'e'\n")
        api.sync_definitions(database, str(tmp_path / "e.toml"))
        assert [one.dut_name for one in api.definitions(database).definitions] == ["d"]

    def test_one_that_cannot_be_applied(self, database: Database, tmp_path: Path) -> None:
        file = tmp_path / "bench-db.toml"
        file.write_text("[project]\nname = 'd'\n[define]\nignore = ['x']\n[define.better]\nrecall = 'more'\n")
        with pytest.raises(UserError, match="is no direction"):
            api.sync_definitions(database, str(file))
        assert api.definitions(database).definitions == []
