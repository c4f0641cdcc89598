from __future__ import annotations

import pytest

from bench_db.model import LastScan
from bench_db.report.scans import NO_SCAN, scan_words, scans_text
from bench_db.rules import RULES
from tests.report.examples import HOSTILE, commit_of, last_scan

NEVER = LastScan(dut_name="other", scan=None, commits_since=None, runs_since=None, late_runs=None)
NAME = commit_of(1)[: RULES.sha_length]


class TestScanWords:
    """A line says which commit the newest scan read, what it judged, and how far it is behind."""

    @pytest.mark.parametrize(
        ("one", "said"),
        [
            (NEVER, NO_SCAN),
            (last_scan(), f"last scan: {NAME}, the newest measured commit; 1 series judged"),
            (last_scan(commit=""), "last scan: 1.2, the newest measured commit; 1 series judged"),
            (last_scan(commits_since=1, runs_since=4), f"last scan: {NAME}, 1 measured commit ago; 1 series judged"),
            (last_scan(runs_since=2), f"last scan: {NAME}, 2 runs ago; 1 series judged"),
            (
                last_scan(judged=0, too_short=1200),
                f"last scan: {NAME}, the newest measured commit; 0 series judged, 1,200 with fewer than {RULES.detection_runs} runs",
            ),
            (
                last_scan(commits_since=None),
                f"last scan: {NAME}, a commit that is not in the main history any more; 1 series judged",
            ),
        ],
        ids=["never", "current", "version", "commits", "runs", "short", "gone"],
    )
    def test_words(self, one: LastScan, said: str) -> None:
        assert scan_words(one) == said


class TestScansText:
    """Several devices are named, and names cannot write to the terminal."""

    def test_none(self) -> None:
        assert scans_text([]) == ""

    def test_several(self) -> None:
        lines = scans_text([last_scan(), NEVER]).splitlines()
        assert [line.partition(": ")[0] for line in lines] == ["device", "other"]

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_hostile(self, name: str) -> None:
        text = scans_text([last_scan(dut=name), NEVER])
        assert len(text.splitlines()) == 2
        assert "\x1b" not in text
