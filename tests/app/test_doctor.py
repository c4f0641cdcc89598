from __future__ import annotations

from typing import TYPE_CHECKING

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

    def test_a_failed_check(self, tmp_path: Path) -> None:
        found = bench_db.doctor(tmp_path / ("x" * 300))
        assert not found.healthy
        assert "directory" in [check.name for check in found.checks if not check.passed]
