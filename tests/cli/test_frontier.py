from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.database import connect
from tests.app.test_frontier import SERVED, serve
from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from pathlib import Path

ASKED = ("frontier", "--x", "latency", "--y", "throughput", "--by", "framework, precision")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    serve(connect(tmp_path / "store", create=True), SERVED)
    return tmp_path / "store"


class TestFrontier:
    """The fronts of groups, and the values between their points, as a table and as JSON."""

    def test_text(self, store: Path) -> None:
        shown = bench_db(*ASKED, "--at", "latency=20ms", "--tag", "framework=trt", "--store", store)
        assert (
            "5 of 6 points are on the front of their group: latency better lower, throughput better higher" in shown.out
        )
        assert "throughput at latency 20.00 ms:" in shown.out
        lines = shown.out.splitlines()
        assert [line.split() for line in lines if line.startswith("trt")][-2:] == [
            ["trt", "fp4", "400", "tokens/s"],
            ["trt", "fp8", "124", "tokens/s"],
        ]

    def test_json(self, store: Path) -> None:
        document = bench_db(*ASKED, "--at", "latency=1hr", "--store", store, "--output", "json").document
        first = document["points"][0]
        assert first["group"] == {"framework": "trt", "precision": "fp4"}
        assert first["tags"] == {"framework": "trt", "precision": "fp4", "concurrency": "1"}
        assert (first["x"], first["y"], first["on_front"], first["suite"]) == (10e6, 100.0, True, "serve")
        assert [point["on_front"] for point in document["points"]].count(False) == 1
        assert {value["value"] for value in document["values"]} == {None}

    def test_an_unknown_metric_is_one_line(self, store: Path) -> None:
        asked = bench_db("frontier", "--x", "latency", "--y", "through", "--store", store)
        assert asked.code == 2
        assert asked.err.count("\n") == 1
        assert "the metrics there are: throughput, latency" in asked.err
