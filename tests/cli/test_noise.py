from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.rules import RULES
from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from pathlib import Path


class TestNoise:
    """One row for each series of real measurements, the noisiest first."""

    def test_order(self, demo_store: Path) -> None:
        rows = bench_db("noise", "--store", demo_store, "--output", "json").document["noise"]
        spreads = [row["spread"] for row in rows]
        assert len({row["series_key"] for row in rows}) == len(rows) == 11
        assert spreads == sorted(spreads, reverse=True)
        assert 0 < spreads[-1] < spreads[0] < 1

    def test_a_noisier_series_hides_larger_changes(self, demo_store: Path) -> None:
        rows = bench_db("noise", "--store", demo_store, "--output", "json").document["noise"]
        assert all(row["smallest_effect"] > row["spread"] for row in rows)
        reached = [row["smallest_effect"] <= RULES.noise_effect for row in rows]
        assert [row["runs_needed"] == 1 for row in rows] == reached

    @pytest.mark.parametrize(
        ("words", "count"), [(["--dut-name", "wordindex"], 5), (["--benchmark", "*query*"], 2), (["--as-of", "2"], 5)]
    )
    def test_selection(self, demo_in_two: Path, words: list[str], count: int) -> None:
        assert len(bench_db("noise", *words, "--store", demo_in_two, "--output", "json").document["noise"]) == count
        heading, _, *lines = bench_db("noise", *words, "--store", demo_in_two).out.splitlines()
        assert f"runs for {100 * RULES.noise_effect:g} %" in heading
        assert len(lines) == count
