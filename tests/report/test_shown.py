from __future__ import annotations

from bench_db.model import Blame, Cause, Commit, MovedBenchmarks, RecordedCommit
from bench_db.report.shown import head_text, rest_text, verdicts_text
from tests.report.examples import commit_of, compared, found


class TestHead:
    """The range since the measured commit before is listed, newest last, with the address of its diff."""

    def test_range(self) -> None:
        record = RecordedCommit(dut_name="d", commit=commit_of(9), time=1_760_000_000, subject="Fix\x1b")
        since = [Commit(sha=commit_of(number), time=0, subject=f"change {number}") for number in range(30)]
        lines = head_text(
            commit_of(9), [record], before=commit_of(1), since=since, commits_since=30, difference_url="https://x/1...9"
        ).splitlines()
        assert lines[0] == f"{commit_of(9)[:9]}  Fix\\x1b  (2025-10-09 08:53 UTC)"
        assert lines[1] == f"against {commit_of(1)[:9]}, the measured commit before, 30 commits since"
        assert lines[-3:] == [f"  {commit_of(29)[:9]}  change 29", "  10 earlier commits left out", "https://x/1...9"]

    def test_the_first(self) -> None:
        text = head_text(commit_of(9), [], before=None, since=[], commits_since=None, difference_url="")
        assert text == f"{commit_of(9)[:9]}\nno commit before it has results"


class TestVerdicts:
    """A benchmark has a row, and a test bed a column; what did not change is counted."""

    def test_rows(self) -> None:
        comparisons = [
            compared("f", "regressed", test_bed_name="x86", effect=0.5),
            compared("f", "unchanged", test_bed_name="arm", effect=0.0),
            compared("g", "unchanged", test_bed_name="x86", effect=0.0),
        ]
        blame = [Blame(dut_name="d", suite="", cause=Cause.CODE, evidence=("1 of 2 moved",), test_beds=())]
        text = verdicts_text(comparisons, {"regressed": 1, "unchanged": 2}, blame=blame)
        assert text.splitlines() == [
            "1 regressed, 2 unchanged",
            "Cause: the code (1 of 2 moved).",
            "benchmark  arm              x86",
            "─────────  ───────────────  ─────────────────",
            "f          unchanged 0.0 %  regressed +50.0 %",
            "not shown: 1 unchanged; --all shows them",
        ]
        assert "g " in verdicts_text(comparisons, {}, everything=True)

    def test_a_movement_of_the_whole_run(self) -> None:
        beds = [
            MovedBenchmarks(test_bed_name=name, moved=moved, measured=14, whole_run=moved > 7)
            for name, moved in (("ci-1", 14), ("ci-2", 1), ("ci-3", 13))
        ]
        blame = [Blame(dut_name="d", suite="s", cause=Cause.UNKNOWN, evidence=(), test_beds=tuple(beds))]
        assert verdicts_text([], {}, blame=blame).splitlines()[1:3] == [
            "the whole run of s on ci-1 moved: 14 of 14 benchmarks",
            "the whole run of s on ci-3 moved: 13 of 14 benchmarks",
        ]


class TestRest:
    """What failed has its reason, a finding the evidence for its cause, and a range its command."""

    def test_all(self) -> None:
        failed = [compared("h", "failed", note="no such\nfile")]
        finding = found("f1", 1, 3, cause=Cause.CODE, evidence=("1 of 2 moved",))
        lines = rest_text(
            failed, [finding], {}, [f"bench-db bisect a b --benchmark {n}" for n in range(12)]
        ).splitlines()
        assert lines[0] == "failed: h on ci-1: no such\\nfile"
        assert "Cause: the code (1 of 2 moved)." in lines
        assert lines[-2:] == ["  bench-db bisect a b --benchmark 9", "  2 more; --output json has all"]

    def test_nothing(self) -> None:
        assert rest_text([], [], {}, []) == ""
