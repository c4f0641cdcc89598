from __future__ import annotations

from typing import TYPE_CHECKING

import bench_db as api
from tests.cli.asking import AT

if TYPE_CHECKING:
    from bench_db.store.database import Database


class TestScan:
    """A scan counts what it tested, and stores nothing when it is dry."""

    def test_counts(self, stepped: Database) -> None:
        scanned = api.scan(stepped, dry_run=True)
        assert (scanned.changes, scanned.tested, scanned.too_short) == (1, 1, 1)
        assert stepped.findings() == []
        assert [row["series"] for row in scanned.document["findings"]] == ["f"]
        counts = {"tested", "too_short", "expected_false", "of_machine"}
        stated = {"history", "stored", "findings", "groups", "movements", "thresholds", "threshold_faults"}
        assert stated | counts == scanned.document.keys()

    def test_frame_has_datetimes_and_the_series(self, stepped: Database) -> None:
        frame = api.scan(stepped, dry_run=True, at=AT).frame()
        assert frame["at"].dt.epoch("s").to_list() == [AT]
        assert frame["benchmark_name"].to_list() == ["f"]
