from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from pathlib import Path


class TestFindings:
    """A finding keeps its id and its state from scan to scan."""

    def test_life(self, demo_copy: Path) -> None:
        store = ("--store", demo_copy)
        before = bench_db("finding", "list", *store, "--output", "json").document["findings"]
        assert {f["state"] for f in before} == {"open"}
        chosen = before[0]["id"]
        assert bench_db("finding", "bless", chosen, "--note", "wanted", *store).code == 0
        assert bench_db("scan", *store).code == 0
        assert bench_db("finding", "list", *store).out.count("wanted") == 1
        after = bench_db("finding", "list", *store, "--output", "json").document["findings"]
        assert {f["id"] for f in after} == {f["id"] for f in before}
        assert {f["id"]: f["state"] for f in after}[chosen] == "blessed"
        assert bench_db("finding", "reopen", chosen[:8], *store).code == 0
        states = bench_db("finding", "list", "--state", "reopened", *store, "--output", "json").document["findings"]
        assert [f["id"] for f in states] == [chosen]

    def test_no_such_finding(self, demo_store: Path) -> None:
        assert bench_db("finding", "bless", "zzzz", "--store", demo_store).code == 2
