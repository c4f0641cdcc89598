from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    import pytest


class TestFormats:
    """The list and a trial, as text and as JSON; a mistake in a declaration ends with exit code 2."""

    def test_list_and_trial(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("mine.toml").write_text(
            '[format.mine]\nlayout = "csv"\nhas = ["case"]\nname = "{case}"\nmetrics = ["*_ms"]\n'
        )
        Path("rows.csv").write_text("case,t_ms\nsort,1.5\n")
        assert "jmh" in bench_db("formats").out
        listed = bench_db("formats", "--formats", "mine.toml", "--output", "json").document["formats"]
        assert (listed[0]["name"], listed[0]["origin"]) == ("mine", "declared")
        tried = bench_db("formats", "--try", "rows.csv", "--formats", "mine.toml")
        assert (tried.code, tried.out.splitlines()[0]) == (0, "mine: 1 result")
        assert "1.500 ms" in tried.out
        unknown = bench_db("formats", "--try", "rows.csv")
        assert (unknown.code, "is in no format bench_db knows" in unknown.err) == (2, True)
        Path("mine.toml").write_text('[format.mine]\nname = "{"\nmetrics = ["a"]\n')
        wrong = bench_db("formats", "--formats", "mine.toml")
        assert (wrong.code, "at format.mine.name" in wrong.err) == (2, True)
