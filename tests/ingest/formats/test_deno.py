from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


OK = {"n": 49, "min": 10.0, "max": 40.0, "avg": 20.0, "p75": 25.0, "p99": 39.0, "highPrecision": True}


def deno_bench(name: str = "sort", **fields: Any) -> dict[str, Any]:
    usual = {
        "origin": "file:///project/my%20bench.ts",
        "group": None,
        "name": name,
        "baseline": False,
        "results": [{"ok": OK}],
    }
    return {**usual, **fields}


def deno_file(*benches: Any) -> str:
    return json.dumps(
        {
            "version": 1,
            "runtime": "Deno/2.9.6 x86_64-unknown-linux-gnu",
            "cpu": "AMD EPYC",
            "benches": benches or [deno_bench()],
        }
    )


class TestReading:
    """Each benchmark has a mean, extremes and a third quartile."""

    def test_statistics(self, tmp_path: Path) -> None:
        run, [result] = read(tmp_path / "f", deno_file())
        assert (result.benchmark_name, result.metric, result.units, result.n) == (
            "my bench.ts > sort",
            "time",
            "nanoseconds",
            49,
        )
        s = result.summary
        assert s is not None
        assert (s.min, s.mean, s.median, s.q3, s.max) == (10.0, 20.0, 20.0, 25.0, 40.0)
        assert json.loads(run.context)["cpu"] == "AMD EPYC"

    def test_groups_keep_names_apart(self, tmp_path: Path) -> None:
        _, results = read(
            tmp_path / "f", deno_file(deno_bench(group="a"), deno_bench(group="b"), deno_bench(origin=""))
        )
        assert [r.benchmark_name for r in results] == ["my bench.ts > a > sort", "my bench.ts > b > sort", "sort"]

    def test_a_failed_benchmark_is_an_error(self, tmp_path: Path) -> None:
        failed = {
            "failed": {"name": "Error", "message": "no such thing", "exceptionMessage": "Uncaught Error: no such thing"}
        }
        _, [_, result] = read(tmp_path / "f", deno_file(deno_bench(), deno_bench("b", results=[failed])))
        assert (result.error, result.n) == ("Uncaught Error: no such thing", 0)


class TestNothingLost:
    """A benchmark without statistics is a skip."""

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"results": []}, "no-statistics"),
            ({"results": [{"ok": {**OK, "n": 0}}]}, "out-of-range"),
            ({"results": [{"ok": {**OK, "avg": None}}]}, "no-statistics"),
            ({"results": [{"ok": {**OK, "min": "x"}}]}, "not-a-number"),
            ({"name": ""}, "no-name"),
        ],
    )
    def test_a_bad_benchmark(self, tmp_path: Path, fields: Any, reason: str) -> None:
        run, [_] = read(tmp_path / "f", deno_file(deno_bench(), deno_bench(**{"name": "b", **fields})))
        assert run.skipped == {reason: 1}

    def test_a_cut_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="too early"):
            read(tmp_path / "f", deno_file()[:-9])
