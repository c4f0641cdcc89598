from __future__ import annotations

from typing import Any

import polars as pl

from bench_db.report.frontier import frontier_text

AXES: dict[str, Any] = {
    "x": {"metric": "latency", "units": "nanoseconds", "direction": "lower"},
    "y": {"metric": "recall", "units": "recall", "direction": "higher"},
}
POINTS = pl.DataFrame(
    {
        "framework": ["ivf", "ivf", None],
        "suite": [""] * 3,
        "benchmark_name": ["query"] * 3,
        "tags_key": ["k=1", "k=2", ""],
        "commit": ["c" * 40, None, None],
        "x": [1e6, 2e6, 3e6],
        "y": [0.9, 0.8, 0.7],
        "on_front": [True, False, True],
    }
)
VALUES = pl.DataFrame({"framework": ["ivf", None], "value": [0.85, None]})


class TestFrontierText:
    """Points off the front are counted, and a value that does not exist says why."""

    def test_text(self) -> None:
        at = {"metric": "latency", "value": 1.5e6}
        document = {**AXES, "by": ["framework"], "at": at, "left_out": {"failed": 2}, "notes": ["mixed"]}
        assert frontier_text(document, POINTS, VALUES).splitlines() == [
            "2 of 3 points are on the front of their group: latency better lower, recall better higher",
            "framework  benchmark and tags  at commit  latency (x)  recall (y)",
            "─────────  ──────────────────  ─────────  ───────────  ──────────",
            "ivf        query {k=1}         ccccccccc     1.000 ms         0.9",
            "-          query               -             3.000 ms         0.7",
            "",
            "recall at latency 1.500 ms:",
            "framework      value there",
            "─────────  ───────────────",
            "ivf                   0.85",
            "-          beyond the ends",
            "",
            "left out: 2 failed",
            "mixed",
        ]

    def test_without_a_value_asked_for(self) -> None:
        document = {**AXES, "by": [], "at": None, "left_out": {}, "notes": []}
        assert "value there" not in frontier_text(document, POINTS, VALUES)
