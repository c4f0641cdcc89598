from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db import Metric
from bench_db.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database

pytestmark = pytest.mark.few(1)

COMMIT = "c" * 40
# (framework, precision, concurrency) -> latency in ms, tokens per second
SERVED = {
    ("trt", "fp4", 1): (10, 100),
    ("trt", "fp4", 8): (20, 400),
    ("trt", "fp4", 64): (80, 900),
    ("trt", "fp4", 128): (90, 800),  # slower and less than with 64
    ("trt", "fp8", 1): (15, 80),
    ("trt", "fp8", 8): (40, 300),
    ("vllm", "fp8", 1): (5, 50),
    ("vllm", None, 1): (1, 9999),  # better than all, and of a group of its own
}


def serve(store: Database, served: dict[Any, Any], *, commit: str = COMMIT, metrics: int = 2, **stated: Any) -> None:
    """Publish a benchmark with a latency and a throughput for each configuration; with one metric the latency alone."""
    with store.record(**{"dut": "model", "commit": commit, "test_bed_name": "h100", "suite": "serve", **stated}) as run:
        for (framework, precision, concurrency), (latency, rate) in served.items():
            tags = {"framework": framework, "concurrency": concurrency}
            tags |= {} if precision is None else {"precision": precision}
            both = {
                "latency": Metric(values=latency, unit="ms"),
                "throughput": Metric(values=rate, unit="tokens/s", better="higher"),
            }
            run.add("chat", tags=tags, metrics=dict(list(both.items())[:metrics]))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    return api.connect(tmp_path / "store", create=True)


@pytest.fixture
def served(store: Database) -> Database:
    serve(store, SERVED)
    return store


def front(found: Any) -> set[tuple[Any, ...]]:
    return set(found.frame().filter("on_front").select(*found.by, "x", "y").rows())


class TestFrontier:
    """Each group has a front of its own, in the directions of the metrics."""

    def test_groups_are_never_mixed(self, served: Database) -> None:
        found = api.frontier(served, "latency", "throughput", by=["framework", "precision"])
        assert front(found) == {
            ("trt", "fp4", 10e6, 100.0),
            ("trt", "fp4", 20e6, 400.0),
            ("trt", "fp4", 80e6, 900.0),
            ("trt", "fp8", 15e6, 80.0),
            ("trt", "fp8", 40e6, 300.0),
            ("vllm", "fp8", 5e6, 50.0),
            ("vllm", None, 1e6, 9999.0),
        }
        assert len(found.frame()) == len(SERVED)
        assert (found.x.units, found.x.direction, found.y.direction) == ("nanoseconds", "lower", "higher")

    def test_parts_that_look_alike_when_joined_are_apart(self, store: Database) -> None:
        serve(
            store,
            {("a__b", "c", 1): (10, 10), ("a", "b__c", 1): (5, 20), ("a,b", "c", 1): (7, 7), ("a", "b,c", 1): (3, 3)},
        )
        found = api.frontier(store, "latency", "throughput", by=["framework", "precision"])
        assert found.frame()["on_front"].all()
        assert len(found.frame()) == 4

    def test_one_group_has_one_front(self, served: Database) -> None:
        groups: list[dict[str, Any]] = [{"by": ["scenario"]}, {"by": []}, {}]
        for by in groups:
            found = api.frontier(served, "latency", "throughput", **by)
            assert found.frame().filter("on_front").select("x", "y").rows() == [(1e6, 9999.0)]
        assert api.frontier(served, "latency", "throughput", by=["scenario"]).by == ["suite"]

    def test_conditions_and_exchanged_metrics(self, served: Database) -> None:
        fp8 = api.frontier(served, "throughput", "latency", by=["framework"], tags={"precision": "fp8"})
        assert front(fp8) == {("trt", 80.0, 15e6), ("trt", 300.0, 40e6), ("vllm", 50.0, 5e6)}

    def test_the_direction_is_that_of_the_definition(self, served: Database) -> None:
        api.define(served, "better", "throughput", "lower")
        found = api.frontier(served, "latency", "throughput", by=["framework", "precision"], tags={"precision": "fp4"})
        assert front(found) == {("trt", "fp4", 10e6, 100.0)}

    def test_devices_and_test_beds_of_one_group_are_named(self, served: Database) -> None:
        serve(served, {("trt", "fp4", 1): (1, 1000)}, test_bed_name="b200")
        by = ["framework", "precision"]
        assert api.frontier(served, "latency", "throughput", by=by).notes == [
            "a group has points of 2 test beds; add test_bed_name to the parts of a group to keep them apart"
        ]
        assert api.frontier(served, "latency", "throughput", by=[*by, "test_bed_name"]).notes == []

    def test_only_the_newest_results_of_one_build_are_a_point(self, store: Database) -> None:
        day: dict[str, Any] = {"dut_timestamp": 1_700_000_000}
        serve(store, {("trt", "fp4", 1): (10, 100), ("trt", "fp4", 8): (20, 200)}, **day)
        serve(store, {("trt", "fp4", 1): (1, 0)}, commit="d" * 40, metrics=1, dut_timestamp=1_700_100_000)
        serve(store, {("trt", "fp4", 2): (1, 0)}, commit="d" * 40, metrics=1, dut_timestamp=1_700_100_000)
        found = api.frontier(store, "latency", "throughput", by=["framework"])
        assert found.frame()["x"].to_list() == [20e6]
        assert found.left_out == {"of different builds": 1, "without throughput": 1}

    def test_two_files_of_one_commit_are_one_point(self, store: Database) -> None:
        for name, unit, better in (("latency", "ms", "lower"), ("throughput", "tokens/s", "higher")):
            with store.record(dut="model", commit=COMMIT, test_bed_name="h100") as run:
                run.add("chat", 3.0, metric=name, unit=unit, better=better)
        assert api.frontier(store, "latency", "throughput").frame().select("x", "y").rows() == [(3e6, 3.0)]

    def test_metrics_of_different_benchmarks_are_no_point(self, store: Database) -> None:
        with store.record(dut="model", commit=COMMIT, test_bed_name="h100") as run:
            run.add("chat/latency", 3.0, metric="latency", unit="ms")
            run.add("chat/rate", 3.0, metric="rate", unit="tokens/s", better="higher")
        found = api.frontier(store, "latency", "rate")
        assert found.frame().is_empty()
        [note] = found.notes
        assert note.startswith(
            "no configuration has both latency and rate: a point needs results of one suite and benchmark name with the same tags,"
            " on one device and test bed."
        )

    def test_a_configuration_that_has_both_metrics_is_not_denied(self, store: Database) -> None:
        """It is left out for another reason, which alone is counted."""
        for commit, alone, metric in (("c" * 40, "a", "latency"), ("d" * 40, "b", "rate")):
            with store.record(dut="model", commit=commit, test_bed_name="h100") as run:
                for name in (alone, "both"):
                    run.add(name, 3.0, metric=metric, unit="s")
        found = api.frontier(store, "latency", "rate")
        assert (len(found.frame()), found.notes) == (0, [])
        assert found.left_out == {"of different builds": 1, "without latency": 1, "without rate": 1}

    def test_machines_of_one_name_are_apart(self, store: Database) -> None:
        for cpu, latency in (("a", 10), ("b", 20)):
            bed = api.TestBed(name="lab", cpu=cpu, memory_gb=4, os="Linux")
            serve(store, {("trt", "fp4", 1): (latency, 10 * latency)}, test_bed=bed, test_bed_name=None)
        found = api.frontier(store, "latency", "throughput", by=["framework"])
        assert sorted(found.frame().select("x", "y").rows()) == [(10e6, 100.0), (20e6, 200.0)]

    @pytest.mark.parametrize(
        ("x", "y", "given", "reason"),
        [
            (
                "latencies",
                "throughput",
                {},
                "no results of metric 'latencies'.*the metrics there are: latency, throughput",
            ),
            ("latency", "latency", {}, "both 'latency'"),
            ("latency", "throughput", {"by": ["framwork"]}, "'framwork' cannot be a part of a group.*framework"),
            ("latency", "throughput", {"at": "50"}, "must be one of the two metrics"),
            ("latency", "throughput", {"at": {"time": 3}}, "must be one of the two metrics"),
            ("latency", "throughput", {"at": "latency=fast"}, "no number"),
            ("latency", "throughput", {"at": "latency=nan"}, "no number"),
            ("latency", "throughput", {"at": "latency=5MB"}, "is in bytes, and 'latency' in nanoseconds"),
            ("latency", "throughput", {"tags": {"framework": "none"}}, "no results of metric 'latency'"),
        ],
    )
    def test_mistakes(self, served: Database, x: str, y: str, given: Any, reason: str) -> None:
        with pytest.raises(UserError, match=reason):
            api.frontier(served, x, y, **given)

    def test_a_metric_without_a_direction_or_with_two_units(self, served: Database) -> None:
        with served.record(dut="model", commit=COMMIT) as run:
            run.add("chat", metrics={"loss": 0.5, "latency": Metric(values=1, unit="MB")})
        with pytest.raises(UserError, match=r"'loss' has no better direction.*define better loss higher"):
            api.frontier(served, "loss", "throughput")
        with pytest.raises(UserError, match=r"'latency' has several units or directions \(bytes"):
            api.frontier(served, "latency", "throughput")


class TestAt:
    """Between the points of a front there is a value, beyond its ends there is none."""

    def test_values_of_each_group(self, served: Database) -> None:
        found = api.frontier(served, "latency", "throughput", by=["framework", "precision"], at="latency=20ms")
        values = {(f, p): value for f, p, value in found.values.rows()}
        assert values[("trt", "fp4")] == 400.0
        assert values[("trt", "fp8")] == pytest.approx(80 + 220 * 5 / 25)  # two points are a straight line
        assert values[("vllm", "fp8")] is values[("vllm", None)] is None
        assert found.document["at"] == {"metric": "latency", "value": 20e6}

    def test_the_other_metric_and_a_stored_number(self, served: Database) -> None:
        by = ["framework", "precision"]
        for at in ({"throughput": 400}, "throughput=400", {"throughput": "400"}):
            found = api.frontier(served, "latency", "throughput", by=by, at=at, tags={"precision": "fp4"})
            assert found.values.rows() == [("trt", "fp4", 20e6)]
        assert api.frontier(served, "latency", "throughput", by=by, at={"latency": 20e6}).values["value"].max() == 400.0

    def test_none_is_asked_for(self, served: Database) -> None:
        found = api.frontier(served, "latency", "throughput", by=["framework"])
        assert (found.at, found.values.rows(), found.document["values"]) == (None, [], [])
