from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, parse_each
from tests.ingest.support import BED, DATA

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Result, Run

SHA = "45d78258e495044a551046f50604da3c893052ce"
STATED = Provenance(test_bed=BED, ingested_at=1_700_000_000, dut_name="lib")


def history_entry(number: int = 0, *benches: Any, tool: str = "cargo", **fields: Any) -> dict[str, Any]:
    """Return an entry as the action writes it; its number is that of its commit and hour."""
    commit = {
        "author": {"email": "someone@example.org", "name": "Someone", "username": "someone"},
        "distinct": True,
        "id": f"{number:02x}{SHA[2:]}",
        "message": f"change {number}\n\nCo-authored-by: Someone <someone@example.org>",
        "timestamp": f"2019-11-10T{number:02}:06:58+09:00",
        "url": f"https://github.com/o/p/commit/{number}",
    }
    bench = {"name": "bench_fib_10", "value": 254, "range": "+/- 2,802", "unit": "ns/iter"}
    date = 1_573_312_140_323 + number * 3_600_000
    return {"commit": commit, "date": date, "tool": tool, "benches": list(benches) or [bench]} | fields


def data_js(*entries: Any, suite: str = "Rust Benchmark", **others: Any) -> str:
    """Return the file of the pages with the entries of one suite."""
    return f"window.BENCHMARK_DATA = {external(*entries, suite=suite, **others)}"


def external(*entries: Any, suite: str = "Rust Benchmark", **others: Any) -> str:
    """Return the file of `external-data-json-path`."""
    lists = {suite: list(entries), **others}
    return json.dumps({"lastUpdate": 1, "repoUrl": "https://github.com/o/p", "entries": lists}, indent=2)


def history(path: Path, text: str) -> list[tuple[Run, list[Result]]]:
    path.write_text(text, encoding="utf-8")
    return list(parse_each(path, provenance=STATED))


class TestReading:
    """Each entry is a run; the name of its list is the suite."""

    def test_golden(self) -> None:
        golden = json.loads((DATA / "github-action-benchmark-history" / "data.golden.json").read_text())
        runs = list(parse_each(DATA / "github-action-benchmark-history" / golden["file"], provenance=STATED))
        for (run, rows), expected in zip(runs, golden["runs"], strict=True):
            assert (run.commit, run.run_time, run.dut.timestamp) == (
                expected["commit"], expected["run_time"], expected["dut_timestamp"],
            )  # fmt: skip
            assert {row.suite for row in rows} == {expected["suite"]}
            assert [
                [r.benchmark_name, r.metric, r.units, str(r.direction), *r.values, r.lower, r.upper] for r in rows
            ] == expected["results"]

    @pytest.mark.parametrize("ending", ["", "\n", ";\n"])
    @pytest.mark.parametrize("written", [data_js, external])
    def test_runs(self, tmp_path: Path, written: Any, ending: str) -> None:
        entries = [history_entry(3), history_entry(1)]
        runs = history(tmp_path / "data.js", written(*entries, Go=[history_entry(2)]) + ending)
        assert [(run.commit, run.run_time, run.dut.timestamp) for run, _ in runs] == [
            (f"0{number}{SHA[2:]}", 1_573_312_140 + 3600 * number, 1_573_312_018 + 3600 * number)
            for number in (1, 2, 3)
        ]
        assert [[(r.suite, r.benchmark_name, list(r.values), r.lower, r.upper) for r in rows] for _, rows in runs] == [
            [(suite, "bench_fib_10", [254], -2548, 3056)] for suite in ("Rust Benchmark", "Go", "Rust Benchmark")
        ]
        assert {run.format for run, _ in runs} == {"github-action-benchmark-history"}

    def test_context_without_addresses_of_people(self, tmp_path: Path) -> None:
        [(run, _)] = history(tmp_path / "data.js", data_js(history_entry(4)))
        assert json.loads(run.context) == {
            "tool": "cargo",
            "repoUrl": "https://github.com/o/p",
            "message": "change 4",
            "url": "https://github.com/o/p/commit/4",
        }

    @pytest.mark.parametrize(
        ("tool", "unit", "direction"),
        [
            ("cargo", "ns/iter", "lower"),
            ("pytest", "iter/sec", "higher"),
            ("jmh", "ops/s", "higher"),
            ("benchmarkjs", "widgets", "higher"),
            ("go", "allocs/op", "lower"),
            ("catch2", "widgets", "lower"),
            ("customSmallerIsBetter", "ops/s", "lower"),
            ("customBiggerIsBetter", "ns", "higher"),
        ],
    )
    def test_which_way_is_better(self, tmp_path: Path, tool: str, unit: str, direction: str) -> None:
        bench = {"name": "a", "value": 2, "unit": unit}
        [(run, [result])] = history(tmp_path / "data.js", data_js(history_entry(0, bench, tool=tool)))
        assert (str(result.direction), run.notes) == (direction, ())

    def test_a_longer_history_has_the_same_earlier_runs(self, tmp_path: Path) -> None:
        before = history(tmp_path / "data.js", data_js(history_entry(1), history_entry(2)))
        after = history(tmp_path / "data.js", data_js(history_entry(1), history_entry(2), history_entry(3)))
        assert [run.run_key for run, _ in before] == [run.run_key for run, _ in after[:2]]

    def test_an_entry_written_twice_is_one_run_and_a_second_measurement_another(self, tmp_path: Path) -> None:
        again = history_entry(1, date=1_573_400_000_000)
        assert len(history(tmp_path / "data.js", data_js(history_entry(1), history_entry(1), again))) == 2

    def test_a_commit_that_is_no_hash(self, tmp_path: Path) -> None:
        entry = history_entry(1)
        entry["commit"]["id"] = "HEAD"
        [(run, _)] = history(tmp_path / "data.js", data_js(entry))
        assert run.commit is None
        assert any("HEAD, is not used: it is not a sha" in note for note in run.notes)


class TestFaults:
    """An entry that cannot be read is counted and named; a file without any is refused."""

    @pytest.mark.parametrize(
        ("bad", "at"),
        [
            ([], '$.entries["Rust Benchmark"][1]'),
            (history_entry(2, benches=[]), '$.entries["Rust Benchmark"][1]'),
            (history_entry(2, benches=None), '$.entries["Rust Benchmark"][1]'),
            (history_entry(2, {"value": 1, "unit": "ns"}), '$.entries["Rust Benchmark"][1].benches[0]'),
            (history_entry(2, {"name": "b", "value": [], "unit": "ns"}), "b"),
        ],
    )
    def test_one_bad_entry(self, tmp_path: Path, bad: Any, at: str) -> None:
        [(run, rows)] = history(tmp_path / "data.js", data_js(history_entry(1), bad))
        assert len(rows) == 1
        assert sum(run.skipped.values()) == 1
        assert any(note.startswith(f"{at}: skipped") for note in run.notes)

    def test_a_list_that_is_none(self, tmp_path: Path) -> None:
        [(run, _)] = history(tmp_path / "data.js", data_js(history_entry(1), Go={"a": 1}))
        assert any(note.startswith("Go: skipped") for note in run.notes)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            (data_js(), "contains no benchmark"),
            ('window.BENCHMARK_DATA = {"entries": {}}', "contains no benchmark"),
            ("window.BENCHMARK_DATA = {}", "has no such field at $.entries"),
            ('window.BENCHMARK_DATA = {"entries": [1]}', "$.entries"),
            (data_js(history_entry(1, benches=3)), "wrong-type"),
            (data_js(history_entry(1))[:300], "ends too early"),
            ("window.BENCHMARK_DATA =\n {x}", "data.js:2:3"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, error: str) -> None:
        with pytest.raises(UnreadableOutputError) as caught:
            history(tmp_path / "data.js", text)
        assert error in str(caught.value)
