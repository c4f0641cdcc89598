from __future__ import annotations

import json
import re
import shutil
from math import inf
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_db as api
from bench_db.app import exporters
from bench_db.app.asv import _seconds
from bench_db.report.store import export_text
from tests.app.exporting import ABOUT, COMMIT, TIME, read_by
from tests.cli.conftest import bench_db
from tests.ingest.support import DATA
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database

pytestmark = pytest.mark.few(1)

SUMMARY = {
    "command": "sort",
    "mean": 1.0,
    "stddev": 0.1,
    "user": 0.5,
    "system": 0.1,
    "min": 0.9,
    "max": 3.0,
}  # of hyperfine
ASV = sorted((DATA / "asv").glob("*/*"))
MEASURED = ["suite", "benchmark_name", "metric", "units", "direction", "tags_key", "series_key", "commit", "commit_time", "test_bed_name", "test_bed_cpu",
            "test_bed_memory_gb", "test_bed_os", "run_time", "error", "n", "values", "iterations", "median", "q1", "q3", "lower", "upper"]  # fmt: skip


def published(store: Path, results: Path) -> tuple[Database, Any]:
    database = api.connect(store, create=True)
    return database, api.publish(database, results, provenance=api.Provenance(dut_name="d"))


def measured(database: Database) -> list[Any]:
    """Return what every result measured, in an order of its own."""
    return sorted(database.scan().select(MEASURED).collect().rows(), key=repr)


def exported(database: Database, out: Path, **chosen: Any) -> dict[str, Any]:
    """Return the documents of an export by their paths, without the manifest."""
    database.export_to(out, format_name="asv", **chosen)
    return {
        str(path.relative_to(out)): json.loads(path.read_text())
        for path in sorted(out.rglob("*.json"))
        if path.name != "bench-db.json"
    }


def results_in(documents: dict[str, Any]) -> dict[str, Any]:
    return {path: one for path, one in documents.items() if "result_columns" in one}


def named(row: list[Any], columns: list[str]) -> dict[str, Any]:
    return {name: value for name, value in zip(columns, row, strict=False) if value is not None}


def rows_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: named(row, document["result_columns"]) for name, row in document["results"].items()}


def rounded(row: dict[str, Any]) -> str:
    """Return a row with numbers of five digits, as asv rounds statistics, as a text: NaN does not equal itself."""

    def short(number: str) -> str:
        return f"{float(number):.4e}"

    return repr(json.loads(json.dumps(row), parse_float=short, parse_int=short))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use no bench-db.toml."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Database:
    """Return a store with the results of no tool in particular."""
    store = api.connect(tmp_path / "store", create=True)
    with store.record("flax", suite="train", **ABOUT) as run:
        run.add("step[a=1]", [2, 4, 3], unit="ms", tags={"batch": 32}, lower=2.5, upper=3.5, metrics={"loss": 0.5})
        run.add(
            "step[a=1]", 7.0, unit="ms", tags={"batch": 64}, metrics={"rate": api.Metric(values=3, unit="per_second")}
        )
        run.add("step(a=1)", 7.0, unit="s", tags={"batch": 32})
        run.add("sparse", 1.0, unit="s", tags={"x": "1", "y": "a"})
        run.add("sparse", 2.0, unit="s", tags={"x": "2", "y": "b"})
    return store


class TestThereAndBack:
    """The results of asv, published and exported, are read again as the same results of the same series."""

    @pytest.mark.parametrize("results", ASV, ids=["/".join(path.parts[-2:]) for path in ASV])
    def test_every_result(self, tmp_path: Path, results: Path) -> None:
        shutil.copytree(results, tmp_path / "asv")
        database, _ = published(tmp_path / "store", tmp_path / "asv")
        documents = exported(database, tmp_path / "out")
        again, _ = published(tmp_path / "again", tmp_path / "out")
        assert len(results_in(documents)) == 1
        assert measured(again) == measured(database)
        assert len(measured(again)) > 10
        _, done = published(tmp_path / "store", tmp_path / "out" / "results")
        # the first version has further statistics, for which the second has no columns
        assert ((done.new, done.failed) == (0, 0)) == (results.parts[-2:] != ("0.4.2", "results"))

    @pytest.mark.parametrize("layout", ["results", "recorded"])
    def test_the_files_are_those_of_asv(self, tmp_path: Path, layout: str) -> None:
        """Names, columns and values are as asv 0.6.6 wrote them; build times and the code of benchmarks are not stored."""
        results = tmp_path / "asv"
        shutil.copytree(DATA / "asv/0.6.6" / layout, results)
        database, _ = published(tmp_path / "store", results)
        found = exported(database, tmp_path / "out")
        before = {
            f"results/{path.relative_to(results)}": json.loads(path.read_text())
            for path in sorted(results.rglob("*.json"))
            if "golden" not in path.name
        }
        assert found.keys() == before.keys()
        assert found["results/bench/machine.json"] == before["results/bench/machine.json"]
        [path] = results_in(before)
        mine, theirs = found[path], before[path]
        assert {k: v for k, v in mine.items() if k != "results"} == {
            k: v for k, v in theirs.items() if k not in ("results", "durations")
        } | {"durations": {}}
        for name, row in rows_of(theirs).items():
            if layout == "results":
                row.pop("stats_number", None)  # stored with samples alone
            assert rounded(rows_of(mine)[name]) == rounded(row)
        declared, known = found["results/benchmarks.json"], before["results/benchmarks.json"]
        assert declared.pop("version") == 2
        for name in mine["results"]:
            of = declared[name]
            assert of == {key: known[name][key] for key in of if key != "code"} | {"code": ""}
        assert declared.keys() == mine["results"].keys()

    @given(st.floats(min_value=1e-12, max_value=1e6))
    def test_seconds_are_exact(self, seconds: float) -> None:
        """Whatever asv wrote, the exported number of seconds is the same number of nanoseconds again."""
        assert _seconds(seconds * 1e9) * 1e9 == seconds * 1e9


class TestOtherTools:
    """Results of other tools have names of asv's kind, and what asv has no place for is left out."""

    def test_names_and_values(self, other: Database, tmp_path: Path) -> None:
        documents = exported(other, tmp_path / "out")
        assert documents["results/gpu-1/machine.json"] == {
            "machine": "gpu-1", "os": "Linux 6", "cpu": "c", "ram": "8GiB", "arch": "", "num_cpu": "", "version": 1
        }  # fmt: skip
        [(path, document)] = results_in(documents).items()
        assert path == f"results/gpu-1/{COMMIT[:8]}-train.json"
        assert (document["commit_hash"], document["env_name"], document["version"]) == (COMMIT, "train", 2)
        assert document["date"] == 1000 * TIME
        assert (document["params"]["machine"], document["params"]["suite"]) == ("gpu-1", "train")
        rows = rows_of(document)
        declared = documents["results/benchmarks.json"]
        by_kind = {(one["type"], one["unit"]): name for name, one in declared.items() if name != "version"}
        assert by_kind["track", "ratio"] == "track_step_a_1_loss"
        [one, two] = sorted(name for name in rows if name.startswith("time_step"))
        assert (one, two[: len(one) + 1], len(two)) == ("time_step_a_1", "time_step_a_1_", len(one) + 17)
        kept, alike = (one, two) if rows[one]["params"] == [["32", "64"]] else (two, one)
        assert rows[alike] == {"result": [7.0], "params": [["32"]], "started_at": 1000 * TIME}
        assert rows[kept]["result"] == [0.003, 0.007]
        assert rows[kept]["samples"] == [[0.002, 0.004, 0.003], [0.007]]
        assert (rows[kept]["stats_q_25"], rows[kept]["stats_repeat"]) == ([0.0025, 0.007], [3, 1])
        assert rows[kept]["stats_ci_99_a"] == [-inf, -inf]  # unknown: the interval of another tool is of another level
        assert declared[kept]["param_names"] == ["batch"]
        assert rows["track_step_a_1_rate"]["result"] == [3.0]

    def test_tags_that_are_no_grid_are_one_parameter(self, other: Database, tmp_path: Path) -> None:
        """A grid would have combinations that nobody measured."""
        documents = exported(other, tmp_path / "out")
        [document] = results_in(documents).values()
        assert documents["results/benchmarks.json"]["time_sparse"]["param_names"] == ["tags"]
        assert rows_of(document)["time_sparse"]["params"] == [["x=1,y=a", "x=2,y=b"]]
        assert rows_of(document)["time_sparse"]["result"] == [1.0, 2.0]

    def test_our_adapter_reads_them(self, other: Database, tmp_path: Path) -> None:
        exported(other, tmp_path / "out")
        again, _ = published(tmp_path / "again", tmp_path / "out")
        assert sorted(again.scan().select("median").collect()["median"].drop_nulls()) == sorted(
            other.scan().select("median").collect()["median"].drop_nulls()
        )
        rate = again.scan().filter(pl.col("units") == "per_second").select("direction", "median").collect().rows()
        assert rate == [("higher", 3.0)]

    def test_what_is_left_out_is_counted(self, tmp_path: Path) -> None:
        """A run without a commit, and a result that was measured again, have no place in files of asv."""
        store = api.connect(tmp_path / "store", create=True)
        for number, commit in enumerate((COMMIT, COMMIT, None)):
            about = {**ABOUT, "commit": commit, "dut_version": f"1.{number}"}
            with store.record("d", **about, suite="s") as run:
                run.add("f", number + 1, unit="s")
        done = exporters.export(store, tmp_path / "out", "asv")
        assert (sum(file.rows for file in done.files.values()), done.left_out) == (1, 2)
        assert "2 of the results have no value in these files" in export_text(done)

    def test_a_combination_that_a_file_lacks_is_skipped(self, tmp_path: Path) -> None:
        store = api.connect(tmp_path / "store", create=True)
        for number, pairs in enumerate(([(1, 1), (1, 2), (2, 1), (2, 2)], [(1, 1), (2, 2)])):
            with store.record("d", **{**ABOUT, "commit": f"{number:08x}" + 32 * "0"}, suite="s") as run:
                for x, y in pairs:
                    run.add("f", 10 * x + y, unit="s", tags={"x": x, "y": y})
        by_commit = {one["commit_hash"][:8]: one for one in results_in(exported(store, tmp_path / "out")).values()}
        assert sorted(by_commit["00000000"]["results"]["time_f"][0]) == [11.0, 12.0, 21.0, 22.0]
        first, *missing, last = by_commit["00000001"]["results"]["time_f"][0]
        assert (first, [str(one) for one in missing], last) == (11.0, ["nan", "nan"], 22.0)


class TestFiles:
    """There is one file for a commit, a machine and an environment."""

    def test_the_newest_result_counts(self, tmp_path: Path) -> None:
        store = api.connect(tmp_path / "store", create=True)
        for number in (2, 3, 1):
            about = {**ABOUT, "run_time": TIME + number}
            with store.record("d", suite="s", **about) as run:
                run.add("f", float(number), unit="s")
                run.add(f"only {number}", float(number), unit="s")
        [document] = results_in(exported(store, tmp_path / "out")).values()
        assert {name: row[0] for name, row in document["results"].items()} == {
            "time_f": [3.0], "time_only_1": [1.0], "time_only_2": [2.0], "time_only_3": [3.0]
        }  # fmt: skip

    def test_files_of_everything_else_are_apart(self, tmp_path: Path) -> None:
        """Machines of one name, suites that a file system does not keep apart, devices, and commits with the same first digits."""
        store = api.connect(tmp_path / "store", create=True)
        beds = [api.TestBed(name="m", cpu=cpu) for cpu in "ab"]
        for number, (dut, bed, suite, commit) in enumerate([
            ("d", beds[0], "a/b", COMMIT), ("d", beds[1], "a/b", COMMIT), ("d", beds[0], "A:b", COMMIT),
            ("e", beds[0], "a/b", COMMIT), ("d", beds[0], "a/b", COMMIT[:-1] + "1"), ("d", beds[0], "", COMMIT),
        ]):  # fmt: skip
            with store.record(dut, suite=suite, **{**ABOUT, "test_bed": bed, "commit": commit}) as run:
                run.add("f", number, unit="s")
        documents = exported(store, tmp_path / "out")
        found = results_in(documents)
        assert len({path.casefold() for path in found}) == 6
        assert {one["env_name"] for one in found.values()} == {"a/b", "A:b", "default"}
        assert {one["params"]["device"] for one in found.values()} == {"d", "e"}
        machines = {path.split("/")[1]: one["cpu"] for path, one in documents.items() if path.endswith("/machine.json")}
        assert (sorted(machines.values()), "m" in machines) == (["a", "b"], True)
        assert {(path.split("/")[1], one["params"]["cpu"]) for path, one in found.items()} == set(machines.items())
        assert all(path.split("/")[1] == one["params"]["machine"] for path, one in found.items())

    def test_a_long_environment_has_the_name_that_asv_gives_it(self, tmp_path: Path) -> None:
        store = api.connect(tmp_path / "store", create=True)
        with store.record("d", suite="x" * 128, **ABOUT) as run:
            run.add("f", 1.0, unit="s")
        [path] = results_in(exported(store, tmp_path / "out"))
        assert path == f"results/gpu-1/{COMMIT[:8]}-env-d69cb61a6ee87200676eb0d4b90edbcb.json"

    def test_what_is_left_out(self, other: Database, tmp_path: Path) -> None:
        """Runs without a commit have no file, and those of pull requests none unless they are named."""
        about: dict[str, Any] = {**ABOUT, "suite": "s", "branch": "x"}
        with other.record("d", **{**about, "commit": None}, dut_version="1") as run:
            run.add("f", 2.0, unit="s")
        with other.record("d", **{**about, "commit": 40 * "c"}, pr_number=5) as run:
            run.add("f", 2.0, unit="s")
        assert {one["commit_hash"] for one in results_in(exported(other, tmp_path / "out")).values()} == {COMMIT}
        named_ones = results_in(exported(other, tmp_path / "out", runs=[run.id]))
        assert {one["commit_hash"] for one in named_ones.values()} == {40 * "c"}

    def test_from_the_command_line(self, other: Database, tmp_path: Path) -> None:
        done = bench_db("store", "export", tmp_path / "out", "--format", "asv", "--store", other.uri)
        assert (done.code, f"results/gpu-1/{COMMIT[:8]}-train.json" in done.out) == (0, True)


class TestItsOwnPackage:
    """asv from the index loads every file of an export, and publishes it."""

    @pytest.mark.slow
    def test_reads_and_publishes_it(self, tmp_path: Path) -> None:
        repository = History(tmp_path / "repository")
        commits = [repository.commit(f"change {number}", n=str(number)) for number in range(2)]
        shutil.copytree(DATA / "asv/0.6.6/recorded", tmp_path / "results")
        [own] = (path for path in (tmp_path / "results/bench").glob("0b*.json") if "golden" not in path.name)
        own.write_text(own.read_text().replace("0b2a5c96dd5d8d464c37dd9d725570d6d0ce3ffb", commits[0]))
        store, _ = published(tmp_path / "store", tmp_path / "results")
        for number, commit in enumerate(commits):
            for suite in "ab":
                with store.record("d", **{**ABOUT, "commit": commit}, suite=suite) as run:
                    run.add("f", [1.0 + number] * 3, unit="s", tags={"n": 1})
                    run.add("f", 5.0 + ord(suite), unit="s", tags={"n": 2})
                    run.add("测" * 100, 1.0, unit="s")
                    run.add("version", 1.0, unit="s")
            about = api.Provenance(
                dut_name="d", commit=commit, suite="a", test_bed=ABOUT["test_bed"], dut_timestamp=TIME + number
            )
            (tmp_path / f"{number}.json").write_text(json.dumps({"results": [{**SUMMARY, "median": 1.0 + number}]}))
            api.publish(store, tmp_path / f"{number}.json", provenance=about)
        files = results_in(exported(store, tmp_path / "out"))
        configuration = {
            "version": 1, "project": "p", "repo": str(repository.path), "branches": ["main"],
            "results_dir": str(tmp_path / "out/results"), "html_dir": str(tmp_path / "html"),
        }  # fmt: skip
        (tmp_path / "asv.conf.json").write_text(json.dumps(configuration))
        found = read_by("asv", "asv_reader.py", tmp_path / "asv.conf.json")
        assert sorted(found["loaded"]) == sorted(path.removeprefix("results/") for path in files)
        assert len(files) == 5
        loaded = found["loaded"][f"gpu-1/{commits[1][:8]}-a.json"]
        assert (loaded["time_f"], loaded["time_sort"]) == ([[2.0, 102.0], [3, 1]], [[2.0], None])
        for name in ("time_f(2)", "time_f(1)", "time_sort"):
            assert re.search(rf" {re.escape(name)} ", found["compared"]), found["compared"]
        assert set(found["benchmarks"]) == {name for one in files.values() for name in one["results"]}
        graphs = {
            (path.split("suite-")[-1][0], path.split("/")[-1]): points
            for path, points in found["graphs"].items()
            if "suite-" in path
        }
        assert graphs["a", "time_f.json"] == [[0, [1.0, 102.0]], [1, [2.0, 102.0]]]
        assert graphs["b", "time_f.json"] == [[0, [1.0, 103.0]], [1, [2.0, 103.0]]]
        [sort] = (points for path, points in found["graphs"].items() if path.endswith("Suite.time_sort.json"))
        [before] = results_in({"": json.loads(own.read_text())}).values()
        assert sort == [[0, before["results"]["bench_sample.Suite.time_sort"][0]]]
        assert "Skipping" not in found["log"]
