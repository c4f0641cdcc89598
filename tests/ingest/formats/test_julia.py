from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


VERSIONS = {"Julia": "1.10.4", "BenchmarkTools": {"major": 1, "minor": 0, "patch": 0}}


def trial(**fields: Any) -> list[Any]:
    usual = {
        "params": ["Parameters", {"evals": 10}],
        "times": [30.0, 31.0],
        "gctimes": [0.0, 0.0],
        "memory": 64,
        "allocs": 2,
    }
    return ["Trial", {**usual, **fields}]


def group(**leaves: Any) -> list[Any]:
    return ["BenchmarkGroup", {"tags": [], "data": leaves}]


def julia_file(*values: Any) -> str:
    return json.dumps([VERSIONS, list(values) or [group(fib=group(**{"20": trial()}))]])


class TestReading:
    """Each leaf has times, and where stated allocations and a time of garbage collection."""

    def test_metrics(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", julia_file())
        assert [(r.benchmark_name, r.metric, r.units, list(r.values)) for r in results] == [
            ("fib/20", "time", "nanoseconds", [30.0, 31.0]),
            ("fib/20", "allocated-bytes", "bytes", [64.0]),
            ("fib/20", "allocations", "count", [2.0]),
        ]
        assert json.loads(run.context)["Julia"] == "1.10.4"

    def test_garbage_collection(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", julia_file(group(a=trial(gctimes=[0.0, 5.0]))))
        assert [list(r.values) for r in results if r.metric == "gc-time"] == [[0.0, 5.0]]

    def test_an_estimate(self, tmp_path: Path) -> None:
        estimate = ["TrialEstimate", {"time": 31028.0, "gctime": 7.0, "memory": 0, "allocs": 0}]
        _, results = read(tmp_path / "f", julia_file(group(a=estimate)))
        assert [(r.metric, list(r.values)) for r in results] == [
            ("time", [31028.0]), ("gc-time", [7.0]), ("allocated-bytes", [0.0]), ("allocations", [0.0]),
        ]  # fmt: skip

    def test_a_type_with_its_module_and_a_lone_trial(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", julia_file([f"BenchmarkTools.{(one := trial())[0]}", one[1]]))
        assert results[0].benchmark_name == "value 1"


class TestNothingLost:
    """A leaf that is no measurement is a skip."""

    @pytest.mark.parametrize(
        ("leaf", "reason"),
        [
            (["TrialJudgement", {"ratio": {}}], "wrong-type"),
            (trial(times=[]), "no-statistics"),
            (trial(times=["x"]), "not-a-number"),
            (trial(times=[-1.0]), "negative-time"),
            ("text", "wrong-type"),
        ],
    )
    def test_a_bad_leaf(self, tmp_path: Path, leaf: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", julia_file(group(a=trial(), b=leaf)))
        assert ({r.benchmark_name for r in results}, run.skipped) == ({"a"}, {reason: 1})

    def test_a_bad_amount_costs_no_other_metric(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", julia_file(group(a=trial(memory=-1))))
        assert ([r.metric for r in results], len(run.skipped)) == (["time", "allocations"], 1)

    @pytest.mark.parametrize("text", [json.dumps([VERSIONS]), json.dumps([VERSIONS, {}]), julia_file(group())])
    def test_no_benchmark(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(UnreadableOutputError):
            read(tmp_path / "f", text)

    def test_a_cut_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="too early"):
            read(tmp_path / "f", julia_file()[:-8])
