from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.app.progress import SILENT, Progress, Silent

if TYPE_CHECKING:
    import pytest


class TestSilent:
    """Silent progress takes every report and shows nothing."""

    def test_nothing_is_shown(self, capfd: pytest.CaptureFixture[str]) -> None:
        progress: Progress = Silent()
        for report in (progress, SILENT):
            report(1, 2)
            report(2, 2, "the last")
            report.say("a line")
        assert capfd.readouterr() == ("", "")
