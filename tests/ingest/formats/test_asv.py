from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, find, parse
from tests.ingest.support import FIXED, figures, read

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(2)

COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
           "stats_q_75", "stats_number", "stats_repeat", "samples", "profile"]  # fmt: skip
NAN, INFINITY = float("nan"), float("inf")


def asv_file(results: Any = None, version: Any = 2, **top: Any) -> str:
    """Return a results file, by default of the second version."""
    usual = {"commit_hash": "a" * 40, "env_name": "py3.12", "date": 1_600_000_000_000, "params": {"machine": "m"}}
    columns = {"result_columns": COLUMNS} if version == 2 else {}
    rows = {"m.time_x": [[0.5], []] if version == 2 else 0.5} if results is None else results
    return json.dumps({**usual, **columns, "results": rows, **top, "version": version})


def row(result: Any, params: Any = (), samples: Any = None, **stats: Any) -> list[Any]:
    """Return a row of the second version."""
    named = {"result": result, "params": params, "samples": samples, **{f"stats_{n}": v for n, v in stats.items()}}
    return [named.get(column) for column in COLUMNS]


def beside(tmp_path: Path, results: Any, benchmarks: Any = None, **files: Any) -> Path:
    """Write a results file and the files beside it into the layout of asv."""
    machine = tmp_path / "results" / "m"
    machine.mkdir(parents=True)
    (machine / "f.json").write_text(asv_file(results))
    if benchmarks is not None:
        (machine.parent / "benchmarks.json").write_text(json.dumps({**benchmarks, "version": 2}))
    for name, content in files.items():
        (machine / f"{name}.json").write_text(content)
    return machine / "f.json"


class TestParameters:
    """A benchmark has one result per combination of parameters, which are tags."""

    def test_the_last_parameter_moves_first(self, tmp_path: Path) -> None:
        results = {"time_x": row([1, 2, 3, 4], [["1", "2"], ["'a'", "'b'"]])}
        _, found = read(tmp_path / "f", asv_file(results))
        assert [(dict(r.tags), r.values[0]) for r in found] == [
            ({"param1": "1", "param2": "'a'"}, 1e9),
            ({"param1": "1", "param2": "'b'"}, 2e9),
            ({"param1": "2", "param2": "'a'"}, 3e9),
            ({"param1": "2", "param2": "'b'"}, 4e9),
        ]

    @pytest.mark.parametrize(
        ("names", "tags"),
        [
            (["n"], {"n": "1"}),
            (["n", "k"], {"param1": "1"}),
            ([5], {"param1": "1"}),
            (None, {"param1": "1"}),
            ("n", {"param1": "1"}),
        ],
    )
    def test_names_are_beside(self, tmp_path: Path, names: Any, tags: dict[str, str]) -> None:
        file = beside(tmp_path, {"time_x": row([1.0], [["1"]])}, {"time_x": {"type": "time", "param_names": names}})
        _, [result] = read(file)
        assert dict(result.tags) == tags

    def test_a_name_that_stands_twice_tells_nothing_apart(self, tmp_path: Path) -> None:
        results = {"time_x": row([1.0], [["1"], ["2"]])}
        _, [result] = read(beside(tmp_path, results, {"time_x": {"type": "time", "param_names": ["n", "n"]}}))
        assert dict(result.tags) == {"param1": "1", "param2": "2"}

    def test_no_choice_is_no_result(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", asv_file({"time_x": row([], [[]])}))
        assert (results, run.skipped) == ([], {})

    def test_failures_and_skips(self, tmp_path: Path) -> None:
        results = {
            "time_x": row([1.0, None, NAN], [["1", "2", "3"]]),
            "time_y": row(None, [["1", "2"]]),
            "time_z": [None],
        }
        run, found = read(tmp_path / "f", asv_file(results))
        assert [(r.benchmark_name, r.error, r.n) for r in found] == [
            ("time_x", None, 1), ("time_x", "failed", 0), ("time_x", "skipped", 0),
            ("time_y", "failed", 0), ("time_y", "failed", 0), ("time_z", "failed", 0),
        ]  # fmt: skip
        assert [dict(r.tags) for r in found][3:] == [{"param1": "1"}, {"param1": "2"}, {}]
        assert run.skipped == {}


class TestKinds:
    """The metric comes from benchmarks.json, or else from the beginning of the name."""

    @pytest.mark.parametrize(
        ("name", "metric", "units", "value"),
        [
            ("m.Suite.time_x", "time", "nanoseconds", 2e9),
            ("m.timeraw_x", "time", "nanoseconds", 2e9),
            ("TimeSort", "time", "nanoseconds", 2e9),
            ("mem_x", "memory", "bytes", 2),
            ("peakmem_x", "peak_rss", "bytes", 2),
            ("m.PeakMemSort", "peak_rss", "bytes", 2),
            ("time_m.track_x", "track", "count", 2),
        ],
    )
    def test_by_name(self, tmp_path: Path, name: str, metric: str, units: str, value: float) -> None:
        _, [result] = read(tmp_path / "f", asv_file({name: row([2])}))
        assert (result.metric, result.units, list(result.values)) == (metric, units, [value])

    @pytest.mark.parametrize(
        ("kind", "unit", "reading"),
        [
            ("time", "seconds", ("time", "nanoseconds", 2e9)),
            ("peakmemory", "bytes", ("peak_rss", "bytes", 2)),
            ("track", "unit", ("track", "count", 2)),
            ("track", "ms", ("track", "nanoseconds", 2e6)),
            ("track", "objects", ("track", "objects", 2)),
            ("track", None, ("track", "count", 2)),
            ("unheard of", "bytes", ("memory", "bytes", 2)),
            (5, 5, ("memory", "bytes", 2)),
        ],
    )
    def test_by_what_lies_beside(self, tmp_path: Path, kind: Any, unit: Any, reading: tuple[str, str, float]) -> None:
        _, [result] = read(beside(tmp_path, {"mem_x": row([2])}, {"mem_x": {"type": kind, "unit": unit}}))
        assert (result.metric, result.units, result.values[0]) == reading

    def test_neither_tells(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", asv_file({"m.odd": row([1]), "time_x": row([1])}))
        assert ([r.benchmark_name for r in results], run.skipped) == (["time_x"], {"unknown-unit": 1})

    def test_a_tracked_number_may_be_negative(self, tmp_path: Path) -> None:
        run, [result] = read(tmp_path / "f", asv_file({"track_x": row([-2]), "time_x": row([-2])}))
        assert (list(result.values), run.skipped) == ([-2.0], {"negative-time": 1})

    @pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
    def test_what_is_broken_beside_is_noted(self, tmp_path: Path, text: str) -> None:
        file = beside(tmp_path, None)
        (file.parent.parent / "benchmarks.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        run, [result] = read(file)
        assert result.units == "nanoseconds"
        assert run.notes == ("benchmarks.json beside the file cannot be read, and what it says is not used",)

    def test_what_lies_beside_is_no_part_of_the_identity(self, tmp_path: Path) -> None:
        file = beside(tmp_path, None)
        alone = read(file)[0]
        (file.parent.parent / "benchmarks.json").write_text("{}")
        assert read(file)[0].run_key == alone.run_key


class TestStatistics:
    """Recorded samples, or else the statistics of asv, whose result is the median."""

    stats = {"ci_99_a": [1.0], "ci_99_b": [4.0], "q_25": [1.5], "q_75": [3.5], "number": [7], "repeat": [2]}  # noqa: RUF012

    def test_samples(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", asv_file({"time_x": row([2.0], samples=[[1.0, 3.0]], **self.stats)}))
        assert (list(result.values), result.iterations) == ([1e9, 3e9], (7, 7))
        assert (result.lower, result.upper) == (1e9, 4e9)

    @pytest.mark.parametrize("samples", [None, [None], [[]], [[1.0]], [[1.0, 2.0, 3.0]]])
    def test_without_all_samples_the_statistics_are_kept(self, tmp_path: Path, samples: Any) -> None:
        _, [result] = read(tmp_path / "f", asv_file({"time_x": row([2.0], samples=samples, **self.stats)}))
        assert figures(result, "median", "mean", "q1", "q3", "min") == [2e9, 2e9, 1.5e9, 3.5e9, None]
        assert (result.n, list(result.values), result.lower, result.upper) == (2, [], 1e9, 4e9)

    def test_an_end_that_is_not_known(self, tmp_path: Path) -> None:
        stats = {**self.stats, "ci_99_a": [-INFINITY], "ci_99_b": [INFINITY]}
        _, [result] = read(tmp_path / "f", asv_file({"time_x": row([2.0], **stats)}))
        assert (result.lower, result.upper) == (None, None)

    def test_facts_are_metadata(self, tmp_path: Path) -> None:
        results = {"time_x": [[2.0], [], "v1", 1_600_000_001_500, 0.25]}
        run, [result] = read(tmp_path / "f", asv_file(results, durations={"<build>": 1}))
        assert json.loads(result.metadata) == {"version": "v1", "started_at": 1_600_000_001_500, "duration": 0.25}
        assert run.run_time == 1_600_000_001
        assert json.loads(run.context)["durations"] == {"<build>": 1}
        assert "results" not in json.loads(run.context)


class TestFirstVersion:
    """In the first version a result is a number, or an object with lists."""

    def test_forms(self, tmp_path: Path) -> None:
        stats = {
            "ci_99": [1.0, 3.0],
            "q_25": 1.5,
            "q_75": 2.5,
            "min": 1.0,
            "max": 3.0,
            "mean": 2.1,
            "std": 0.5,
            "repeat": 4,
        }
        results = {
            "time_a": 1.5,
            "time_b": None,
            "time_c": NAN,
            "time_d": {"result": [1.0, None], "params": [["1", "2"]]},
            "time_e": {"result": [2.0], "stats": [stats]},
            "time_f": {"result": 2.0, "stats": stats, "samples": None},
        }
        run, found = read(tmp_path / "f", asv_file(results, 1, started_at={"time_a": 5000}, profiles={"time_a": "x"}))
        assert [(r.benchmark_name, r.error, r.n) for r in found] == [
            ("time_a", None, 1), ("time_b", "failed", 0), ("time_c", "skipped", 0), ("time_d", None, 1),
            ("time_d", "failed", 0), ("time_e", None, 4), ("time_f", None, 4),
        ]  # fmt: skip
        for result in found[-2:]:
            assert figures(result, "median", "mean", "min", "max", "q1", "q3", "standard_deviation") == [
                2e9, 2.1e9, 1e9, 3e9, 1.5e9, 2.5e9, 5e8,
            ]  # fmt: skip
            assert (result.lower, result.upper) == (1e9, 3e9)
        assert (run.run_time, json.loads(found[0].metadata)) == (5, {"started_at": 5000})
        assert "profiles" not in json.loads(run.context)

    def test_a_field_that_only_the_second_version_makes(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", asv_file({"time_a": {"result": [1.5], "facts": 5}}, 1))
        assert (list(result.values), json.loads(result.metadata)) == ([1.5e9], {})

    @pytest.mark.parametrize("first", ["results", "benchmark_version"])
    def test_a_long_file_shows_itself_by_its_ends(self, tmp_path: Path, first: str) -> None:
        names = [f"time_{i}" for i in range(9000)]
        measured = {name: {"result": [1.5]} for name in names}
        both = {"results": measured, "benchmark_version": dict.fromkeys(names, "f" * 64)}
        second = next(name for name in both if name != first)
        about = {"commit_hash": "a" * 40, "params": {}, "python": "3"}
        (tmp_path / "f").write_text(json.dumps({first: both[first], **about, second: both[second], "version": 1}))
        run, results = read(tmp_path / "f")
        assert (run.format, len(results)) == ("asv", 9000)


class TestOrigin:
    """Commit, time, machine and environment come from the file or the files beside it."""

    def test_all_of_it(self, tmp_path: Path) -> None:
        machine = {"machine": "desk", "cpu": "A CPU", "os": "Linux 6.1", "arch": "x86_64", "ram": "16624984064"}
        run, [result] = read(tmp_path / "f", asv_file(params=machine), Provenance(ingested_at=1))
        bed = run.test_bed
        assert (bed.name, bed.cpu, bed.os, bed.memory_gb) == ("desk", "A CPU", "Linux 6.1", 15)
        assert (run.commit, run.dut.timestamp, result.suite) == ("a" * 40, 1_600_000_000, "py3.12")

    def test_the_machine_beside(self, tmp_path: Path) -> None:
        file = beside(tmp_path, None, machine=json.dumps({"machine": "other", "cpu": "A CPU", "version": 1}))
        bed = read(file, provenance=Provenance(ingested_at=1))[0].test_bed
        assert (bed.name, bed.cpu) == ("m", "A CPU")

    @pytest.mark.parametrize(
        ("ram", "memory"),
        [
            (8804682956.8, 8), ("8.2G", 8), ("8GB", 8), ("16 GiB", 16), ("16317764", 15), (2**34, 16), ("4096 MB", 4),
            ("", 0), ("much", 0), (None, 0), (-1, 0), (True, 0), ("9" * 400, 0), ("1.2.3", 0), ([], 0),
        ],
    )  # fmt: skip
    def test_memory(self, tmp_path: Path, ram: Any, memory: int) -> None:
        file = asv_file(params={"machine": "m", "ram": ram})
        assert read(tmp_path / "f", file, Provenance(ingested_at=1))[0].test_bed.memory_gb == memory

    def test_environment_of_old_files(self, tmp_path: Path) -> None:
        top = {"env_name": None, "python": "2.7", "requirements": {"numpy": "1.8", "Cython": "", "six": None}}
        _, [result] = read(tmp_path / "f", asv_file(**top))
        assert result.suite == "py2.7-Cython-numpy1.8-six"

    @pytest.mark.parametrize("odd", [None, 5, "x", [1], {"a": 1}])
    def test_odd_origin_costs_no_benchmark(self, tmp_path: Path, odd: Any) -> None:
        top = dict.fromkeys(("commit_hash", "date", "params", "env_name", "requirements", "python"), odd)
        (tmp_path / "f").write_text(asv_file(**top))
        run, results = parse(tmp_path / "f", "asv", provenance=FIXED)
        assert (len(results), run.commit) == (1, None)


class TestSkips:
    """An invalid benchmark or combination of parameters is skipped; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (row([1.0, 2.0]), "length-mismatch"),
            (row([1.0], [["1", "2"]]), "length-mismatch"),
            (row([1.0], [["1"] * 2000] * 2), "out-of-range"),
            (row([1.0], [["1"], [2]]), "wrong-type"),
            (row([1.0], "1"), "wrong-type"),
            (row(["1"]), "not-a-number"),
            (row([True]), "not-a-number"),
            (row([INFINITY]), "not-finite"),
            (row([10**400]), "out-of-range"),
            (row([1.0], samples=[[1.0, "2"]]), "not-a-number"),
            (row([1.0], q_25=["x"]), "not-a-number"),
            (row([1.0], samples=[[1.0], [2.0]]), "length-mismatch"),
            ([[1.0], [], *[None] * 20], "wrong-type"),
            ({"result": [1.0]}, "wrong-type"),
            (5, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", asv_file({"time_a": row([1.0]), "time_bad": bad, "time_z": row([1.0])}))
        assert [r.benchmark_name for r in results] == ["time_a", "time_z"]
        assert run.skipped == {reason: 1}

    def test_one_choice(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", asv_file({"time_x": row([1.0, -1.0], [["1", "'a'"]])}))
        assert (len(results), run.skipped) == (1, {"negative-time": 1})
        assert run.notes[-1].startswith("time_x('a'): skipped, negative-time: ")


class TestRefusals:
    """A malformed or empty file, or one of another version, is refused with an error."""

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (asv_file()[:-20], "the text ends too early"),
            ("{\n    This file contains malformed JSON", "is not valid JSON"),
            (asv_file({}), "contains no benchmark"),
            (asv_file(version=3), "of version 1 or 2"),
            (asv_file(version=None), "of version 1 or 2"),
            (asv_file(version=1, result_columns=["result"]), "of version 1 or 2"),
            (asv_file([]), "Expected `object`"),
            (asv_file(result_columns=5), "Expected `array`"),
        ],
    )
    def test_is_refused(self, tmp_path: Path, text: str, reason: str) -> None:
        (tmp_path / "f").write_text(text)
        with pytest.raises(UnreadableOutputError, match=reason):
            parse(tmp_path / "f", "asv")

    def test_a_directory_of_asv(self, tmp_path: Path) -> None:
        file = beside(tmp_path, None, {"time_x": {"type": "time"}}, machine='{"machine": "m", "version": 1}')
        assert find(tmp_path).readable == {file: "asv"}
