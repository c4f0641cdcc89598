from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, parse
from bench_db.model import TestBed
from tests.ingest.support import FIXED, read

if TYPE_CHECKING:
    from pathlib import Path


def pyperf_run(*values: Any, **metadata: Any) -> dict[str, Any]:
    """Return a run with a warm-up and the given values."""
    kept = {"values": values} if values else {}
    return {"metadata": metadata, "warmups": [[8, 9.0]], **kept}


def pyperf_benchmark(*runs: Any, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "b", "unit": "second", **metadata}, "runs": runs or [pyperf_run(1.0, 3.0)]}


def pyperf_suite(*benchmarks: Any, version: Any = "1.0", **metadata: Any) -> str:
    return json.dumps({"version": version, "benchmarks": benchmarks or [pyperf_benchmark()], "metadata": metadata})


class TestReading:
    """Values of all runs, in the order of the runs, without warm-ups and calibrations."""

    def test_runs_without_values_give_none(self, tmp_path: Path) -> None:
        calibration, warm = pyperf_run(calibrate_loops=8), pyperf_run(loops=8)
        benchmark = pyperf_benchmark(calibration, pyperf_run(1.0, 3.0), warm, pyperf_run(2.0))
        run, [result] = read(tmp_path / "f", pyperf_suite(benchmark))
        assert result.values == [1e9, 3e9, 2e9]
        assert (run.skipped, run.notes) == ({}, ())

    def test_only_calibration_is_skipped(self, tmp_path: Path) -> None:
        other = pyperf_benchmark(name="other")
        run, results = read(tmp_path / "f", pyperf_suite(pyperf_benchmark(pyperf_run(calibrate_loops=1)), other))
        assert ([r.benchmark_name for r in results], run.skipped) == (["other"], {"no-statistics": 1})
        assert "only calibration and warm-up at $.benchmarks[0].runs" in run.notes[0]

    @pytest.mark.parametrize("level", ["file", "benchmark", "run"])
    def test_facts_are_inherited(self, tmp_path: Path, level: str) -> None:
        facts = {"name": "n", "unit": "byte", "loops": 4}
        own, shared, common = (facts if level == at else {} for at in ("run", "benchmark", "file"))
        benchmark = {"metadata": shared, "runs": [pyperf_run(5, **own)]}
        _, [result] = read(tmp_path / "f", pyperf_suite(benchmark, **common))
        assert (result.benchmark_name, result.metric, result.units) == ("n", "memory", "bytes")

    def test_the_nearest_fact_holds(self, tmp_path: Path) -> None:
        benchmark = pyperf_benchmark(pyperf_run(1.0, loops=3), pyperf_run(1.0), name="mine", loops=5, inner_loops=2)
        _, [result] = read(tmp_path / "f", pyperf_suite(benchmark, name="suite's", loops=7))
        assert (result.benchmark_name, result.iterations) == ("mine", (6, 10))

    @pytest.mark.parametrize(
        ("unit", "metric", "units", "value"),
        [("second", "time", "nanoseconds", 2e9), ("byte", "memory", "bytes", 2), ("integer", "count", "count", 2)],
    )
    def test_units(self, tmp_path: Path, unit: str, metric: str, units: str, value: float) -> None:
        _, [result] = read(tmp_path / "f", pyperf_suite(pyperf_benchmark(pyperf_run(2, loops=9), unit=unit)))
        assert (result.metric, result.units, list(result.values)) == (metric, units, [value])
        assert result.iterations == ((9,) if unit == "second" else ())

    def test_without_a_unit_it_is_seconds(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", pyperf_suite({"metadata": {"name": "b"}, "runs": [pyperf_run(1.5)]}))
        assert (result.units, list(result.values)) == ("nanoseconds", [1.5e9])

    @pytest.mark.parametrize("odd", [0, -1, 1.5, True, "8", None, 2**62])
    def test_odd_loops_cost_no_benchmark(self, tmp_path: Path, odd: Any) -> None:
        run = pyperf_run(1.0, loops=odd, inner_loops=2)
        _, [result] = read(tmp_path / "f", pyperf_suite(pyperf_benchmark(run)))
        assert (result.iterations, result.n) == ((), 1)

    def test_metadata_is_the_record_with_counts_for_values(self, tmp_path: Path) -> None:
        record = {**pyperf_benchmark(pyperf_run(1.0, 2.0, uptime=1.5), pyperf_run(calibrate_loops=2)), "new": [1]}
        _, [result] = read(tmp_path / "f", pyperf_suite(record))
        kept = json.loads(json.dumps(record))
        kept["runs"][0]["values"] = 2
        assert json.loads(result.metadata) == kept

    @pytest.mark.parametrize("version", [5, 6])
    def test_older_formats(self, tmp_path: Path, version: int) -> None:
        names = ("common_metadata", "samples") if version == 5 else ("metadata", "values")
        benchmark = {names[0]: {"name": "old", "loops": 2}, "runs": [{names[1]: [1.0]}]}
        document = {"benchmarks": [benchmark], "version": version}
        _, [result] = read(tmp_path / "f", json.dumps(document))
        assert (result.benchmark_name, result.iterations, list(result.values)) == ("old", (2,), [1e9])


class TestSkips:
    """An invalid benchmark is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (pyperf_benchmark(name=""), "no-name"),
            (pyperf_benchmark(name=5), "no-name"),
            (pyperf_benchmark(unit="furlong"), "unknown-unit"),
            (pyperf_benchmark(unit=[]), "unknown-unit"),
            (pyperf_benchmark(unit=None), "unknown-unit"),
            (pyperf_benchmark(pyperf_run(1.0, -2.0)), "negative-time"),
            (pyperf_benchmark(pyperf_run(1.0, "2")), "not-a-number"),
            (pyperf_benchmark(pyperf_run(1.0, float("nan"))), "not-a-number"),
            (pyperf_benchmark(pyperf_run(10**400)), "out-of-range"),
            (pyperf_benchmark(pyperf_run(1e300)), "out-of-range"),
            ({"metadata": {"name": "bad"}, "runs": 5}, "wrong-type"),
            ({"metadata": {"name": "bad"}, "runs": [5]}, "wrong-type"),
            ({"metadata": {"name": "bad"}, "runs": []}, "no-statistics"),
            ({"metadata": {"name": "bad"}}, "no-statistics"),
            (None, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        before, after = pyperf_benchmark(name="before"), pyperf_benchmark(name="after")
        run, results = read(tmp_path / "f", pyperf_suite(before, bad, after))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    def test_the_place_is_named(self, tmp_path: Path) -> None:
        bad = pyperf_benchmark(pyperf_run(1.0), pyperf_run(1.0, "x"))
        run, _ = read(tmp_path / "f", pyperf_suite(pyperf_benchmark(name="good"), bad))
        assert "at $.benchmarks[1].runs[1].values[1]" in run.notes[0]


class TestOrigin:
    """Machine and time come from the file; pyperformance adds the commit."""

    def test_all_of_it(self, tmp_path: Path) -> None:
        facts = {
            "hostname": "desk",
            "platform": "Linux-4.14.8-300.fc27.x86_64-x86_64-with-fedora-27",
            "cpu_model_name": "A CPU",
            "commit_id": "a" * 40,
            "commit_branch": "main",
            "commit_date": "2020-01-01T00:00:00+01:00",
        }
        runs = [pyperf_run(1.0, date=f"2020-01-0{day} 00:00:00.9") for day in (3, 2)]
        run, _ = read(tmp_path / "f", pyperf_suite(pyperf_benchmark(*runs), **facts), Provenance(ingested_at=1))
        assert run.test_bed == TestBed(name="desk", cpu="A CPU", os="Linux 4.14.8-300.fc27.x86_64")
        assert (run.commit, run.branch, run.dut.timestamp, run.run_time) == ("a" * 40, "main", 1577833200, 1577923200)
        assert json.loads(run.context) == {"version": "1.0", "metadata": facts}

    @pytest.mark.parametrize(
        ("platform", "name", "system"),
        [
            ("Linux-6.18.44-fc-v657-x86_64-with-glibc2.36", "Linux-x86_64", "Linux 6.18.44-fc-v657"),
            ("Linux-6.1.0-aarch64", "Linux-aarch64", "Linux 6.1.0"),
            ("macOS-14.5-arm64-arm-64bit", "macOS", "macOS 14.5-arm64-arm-64bit"),
            ("Windows-10-10.0.19041-SP0", "Windows", "Windows 10-10.0.19041-SP0"),
        ],
    )
    def test_platforms(self, tmp_path: Path, platform: str, name: str, system: str) -> None:
        file = pyperf_suite(platform=platform, hostname="fv-az12-3")
        run, _ = read(tmp_path / "f", file, Provenance(ingested_at=1))
        assert (run.test_bed.name, run.test_bed.os) == (name, system)

    @pytest.mark.parametrize("odd", [None, 5, [1], {"a": 1}, "when?"])
    def test_odd_origin_costs_no_benchmark(self, tmp_path: Path, odd: Any) -> None:
        facts = dict.fromkeys(("hostname", "platform", "date", "commit_id", "commit_date", "cpu_model_name"), odd)
        run, results = read(tmp_path / "f", pyperf_suite(**facts))
        assert (len(results), run.commit, run.run_time) == (1, None, None)


class TestRefusals:
    """A file of another version or format is refused with its position."""

    @pytest.mark.parametrize("version", ["2.0", 4, None, "x" * 1000])
    def test_unknown_version(self, tmp_path: Path, version: Any) -> None:
        with pytest.raises(UnreadableOutputError, match="is of pyperf's file format") as caught:
            read(tmp_path / "f", pyperf_suite(version=version))
        assert caught.value.json_path == "$.version"
        assert len(str(caught.value)) < 300

    def test_cut_off(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="the text ends too early"):
            read(tmp_path / "f", pyperf_suite()[:-9])

    def test_no_benchmark(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text('{"version": "1.0", "benchmarks": []}')
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            parse(tmp_path / "f", "pyperf", provenance=FIXED)
