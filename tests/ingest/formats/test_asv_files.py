"""asv's results files as wholes: the first version, what lies beside them, what is skipped and refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, find, parse
from tests.ingest.formats.test_asv import INFINITY, NAN, asv_file, beside, row
from tests.ingest.support import FIXED, figures, read

if TYPE_CHECKING:
    from pathlib import Path


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
    """Commit, its time, the machine and the environment are in the file, or beside it."""

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
    """A bad benchmark is skipped, of a bad choice of parameters only that; the others stay."""

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
    """A file that is malformed, empty or of another version is reported, never passed over in silence or half read."""

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (asv_file()[:-20], "the text ends too early"),
            ("{\n    This file contains malformed JSON", "is not valid JSON"),
            (asv_file({}), "holds no benchmark"),
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
        assert find(tmp_path) == [file]
