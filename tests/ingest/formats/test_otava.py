from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import Provenance, parse, parse_each
from bench_db.units import Direction
from tests.ingest.support import BED, DATA

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Result, Run

HEAD = "time,commit,metric\n"
STATED = Provenance(test_bed=BED, ingested_at=1_700_000_000, dut_name="lib")


def otava_file(*rows: str, head: str = HEAD) -> str:
    """Return a history with one commit per row."""
    return head + "".join(f"{row}\n" for row in rows or ["1700000000,aaa0,5"])


def history(path: Path, text: str | None = None, provenance: Provenance = STATED) -> list[tuple[Run, list[Result]]]:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return list(parse_each(path, provenance=provenance))


def values(runs: list[tuple[Run, list[Result]]]) -> list[dict[str, list[float]]]:
    return [{result.metric: list(result.values) for result in results} for _, results in runs]


class TestReading:
    """Each commit and time is a run with one result per column of numbers; the file names the test."""

    def test_golden(self) -> None:
        golden = json.loads((DATA / "otava" / "history.golden.json").read_text())
        for (run, results), expected in zip(history(DATA / "otava" / golden["file"]), golden["runs"], strict=True):
            assert (run.format, run.commit, run.branch, run.dut.version) == (
                "otava", expected["commit"], expected["branch"], expected["version"],
            )  # fmt: skip
            assert (run.run_time, run.dut.timestamp, run.skipped) == (
                expected["run_time"], expected["run_time"], expected["skipped"],
            )  # fmt: skip
            assert json.loads(run.context) == expected["context"]
            assert {r.metric: list(r.values) for r in results} == expected["values"]
            assert {(r.benchmark_name, r.units, r.direction) for r in results} == {("history", "count", Direction.INFO)}

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_layouts(self, tmp_path: Path, delimiter: str, end: str, mark: str) -> None:
        rows = ["commit|time|m 1|note", "a1|2024-01-02|-1.5|x", "", '"a|2"|2024-01-03|2e3|"y ""z"""']
        (tmp_path / "f").write_bytes((mark + end.join(rows)).replace("|", delimiter).encode())
        runs = history(tmp_path / "f")
        assert values(runs) == [{"m 1": [-1.5]}, {"m 1": [2000]}]
        assert [json.loads(run.context)["commit"] for run, _ in runs] == ["a1", f"a{delimiter}2"]
        assert json.loads(runs[1][0].context)["note"] == 'y "z"'

    def test_rows_of_one_commit_and_time_are_samples(self, tmp_path: Path) -> None:
        rows = ("1700000000,a,1", "1700000001,a,2", "1700000000,a,3", "1700000000,b,4", "1700000000,,5")
        assert values(history(tmp_path / "f", otava_file(*rows))) == [
            {"metric": [1, 3]}, {"metric": [2]}, {"metric": [4]}, {"metric": [5]},
        ]  # fmt: skip

    def test_a_column_of_which_most_cells_are_no_numbers_is_no_metric(self, tmp_path: Path) -> None:
        text = "time,commit,run,a,b,c\n1700000000,x,1,2,u,\n1700000001,y,2,n/a,3,\n1700000002,z,3,4,v,\n"
        runs = history(tmp_path / "f", text)
        assert values(runs) == [{"a": [2]}, {"a": [4]}]
        assert runs[0][0].skipped == {}

    @pytest.mark.parametrize(
        ("written", "unix"),
        [
            ("1700000000", 1700000000),
            ("1700000000.9", 1700000000),
            ("1700000000123", 1700000000),
            ("2024-01-02", 1704153600),
            ("2024-01-02T03:04:05Z", 1704164645),
            ("2024-01-02 03:04:05.678+0200", 1704157445),
            ("2024.01.02 3:04:05 +0200", 1704157445),
            ("2024/1/2 3:04 UTC", 1704164640),
            ("Tue, 02 Jan 2024 03:04:05 +0200", 1704157445),
            ("2 January 2024 10:00", 1704189600),
        ],
    )
    def test_times(self, tmp_path: Path, written: str, unix: int) -> None:
        [(run, _)] = history(tmp_path / "f", otava_file(f'"{written}",a,1'))
        assert run.run_time == unix


class TestIdentity:
    """A history with new rows or columns keeps its runs; a repeated measurement is another run."""

    ROWS = ("1700000000,a,1", "1700000001,b,2")

    def keys(self, path: Path, text: str) -> list[int]:
        return [run.run_key for run, _ in history(path, text)]

    def test_growth(self, tmp_path: Path) -> None:
        before = self.keys(tmp_path / "f.csv", otava_file(*self.ROWS))
        assert self.keys(tmp_path / "f.csv", otava_file(*self.ROWS, "1700000002,c,3"))[:2] == before
        assert self.keys(tmp_path / "f.csv", otava_file(*reversed(self.ROWS))) == before[::-1]
        wider = "commit,time,metric,more\na,1700000000,1,\nb,1700000001,2,3\n"
        again = self.keys(tmp_path / "f.csv", wider)
        assert (again[0], again[1] != before[1]) == (before[0], True)

    def test_another_file_is_another_test(self, tmp_path: Path) -> None:
        assert not set(self.keys(tmp_path / "f.csv", otava_file(*self.ROWS))) & set(
            self.keys(tmp_path / "g.csv", otava_file(*self.ROWS))
        )

    def test_a_run_says_which_part_of_the_file_it_is(self, tmp_path: Path) -> None:
        runs = history(tmp_path / "f.csv", otava_file(*self.ROWS))
        assert [run.file_name for run, _ in runs] == ["f.csv#a@1700000000", "f.csv#b@1700000001"]
        assert len({run.run_id for run, _ in runs}) == 2


class TestProvenance:
    """Flags for values that differ between runs of a history are refused."""

    @pytest.mark.parametrize(
        ("stated", "flag"),
        [
            ({"commit": "c" * 40}, "--commit"),
            ({"dut_version": "1"}, "--dut-version"),
            ({"dut_timestamp": 0}, "--dut-timestamp"),
        ],
    )
    def test_is_refused(self, tmp_path: Path, stated: Any, flag: str) -> None:
        text = otava_file(*TestIdentity.ROWS)
        with pytest.raises(UserError, match=rf"^{flag}: .* contains a history of 2 runs"):
            history(tmp_path / "f", text, Provenance(**stated))
        assert len(history(tmp_path / "f", otava_file(), Provenance(**stated))) == 1

    def test_the_checkout_around_the_file_is_not_what_was_measured(self) -> None:
        runs = history(DATA / "otava" / "history.csv", provenance=Provenance(ingested_at=1))
        assert {run.dut.name for run, _ in runs} == {"unknown"}

    def test_one_run_is_not_a_history(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text(otava_file())
        assert parse(tmp_path / "f", provenance=STATED)[0].file_name.startswith("f#aaa0@")
        (tmp_path / "f").write_text(otava_file(*TestIdentity.ROWS))
        with pytest.raises(UserError, match="contains a history of 2 runs, not one"):
            parse(tmp_path / "f", provenance=STATED)


class TestSkips:
    """An invalid cell or row is skipped and named with its line; a file without a table is refused."""

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("1700000000,bad", "length-mismatch"),
            ("soon,bad,1", "wrong-type"),
            (",bad,1", "wrong-type"),
            ("2024-13-01,bad,1", "wrong-type"),
            ("20240102,bad,1", "wrong-type"),
        ],
    )
    def test_rows(self, tmp_path: Path, row: str, reason: str) -> None:
        runs = history(tmp_path / "f", otava_file("1700000000,a,1", row, "1700000002,b,2"))
        assert [json.loads(run.context)["commit"] for run, _ in runs] == ["a", "b"]
        assert (runs[0][0].skipped, runs[1][0].skipped) == ({reason: 1}, {})
        assert any(note.startswith(f"line 3: skipped, {reason}") for note in runs[0][0].notes)

    @pytest.mark.parametrize(
        ("cell", "reason"),
        [
            ("n/a", "not-a-number"),
            ("1_0", "not-a-number"),
            ("NaN", "not-finite"),
            ("inf", "not-finite"),
            ("1e999", "out-of-range"),
        ],
    )
    def test_cells(self, tmp_path: Path, cell: str, reason: str) -> None:
        text = f"time,commit,a,b\n1700000000,x,{cell},1\n1700000001,y,2,3\n1700000002,z,4,5\n"
        runs = history(tmp_path / "f", text)
        assert values(runs) == [{"b": [1]}, {"a": [2], "b": [3]}, {"a": [4], "b": [5]}]
        assert runs[0][0].skipped == {reason: 1}
        assert "at line 2" in runs[0][0].notes[-1]

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("commit,metric\na,1\n", "has no column time"),
            ("time,commit,a,a\n1700000000,x,1,2\n", "has several columns named 'a'"),
            ("time,commit,a\n", "contains no row with a time and a number"),
            ("time,commit,a\n1700000000,x,text\n", "contains no row with a time and a number"),
            ("time,commit,a\nsoon,x,1\n", "contains no row with a time and a number; line 2: skipped, wrong-type"),
            (f'time,commit,a\n1700000000,"{"x" * 200_000}",1\n', "is not valid CSV: field larger than field limit"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, match: str) -> None:
        (tmp_path / "f").write_text(text)
        with pytest.raises(UnreadableOutputError, match=match):
            parse(tmp_path / "f", "otava", provenance=STATED)

    @pytest.mark.parametrize(
        "head", ["time,metric", "a,commit,metric", "timestamp,commit,metric", "time commit metric"]
    )
    def test_other_tables_are_not_taken_for_it(self, tmp_path: Path, head: str) -> None:
        with pytest.raises(UnreadableOutputError, match="is in no format"):
            history(tmp_path / "f", f"{head}\n1700000000,a,1\n")
