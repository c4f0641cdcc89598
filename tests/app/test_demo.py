from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.demo import BENCHMARK, demo
from bench_db.errors import UserError
from bench_db.store.database import connect

if TYPE_CHECKING:
    from pathlib import Path


class TestDemo:
    """The demonstration adds nothing when it is repeated, and touches no directory of other files."""

    @pytest.mark.slow
    def test_twice(self, tmp_path: Path) -> None:
        done: list[tuple[int, int]] = []
        first = demo(tmp_path / "demo", lambda *counts: done.append(counts))
        assert first.site.is_file()
        assert first.counts["new"] == first.database.scan().collect().height > 0
        assert first.counts["unchanged"] == 0
        # one write of each table: its reader opens one file a table, and not 48
        tables = {table.name: table.fragments for table in connect(tmp_path / "demo" / "store").info().tables}
        assert (tables["runs"], tables["results"], tables["commits"]) == (1, 1, 1)
        assert done == [(number, len(done)) for number in range(1, first.counts["runs"] + 1)]
        assert first.database.latest(benchmark=BENCHMARK).height > 0
        before = {path: path.read_bytes() for path in first.site.parent.rglob("*") if path.is_file()}
        again = demo(tmp_path / "demo")
        assert again.counts == {**first.counts, "new": 0, "unchanged": first.counts["new"]}
        assert list(again.findings) == list(first.findings)
        assert {path: path.read_bytes() for path in first.site.parent.rglob("*") if path.is_file()} == before

    def test_a_directory_of_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(UserError, match="holds other files"):
            demo(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
