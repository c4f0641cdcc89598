from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance
from bench_db.units import Direction
from tests.ingest.support import figures, read

if TYPE_CHECKING:
    from pathlib import Path


def google_row(name: str = "b", **fields: Any) -> dict[str, Any]:
    """Return a repetition; None omits a field."""
    usual = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "repetition_index": 0,
             "threads": 1, "iterations": 10, "real_time": 2.0, "cpu_time": 1.0, "time_unit": "us"}  # fmt: skip
    return {name: value for name, value in {**usual, **fields}.items() if value is not None}


def google_aggregates(name: str = "b", repetitions: int = 3, **fields: Any) -> list[dict[str, Any]]:
    """Return the four usual aggregates, with a different time for each."""
    usual = {"run_type": "aggregate", "repetitions": repetitions, "repetition_index": None, "iterations": repetitions}
    return [
        google_row(
            f"{name}_{statistic}",
            run_name=name,
            aggregate_name=statistic,
            aggregate_unit="percentage" if statistic == "cv" else "time",
            real_time=float(place),
            cpu_time=place / 2,
            **usual,
            **fields,
        )
        for place, statistic in enumerate(("mean", "median", "stddev", "cv"), 1)
    ]


def google_file(*rows: Any, **context: Any) -> str:
    return json.dumps({"context": {"num_cpus": 4, **context}, "benchmarks": rows or [google_row()]})


def old(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as before 1.5, where the end of a name marks an aggregate."""
    return [
        {k: v for k, v in row.items() if k in {"name", "iterations", "real_time", "cpu_time", "time_unit"}}
        for row in rows
    ]


class TestRepetitions:
    """All repetitions are samples; if some are missing, the aggregates of the tool are stored, never a mixture."""

    def test_all_are_samples(self, tmp_path: Path) -> None:
        runs = [google_row(repetitions=3, repetition_index=i, real_time=i + 1, iterations=10 * i + 1) for i in range(3)]
        run, [time, cpu] = read(tmp_path / "f", google_file(*runs, *google_aggregates()))
        assert (time.benchmark_name, time.metric, list(time.values)) == ("b", "time", [1e3, 2e3, 3e3])
        assert (cpu.metric, list(cpu.values), cpu.n) == ("cpu-time", [1e3] * 3, 3)
        assert time.iterations == cpu.iterations == (1, 11, 21)
        assert run.notes == ()

    def test_in_any_order(self, tmp_path: Path) -> None:
        rows = [google_row(n, repetitions=2, real_time=t) for n, t in (("a", 1), ("b", 2), ("a", 3), ("b", 4))]
        _, results = read(tmp_path / "f", google_file(*rows))
        assert {r.benchmark_name: list(r.values) for r in results if r.metric == "time"} == {
            "a": [1e3, 3e3],
            "b": [2e3, 4e3],
        }

    @pytest.mark.parametrize("runs", [[], [google_row(repetitions=3, real_time=9.0)]])
    def test_aggregates_stand_where_not_all_are_there(self, tmp_path: Path, runs: list[Any]) -> None:
        _, [time, cpu] = read(tmp_path / "f", google_file(*runs, *google_aggregates()))
        assert figures(time, "mean", "median", "standard_deviation", "min", "q1") == [1e3, 2e3, 3e3, None, None]
        assert figures(cpu, "mean", "median", "standard_deviation") == [500.0, 1e3, 1.5e3]
        assert (time.n, list(time.values), time.iterations) == (3, [], ())
        assert [row["aggregate_name"] for row in json.loads(time.metadata)["rows"] if "aggregate_name" in row] == [
            "mean", "median", "stddev", "cv",
        ]  # fmt: skip

    def test_some_without_aggregates_are_noted(self, tmp_path: Path) -> None:
        rows = [google_row(repetitions=3), google_row(repetitions=3, repetition_index=1)]
        run, [time, _] = read(tmp_path / "f", google_file(*rows))
        assert (time.n, run.notes) == (2, ("b: only 2 of 3 repetitions are in the file, and no aggregates",))

    def test_before_1_5_the_name_tells(self, tmp_path: Path) -> None:
        rows = [
            google_row("a"),
            google_row("a"),
            *google_aggregates("a", 2),
            *google_aggregates("only"),
            google_row("slow_mean"),
        ]
        run, results = read(tmp_path / "f", google_file(*old(rows)))
        assert {(r.benchmark_name, r.n, len(r.values)) for r in results} == {
            ("a", 2, 2),
            ("only", 1, 0),
            ("slow_mean", 1, 1),
        }
        assert run.skipped == {}

    def test_one_name_of_two_families_is_two_benchmarks(self, tmp_path: Path) -> None:
        rows = [google_row(family_index=family, real_time=family + 1) for family in range(2)]
        run, results = read(tmp_path / "f", google_file(*rows))
        times = [r for r in results if r.metric == "time"]
        assert [(list(r.values), dict(r.tags)) for r in times] == [([1e3], {}), ([2e3], {"ordinal": "2"})]
        assert "b: occurs again in the file" in run.notes[0]

    def test_own_statistics_are_kept(self, tmp_path: Path) -> None:
        own = google_row("b_p99", run_name="b", run_type="aggregate", aggregate_name="p99", real_time=7.0)
        _, [time, _] = read(tmp_path / "f", google_file(google_row(), *google_aggregates(repetitions=1), own))
        assert [row["aggregate_name"] for row in json.loads(time.metadata)["rows"]] == ["p99"]

    def test_fits_of_complexity_are_no_benchmarks(self, tmp_path: Path) -> None:
        fit = {"name": "b_BigO", "run_name": "b", "run_type": "aggregate", "aggregate_name": "BigO", "big_o": "N",
               "cpu_coefficient": 1.5, "real_coefficient": 1.0, "time_unit": "ns"}  # fmt: skip
        rms = {"name": "b_RMS", "run_name": "b", "run_type": "aggregate", "aggregate_name": "RMS", "rms": 0.1}
        for rows in (
            [fit, rms],
            [{k: v for k, v in row.items() if k not in ("run_name", "run_type")} for row in (fit, rms)],
        ):
            run, results = read(tmp_path / "f", google_file(google_row(), *rows))
            assert ({r.benchmark_name for r in results}, run.skipped) == ({"b"}, {})
            assert [row.get("cpu_coefficient") for row in json.loads(run.context)["complexity"]] == [1.5, None]


class TestMetrics:
    """Each figure is one result with unit and direction."""

    @pytest.mark.parametrize(("unit", "factor"), [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)])
    def test_time_units(self, tmp_path: Path, unit: str, factor: float) -> None:
        _, [time, cpu] = read(tmp_path / "f", google_file(google_row(time_unit=unit)))
        assert (list(time.values), list(cpu.values)) == ([2 * factor], [factor])

    @pytest.mark.parametrize(
        ("field", "metric", "units", "direction"),
        [
            ("bytes_per_second", "throughput", "bytes_per_second", Direction.HIGHER),
            ("items_per_second", "throughput", "per_second", Direction.HIGHER),
            ("allocs_per_iter", "allocations", "count", Direction.LOWER),
            ("max_bytes_used", "peak-memory", "bytes", Direction.LOWER),
            ("total_allocated_bytes", "total-allocated-bytes", "bytes", Direction.LOWER),
            ("net_heap_growth", "net-heap-growth", "bytes", Direction.LOWER),
            ("cache misses", "cache misses", "count", Direction.INFO),
        ],
    )
    def test_others(self, tmp_path: Path, field: str, metric: str, units: str, direction: Direction) -> None:
        _, results = read(tmp_path / "f", google_file({**google_row(), field: -5.5}))
        [result] = [r for r in results if r.metric not in ("time", "cpu-time")]
        assert (result.metric, result.units, result.direction, list(result.values)) == (
            metric,
            units,
            direction,
            [-5.5],
        )
        assert result.iterations == ()

    def test_counters_have_statistics_too(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", google_file(*google_aggregates(hits=4)))
        [hits] = [r for r in results if r.metric == "hits"]
        assert (figures(hits, "mean", "median", "min"), hits.n) == ([4.0, 4.0, None], 3)

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (float("nan"), "not-finite"),
            (float("inf"), "not-finite"),
            (float("-inf"), "not-finite"),
            (10**400, "out-of-range"),
            ("nan", "not-a-number"),
            ("-inf", "not-a-number"),
            ("2%", "not-a-number"),
        ],
    )
    def test_a_bad_counter_costs_only_itself(self, tmp_path: Path, bad: float | str, reason: str) -> None:
        run, results = read(tmp_path / "f", google_file(google_row(rate=bad, good=1)))
        assert [r.metric for r in results] == ["time", "cpu-time", "good"]
        assert run.skipped == {reason: 1}
        assert run.notes[-1].startswith(f"b (rate): skipped, {reason}: ")

    def test_label_and_unknown_fields_are_metadata(self, tmp_path: Path) -> None:
        row = google_row(label="NaN", new={"deep": 1}, flag=True)
        _, results = read(tmp_path / "f", google_file(row))
        assert [r.metric for r in results] == ["time", "cpu-time"]
        kept = {
            k: v
            for k, v in row.items()
            if k not in {"run_type", "repetition_index", "iterations", "real_time", "cpu_time"}
        }
        assert [json.loads(r.metadata) for r in results] == [kept, {}]


class TestFailures:
    """A failed or skipped benchmark becomes a row with an error; an invalid row is skipped."""

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"error_occurred": True, "error_message": "no file"}, "no file"),
            ({"error_occurred": True}, "error occurred"),
            ({"skipped": True, "skip_message": "not here"}, "not here"),
        ],
    )
    def test_errors(self, tmp_path: Path, fields: dict[str, Any], error: str) -> None:
        rows = [google_row("bad", repetitions=2), google_row("bad", repetitions=2, **fields), google_row("good")]
        run, results = read(tmp_path / "f", google_file(*rows))
        assert [(r.benchmark_name, r.error, r.n) for r in results] == [
            ("bad", error, 0),
            ("good", None, 1),
            ("good", None, 1),
        ]
        assert (run.skipped, len(json.loads(results[0].metadata)["rows"])) == ({}, 2)

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (google_row("bad", real_time=-1.0), "negative-time"),
            (google_row("bad", real_time="fast"), "not-a-number"),
            (google_row("bad", cpu_time=True), "not-a-number"),
            (google_row("bad", real_time=float("inf")), "not-finite"),
            (google_row("bad", real_time=1e306, time_unit="s"), "out-of-range"),
            (google_row("bad", real_time=10**400), "out-of-range"),
            (google_row("bad", time_unit="fortnight"), "unknown-unit"),
            (google_row("bad", time_unit="bytes"), "unknown-unit"),
            (google_row("bad", time_unit=5), "unknown-unit"),
            (google_row("bad", real_time=None, cpu_time=None), "no-statistics"),
            ({"name": 5}, "no-name"),
            ({}, "no-name"),
            (17, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", google_file(google_row("before"), bad, google_row("after")))
        assert {r.benchmark_name for r in results} == {"before", "after"}
        assert run.skipped == {reason: 1}

    def test_cut_off(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="the text ends too early"):
            read(tmp_path / "f", google_file()[:-3])


class TestOrigin:
    """Time and machine come from the context, and the commit if present."""

    def test_all_of_it(self, tmp_path: Path) -> None:
        context = {"date": "2019-11-29T21:26:59+01:00", "host_name": "desk", "commit": "a" * 40, "branch": "main"}
        run, _ = read(tmp_path / "f", google_file(**context), Provenance(ingested_at=1))
        assert (run.run_time, run.commit, run.branch) == (1575059219, "a" * 40, "main")
        assert (run.test_bed.name, run.test_bed.cpu) == ("desk", "")
        assert json.loads(run.context) == {"context": {"num_cpus": 4, **context}}

    def test_the_machine_of_another_job_is_unknown(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", google_file(host_name="fv-az123-456"), Provenance(ingested_at=1))
        assert (run.test_bed.name, run.test_bed.cpu) == ("unknown", "")
        assert any("measured on fv-az123-456, not on this machine" in note for note in run.notes)

    @pytest.mark.parametrize("host", [None, "", 5])
    def test_without_a_name_it_is_this_machine(self, tmp_path: Path, host: Any) -> None:
        run, _ = read(tmp_path / "f", google_file(host_name=host), Provenance(ingested_at=1))
        assert run.test_bed.os != ""
