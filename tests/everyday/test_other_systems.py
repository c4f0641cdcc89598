"""What users of calibrax, metalab, mltraq, InferenceX and lance-bench rely on, each with its whole condition."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bench_db
from bench_db.errors import StoreNotFoundError, UserError
from bench_db.model import Samples
from bench_db.store.engine import Snapshot
from bench_db.store.publish import Entry
from tests.cli.conftest import bench_db as command
from tests.store.conftest import go_to
from tests.strategies import publication
from tests.support.rights import as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.sample(1)

DAY = 86_400
FIRST = 1_780_000_000
DECLARED: dict[str, Any] = {
    "format": {
        "serving": {
            "has": ["hw", "conc"],
            "name": "{model}",
            "tags": ["gpu", "conc"],
            "fields": {"gpu": {"field": "hw", "lower": True, "alias": "gpu"}, "model": {"lower": True}},
            "metrics": ["*_s"],
        }
    },
    "alias": {"gpu": {"h100*": "h100"}},
}

NAMES: dict[str, Any] = {
    "format": {
        "serving": {
            "has": ["hw", "conc"],
            "name": "{model}",
            "tags": ["gpu", "framework", "disagg", "conc"],
            "fields": {
                "gpu": {"field": "hw", "lower": True, "alias": "gpu"},
                "model": {"field": ["infmax_model_prefix", "model_prefix", "model"], "lower": True, "alias": "model"},
                "disagg": {"field": ["framework", "disagg"], "lower": True, "alias": "disagg"},
                "framework": {"lower": True, "alias": "framework"},
            },
            "metrics": ["*_s"],
        }
    },
    "alias": {
        "gpu": {"mi355x*": "mi355x", "h200*": "h200"},
        "model": {
            "dsr1-fp?": "dsr1",
            "dsr1-fp4-*": "dsr1",
            "dsr1-mxfp4": "dsr1",
            "dsr1-nvfp4": "dsr1",
            "gptoss": "gptoss120b",
            "deepseek-ai/deepseek-r1": "dsr1",
            "/mnt/*/dsr1*": "dsr1",
        },
        "disagg": {"sglang-disagg": "true", "true": "true", "false": "false"},
        "framework": {"sglang-disagg": "mori-sglang", "dynamo-trtllm": "dynamo-trt", "trtllm": "trt", "vllm": "vllm"},
    },
}


@pytest.fixture
def store(tmp_path: Path) -> bench_db.Database:
    return bench_db.connect(tmp_path / "store", create=True)


def sha(number: int) -> str:
    return f"{number:040x}"


def recorded(store: bench_db.Database, number: int, **stated: Any) -> str:
    """Record a run of two benchmarks of one framework, and return its id; runs of even numbers have an interval."""
    about = {"commit": sha(number), "dut_timestamp": FIRST + DAY * number, "run_time": FIRST + DAY * number, **stated}
    interval = {} if number % 2 else {"lower": 1000.0 + number - 5, "upper": 1000.0 + number + 5}
    throughput = bench_db.Metric(values=1000.0 + number, unit="samples/sec", better="higher", **interval)
    with store.record("model", suite="train", test_bed_name="t", environment={}, **about) as run:
        for framework in ("flax", "torch"):
            tags = {"framework": framework}
            run.add("forward_pass", 0.02, unit="s", tags=tags, metrics={"throughput": throughput})
        run.add("backward_pass", 0.04, unit="s", tags={"framework": "flax"}, metrics={"throughput": throughput})
    return run.id


def timed(store: bench_db.Database, number: int, seconds: float, **stated: Any) -> str:
    """Record a run of one benchmark, three samples around some seconds, on the main branch; return its id."""
    about = {"commit": sha(number), "dut_timestamp": FIRST + DAY * number, "branch": "main"}
    tags = stated.pop("tags", {})
    with store.record("model", suite="train", test_bed_name="t", environment={}, **{**about, **stated}) as run:
        run.add("step", [seconds, seconds * 1.001, seconds * 0.999], unit="s", tags=tags)
    return run.id


class TestStoreOfRuns:
    """calibrax: runs, one baseline, trends and files of others."""

    def test_the_newest_run_of_a_store_and_of_an_empty_one(self, store: bench_db.Database) -> None:
        assert store.list_runs().is_empty()
        assert store.latest().is_empty()
        with pytest.raises(UserError, match="no results"):
            bench_db.set_baseline(store, "main")
        ids = [recorded(store, number) for number in (2, 5, 3)]
        assert store.list_runs()["run"].to_list() == [ids[1], ids[2], ids[0]]
        assert set(store.latest()["commit"]) == {sha(5)}

    def test_one_baseline_at_a_time(self, store: bench_db.Database) -> None:
        ids = [recorded(store, number) for number in range(3)]
        with pytest.raises(UserError, match="there is no baseline 'main'"):
            bench_db.baseline(store, "main")
        assert bench_db.baselines(store).frame().is_empty()
        for run in ids[:2]:
            bench_db.set_baseline(store, "main", f"run:{run}")
            assert bench_db.baseline(store, "main").commit == f"run:{run}"
        assert bench_db.baselines(store).frame()["commit"].to_list() == [f"run:{ids[1]}"]
        compared = bench_db.compare(store, sha(2), baseline="main").document
        assert compared["baseline"] == f"main (run:{ids[1]})"
        with pytest.raises(UserError, match="no run is called"):
            bench_db.set_baseline(store, "main", f"run:{'0' * 16}")
        assert bench_db.baseline(store, "main").commit == f"run:{ids[1]}"

    def test_the_trend_of_one_metric_point_and_tag(self, store: bench_db.Database) -> None:
        """The last runs, oldest first whatever the order of publishing, each with its id, time, value, interval and commit."""
        numbers = list(range(25))
        ids = {number: recorded(store, number) for number in (*numbers[12:], *numbers[:12])}
        recorded(store, 30, branch="topic", pr_number=3)
        trend = store.trend("forward_pass", metric="throughput", tags={"framework": "flax"}, last=20)
        last = numbers[-20:]
        assert trend["run"].to_list() == [ids[number] for number in last]
        assert store.run(trend["run"][0]).run.commit == sha(last[0])
        assert trend["commit"].to_list() == [sha(number) for number in last]
        assert trend["commit_time"].to_list() == [datetime.fromtimestamp(FIRST + DAY * n, UTC) for n in last]
        assert trend["median"].to_list() == [1000.0 + number for number in last]
        assert trend["lower"].to_list() == [None if number % 2 else 995.0 + number for number in last]
        assert trend["upper"].to_list() == [None if number % 2 else 1005.0 + number for number in last]
        assert set(trend["metric"]) == {"throughput"}

    def test_a_file_of_another_program_becomes_a_run(self, store: bench_db.Database, tmp_path: Path) -> None:
        point = {"name": "imported", "scenario": "test", "tags": {}, "metrics": {"latency": {"value": 0.42}}}
        run = {"id": "a1b2c3d4e5f6", "timestamp": "2026-05-28T20:26:40Z", "commit": sha(9), "points": [point]}
        path = tmp_path / "external" / "results.json"
        path.parent.mkdir()
        path.write_text(json.dumps({**run, "metric_defs": {}}))
        for new in (1, 0):
            done = bench_db.publish(store, path)
            assert (done.new, done.unchanged) == (new, 1 - new)
        [key] = store.list_runs()["run"]
        [result] = store.run(key).results
        assert (result.benchmark_name, result.suite, list(result.values)) == ("imported", "test", [0.42])
        path.write_text("{")
        with pytest.raises(bench_db.UnreadableOutputError, match=r"results\.json"):
            bench_db.publish(store, path)
        assert store.list_runs().height == 1

    def test_a_run_of_another_program_keeps_its_id(self, store: bench_db.Database, tmp_path: Path) -> None:
        """By it the run is read, is a baseline and a candidate, and is replaced when it was saved again with other values."""
        point: dict[str, Any] = {"name": "fwd", "scenario": "train", "tags": {}}
        rates = {"name": "rate", "unit": "samples/sec", "direction": "higher"}
        for own, rate in (("a1b2c3d4e5f6", 1200.0), ("f6e5d4c3b2a1", 1000.0)):
            run = {"id": own, "timestamp": "2026-05-28T20:26:40", "metric_defs": {"rate": rates}}
            points = [{**point, "metrics": {"rate": {"value": rate}}}]
            (tmp_path / f"{own}.json").write_text(json.dumps({**run, "points": points}))
        build = bench_db.Provenance(dut_name="model", dut_version="1.0", test_bed_name="t")
        files = [tmp_path / "a1b2c3d4e5f6.json", tmp_path / "f6e5d4c3b2a1.json"]
        for _ in range(2):  # the second time neither file is parsed
            done = bench_db.publish(store, *files, provenance=build)
            assert [file.run_id for file in done.files] == ["a1b2c3d4e5f6", "f6e5d4c3b2a1"]
        found = store.run("f6e5d4c3b2a1")
        assert ([list(one.values) for one in found.results], found.run.commit) == ([[1000.0]], None)
        bench_db.set_baseline(store, "main", "run:a1b2c3d4e5f6")
        assert bench_db.baseline(store, "main").commit == f"run:{store.run('a1b2c3d4e5f6').id}"
        asked = ("check", "run:f6e5d4c3b2a1", "--baseline", "main", "--threshold", "5", "--store", store.uri)
        assert command(*asked).code == 1
        files[1].write_text(files[1].read_text().replace("1000.0", "1190.0"))
        bench_db.publish(store, files[1], provenance=build, replace=True)
        assert store.list_runs()["run_id"].sort().to_list() == ["a1b2c3d4e5f6", "f6e5d4c3b2a1"]
        assert [list(one.values) for one in store.run("f6e5d4c3b2a1").results] == [[1190.0]]
        assert command(*asked).code == 0

    def test_a_store_with_times_of_two_forms_and_a_broken_file(self, store: bench_db.Database, tmp_path: Path) -> None:
        """Times without a zone are UTC and sort among others; a broken file stores nothing, or is named and left out."""
        directory = tmp_path / "data" / "runs"
        directory.mkdir(parents=True)
        point = {"name": "fwd", "scenario": "train", "tags": {}, "metrics": {"latency": {"value": 1.0}}}
        for number, time in ((1, "2026-05-28T20:26:40"), (2, "2026-05-28T22:26:41+02:00"), (3, "2026-05-28T20:26:42Z")):
            run = {"id": f"{number}", "timestamp": time, "commit": sha(number), "points": [point], "metric_defs": {}}
            (directory / f"{number}.json").write_text(json.dumps(run))
        (directory / "4.json").write_text("{")
        (tmp_path / "data" / "config.json").write_text('{"metric_defs": {}}')
        build = bench_db.Provenance(dut_name="model")
        with pytest.raises(bench_db.BenchDbError, match=r"nothing was stored.*4\.json"):
            bench_db.publish(store, tmp_path / "data", provenance=build)
        assert store.list_runs().is_empty()
        done = bench_db.publish(store, tmp_path / "data", provenance=build, keep_going=True)
        assert [Path(one.path).name for one in done.unreadable] == ["4.json"]
        assert store.list_runs()["commit"].to_list() == [sha(3), sha(2), sha(1)]

    def test_regressions_are_measured_against_the_last_known_good(self, store: bench_db.Database) -> None:
        """A slow run does not become the baseline, so the next slow run regresses, too; then the first good one becomes it."""
        ids = [timed(store, number, 1.0 + number % 3 / 1000) for number in range(9)]
        bench_db.set_baseline(store, "main", f"run:{ids[8]}")
        asked = ("check", "--set-baseline", "--threshold", "5", "--store", store.uri, "--output", "json")
        for number in (9, 10):
            timed(store, number, 1.5)
            failed = command(*asked)
            assert (failed.code, failed.document["passed"]) == (1, False)
            assert bench_db.baseline(store, "main").commit == f"run:{ids[8]}"
        timed(store, 11, 1.001)
        passed = command(*asked)
        assert (passed.code, passed.document["passed"]) == (0, True)
        assert bench_db.baseline(store, "main").commit == sha(11)

    def test_branches_and_configurations_are_compared(self, store: bench_db.Database) -> None:
        for number in range(9):
            timed(store, number, 1.0 + number % 3 / 1000, tags={"framework": "flax"})
            timed(store, number, 2.0, tags={"framework": "torch"})
        topic = timed(store, 9, 1.5, branch="topic", tags={"framework": "flax"})
        assert store.list_runs(branch="topic", tags={"framework": "flax"})["run"].to_list() == [topic]
        for branch in ("topic", None):
            chosen = bench_db.Selection(branch=branch)
            found = bench_db.compare(store, sha(9), baseline_branch="main", selection=chosen).comparisons
            assert {one.series.tags_key: one.verdict for one in found} == {
                "framework=flax": "regressed",
                "framework=torch": "missing",
            }
        words = ("--branch", "topic", "--baseline-branch", "main", "--store", store.uri, "--output", "json")
        assert command("check", *words).document["passed"] is False
        ranked = bench_db.rank(store, "framework").frame()
        assert ranked.select("value", "rank").rows() == [("flax", 1), ("torch", 2)]


class TestPlacesOfStores:
    """metalab: a place names a store and makes nothing before it is connected."""

    def test_nothing_is_made_before_it_is_connected(self, tmp_path: Path) -> None:
        collection = bench_db.FilePlace(root=str(tmp_path / "experiments"))
        place = bench_db.Place.from_dict(collection.scoped("my_exp:1.0").to_dict())
        with pytest.raises(StoreNotFoundError):
            place.connect()
        assert list(tmp_path.iterdir()) == []
        recorded(place.connect(create=True), 1)
        assert collection.list_stores() == ["my_exp:1.0"]
        assert collection.for_store("my_exp:1.0").connect().list_runs().height == 1

    def test_a_path_an_address_and_a_place_are_one_store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Results go into one directory below the root, named after the experiment, whichever names the root."""
        monkeypatch.chdir(tmp_path)
        named = [bench_db.place(address) for address in ("./experiments", f"file://{tmp_path}/experiments")]
        roots = [*named, bench_db.FilePlace(root="experiments")]
        scoped = [root.scoped("my_exp:1.0") for root in roots]
        ids = {recorded(one.connect(create=True), number) for number, one in enumerate(scoped)}
        [directory] = (tmp_path / "experiments").iterdir()
        assert {one.address for one in scoped} == {str(directory)} == {str(tmp_path / "experiments/my_exp=3a1.0")}
        assert (directory / "results.lance").is_dir()
        for root in roots:
            found = root.for_store("my_exp:1.0").connect()
            assert set(found.list_runs()["run"]) == ids
            assert found.to_dataframe().height == 3 * 6
        for address in ("./plain", f"file://{tmp_path}/plain", tmp_path / "plain"):
            assert bench_db.connect(address, create=True).uri == str(tmp_path / "plain")

    def test_one_experiment_is_copied_whole_and_alone(self, tmp_path: Path) -> None:
        """Results, derived metrics and files of one store go along; another store of the collection does not."""
        collection = bench_db.FilePlace(root=str(tmp_path / "experiments"))
        for name in ("my_exp:1.0", "other_exp:1.0"):
            made = collection.scoped(name).connect(create=True)
            run = recorded(made, 1)
            made.put({"seed": 7}, name="params", run=run)
            made.put_artifact(b"a line", kind="log", name="log", run=run, added_at=0)
            bench_db.define(made, "metric", "work", "throughput * time")
        backup = bench_db.FilePlace(root=str(tmp_path / "backup"))
        for _ in range(2):
            collection.for_store("my_exp:1.0").copy_to(backup)
            assert backup.list_stores() == ["my_exp:1.0"]
            ours, theirs = (one.for_store("my_exp:1.0").connect() for one in (collection, backup))
            assert theirs.latest().equals(ours.latest())
            assert "work" in set(theirs.latest()["metric"])
            assert sorted(kept.name for kept in theirs.artifacts()) == ["log", "params"]
            [params] = [kept for kept in theirs.artifacts() if kept.name == "params"]
            assert theirs.get(bench_db.address_of(params) or "") == {"seed": 7}

    def test_everything_of_a_store_is_below_its_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each table and the files have a directory of their own; a store that is moved answers as before."""
        monkeypatch.chdir(tmp_path)
        made = bench_db.connect("experiments/one", create=True)
        ids = [recorded(made, number) for number in range(3)]
        address = made.put({"seed": 7}, name="params", run=ids[0])
        bench_db.set_baseline(made, "main", f"run:{ids[0]}")
        bench_db.exclude_runs(made, "hot", runs=[ids[1]])
        bench_db.define(made, "metric", "work", "throughput * time")
        made.optimize()
        assert [path.name for path in tmp_path.iterdir()] == ["experiments"]
        written = {"results", "runs", "commits", "artifacts", "baselines", "exclusions", "definitions"}
        derived = {"series", "fingerprints"}
        found = {path.name for path in Path("experiments/one").iterdir()}
        assert found == {f"{table}.lance" for table in written | derived} | {"artifacts", "projection"}
        expected = [made.latest(), made.trend("*"), made.list_runs(), bench_db.baselines(made).frame()]
        Path("experiments").rename("elsewhere")
        moved = bench_db.connect("elsewhere/one")
        answers = [moved.latest(), moved.trend("*"), moved.list_runs(), bench_db.baselines(moved).frame()]
        assert all(ours.equals(theirs) for ours, theirs in zip(answers, expected, strict=True))
        assert moved.get(address) == {"seed": 7}
        assert moved.store.verify().sound

    def test_what_describes_an_experiment_is_kept_once_with_its_run(self, store: bench_db.Database) -> None:
        manifest = {"experiment": "my_exp:1.0", "params": {"lr": 0.1, "layers": [1, 2]}, "seeds": 3}
        run = recorded(store, 1, context=manifest)
        recorded(store, 2)
        assert json.loads(store.run(run).run.context) == manifest
        kept = store.query("SELECT context, results FROM runs ORDER BY dut_timestamp")
        assert [json.loads(text) for text in kept["context"]] == [manifest, {}]
        assert "my_exp:1.0" not in repr(store.to_dataframe().rows())

    def test_results_are_chosen_by_status_tags_and_metrics(self, store: bench_db.Database) -> None:
        """In SQL, in a condition and in a frame, as a table, CSV and JSON alike."""
        run, [good, high, other, failed] = publication(1, rows=4)
        rows = [
            replace(good, tags={"framework": "flax"}, values=Samples([1.0])),
            replace(high, tags={"framework": "flax"}, values=Samples([9.0])),
            replace(other, tags={"framework": "torch"}, values=Samples([9.0])),
            replace(failed, tags={"framework": "flax"}, values=Samples([]), error="out of memory"),
        ]
        store.store.publish(rows, run)
        condition = "error IS NULL AND tags['framework'] = 'flax' AND median > 2"
        assert store.query(f"SELECT id FROM results WHERE {condition}").height == 1
        at = ("--store", store.uri)
        [found] = command("query", "--filter", condition, *at, "--output", "json").document
        assert (found["benchmark_name"], found["median"]) == (high.benchmark_name, 9.0)
        written = command("query", "--filter", condition, *at, "--output", "csv").out
        [again] = csv.DictReader(io.StringIO(written))
        assert (again["benchmark_name"], again["median"], again["error"]) == (high.benchmark_name, "9.0", "")
        [bad] = command("query", "--filter", "error IS NOT NULL", *at, "--output", "json").document
        assert (bad["benchmark_name"], bad["error"]) == (failed.benchmark_name, "out of memory")
        frame = store.to_dataframe(tags={"framework": "flax"})
        assert set(frame["benchmark_name"]) >= {good.benchmark_name, high.benchmark_name}
        assert other.benchmark_name not in frame["benchmark_name"].to_list()


class TestValuesOfRuns:
    """mltraq: a run has any number of values, and their files end with it."""

    def test_any_number_of_values_in_any_number_of_files(self, store: bench_db.Database) -> None:
        run = recorded(store, 1)
        addresses = [
            store.put_values({f"v{n}": np.full(3, number + n) for n in range(30)}, name=f"ds{number}", run=run)
            for number in range(12)
        ]
        assert len(set(addresses)) == 12
        found = store.run(run).artifacts
        assert sorted(kept.name for kept in found) == sorted(f"ds{number}" for number in range(12))
        for number, address in enumerate(addresses):
            stored = store.get(address)
            assert [stored[f"v{n}"][0] for n in range(30)] == [number + n for n in range(30)]
            assert stored.v29.tolist() == [number + 29.0] * 3

    def test_the_files_of_a_removed_run_are_deleted(self, store: bench_db.Database) -> None:
        """Those that nothing else owns; a preview deletes none."""

        def files() -> int:
            return sum(path.is_file() for path in (Path(store.uri) / "artifacts").rglob("*"))

        first, second = recorded(store, 1), recorded(store, 2)
        for name, value, run in (("own", 1, first), ("shared", 2, first), ("shared", 2, second)):
            store.put({"value": value}, name=name, run=run)
        assert files() == 2
        words = ("run", "remove", first, "--artifacts", "--store", store.uri)
        assert command(*words).out.startswith("nothing changed")
        assert (files(), store.list_runs().height) == (2, 2)
        assert command(*words, "--yes").code == 0
        assert (files(), store.list_runs()["run"].to_list()) == (1, [second])
        assert store.store.verify().sound


class TestRowsOfServing:
    """InferenceX: a key has one spelling, and a row that was read keeps its place."""

    @pytest.mark.parametrize("spelling", ["H100", "h100", "H100-SXM"])
    def test_the_case_of_a_key_makes_no_second_series(
        self, store: bench_db.Database, tmp_path: Path, spelling: str
    ) -> None:
        build = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST, dut_version="1")
        later = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST + DAY, dut_version="2")
        path = tmp_path / "rows.json"
        for hw, of, seconds in (("h100", build, 1.0), (spelling, later, 2.0)):
            path.write_text(json.dumps([{"hw": hw, "model": "LLAMA", "conc": 4, "ttft_s": seconds}]))
            bench_db.publish(store, path, provenance=of, formats=DECLARED)
        assert store.latest()["median"].to_list() == [2e9]
        assert store.trend("llama", tags={"gpu": "h100"})["median"].to_list() == [1e9, 2e9]

    def test_another_spelling_of_a_tag_is_said(self, store: bench_db.Database) -> None:
        """A tag that no table spells begins a series of its own, and the publish that begins it says so; the next one does not."""
        notes = []
        for number, gpu in enumerate(("h100", "H100", "H100")):
            with store.record("serving", commit=sha(number), test_bed_name="c", environment={}) as run:
                run.add("llama", 1.0 + number, unit="s", tags={"gpu": gpu})
            notes.append([note for note in run.published.notes if "new series begin here" in note])
        assert [len(each) for each in notes] == [0, 1, 0]
        assert "beside others of the same benchmarks with another tag" in notes[1][0]
        assert "elsewhere" not in notes[1][0]

    @pytest.mark.parametrize(
        ("row", "names"),
        [
            ({"infmax_model_prefix": "dsr1-fp8", "hw": "mi355x_0"}, ("dsr1", "mi355x", "vllm", "false")),
            ({"model_prefix": "gptoss", "hw": "H200-multinode-slurm"}, ("gptoss120b", "h200", "vllm", "false")),
            ({"infmax_model_prefix": "new", "model": "deepseek-ai/DeepSeek-R1"}, ("dsr1", "h200", "vllm", "false")),
            ({"model": "/mnt/models/dsr1-fp4-v2", "hw": "mi355x-amds_12"}, ("dsr1", "mi355x", "vllm", "false")),
            ({"model": "dsr1", "framework": "SGLang-disagg"}, ("dsr1", "h200", "mori-sglang", "true")),
            ({"model": "dsr1", "framework": "sglang-disagg", "disagg": False}, ("dsr1", "h200", "mori-sglang", "true")),
            ({"model": "dsr1", "framework": "Dynamo-TRTLLM", "disagg": "True"}, ("dsr1", "h200", "dynamo-trt", "true")),
            ({"model": "dsr1", "framework": "TRTLLM", "disagg": True}, ("dsr1", "h200", "trt", "true")),
            ({"infmax_model_prefix": "dsr1-mxfp4"}, ("dsr1", "h200", "vllm", "false")),
            ({"infmax_model_prefix": "DSR1-NVFP4"}, ("dsr1", "h200", "vllm", "false")),
            ({"infmax_model_prefix": "dsr1-fp4-mtp"}, ("dsr1", "h200", "vllm", "false")),
            ({"model": "dsr1", "disagg": "true"}, ("dsr1", "h200", "vllm", "true")),
            ({"model": "Unknown-1", "hw": "GB999-nv"}, ("unknown-1", "gb999-nv", "vllm", "false")),
        ],
        ids=[
            "suffix",
            "alias",
            "path of a new prefix",
            "mount",
            "disagg",
            "disagg over its field",
            "longest",
            "field",
            "mxfp4",
            "nvfp4",
            "suffix with more",
            "flag as a text",
            "unknown",
        ],
    )
    def test_the_names_of_a_row(
        self, store: bench_db.Database, tmp_path: Path, row: dict[str, Any], names: tuple[str, ...]
    ) -> None:
        """Prefix before path, suffixes and runner numbers off, aliases and the flag of one; what no table has is kept and listed."""
        path = tmp_path / "rows.json"
        path.write_text(
            json.dumps([{"hw": "h200", "framework": "vllm", "disagg": False, "conc": 4, "ttft_s": 1, **row}])
        )
        build = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST, dut_version="1")
        bench_db.publish(store, path, provenance=build, formats=NAMES)
        [found] = store.latest().iter_rows(named=True)
        model, gpu, framework, disagg = names
        wanted = {"conc": "4", "disagg": disagg, "framework": framework, "gpu": gpu}
        assert (found["benchmark_name"], found["tags_key"]) == (model, ",".join(f"{k}={v}" for k, v in wanted.items()))
        unmapped = bench_db.unmapped(store).frame()["name"].to_list()
        assert sorted(unmapped) == sorted([model, gpu] if row.get("model") == "Unknown-1" else [])

    @pytest.mark.parametrize(
        "suffix",
        [
            *("_0", "_12", "-trt", "-multinode-slurm", "-multinode", "-nvs", "-disagg", "-amds", "-amd", "-nvd"),
            *("-dgxc-slurm", "-dgxc", "-nb", "-nv", "-NV_3"),
        ],
    )
    def test_every_suffix_of_hardware(self, store: bench_db.Database, tmp_path: Path, suffix: str) -> None:
        """Each name is its base, and no base takes the rows of one that contains it."""
        bases = ("h100", "h200", "b200", "b300", "gb200", "gb300", "mi300x", "mi325x", "mi355x")
        formats = {
            **NAMES,
            "alias": {**NAMES["alias"], "gpu": {f"{base}{end}": base for base in bases for end in ("", "[-_]*")}},
        }
        path = tmp_path / "rows.json"
        rows = [
            {"hw": base.upper() + suffix, "model": "dsr1", "framework": "vllm", "conc": 4, "ttft_s": 1}
            for base in bases
        ]
        path.write_text(json.dumps(rows))
        build = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST, dut_version="1")
        bench_db.publish(store, path, provenance=build, formats=formats)
        assert sorted(store.to_dataframe()["tag_gpu"]) == sorted(bases)
        assert "gpu" not in bench_db.unmapped(store).frame()["field"].to_list()

    def test_a_metric_that_a_later_file_adds(self, store: bench_db.Database, tmp_path: Path) -> None:
        """It needs no migration, old rows are not rewritten, and what they lack is absent, never 0."""
        path = tmp_path / "rows.json"
        for number, more in enumerate(({}, {"tpot_s": 0.25})):
            build = bench_db.Provenance(
                dut_name="serving", test_bed_name="c", dut_timestamp=FIRST + number, dut_version=f"{number}"
            )
            path.write_text(json.dumps([{"hw": "h100", "model": "m", "conc": 4, "ttft_s": 1.5, **more}]))
            bench_db.publish(store, path, provenance=build, formats=DECLARED)
        assert store.trend("m", metric="ttft")["median"].to_list() == [1.5e9, 1.5e9]
        assert store.trend("m", metric="tpot")["median"].to_list() == [0.25e9]

    def test_cost_energy_and_power(self, store: bench_db.Database) -> None:
        """Three derived metrics of each configuration and no other: only where both operands are, with their units."""
        with store.record("serving", commit=sha(1), test_bed_name="c", environment={}) as run:
            for conc, rate, watts in ((4, 500.0, 1000.0), (64, 2000.0, 1600.0)):
                rated = bench_db.Metric(values=rate, unit="tokens/s", better="higher")
                drawn = bench_db.Metric(values=watts, unit="W", better="lower")
                paid = bench_db.Metric(values=0.002, unit="USD/s", better="lower")
                run.add("llama", metrics={"rate": rated, "power": drawn, "price": paid}, tags={"conc": conc})
            run.add("other", metrics={"rate": bench_db.Metric(values=5.0, unit="tokens/s", better="higher")})
        for name, formula in (("energy", "power / rate"), ("cost", "price / rate"), ("per_watt", "rate / power")):
            bench_db.define(store, "metric", name, formula)
        found = {
            (row["metric"], row["tags_key"]): (round(row["median"], 9), row["benchmark_name"])
            for row in store.latest().iter_rows(named=True)
            if row["metric"] in {"energy", "cost", "per_watt"}
        }
        assert found == {
            ("energy", "conc=4"): (2.0, "llama"),
            ("energy", "conc=64"): (0.8, "llama"),
            ("cost", "conc=4"): (0.000004, "llama"),
            ("cost", "conc=64"): (0.000001, "llama"),
            ("per_watt", "conc=4"): (0.5, "llama"),
            ("per_watt", "conc=64"): (1.25, "llama"),
        }

    def test_the_number_of_gpus_is_a_derived_metric(self, store: bench_db.Database, tmp_path: Path) -> None:
        """tp * ep, where the row does not have it."""
        serving = {**DECLARED["format"]["serving"], "metrics": {"*_s": {}, "tp": {}, "ep": {}}}
        path = tmp_path / "rows.json"
        path.write_text(json.dumps([{"hw": "h100", "model": "m", "conc": 4, "ttft_s": 1, "tp": 8, "ep": 2}]))
        build = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST, dut_version="1")
        bench_db.publish(store, path, provenance=build, formats={**DECLARED, "format": {"serving": serving}})
        bench_db.define(store, "metric", "gpus", "tp * ep")
        assert store.latest(metric="gpus")["median"].to_list() == [16.0]

    def test_the_number_of_gpus_of_both_versions(self, store: bench_db.Database, tmp_path: Path) -> None:
        """One `tp` and `ep` are those of both sides; a count that the row has precedes tp * ep, whose definition precedes the results."""
        sides = [f"{side}_{part}" for side in ("prefill", "decode") for part in ("tp", "ep")]
        serving = {
            **{key: value for key, value in DECLARED["format"]["serving"].items() if key != "has"},
            "metrics": {"*_s": {}, **{side: {} for side in sides}, "num_*_gpu": {}},
            "version": {
                "v2": {"has": ["prefill_tp"]},
                "v1": {"has": ["tp"], "fields": {side: {"field": side.rpartition("_")[2]} for side in sides}},
            },
        }
        for side in ("prefill", "decode"):
            bench_db.define(store, "metric", f"num_{side}_gpu", f"{side}_tp * {side}_ep")
        served = {"hw": "h100", "model": "m", "ttft_s": 1}
        split = {"prefill_tp": 8, "prefill_ep": 2, "decode_tp": 4, "decode_ep": 1}
        rows = [
            {**served, "conc": 1, "tp": 8, "ep": 2},
            {**served, "conc": 2, **split},
            {**served, "conc": 3, **split, "num_prefill_gpu": 40, "num_decode_gpu": 3},
        ]
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        build = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST, dut_version="1")
        bench_db.publish(
            store, tmp_path / "rows.json", provenance=build, formats={**DECLARED, "format": {"serving": serving}}
        )
        found = {
            side: [store.latest(metric=f"num_{side}_gpu", tags={"conc": f"{n}"})["median"].item() for n in (1, 2, 3)]
            for side in ("prefill", "decode")
        }
        assert found == {"prefill": [16, 16, 40], "decode": [16, 4, 3]}

    def test_every_answer_has_the_date(self, store: bench_db.Database) -> None:
        """The time of the commit is in the rows of each answer and each table of SQL, so that nothing is joined for it."""
        for number in range(3):
            recorded(store, number)
        newest = datetime.fromtimestamp(FIRST + DAY * 2, UTC)
        answers = [store.latest(), store.trend("forward_pass"), store.to_dataframe()]
        answers += [store.query(f"SELECT * FROM {table}") for table in ("results", "runs", "latest", "points")]
        assert [answer["commit_time"].max() for answer in answers] == [newest] * len(answers)

    def test_who_may_only_read_has_every_answer(self) -> None:
        """Readers need no right to write, change no file, and see what a writer has stored meanwhile."""

        def answers(uri: str) -> list[Any]:
            read = bench_db.connect(uri)
            asked = [read.latest(), read.trend("forward_pass"), read.summary(), read.list_runs(), read.to_dataframe()]
            asked += [read.query("SELECT * FROM latest ORDER BY series_key"), bench_db.availability(read).frame()]
            asked.append(bench_db.frontier(read, "time", "throughput", by=["framework"]).frame())
            asked.append(bench_db.rank(read, "framework").frame())
            return [one.rows() for one in asked]

        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            store = bench_db.connect(home / "store", create=True)
            for number in range(4):
                recorded(store, number)
                if number == 2:
                    store.optimize()
            every = [home, *home.rglob("*")]
            for path in every:
                path.chmod(0o555 if path.is_dir() else 0o444)
            before = {path: path.stat().st_mtime_ns for path in every}
            with as_nobody():
                with pytest.raises(bench_db.StoreUnavailableError):
                    recorded(bench_db.connect(store.uri), 5)
                found = answers(store.uri)
            assert {path: path.stat().st_mtime_ns for path in (home, *home.rglob("*"))} == before
            for path in every:
                path.chmod(0o755)
            assert found == answers(store.uri)
            recorded(store, 5)
            for path in (home, *home.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            with as_nobody():
                assert len(bench_db.connect(store.uri).list_runs()) == 5
            for path in (home, *home.rglob("*")):
                path.chmod(0o755)

    def test_a_batch_of_runs_has_as_many_look_ups_as_one_run(
        self, store: bench_db.Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Configurations are not looked up row by row or run by run."""
        reads = []
        read = Snapshot.read

        def counted(table: Snapshot, columns: Iterable[str], *more: Any, **options: Any) -> Any:
            reads.append(table.table.name)
            return read(table, columns, *more, **options)

        list(store.store.publish_many(Entry(*publication(number)) for number in range(3)))
        monkeypatch.setattr(Snapshot, "read", counted)
        counts = []
        for numbers in (range(10, 20), range(20, 60)):
            entries = [Entry(*publication(number)) for number in numbers]
            for new in (3, 0):
                reads.clear()
                assert {done.new for done in store.store.publish_many(entries)} == {new}
                counts.append(len(reads))
        assert counts[2:] == counts[:2]

    def test_a_repetition_of_a_part_hides_nothing(self, store: bench_db.Database, tmp_path: Path) -> None:
        """What the second attempt measured is newest, and what it did not measure is that of the first."""
        path = tmp_path / "rows.json"
        for attempt, measured in ((1, {"a": 1.0, "b": 2.0}), (2, {"b": 3.0})):
            at = bench_db.Provenance(
                dut_name="serving",
                test_bed_name="c",
                commit=sha(1),
                dut_timestamp=FIRST,
                run_id="77",
                attempt=attempt,
                ingested_at=FIRST + attempt,
            )
            path.write_text(
                json.dumps([{"hw": "h100", "model": m, "conc": 4, "ttft_s": s} for m, s in measured.items()])
            )
            bench_db.publish(store, path, provenance=at, formats=DECLARED)
        assert dict(store.latest().select("benchmark_name", "median").iter_rows()) == {"a": 1e9, "b": 3e9}
        assert store.trend("b")["median"].to_list() == [2e9, 3e9]

    @pytest.mark.parametrize("absent", [{}, {"isl": None}])
    def test_a_row_without_a_part_of_its_key_is_there_once(
        self, store: bench_db.Database, tmp_path: Path, absent: dict[str, None]
    ) -> None:
        """A key that may be absent is compared as every other: published again, the row is the same one."""
        formats = {**DECLARED, "format": {"serving": {**DECLARED["format"]["serving"], "tags": ["gpu", "conc", "isl"]}}}
        formats["format"]["serving"]["fields"] = {
            **DECLARED["format"]["serving"]["fields"],
            "isl": {"default": "none"},
        }
        path = tmp_path / "rows.json"
        path.write_text(json.dumps([{"hw": "h100", "model": "m", "conc": 4, "ttft_s": 1, **absent}]))
        build = bench_db.Provenance(dut_name="serving", test_bed_name="c", dut_timestamp=FIRST, dut_version="1")
        done = [bench_db.publish(store, path, provenance=build, formats=formats) for _ in range(2)]
        assert [(one.new, one.unchanged) for one in done] == [(1, 0), (0, 1)]
        assert store.latest()["tags_key"].to_list() == ["conc=4,gpu=h100,isl=none"]

    def test_an_interpolated_value_is_not_below_zero(self, store: bench_db.Database) -> None:
        with store.record("serving", commit=sha(1), test_bed_name="c", environment={}) as run:
            for conc, latency, rate in ((1, 1.0, -4.0), (2, 2.0, -2.0), (3, 3.0, 3.0)):
                both = {"latency": bench_db.Metric(values=latency, unit="s")}
                both["gain"] = bench_db.Metric(values=rate, unit="tokens/s", better="higher")
                run.add("llama", metrics=both, tags={"conc": conc})
        found = bench_db.frontier(store, "latency", "gain", at="latency=1.5s")
        assert found.values["value"].to_list() == [0.0]
        assert bench_db.frontier(store, "latency", "gain", at="latency=3.5s").values["value"].to_list() == [None]

    def test_the_latest_at_a_date(self, store: bench_db.Database) -> None:
        for number in range(6):
            recorded(store, number)
        asked: Any = {"benchmark": "backward_pass", "metric": "throughput"}
        assert store.latest(**asked)["median"].to_list() == [1005.0]
        until = datetime.fromtimestamp(FIRST + DAY * 3 + 1, UTC)
        assert store.latest(**asked, until=until)["median"].to_list() == [1003.0]
        assert store.latest(**asked, since=until, until=until).is_empty()


QUESTIONS: tuple[Callable[[bench_db.Database, str, str], Any], ...] = (
    lambda store, newest, _old: bench_db.compare(store, newest),
    lambda store, newest, _old: bench_db.check(store, newest, baseline="last:5"),
    lambda store, _newest, old: store.has(old),
    lambda store, _newest, _old: bench_db.scan(store, dry_run=True),
    lambda store, _newest, _old: store.trend("*"),
    lambda store, _newest, _old: store.latest(),
)


class TestHistoriesOfBenchmarks:
    """lance-bench: a comparison asked for each benchmark, and every question read the whole history."""

    @pytest.mark.parametrize("maintained", [False, True])
    def test_many_series_cost_as_many_requests_as_few(
        self, server: S3Server, monkeypatch: pytest.MonkeyPatch, *, maintained: bool
    ) -> None:
        """The number varies by one or two between repetitions; a request for each series would be 116 more."""
        go_to(server, monkeypatch)
        spent = []
        for series in (4, 120):
            address = f"s3://{server.new_bucket()}/store"
            store = bench_db.connect(address, create=True)
            entries = [Entry(*publication(number, rows=series)) for number in range(8)]
            list(store.store.publish_many(entries))
            if maintained:
                store.optimize()
            newest, old = (entries[number].run.commit or "" for number in (-1, 0))
            for ask in QUESTIONS:
                opened = bench_db.connect(address)
                server.reset_requests()
                ask(opened, newest, old)
                spent.append(server.requests().total())
            compared = bench_db.compare(bench_db.connect(address), newest).comparisons
            assert len(compared) == series
        few, many = spent[: len(QUESTIONS)], spent[len(QUESTIONS) :]
        assert all(few)
        assert [after for before, after in zip(few, many, strict=True) if abs(after - before) > 3] == []
