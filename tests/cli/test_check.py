from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT

if TYPE_CHECKING:
    from pathlib import Path


class TestBaselineAndCheck:
    """A baseline is a pointer with a history; a passing gate moves it."""

    def test_life(self, demo_copy: Path) -> None:
        store = ("--store", demo_copy)
        assert bench_db("baseline", "set", "main", "d7fbbca", *store).code == 0
        assert bench_db("check", SLOW_COMMIT, "--set-baseline", *store).code == 1
        assert bench_db("baseline", "show", "main", *store, "--output", "json").document["commit"].startswith("d7fbbca")
        assert bench_db("check", "a80c338", "--set-baseline", *store).code == 0
        assert bench_db("baseline", "show", "main", *store, "--output", "json").document["commit"].startswith("a80c338")
        assert bench_db("baseline", "clear", "main", *store).code == 0
        assert bench_db("baseline", "list", *store, "--output", "json").document["baselines"] == []

    def test_a_commit_without_results(self, demo_store: Path) -> None:
        assert bench_db("baseline", "set", "main", "0" * 40, "--store", demo_store).code == 2
