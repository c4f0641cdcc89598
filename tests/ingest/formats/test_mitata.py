from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


def mitata_run(samples: Any = (1.0, 2.0, 4.0), **fields: Any) -> dict[str, Any]:
    return {
        "name": "sort 16",
        "args": {"n": 16},
        "stats": {"kind": "fn", "debug": "code", "samples": samples, "p50": 2.0, "avg": 2.5},
        **fields,
    }


def mitata_bench(*runs: Any, **fields: Any) -> dict[str, Any]:
    return {"kind": "args", "alias": "sort $n", "group": 1, "baseline": False, "runs": runs or [mitata_run()], **fields}


def mitata_file(*benchmarks: Any) -> str:
    context = {
        "now": 1796033697803,
        "arch": "x64-linux",
        "version": "20.20.2",
        "runtime": "node",
        "cpu": {"name": "AMD EPYC"},
        "noop": {},
    }
    layout = [{"name": None, "types": []}, {"name": "arrays", "types": ["g"]}]
    return json.dumps({"layout": layout, "benchmarks": benchmarks or [mitata_bench()], "context": context})


class TestReading:
    """Each run is a result with samples; the values of its arguments are tags."""

    def test_samples(self, tmp_path: Path) -> None:
        run, [result] = read(tmp_path / "f", mitata_file())
        assert (result.suite, result.benchmark_name, dict(result.tags), list(result.values)) == (
            "arrays", "sort n", {"n": "16"}, [1.0, 2.0, 4.0],
        )  # fmt: skip
        assert (run.run_time, json.loads(run.context)["runtime"]) == (1796033697, "node")
        assert json.loads(result.metadata) == {"name": "sort 16", "stats": {"kind": "fn", "p50": 2.0, "avg": 2.5}}

    def test_allocated_bytes(self, tmp_path: Path) -> None:
        stats = {"samples": [1.0], "heap": {"_": 3, "total": 30.0, "min": 9.0, "max": 11.0, "avg": 10.0}}
        _, [_, heap] = read(tmp_path / "f", mitata_file(mitata_bench(mitata_run(stats=stats))))
        assert (heap.metric, heap.units, list(heap.values)) == ("allocated-bytes", "bytes", [10.0])

    def test_a_failed_run_is_an_error(self, tmp_path: Path) -> None:
        failed = {"name": "x", "args": {}, "error": {"message": "no such thing", "stack": "Error"}}
        _, [_, result] = read(tmp_path / "f", mitata_file(mitata_bench(), mitata_bench(failed, alias="x", group=0)))
        assert (result.suite, result.benchmark_name, result.error) == ("", "x", "no such thing")


class TestNothingLost:
    """A benchmark without samples is a skip."""

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"runs": []}, "no-statistics"),
            ({"runs": [mitata_run(())]}, "no-statistics"),
            ({"runs": [mitata_run(["x"])]}, "not-a-number"),
            ({"runs": [mitata_run([-1.0])]}, "negative-time"),
            ({"alias": ""}, "no-name"),
        ],
    )
    def test_a_bad_benchmark(self, tmp_path: Path, fields: Any, reason: str) -> None:
        run, [_] = read(tmp_path / "f", mitata_file(mitata_bench(), mitata_bench(**{"alias": "b", **fields})))
        assert run.skipped == {reason: 1}

    def test_bad_bytes_cost_no_time(self, tmp_path: Path) -> None:
        stats = {"samples": [1.0], "heap": {"avg": -10.0}}
        run, results = read(tmp_path / "f", mitata_file(mitata_bench(mitata_run(stats=stats))))
        assert ([r.metric for r in results], len(run.skipped)) == (["time"], 1)

    def test_a_cut_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="too early"):
            read(tmp_path / "f", mitata_file()[:-9])
