from __future__ import annotations

from typing import TYPE_CHECKING

import bench_db as api
from bench_db.model import Noise

if TYPE_CHECKING:
    from bench_db.store.database import Database


class TestNoise:
    """The noisiest series come first; those without a known spread last."""

    def test_order(self, stepped: Database) -> None:
        found = api.noise(stepped).noise
        assert all(isinstance(one, Noise) for one in found)
        assert [(one.series.benchmark_name, one.spread is None) for one in found] == [("f", False), ("g", True)]

    def test_frame_and_document(self, stepped: Database) -> None:
        answer = api.noise(stepped, benchmark="f")
        (row,) = answer.document["noise"]
        assert answer.frame()["smallest_effect"].to_list() == [row["smallest_effect"]]
        assert row["testbed_name"] == "ci-1"
