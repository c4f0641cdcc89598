from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bench_db as api
from bench_db.errors import UnreadableOutputError
from bench_db.ingest import ADAPTERS

MINE: dict[str, Any] = {
    "format": {"mine": {"name": "{case}", "has": ["case"], "metrics": ["*_ms"], "tags": ["size"], "summary": "my own"}}
}


class TestFormats:
    """Declared formats come first, then those of bench_db, each with where it comes from."""

    def test_list(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert [one.name for one in api.formats().formats] == [adapter.name for adapter in ADAPTERS]
        (tmp_path / "bench-db.toml").write_text('[project]\nname = "p"\n[format.own]\nname = "n"\nmetrics = ["a"]\n')
        first, second, *_ = api.formats().formats
        assert (first.name, first.origin, first.by_content) == ("own", "declared", False)
        assert (second.name, second.origin, second.by_content) == ("criterion", "bench_db", True)
        assert api.formats(MINE).frame().row(0) == ("mine", "declared", True, "my own")
        with pytest.raises(UnreadableOutputError, match="unknown key 'nam'"):
            api.formats({"format": {"mine": {"nam": "x"}}})


class TestTryFormat:
    """A file is read as `publish` reads it; nothing is stored, and no build has to be known."""

    def test_results_and_notes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        rows = [{"case": "a", "size": 5, "t_ms": [1, 2]}, {"case": "b", "size": 5, "t_ms": "slow"}]
        Path("rows.json").write_text(json.dumps(rows))
        tried = api.try_format("rows.json", formats=MINE)
        assert (tried.format.name, tried.skipped) == ("mine", {"not-a-number": 1})
        [row] = tried.document["results"]
        assert row == {
            "benchmark_name": "a", "suite": "", "metric": "t", "units": "nanoseconds", "direction": "lower", "n": 2,
            "values": [1e6, 2e6], "error": None, "commit": None, "tags": {"size": "5"},
        }  # fmt: skip
        assert "b (t): skipped, not-a-number: 'slow' at $[1].t_ms" in tried.notes
        assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.json"]

    def test_a_history(self, tmp_path: Path) -> None:
        (tmp_path / "h.csv").write_text("time,commit,rate\n2026-01-01,1a2b3c4d,5\n2026-01-02,2a2b3c4d,6\n")
        tried = api.try_format(tmp_path / "h.csv")
        assert (tried.format.name, tried.format.origin) == ("otava", "bench_db")
        assert [one.commit for one in tried.results] == ["1a2b3c4d", "2a2b3c4d"]

    def test_no_result(self, tmp_path: Path) -> None:
        (tmp_path / "rows.json").write_text('[{"case": "a", "size": 1, "t_ms": null}]')
        tried = api.try_format(tmp_path / "rows.json", formats=MINE)
        assert (tried.frame().height, tried.skipped) == (0, {"not-a-number": 1})
