from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bench_db as api
from bench_db import Direction, Metric
from bench_db.errors import BenchDbError, NewerStoreWarning, SchemaMismatchError, UserError
from bench_db.store.tables import RESULTS_TABLE
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database
    from bench_db.app.recording import Recording
    from bench_db.query.selection import Tag

COMMIT = "5d6e7f8".ljust(40, "0")
TAGS: dict[str, Tag] = {"framework": "flax", "batch": 32, "amp": True}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)  # outside of any checkout
    return api.connect(tmp_path / "store", create=True)


def record(store: Database, samples: tuple[float, ...] = (1.0, 1.5, 1.25), **stated: Any) -> Recording:
    """Publish one run as the documentation shows it."""
    with store.record(**{"dut": "flax", "commit": COMMIT, "suite": "train", "test_bed_name": "ci", **stated}) as run:
        run.add("forward", samples, unit="s", better="lower", tags=TAGS, metrics={"accuracy": 0.9})
        run.keep("confusion", np.eye(2))
    return run


class TestRecord:
    """A block becomes one run, whole or not at all; the same rows again add nothing."""

    def test_results_are_stored_as_those_of_a_file(self, store: Database) -> None:
        run = record(store)
        rows = {result.metric: result for result in store.results()}
        assert list(rows["time"].values) == [1e9, 1.5e9, 1.25e9]
        assert (rows["time"].units, rows["time"].direction) == ("nanoseconds", Direction.LOWER)
        assert rows["time"].tags == {"framework": "flax", "batch": "32", "amp": "true"} == rows["accuracy"].tags
        assert (rows["accuracy"].summary.median, rows["accuracy"].direction) == (0.9, "info")  # type: ignore[union-attr]
        for result in rows.values():
            assert (result.suite, result.commit, result.dut.name) == ("train", COMMIT, "flax")
            assert result.test_bed.name == "ci"
        assert (run.published.new, run.published.unchanged) == (2, 0)

    def test_the_same_rows_add_nothing(self, store: Database) -> None:
        first, again, reordered = record(store), record(store), record(store, tags={})
        other = record(store, (1.0, 1.5, 1.26))
        assert again.published.unchanged == 2
        assert first.id == again.id == reordered.id != other.id
        assert len(store.list_runs()) == 2
        assert len(store.artifacts()) == 2  # one for each run

    def test_the_checkout_may_be_a_text(self, store: Database, tmp_path: Path) -> None:
        head = History(tmp_path / "source").commit("one", work__py="1\n")
        for checkout in ("source", tmp_path / "source"):
            with store.record(dut="flax", test_bed_name="ci", checkout=checkout) as run:
                run.add("forward", 1.0, unit="s")
            assert store.run(run.id).run.commit == head

    def test_an_exception_stores_nothing(self, store: Database) -> None:
        def fails() -> None:
            with store.record(dut="flax", commit=COMMIT) as run:
                runs.append(run)
                run.add("forward", 1.0, unit="s")
                run.keep("log", "text")
                _ = 1 / 0

        runs: list[Recording] = []
        with pytest.raises(ZeroDivisionError):
            fails()
        assert (len(store.list_runs()), store.artifacts(), store.results()) == (0, [], [])
        with pytest.raises(UserError, match="has ended"):
            runs[0].add("backward", 1.0, unit="s")
        with pytest.raises(UserError, match="not published"):
            _ = runs[0].id

    def test_metrics_have_units_bounds_and_directions(self, store: Database) -> None:
        metrics: dict[str, Metric | list[float]] = {
            "memory": Metric(values=[2, 4], unit="MiB"),
            "rate": Metric(values=np.float32(1200), unit="samples/sec", better="higher", lower=1100, upper=1300),
            "loss": [0.25, 0.5],
        }
        with store.record(dut="flax", commit=COMMIT) as run:
            run.add("forward", unit="s", metrics=metrics)
        rows = {result.metric: result for result in store.results()}
        assert {(m, r.units, str(r.direction), *r.values) for m, r in rows.items()} == {
            ("memory", "bytes", "lower", 2 * 2.0**20, 4 * 2.0**20),
            ("rate", "samples/sec", "higher", 1200.0),
            ("loss", "ratio", "info", 0.25, 0.5),
        }
        assert (rows["rate"].lower, rows["rate"].upper) == (1100.0, 1300.0)

    def test_a_score_is_judged_by_a_direction_that_is_defined_later(self, store: Database) -> None:
        record(store)
        assert set(store.latest(metric="accuracy")["direction"]) == {"info"}
        api.define(store, "better", "accuracy", "higher")
        assert set(store.latest(metric="accuracy")["direction"]) == {"higher"}

    def test_timed_blocks_are_the_samples_of_one_benchmark(self, store: Database) -> None:
        ticks = iter([0, 10, 100, 130])
        with store.record(dut="flax", commit=COMMIT) as run:
            for _ in range(2):
                with run.timed("step", tags={"k": 1}, clock=lambda: next(ticks)):
                    pass
        (result,) = store.results()
        assert (list(result.values), result.units, result.tags) == ([10.0, 30.0], "nanoseconds", {"k": "1"})

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"values": "12"}, "'1' is no number"),
            ({"values": [1.0, True]}, "True is no number"),
            ({"values": [1.0, float("nan")]}, "nan is not finite"),
            ({"values": [[1.0], [2.0]]}, r"\[1.0\] is no number"),
            ({"values": []}, "no samples"),
            ({"values": None}, "neither values nor metrics"),
            ({"values": 3.0, "better": "smaller"}, "'smaller' must be one of lower, higher, info"),
            ({"values": -1.0, "unit": "s"}, "negative"),
            ({"values": 1.0, "tags": {"a": [1]}}, r"tag 'a': \[1\]"),
            ({"values": 1.0, "lower": 3.0, "upper": 2.0}, "`lower` 3 is above `upper` 2"),
            ({"name": "", "values": 1.0}, "name is empty"),
        ],
    )
    def test_bad_input_is_named_at_once(self, store: Database, arguments: dict[str, Any], reason: str) -> None:
        with pytest.raises(UserError, match=reason), store.record(dut="flax", commit=COMMIT) as run:
            run.add(**{"name": "forward", **arguments})
        assert store.results() == []

    def test_the_same_benchmark_twice_is_a_mistake(self, store: Database) -> None:
        with store.record(dut="flax", commit=COMMIT) as run:
            run.add("forward", 1.0, unit="s", tags={"k": 1})
            run.add("forward", 1.0, unit="s", tags={"k": 2})
            with pytest.raises(UserError, match=r"'forward' \(time\) was added already"):
                run.add("forward", 1.0, unit="ms", tags={"k": 2})
        assert run.published.new == 2

    def test_two_metrics_of_one_name_in_one_call_are_a_mistake(self, store: Database) -> None:
        with store.record(dut="flax", commit=COMMIT) as run:
            with pytest.raises(UserError, match=r"'forward' \(time\) was added already"):
                run.add("forward", 1.0, unit="s", metrics={"time": 2.0})
            run.add("forward", 1.0, unit="s")
        assert run.published.new == 1

    def test_a_store_that_cannot_be_written_is_said_before_the_work(self, store: Database) -> None:
        table = store.store._engine.open(RESULTS_TABLE).dataset
        table.update_schema_metadata({"bench_db:migration:9999-later": "applied"})
        with pytest.warns(NewerStoreWarning):
            newer = api.connect(store.uri)
        with pytest.raises(SchemaMismatchError, match="upgrade bench_db"), newer.record(dut="flax", commit=COMMIT):
            pytest.fail("the block ran")

    def test_an_empty_block_is_a_mistake(self, store: Database) -> None:
        with pytest.raises(UserError, match="no results were added"), store.record(dut="flax", commit=COMMIT):
            pass


class TestBuild:
    """The build is known before the block runs, and is that of its beginning."""

    @pytest.mark.parametrize(
        ("stated", "reason"),
        [
            ({}, "DUT version could not be determined. Give `commit` or `dut_version`"),
            ({"commit": "HEAD"}, "HEAD"),
            ({"dut_version": "1.0"}, "`dut_timestamp`"),
            ({"commit": COMMIT, "pr_number": 0}, "`pr_number` 0"),
            ({"commit": COMMIT, "context": {"a": object()}}, "`context`"),
        ],
    )
    def test_what_is_missing_is_said_before_the_work(self, store: Database, stated: Any, reason: str) -> None:
        with pytest.raises(UserError, match=reason), store.record(dut="flax", **stated):
            pytest.fail("the block ran")

    def test_a_version_with_its_time(self, store: Database) -> None:
        stated: dict[str, Any] = {
            "commit": None,
            "dut_version": "1.0",
            "dut_timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        }
        assert record(store, **stated).id == record(store, **stated).id
        assert store.latest()["commit_time"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)] * 2

    def test_the_commit_is_that_of_the_beginning(
        self, store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history = History(tmp_path / "clone")
        first = history.commit("first", pyproject__toml='[project]\nname = "parser"\nversion = "1"')
        monkeypatch.chdir(tmp_path / "clone")
        with store.record() as run:
            run.add("forward", 1.0, unit="s")
            history.commit("second", a="2")
        (result,) = store.results()
        assert (result.commit, result.dut.name, result.branch) == (first, "parser", "main")
        recorded = api.commits(store).frame()
        assert recorded.select("commit", "subject", "position").rows() == [(first, "first", 1)]

    def test_the_job_of_ci_is_stated(self, store: Database) -> None:
        job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_REF": "refs/pull/5/merge"}
        with store.record(dut="flax", commit=COMMIT, pr_number=5, environment=job) as run:
            run.add("forward", 1.0, unit="s")
        assert store.run(run.id).run.run_id == "77"
        assert store.latest().is_empty()
        assert len(store.latest(pr_number=5)) == 1

    def test_a_job_is_known_without_a_word(self, store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_REF": "refs/pull/5/merge"}
        for name, value in job.items():
            monkeypatch.setenv(name, value)
        with store.record(dut="flax", commit=COMMIT) as run:
            run.add("forward", 1.0, unit="s")
        assert store.latest().is_empty()
        assert store.run(run.id).run.run_id == "77"


class TestKeep:
    """Values are artifacts of the run, in a form that any language reads."""

    def test_each_kind(self, store: Database, tmp_path: Path) -> None:
        array = np.arange(6, dtype=np.int32).reshape(2, 3)
        values = {"raw": b"\0\xff", "log": "Zeit: 3 µs", "table": {"a": [1, None, 2.5]}, "array": array}
        with store.record(dut="flax", commit=COMMIT) as run:
            run.add("forward", 1.0, unit="s")
            for name, value in values.items():
                run.keep(name, value)
            run.keep("plot", b"<svg/>", kind="image")
        found = {artifact.name: artifact for artifact in store.artifacts(run=run.id)}
        assert {name: artifact.kind for name, artifact in found.items()} == {
            "raw": "bytes", "log": "text", "table": "json", "array": "npy", "plot": "image",
        }  # fmt: skip
        stored = {}
        for name, artifact in found.items():
            store.get_artifact(artifact.sha256, tmp_path / name)
            stored[name] = (tmp_path / name).read_bytes()
        assert stored["raw"] == values["raw"]
        assert stored["log"].decode() == values["log"]
        assert json.loads(stored["table"]) == values["table"]
        assert np.array_equal(np.load(io.BytesIO(stored["array"]), allow_pickle=False), array)
        assert [artifact.name for artifact in store.run(run.id).artifacts] == sorted(found)

    @pytest.mark.parametrize(
        "value",
        [object(), float("nan"), {"a": {1, 2}}, np.array([object()]), "\ud800", [1, b"x"]],
        ids=["object", "nan", "set", "objects", "surrogate", "bytes in a list"],
    )
    def test_what_cannot_be_kept_stores_nothing(self, store: Database, value: object) -> None:
        with pytest.raises(UserError, match="'odd'"), store.record(dut="flax", commit=COMMIT) as run:
            run.keep("odd", value)
        assert store.results() == []

    def test_the_same_block_continues_when_a_value_could_not_be_written(self, store: Database, tmp_path: Path) -> None:
        directory = tmp_path / "store" / "artifacts"
        directory.write_text("in the way")
        with pytest.raises(BenchDbError, match="the same block continues"):
            record(store)
        directory.unlink()
        run = record(store)
        assert (run.published.new, run.published.unchanged, len(store.artifacts(run=run.id))) == (0, 2, 1)

    def test_a_name_is_kept_once(self, store: Database) -> None:
        with store.record(dut="flax", commit=COMMIT) as run:
            run.add("forward", 1.0, unit="s")
            run.keep("log", "one")
            with pytest.raises(UserError, match="'log' is kept already"):
                run.keep("log", "two")
        assert len(store.artifacts()) == 1

    def test_values_of_a_run_without_new_rows_are_not_lost_in_silence(self, store: Database) -> None:
        """Leftovers of an earlier commit are skipped: then there is no run to keep a value for."""
        samples = (1.0, 2.0, 3.0, 4.0, 5.0)
        with store.record(dut="flax", commit=COMMIT) as run:
            run.add("forward", samples, unit="s")
        with pytest.raises(UserError, match="leftover"), store.record(dut="flax", commit="a" * 40) as run:
            run.add("forward", samples, unit="s")
        with store.record(dut="flax", commit="b" * 40, keep_leftovers=True) as run:
            run.add("forward", samples, unit="s")
        assert run.published.new == 1


class TestRuns:
    """calibrax's own example finds its run: by the tags of its points and by its scenario."""

    def test_one_run_by_its_id(self, store: Database) -> None:
        run = record(store)
        found = store.run(run.id)
        assert (found.run.run_key, found.run.commit, found.id) == (run.published.run_key, COMMIT, run.id)
        assert sorted(result.metric for result in found.results) == ["accuracy", "time"]
        assert found.excluded is None
        assert found.frame()["benchmark_name"].to_list() == ["forward"] * 2
        with pytest.raises(UserError, match="no run is called"):
            store.run("0" * 16)

    def test_newest_first_by_branch_and_tags(self, store: Database) -> None:
        times = {name: datetime(2026, 1, day, tzinfo=UTC) for day, name in enumerate(("main", "topic"), 1)}
        keys = {
            branch: record(store, (day.timestamp(),), branch=branch, run_time=day).id for branch, day in times.items()
        }
        with store.record(dut="torch", commit=COMMIT, suite="eval", run_time=datetime(2025, 1, 1, tzinfo=UTC)) as run:
            run.add("forward", 2.0, unit="s", tags={"framework": "torch", "scenario": "tagged"})
        assert store.list_runs()["run"].to_list() == [keys["topic"], keys["main"], run.id]
        assert store.list_runs(branch="main")["run"].to_list() == [keys["main"]]
        found: list[tuple[dict[str, Tag], list[str]]] = [
            ({"framework": "flax", "scenario": "train"}, [keys["topic"], keys["main"]]),
            ({"batch": 32}, [keys["topic"], keys["main"]]),
            ({"framework": "flax", "scenario": "eval"}, []),
            ({"scenario": "eval"}, [run.id]),
            ({"scenario": "tagged"}, [run.id]),
        ]
        for tags, wanted in found:
            assert store.list_runs(tags=tags)["run"].to_list() == wanted, tags
        api.exclude_runs(store, "hot", tags={"framework": "torch"})
        assert store.list_runs(tags={"framework": "torch"})["excluded"].to_list() == ["hot"]
        assert store.latest(tags={"scenario": "train"}, everything=True)["suite"].unique().to_list() == ["train"]
