from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.rules import RULES
from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.demo_names import QUERY, SLOW_COMMIT

if TYPE_CHECKING:
    from pathlib import Path

FASTER = "f1cb113"
CHANGES = {
    ("test_query[1]", SLOW_COMMIT),
    ("test_query[3]", SLOW_COMMIT),
    ("test_serialise", FASTER),
    ("search/find_all/badcafe", "092973b"),  # of a history of 10 runs
}


@pytest.fixture
def unscanned(demo_copy: Path) -> Path:
    """Return a store of real measurements without findings."""
    connect(demo_copy).lancedb().open_table("findings").delete("true")
    assert connect(demo_copy).findings() == []
    return demo_copy


class TestScan:
    """The known changes are found and no others; each change keeps its id from scan to scan."""

    def test_known_changes(self, unscanned: Path) -> None:
        found = bench_db("scan", "--store", unscanned, "--output", "json").document
        assert {(f["series"].rpartition("::")[2], f["commit"][:7]) for f in found["findings"]} == CHANGES
        assert (found["tested"], found["too_short"], found["movements"]) == (11, 0, [])
        assert sorted(finding.id for finding in connect(unscanned).findings()) == sorted(
            f["id"] for f in found["findings"]
        )

    def test_groups(self, demo_store: Path) -> None:
        ask = ("scan", "--dry-run", "--store", demo_store)
        groups = bench_db(*ask, "--output", "json").document["groups"]
        assert sorted(len(group["ids"]) for group in groups) == [1, 1, 2]
        assert bench_db(*ask).out.count(" 2 slower, median ") == 1
        assert bench_db(*ask, "--markdown").out.count("<details>") == 3

    def test_a_dry_run_stores_nothing(self, unscanned: Path) -> None:
        answer = bench_db("scan", "--dry-run", "--store", unscanned, "--output", "json")
        assert len(answer.document["findings"]) == len(CHANGES)
        assert connect(unscanned).findings() == []

    def test_a_blessed_change_stays_blessed(self, demo_copy: Path) -> None:
        ask = ("scan", "--store", demo_copy, "--output", "json")
        before = {f["id"]: f["state"] for f in bench_db(*ask).document["findings"]}
        accepted = min(before)
        assert bench_db("finding", "bless", accepted, "--store", demo_copy).code == 0
        after = {f["id"]: f["state"] for f in bench_db(*ask).document["findings"]}
        assert set(before.values()) == {"open"}
        assert after == {**before, accepted: "blessed"}

    def test_selection(self, unscanned: Path) -> None:
        words = ("scan", "--dry-run", "--benchmark", QUERY, "--store", unscanned)
        (found,) = bench_db(*words, "--output", "json").document["findings"]
        assert found["benchmark_name"] == QUERY
        assert bench_db(*words).out.startswith(
            f"1 series tested, 0 with fewer than {RULES.detection_runs} runs; 1 change, "
        )

    def test_false_alarms_are_at_most_the_rate(self, demo_store: Path) -> None:
        ask = ("scan", "--dry-run", "--store", demo_store, "--output", "json", "--rate")
        one, same, ten = (bench_db(*ask, rate).document["expected_false"] for rate in ("1%", "0.01", "10%"))
        assert one == same < ten
        assert (one <= 0.01 * len(CHANGES), ten <= 0.1 * len(CHANGES)) == (True, True)

    @pytest.mark.parametrize("rate", ["5", "0", "x"])
    def test_a_rate_that_is_no_share(self, demo_store: Path, rate: str) -> None:
        answer = bench_db("scan", "--dry-run", "--rate", rate, "--store", demo_store)
        assert (answer.code, answer.out) == (2, "")
        assert "'--rate'" in answer.err
