from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, parse
from bench_db.ingest.normalise import UNKNOWN
from bench_db.model import TestBed
from tests.ingest.support import BED, DATA, assert_close, pytest_benchmark, pytest_file, read

if TYPE_CHECKING:
    from pathlib import Path

GOLDEN = sorted((DATA / "pytest-benchmark").glob("*/*.golden.json"))


class TestRecordedFiles:
    """Every released file format gives the results of an independent reader."""

    @pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: "/".join(path.parts[-2:]))
    def test_statistics_match(self, golden: Path) -> None:
        expected = json.loads(golden.read_text())
        run, results = parse(golden.with_name(expected["file"]), provenance=Provenance(test_bed=BED, ingested_at=1))
        assert run.format == "pytest-benchmark"
        assert not run.skipped
        assert [r.benchmark_name for r in results] == [b["name"] for b in expected["benchmarks"]]
        for result, benchmark in zip(results, expected["benchmarks"], strict=True):
            assert result.n == benchmark["n"]
            assert_close(result.summary, benchmark)

    def test_there_are_recordings(self) -> None:
        assert len(GOLDEN) >= 20

    def test_changed_tree_is_noted(self) -> None:
        run, _ = parse(DATA / "pytest-benchmark" / "5.3.1" / "uncommitted_change.json")
        assert "the checkout had uncommitted changes when this was measured" in run.notes

    def test_outside_git_has_no_commit(self) -> None:
        run, _ = read(DATA / "pytest-benchmark" / "5.3.1" / "outside_git.json", provenance=Provenance(dut_name="lib"))
        assert (run.commit, run.branch, run.dut.version) == (None, None, UNKNOWN)


class TestSamples:
    """With all samples bench_db computes the statistics; otherwise those of the tool are stored, never a mixture."""

    def test_complete_data_is_kept_in_nanoseconds(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", pytest_file(pytest_benchmark(data=[3.0, 1.0, 2.0], min=99.0)))
        assert result.values == [3e9, 1e9, 2e9]
        assert result.summary is not None
        assert (result.summary.min, result.n) == (1e9, 3)

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (None, ""),
            ([], ""),
            ([1.0, 2.0], "2 of 3 rounds"),
            ([1.0, 2.0, 3.0, 4.0], "4 of 3 rounds"),
            ([1.0, 2.0, "... omitted"], "'... omitted' at $.benchmarks[0].stats.data[2]"),
            ([1.0, True, 2.0], "True at $.benchmarks[0].stats.data[1]"),
            ([1.0, [2.0], 2.0], "[2.0] at $.benchmarks[0].stats.data[1]"),
            ([1.0, None, 2.0], "None at $.benchmarks[0].stats.data[1]"),
            ([1.0, float("nan"), 2.0], "NaN at $.benchmarks[0].stats.data[1]"),
            ([1.0, float("-inf"), 2.0], "-Infinity at $.benchmarks[0].stats.data[1]"),
            ({"a": 1}, "not a list at $.benchmarks[0].stats.data"),
            ("1.0", "not a list at $.benchmarks[0].stats.data"),
        ],
    )
    def test_statistics_of_the_tool_are_kept_and_the_reason_noted(self, tmp_path: Path, data: Any, why: str) -> None:
        run, [result] = read(tmp_path / "f", pytest_file(pytest_benchmark(data=data)))
        assert list(result.values) == []
        assert_close(
            result.summary,
            {"min": 1e9, "q1": 1.5e9, "median": 2e9, "q3": 2.5e9, "max": 3e9, "mean": 2e9, "standard_deviation": 1e9},
        )
        assert result.n == 3
        assert [why in note for note in run.notes] == ([True] if why else [])

    def test_metadata_is_the_record_without_its_samples_and_what_follows_from_them(self, tmp_path: Path) -> None:
        record = {**pytest_benchmark(), "extra_info": {"deep": [1, {"a": None}]}, "unheard_of": "kept"}
        _, [result] = read(tmp_path / "f", pytest_file(record))
        kept = {"iterations": record["stats"]["iterations"]} if "iterations" in record["stats"] else {}
        assert json.loads(result.metadata) == {**json.loads(json.dumps(record)), "stats": kept}

    def test_context_is_everything_else(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", pytest_file(pytest_benchmark(), version="5", plugin={"of": "mine"}))
        assert json.loads(run.context) == {
            "machine_info": {"node": "ci"},
            "commit_info": {},
            "version": "5",
            "plugin": {"of": "mine"},
        }


class TestSkips:
    """An invalid benchmark is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (pytest_benchmark("bad", data=[1.0, -2.0, 3.0]), "negative-time"),
            (pytest_benchmark("bad", data=None, min=-1.0), "negative-time"),
            (pytest_benchmark("bad", data=None, median="fast"), "not-a-number"),
            (pytest_benchmark("bad", data=None, median=True), "not-a-number"),
            (pytest_benchmark("bad", data=None, max=float("inf")), "not-finite"),
            (pytest_benchmark("bad", data=None, max=10**400), "out-of-range"),
            (pytest_benchmark("bad", data=None, max=1e300), "out-of-range"),
            (pytest_benchmark("bad", data=None, rounds=0), "out-of-range"),
            (pytest_benchmark("bad", data=None, rounds=10**30), "out-of-range"),
            (pytest_benchmark("bad", data=None, q1=None), "no-statistics"),
            ({"fullname": "bad", "stats": {}}, "no-statistics"),
            ({"fullname": "bad", "stats": [1]}, "wrong-type"),
            ({"fullname": "", "name": 5, "stats": {}}, "no-name"),
            (17, "wrong-type"),
            ([], "wrong-type"),
            (None, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        file = pytest_file(pytest_benchmark("before"), bad, pytest_benchmark("after"))
        run, results = read(tmp_path / "f", file)
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}
        [note] = run.notes
        named = isinstance(bad, dict) and bad["fullname"]
        assert note.startswith(f"{named or '$.benchmarks[1]'}: skipped, {reason}: ")

    def test_number_beyond_float_names_its_place(self, tmp_path: Path) -> None:
        file = pytest_file(pytest_benchmark("bad", data=[1.0, 12345.5, 2.0])).replace("12345.5", "1e400")
        run, results = read(tmp_path / "f", file)
        assert (results, run.skipped) == ([], {"out-of-range": 1})

    @pytest.mark.parametrize("record", [{"fullname": "t"}, {"fullname": "t", "stats": None}])
    def test_failed_benchmark_is_a_row_with_an_error(self, tmp_path: Path, record: Any) -> None:
        run, [result] = read(tmp_path / "f", pytest_file(record))
        assert (result.error, result.summary, result.n, run.skipped) == ("no statistics in the file", None, 0, {})

    def test_error_of_the_tool_is_kept(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", pytest_file({**pytest_benchmark(), "error": "ZeroDivisionError"}))
        assert (result.error, list(result.values)) == ("ZeroDivisionError", [])


class TestOrigin:
    """Build, machine and time come from the file."""

    def test_all_of_it(self, tmp_path: Path) -> None:
        file = pytest_file(
            pytest_benchmark(),
            machine_info={
                "node": "desk",
                "system": "Linux",
                "release": "6.1.0",
                "machine": "x86_64",
                "processor": "",
                "cpu": {"brand": "old key", "brand_raw": "A CPU"},
            },
            commit_info={"id": "a" * 40, "time": "2020-01-01T00:00:00Z", "branch": "main", "dirty": False},
            datetime="2020-01-02T00:00:00.5",
        )
        run, [result] = read(tmp_path / "f", file, Provenance(ingested_at=1_700_000_000))
        assert run.test_bed == TestBed(name="desk", cpu="A CPU", os="Linux 6.1.0")
        assert (run.commit, run.branch, run.dut.version) == ("a" * 40, "main", "aaaaaaa")
        assert (run.dut.timestamp, run.run_time, result.timestamp) == (1577836800, 1577923200, 1_700_000_000)
        assert result.source == "pytest-benchmark/1"

    @pytest.mark.parametrize(
        "odd", [None, 5, "x", [1], {"id": 1, "time": "when?", "branch": 7, "node": 3, "cpu": "fast"}]
    )
    def test_odd_origin_costs_no_benchmark(self, tmp_path: Path, odd: Any) -> None:
        file = pytest_file(pytest_benchmark(), machine_info=odd, commit_info=odd, datetime=odd)
        run, results = read(tmp_path / "f", file)
        assert (len(results), run.commit, run.run_time) == (1, None, None)


class TestRefusals:
    """A file that does not match its format is refused with file, line and JSON path."""

    def test_truncated(self, tmp_path: Path) -> None:
        text = json.dumps(json.loads(pytest_file(pytest_benchmark())), indent=1)
        lines = text[: text.index('"median"')].count("\n") + 1
        with pytest.raises(UnreadableOutputError, match="the text ends too early") as caught:
            read(tmp_path / "f.json", text[: text.index('"median"')])
        assert (caught.value.line, caught.value.file) == (lines, str(tmp_path / "f.json"))

    def test_malformed(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="not valid JSON") as caught:
            read(tmp_path / "f", '{"machine_info": {},\n "benchmarks": [},]}')
        assert (caught.value.line, caught.value.column) == (2, 17)

    @pytest.mark.parametrize("value", ["{}", "null", '"x"', "5"])
    def test_benchmarks_is_no_list(self, tmp_path: Path, value: str) -> None:
        with pytest.raises(UnreadableOutputError, match="Expected `array`") as caught:
            parse_as(tmp_path / "f", '{"machine_info": {}, "benchmarks": ' + value + "}")
        assert caught.value.json_path == "$.benchmarks"

    @pytest.mark.parametrize("text", ["[]", "5", '"machine_info"', "null"])
    def test_top_is_no_object(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(UnreadableOutputError, match="Expected `object`") as caught:
            parse_as(tmp_path / "f", text)
        assert caught.value.json_path == "$"

    def test_no_benchmark(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            read(tmp_path / "f", pytest_file())

    def test_deep_nesting(self, tmp_path: Path) -> None:
        deep = '{"machine_info": ' + "[" * 200_000 + "]" * 200_000 + ', "benchmarks": []}'
        with pytest.raises(UnreadableOutputError, match="nested too deeply"):
            parse_as(tmp_path / "f", deep)


def parse_as(path: Path, text: str) -> None:
    path.write_text(text)
    parse(path, "pytest-benchmark")
