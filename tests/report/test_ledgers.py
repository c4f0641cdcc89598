from __future__ import annotations

import polars as pl

from bench_db.model import Definition, RecordedCommit
from bench_db.report.ledgers import commits_text, definitions_text, environments_text, record_text, runs_text


class TestTexts:
    """One row a record, nothing a terminal would obey, and words for an empty table."""

    def test_commits(self) -> None:
        one = RecordedCommit(dut_name="d", commit="a" * 40, time=1_700_000_000, position=3, subject="\x1b[31mred")
        gone = RecordedCommit(dut_name="d", commit="b" * 40, reachable=False, pr_number=7)
        text = commits_text([one, gone])
        assert "\x1b" not in text
        assert ("aaaaaaaaa" in text, "unreachable" in text, "pull request 7" in text) == (True, True, True)
        assert commits_text([]) == "no commits are recorded"

    def test_runs(self) -> None:
        row = {
            "run": "00ff",
            "commit": None,
            "test_bed_name": "ci",
            "branch": None,
            "pr_number": 7,
            "results": 3,
            "file_name": "f.json",
            "excluded": "typo",
        }
        assert {"00ff", "7", "typo"} <= set(runs_text(pl.DataFrame([row])).split())
        assert runs_text(pl.DataFrame(schema=list(row))) == "no runs"

    def test_run(self) -> None:
        assert (
            record_text({"run": "00ff", "test_bed_name": "ci", "notes": [], "run_key": 5})
            == "run            00ff\ntest bed name  ci"
        )

    def test_values(self) -> None:
        assert record_text({"parents": ("a", "b"), "on_main": False}) == "parents  a, b\non main  no"

    def test_definitions(self) -> None:
        text = definitions_text([Definition(kind="join", pattern="a", value="b", at=1)])
        assert text.splitlines()[-1].split() == ["join", "a", "b", "any"]
        assert definitions_text([]) == "nothing is defined"


class TestEnvironmentsText:
    """A row is a fact, a column a run; names and values cannot write to the terminal."""

    def test_rows(self) -> None:
        facts = [("cpu\x1b", "a" * 500, None)]
        lines = environments_text("1f", "2e", facts, 9).splitlines()
        assert lines[0].split() == ["A", "1f", "B", "2e"]
        assert "\x1b" not in lines[2]
        assert lines[2].endswith("-")
        assert len(lines[2]) < 150

    def test_no_difference(self) -> None:
        assert environments_text("1f", "2e", [], 9) == "9 facts of the environments are known, and none differs"
