from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bench_db as api
from bench_db.model import PairRecord, PairVerdict, State
from bench_db.report.terminal import findings_text
from bench_db.store.database import connect
from tests.cli.asking import AT, wobble
from tests.cli.kinds import publish, sha

if TYPE_CHECKING:
    from pathlib import Path

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


def pair(series_key: int, head: int, **stated: Any) -> PairRecord:
    """Return the verdict of pairs of a commit and the one before."""
    numbers: dict[str, Any] = {"verdict": PairVerdict.REGRESSED, "effect": 0.3, "series_key": series_key, "at": AT}
    about = {"pair_id": "p1", "base": sha(head - 1), "head": sha(head), "seed": 1, "benchmark_name": "f"}
    return PairRecord(**{**about, **numbers, **stated})


class TestConfirmed:
    """A finding whose change stored pairs found at its commit, too, says so."""

    def test_by_pairs_of_its_commit(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        for number in range(20):
            publish(store, number, {"f": wobble(number, 100.0 if number < 10 else 130.0)})
        [found] = api.scan(store).findings
        assert (found.commit, found.confirmed_by) == (sha(10), None)
        key = found.series_key
        others = [pair(key, 11), pair(key, 10, effect=-0.3), pair(7, 10), pair(key, 10, verdict=PairVerdict.SUSPECTED)]
        store.record_pairs(others)
        assert [one.confirmed_by for one in api.scan(store).findings] == [None]
        store.record_pairs([pair(key, 10, pair_id="p2")])
        scanned = api.scan(store)
        assert [one["confirmed_by"] for one in scanned.document["findings"]] == ["p2"]
        assert scanned.frame()["confirmed_by"].to_list() == ["p2"]
        assert "confirmed in pairs" in findings_text(scanned.findings, scanned.series)
        [stored] = store.findings()
        assert (stored.id, stored.state, stored.confirmed_by) == (found.id, State.OPEN, "p2")
        before = store.version
        api.scan(store)
        assert store.version == before  # nothing new to record
