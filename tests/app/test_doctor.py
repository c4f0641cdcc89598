from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import bench_db

if TYPE_CHECKING:
    from pathlib import Path


class TestDoctor:
    """The checks of an installation and of a store are records."""

    def test_a_store_that_is_sound(self, tmp_path: Path) -> None:
        bench_db.connect(tmp_path / "store", create=True)
        found = bench_db.doctor(tmp_path / "store")
        assert found.healthy
        assert [check.name for check in found.checks] == ["installation", "address", "directory", "store", "clock"]
        assert found.frame().columns == ["name", "passed", "finding"]
        assert found.document["checks"][3]["finding"] == "0 results of 0 runs"

    def test_commits_dated_after_they_were_measured(self, tmp_path: Path) -> None:
        """They are ordered as made when they were measured, which would puzzle whoever looks for their date."""
        store = bench_db.connect(tmp_path / "store", create=True)
        for number, later in ((1, -60), (2, 86_400)):
            stated: Any = {"commit": f"{number}" * 40, "branch": "main", "run_time": 1_700_000_000}
            with store.record("d", suite="s", environment={}, dut_timestamp=1_700_000_000 + later, **stated) as run:
                run.add("f", [1.0, 2.0], unit="s")
        found = bench_db.doctor(tmp_path / "store")
        assert [check.name for check in found.checks][3:] == ["store", "commit times", "clock"]
        assert found.healthy
        said = found.document["checks"][4]["finding"]
        assert said.startswith("1 dated after they were measured, such as 222222222 of 2023-11-15 22:13 UTC; ")

    @pytest.mark.slow
    def test_a_failed_check(self, tmp_path: Path) -> None:
        found = bench_db.doctor(tmp_path / ("x" * 300))
        assert not found.healthy
        assert "directory" in [check.name for check in found.checks if not check.passed]
