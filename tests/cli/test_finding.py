from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT

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

    def test_the_findings_of_a_commit_are_one_row(self, demo_store: Path) -> None:
        ask = ("finding", "list", "--store", demo_store)
        document = bench_db(*ask, "--output", "json").document
        group = next(g for g in document["groups"] if g["commit"].startswith(SLOW_COMMIT))
        ids = {f["id"] for f in document["findings"] if f["commit"].startswith(SLOW_COMMIT)}
        assert (set(group["ids"]), group["worse"], group["better"]) == (ids, 2, 0)
        listed = bench_db(*ask).out
        assert [line.count(" 2 slower, median ") for line in listed.splitlines()].count(1) == 1
        assert f"bench-db show {group['commit'][:9]} lists" in listed
        assert {f["id"] for f in document["findings"]} == {
            line.split()[0]
            for line in bench_db(*ask, "--each").out.splitlines()[2:]
            if line[0] != " " and "last scan: " not in line
        }
        assert bench_db(*ask, "--markdown").out.count("<details>") == len(document["groups"])

    def test_no_such_finding(self, demo_store: Path) -> None:
        assert bench_db("finding", "bless", "zzzz", "--store", demo_store).code == 2
