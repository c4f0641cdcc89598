from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.cli.regression_report import regression_report
from tests.cli.asking import nine_commits, wobble
from tests.cli.kinds import entry, publish_all

if TYPE_CHECKING:
    from pathlib import Path


class TestRegressionReport:
    """The script exits with 0 when it wrote the page, 1 for nothing to analyse and 2 for wrong usage."""

    @pytest.fixture(autouse=True)
    def directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Run in a directory whose store has nine commits of one level and four of a slower one."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("BENCH_DB_URI", raising=False)
        monkeypatch.setenv("LANCE_BENCH_URI", str(tmp_path / "store"))
        store = nine_commits(tmp_path / "store")
        publish_all(store, [entry(number, {"f": wobble(number, 150.0)}) for number in range(9, 13)])
        return tmp_path

    def run(self, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
        monkeypatch.setattr("sys.argv", ["regression_report.py", *words])
        with pytest.raises(SystemExit) as stop:
            regression_report()
        return int(stop.value.code or 0)

    def test_written(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch) == 0
        out = capsys.readouterr().out
        assert "Potential regressions (p < 0.05): 1\n" in out
        assert out.endswith("Report written to regression_report.html\n")
        assert (directory / "regression_report.html").read_text("utf-8").count("<tr>") == 2
        assert (directory / "regression_report.html").read_text("utf-8").count("<svg ") == 1

    @pytest.mark.parametrize(("threshold", "count"), [("0.5", 1), ("1e-30", 0)])
    def test_flags(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], threshold: str, count: int
    ) -> None:
        assert self.run(monkeypatch, "-o", "r.html", "--recent-count", "3", "--threshold", threshold) == 0
        out = capsys.readouterr().out
        assert f"Potential regressions (p < {float(threshold):g}): {count}\n" in out
        assert out.endswith("Report written to r.html\n")

    def test_too_few_runs(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, "--recent-count", "12") == 1
        assert capsys.readouterr().err == "Error: no series has enough runs to be analysed; it takes 14\n"
        assert not (directory / "regression_report.html").exists()

    @pytest.mark.parametrize("words", [("--recent-count", "0"), ("--threshold", "x"), ("--no-such-flag",)])
    def test_wrong_usage(self, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
        assert self.run(monkeypatch, *words) == 2

    def test_no_store(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("LANCE_BENCH_URI", str(directory / "none"))
        assert self.run(monkeypatch) == 1
        assert str(directory / "none") in capsys.readouterr().err
