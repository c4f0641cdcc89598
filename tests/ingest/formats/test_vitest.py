from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from bench_db.units import Direction
from tests.ingest.support import figures, read

if TYPE_CHECKING:
    from pathlib import Path


def vitest_result(name: str = "f", **fields: Any) -> dict[str, Any]:
    """Return a result as 1.6 to 4 write it; None omits a field."""
    usual = {"id": "1_0", "name": name, "rank": 1, "rme": 50.0, "samples": [], "min": 1.0, "max": 4.0, "hz": 500.0,
             "mean": 2.0, "sd": 0.5, "moe": 1.0, "df": 9, "p75": 3.0, "sampleCount": 10, "median": 1.5}  # fmt: skip
    return {name: value for name, value in {**usual, **fields}.items() if value is not None}


def vitest_file(*results: Any, group: str = "a.bench.ts > g", **top: Any) -> str:
    groups = [{"fullName": group, "benchmarks": results or [vitest_result()]}]
    return json.dumps({"files": [{"filepath": "/usr/local/user/a.bench.ts", "groups": groups}], **top})


def vitest_task(name: str = "f", **fields: Any) -> dict[str, Any]:
    """Return a task as 5 writes it."""
    latency = {"mean": 2.0, "p50": 1.5, "p75": 3.0, "min": 1.0, "max": 4.0, "sd": 0.5, "moe": 1.0, "samplesCount": 10}
    throughput = {"mean": 600.0, "p50": 500.0, "min": 250.0, "max": 1000.0, "sd": 50.0, "moe": 20.0, "samplesCount": 10}
    return {"name": name, "rank": 1, "latency": latency, "throughput": throughput, **fields}


def vitest_module(*tasks: Any, path: str = "/usr/local/user/src/a.bench.ts", **test: Any) -> dict[str, Any]:
    benchmarks = [{"name": "g > t", "tasks": tasks}] if tasks else []
    usual = {"ancestorTitles": ["g"], "title": "t", "status": "passed", "failureMessages": [], "benchmarks": benchmarks}
    return {"name": path, "message": "", "assertionResults": [{**usual, **test}]}


def vitest_5(*modules: Any) -> str:
    return json.dumps({"numTotalTests": 1, "startTime": 1_700_000_000_999, "testResults": modules})


class TestStatistics:
    """Milliseconds become nanoseconds; the interval is the mean and its margin of error, p75 the third quartile."""

    def test_since_1_6(self, tmp_path: Path) -> None:
        _, [time, often] = read(tmp_path / "f", vitest_file())
        assert time.benchmark_name == often.benchmark_name == "a.bench.ts > g > f"
        assert figures(time, "min", "q1", "median", "q3", "max", "mean", "standard_deviation") == [
            1e6, None, 1.5e6, 3e6, 4e6, 2e6, 5e5,
        ]  # fmt: skip
        assert (time.lower, time.upper, time.n, list(time.values)) == (1e6, 3e6, 10, [])
        assert (often.metric, often.units, often.direction, often.n) == (
            "throughput",
            "per_second",
            Direction.HIGHER,
            10,
        )
        assert figures(often, "mean", "median", "min") == [500.0, 500.0, None]
        assert (often.lower, often.upper) == (None, None)

    def test_since_5(self, tmp_path: Path) -> None:
        run, [time, often] = read(tmp_path / "f", vitest_5(vitest_module(vitest_task())))
        assert time.benchmark_name == "a.bench.ts > g > t > f"
        assert figures(time, "min", "median", "q3", "mean") == [1e6, 1.5e6, 3e6, 2e6]
        assert figures(often, "min", "median", "max", "mean", "q3") == [250.0, 500.0, 1000.0, 600.0, None]
        assert (often.lower, often.upper, often.units, often.n) == (580.0, 620.0, "per_second", 10)
        assert run.run_time == 1_700_000_000

    def test_at_first(self, tmp_path: Path) -> None:
        result = vitest_result(samples=[1.0, 3.0], df=1, sampleCount=None, median=None)
        text = json.dumps({"numTotalTests": 1, "testResults": {"g": [result], "": [result]}})
        run, [time, often, other, _] = read(tmp_path / "f", text)
        assert [time.benchmark_name, other.benchmark_name] == ["g > f", "f"]
        assert (list(time.values), often.n) == ([1e6, 3e6], 2)
        assert json.loads(run.context) == {"numTotalTests": 1}

    @pytest.mark.parametrize("samples", [[], [1.0, 2.0], "ignore on terminal", None])
    def test_without_all_samples_the_statistics_are_kept(self, tmp_path: Path, samples: Any) -> None:
        _, [time, _] = read(tmp_path / "f", vitest_file(vitest_result(samples=samples)))
        assert (list(time.values), time.n, figures(time, "mean")) == ([], 10, [2e6])

    @pytest.mark.parametrize(("missing", "rows"), [("median", 2), ("moe", 2), ("hz", 1), ("p75", 2), ("sd", 2)])
    def test_what_is_missing_is_null(self, tmp_path: Path, missing: str, rows: int) -> None:
        _, results = read(tmp_path / "f", vitest_file({**vitest_result(), missing: None}))
        assert len(results) == rows
        assert results[0].summary is not None
        assert results[0].summary.median == (2e6 if missing == "median" else 1.5e6)

    @pytest.mark.parametrize(("counts", "n"), [({"sampleCount": None}, 10), ({"sampleCount": None, "df": None}, 1)])
    def test_count(self, tmp_path: Path, counts: dict[str, Any], n: int) -> None:
        _, [time, _] = read(tmp_path / "f", vitest_file(vitest_result(**counts)))
        assert time.n == n

    def test_metadata_is_the_record_without_samples(self, tmp_path: Path) -> None:
        _, [time, often] = read(tmp_path / "f", vitest_file(vitest_result(p99=3.9, new=[1])))
        kept = {field: v for field, v in vitest_result(p99=3.9, new=[1]).items() if field != "samples"}
        assert (json.loads(time.metadata), json.loads(often.metadata)) == (kept, {})
        task = vitest_task()
        task["latency"] = {**task["latency"], "samples": [1.0]}
        _, [time, _] = read(tmp_path / "f", vitest_5(vitest_module(task)))
        assert json.loads(time.metadata) == vitest_task()


class TestFailures:
    """A failed benchmark becomes a row with an error; a repeated result does not."""

    def test_without_statistics(self, tmp_path: Path) -> None:
        failed = {"id": "1_1", "name": "bad", "rank": 2, "rme": 0, "samples": []}
        run, results = read(tmp_path / "f", vitest_file(vitest_result("good"), failed))
        assert [(r.benchmark_name, r.error) for r in results][2:] == [
            ("a.bench.ts > g > bad", "no statistics in the file")
        ]
        assert run.skipped == {}

    def test_test_of_5(self, tmp_path: Path) -> None:
        module = vitest_module(vitest_task())
        bad = {"ancestorTitles": ["g"], "title": "bad", "status": "failed", "failureMessages": ["Error: no\n at x"]}
        skipped = {"ancestorTitles": [], "title": "later", "status": "skipped"}
        module["assertionResults"] += [bad, skipped]
        _, results = read(tmp_path / "f", vitest_5(module))
        assert [(r.benchmark_name, r.error) for r in results if r.error] == [("a.bench.ts > g > bad", "Error: no")]
        assert len(results) == 3

    def test_failed_test_of_a_file_without_benchmarks_is_none(self, tmp_path: Path) -> None:
        plain = vitest_module(path="/usr/local/user/src/plain.test.ts", status="failed")
        _, results = read(tmp_path / "f", vitest_5(plain, vitest_module(vitest_task())))
        assert {r.error for r in results} == {None}

    def test_file_that_could_not_be_loaded_is_noted(self, tmp_path: Path) -> None:
        broken = {"name": "/usr/local/user/b.bench.ts", "assertionResults": [], "message": "bench is not a function"}
        run, _ = read(tmp_path / "f", vitest_5(broken, vitest_module(vitest_task())))
        assert run.notes[1:] == ("b.bench.ts: nothing was measured: bench is not a function",)

    def test_older_result_beside_the_new_ones(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", vitest_5(vitest_module(vitest_task(), vitest_task("old", fromStore=True))))
        assert {r.benchmark_name for r in results} == {"a.bench.ts > g > t > f"}


class TestNames:
    """A file of 5 gets the shortest part of its path that distinguishes it."""

    @pytest.mark.parametrize(
        ("paths", "names"),
        [
            (["/usr/local/user/src/a.ts", "/usr/local/user/b.ts"], ["a.ts", "b.ts"]),
            (["/usr/local/user/x/a.ts", "/usr/local/user/y/a.ts"], ["x/a.ts", "y/a.ts"]),
            (["C:\\x\\a.ts", "C:\\y\\a.ts"], ["x/a.ts", "y/a.ts"]),
            (["a.ts", "a.ts"], ["a.ts", "a.ts"]),
        ],
    )
    def test_files(self, tmp_path: Path, paths: list[str], names: list[str]) -> None:
        _, results = read(tmp_path / "f", vitest_5(*(vitest_module(vitest_task(), path=path) for path in paths)))
        assert [r.benchmark_name for r in results if r.metric == "time"] == [f"{name} > g > t > f" for name in names]


class TestSkips:
    """An invalid result is skipped; a report of another structure is refused with its position."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (vitest_result(""), "no-name"),
            ({"name": 5}, "no-name"),
            (vitest_result("bad", mean="2"), "not-a-number"),
            (vitest_result("bad", min=True), "not-a-number"),
            (vitest_result("bad", mean=-1.0), "negative-time"),
            (vitest_result("bad", hz=-1.0), "negative-time"),
            (vitest_result("bad", mean=10**400), "out-of-range"),
            (vitest_result("bad", moe=float("inf")), "not-finite"),
            (vitest_result("bad", samples=[1.0, "x"], sampleCount=2), "not-a-number"),
            (vitest_task("bad", latency={}), "no-statistics"),
            (vitest_task("bad", latency=5), "wrong-type"),
            (vitest_task("bad", throughput={"mean": "x"}), "not-a-number"),
            (17, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", vitest_file(vitest_result("before"), bad, vitest_result("after")))
        assert {r.benchmark_name.rpartition(" > ")[2] for r in results} == {"before", "after"}
        assert run.skipped == {reason: 1}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('{"files": [{"groups": [{"benchmarks": []}]}]}', r"`fullName` at \$.files\[0\].groups\[0\]"),
            ('{"files": 5}', "Expected `array`"),
            ('{"testResults": 5}', "Expected `object`"),
            ('{"testResults": [{"name": "a", "assertionResults": [5]}]}', "Expected `object`"),
            ('{"files": []}', "contains no benchmark"),
            ("{}", "contains no benchmark"),
            (vitest_file()[:-4], "the text ends too early"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, reason: str) -> None:
        (tmp_path / "f").write_text(text)
        with pytest.raises(UnreadableOutputError, match=reason):
            parse(tmp_path / "f", "vitest")

    def test_a_report_of_tests_alone_is_no_benchmark(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="is in no format"):
            read(tmp_path / "f", vitest_5(vitest_module()))
