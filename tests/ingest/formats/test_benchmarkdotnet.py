from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import FIXED, figures, read

if TYPE_CHECKING:
    from pathlib import Path


def dotnet_benchmark(name: str | None = "N.T.M", **fields: Any) -> dict[str, Any]:
    """Return a benchmark of three samples; None among the statistics omits that field."""
    statistics = {"OriginalValues": [1.0, 2.0, 3.0], "N": 3, "Min": 1.0, "Q1": 1.5, "Median": 2.0, "Mean": 2.0, "Q3": 2.5,
                  "Max": 3.0, "StandardDeviation": 1.0, "ConfidenceInterval": {"Lower": 1.5, "Upper": 2.5}}  # fmt: skip
    said = {field: value for field, value in {**statistics, **fields}.items() if value is not None}
    return {"FullName": name, "Namespace": None, "Type": "T", "Method": "M", "Parameters": "", "Statistics": said}


def dotnet_file(*benchmarks: Any, **top: Any) -> str:
    host = {"BenchmarkDotNetVersion": "0.14.0"}
    return json.dumps(
        {"Title": "T", "HostEnvironmentInfo": host, "Benchmarks": benchmarks or [dotnet_benchmark()], **top}
    )


class TestReading:
    """Samples are the original values; metrics of diagnosers have the direction of the file."""

    @pytest.mark.parametrize("fields", [{"OriginalValues": None}, {"OriginalValues": []}, {"N": 9}])
    def test_statistics_without_all_samples(self, tmp_path: Path, fields: dict[str, Any]) -> None:
        _, [result] = read(tmp_path / "f", dotnet_file(dotnet_benchmark(**fields)))
        assert (list(result.values), result.n) == ([], fields.get("N", 3))
        assert figures(result, "min", "q1", "median", "q3", "max", "mean", "standard_deviation") == [
            1,
            1.5,
            2,
            2.5,
            3,
            2,
            1,
        ]

    @pytest.mark.parametrize(
        ("shown", "job"),
        [
            ("Job-ABCDEF(Runtime=.NET 8.0)", "Runtime=.NET 8.0"),
            ("Job-XYZXYZ(Runtime=.NET 8.0) [N=1]", "Runtime=.NET 8.0"),
            ("ShortRun(Runtime=.NET 8.0)", "ShortRun(Runtime=.NET 8.0)"),
            ("Job-mine(X=1)", "Job-mine(X=1)"),
            ("DefaultJob", "DefaultJob"),
        ],
    )
    def test_the_name_made_up_for_a_job_is_no_part_of_it(self, tmp_path: Path, shown: str, job: str) -> None:
        records = [{**dotnet_benchmark(), "DisplayInfo": f"T.M: {text}"} for text in (shown, "Dry")]
        _, results = read(tmp_path / "f", dotnet_file(*records))
        assert [r.tags["job"] for r in results] == [job, "Dry"]

    def test_no_namespace(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", dotnet_file(dotnet_benchmark(None)))
        assert result.benchmark_name == "T.M"

    def test_metrics(self, tmp_path: Path) -> None:
        about = {"Id": "Hits", "Unit": "hits", "TheGreaterTheBetter": True}
        record = dotnet_benchmark() | {
            "Memory": {"BytesAllocatedPerOperation": None},
            "Metrics": [{"Value": 5, "Descriptor": about}, {"Value": "x", "Descriptor": about}, 5],
        }
        run, [_, hits] = read(tmp_path / "f", dotnet_file(record))
        assert (hits.metric, hits.units, str(hits.direction), list(hits.values)) == ("Hits", "hits", "higher", [5])
        assert run.skipped == {"not-a-number": 1}

    @pytest.mark.parametrize("measured", [[], [{"IterationMode": "Result", "Operations": 8}] * 2, 5, [5]])
    def test_operations_of_some_samples_are_left_out(self, tmp_path: Path, measured: Any) -> None:
        _, [result] = read(tmp_path / "f", dotnet_file(dotnet_benchmark() | {"Measurements": measured}))
        assert (result.iterations, result.n) == ((), 3)

    def test_operations_of_old_versions(self, tmp_path: Path) -> None:
        measured = [{"IterationMode": mode, "Operations": 8} for mode in ("MainTarget", "Result", "Result", "Result")]
        _, [result] = read(tmp_path / "f", dotnet_file(dotnet_benchmark() | {"Measurements": measured}))
        assert result.iterations == (8, 8, 8)

    def test_metadata_and_context(self, tmp_path: Path) -> None:
        record = dotnet_benchmark() | {"Measurements": [], "New": [1]}
        run, [result] = read(tmp_path / "f", dotnet_file(record, More=1))
        del record["Statistics"]["OriginalValues"], record["Measurements"]
        assert json.loads(result.metadata) == record
        assert json.loads(run.context) == {
            "Title": "T", "HostEnvironmentInfo": {"BenchmarkDotNetVersion": "0.14.0"}, "More": 1,
        }  # fmt: skip


class TestSkips:
    """An invalid benchmark is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ({"Statistics": None}, "no-name"),
            (dotnet_benchmark("bad", OriginalValues=[1.0, float("nan"), 2.0]), "not-finite"),
            (dotnet_benchmark("bad", OriginalValues=[1.0, "x", 2.0]), "not-a-number"),
            (dotnet_benchmark("bad", OriginalValues=[1.0, -1.0, 2.0]), "negative-time"),
            (dotnet_benchmark("bad", N=9, Mean=float("inf")), "not-finite"),
            (dotnet_benchmark("bad", N=9, Mean=None, Median=None), "no-statistics"),
            (dotnet_benchmark("bad") | {"Statistics": 5}, "wrong-type"),
            (5, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", dotnet_file(dotnet_benchmark("before"), bad, dotnet_benchmark("after")))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    def test_no_benchmark(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text('{"Benchmarks": []}')
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            parse(tmp_path / "f", "benchmarkdotnet", provenance=FIXED)
