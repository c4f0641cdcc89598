from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

import bench_db as api
from bench_db import Metric
from bench_db.app.schemas import schemas
from bench_db.errors import UserError
from bench_db.report.document import DOCUMENT_VERSION
from bench_db.report.ranks import ranks_text

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    store = api.connect(tmp_path / "store", create=True)
    with store.record("model", commit="c" * 40, test_bed_name="h100", suite="serve") as run:
        for framework, load, latency, rate in (("trt", 1, 10, 200), ("vllm", 1, 20, 300), ("trt", 8, 40, 400)):
            metrics = {
                "latency": Metric(values=latency, unit="ms"),
                "rate": Metric(values=rate, unit="tokens/s", better="higher"),
            }
            run.add("chat", tags={"framework": framework, "load": load}, metrics=metrics)
        run.add("start", 1.0, unit="s")
    return store


class TestRank:
    """Results that have all but the tag in common are ranked, each metric in its direction."""

    def test_of_a_tag(self, store: Database) -> None:
        found = api.rank(store, "framework")
        places = found.frame().select("metric", "other_tags", "value", "rank", "state").rows()
        assert places == [
            ("latency", "load=1", "trt", 1, "ranked"),
            ("latency", "load=1", "vllm", 2, "ranked"),
            ("latency", "load=8", "trt", 1, "ranked"),
            ("latency", "load=8", "vllm", None, "missing"),
            ("rate", "load=1", "vllm", 1, "ranked"),
            ("rate", "load=1", "trt", 2, "ranked"),
            ("rate", "load=8", "trt", 1, "ranked"),
            ("rate", "load=8", "vllm", None, "missing"),
        ]
        assert found.without == 1
        scores = {row["value"]: (row["score"], row["common"], row["missing"]) for row in found.values.to_dicts()}
        assert scores["trt"] == (pytest.approx((1 * 2 / 3) ** 0.5), 2, 0)
        assert scores["vllm"] == (pytest.approx((1 / 2 * 1) ** 0.5), 2, 2)
        assert found.means.filter(metric="latency")["geometric_mean"].to_list() == pytest.approx([10e6, 20e6])

    def test_the_document_is_that_of_its_schema(self, store: Database) -> None:
        found = {"schema_version": DOCUMENT_VERSION, **api.rank(store, "framework").document}
        document = json.loads(json.dumps(found))
        assert document["places"][0]["other_tags"] == {"load": "1"}
        assert list(Draft202012Validator(schemas()["latest"]).iter_errors(document)) == []
        assert list(Draft202012Validator(schemas()["latest"]).iter_errors({**document, "invented": 1}))

    def test_derived_metrics_and_defined_directions(self, store: Database) -> None:
        api.define(store, "metric", "both", "rate * latency; better=higher")
        api.define(store, "better", "rate", "lower")
        best = api.rank(store, "framework", tags={"load": 1}).frame().filter(rank=1)
        assert dict(best.select("metric", "value").rows()) == {"both": "vllm", "latency": "trt", "rate": "trt"}

    def test_of_test_beds(self, store: Database) -> None:
        with store.record("model", commit="c" * 40, test_bed_name="b200", suite="serve") as run:
            run.add("start", 0.5, unit="s")
        places = api.rank(store, "test_bed_name", benchmark="start").frame()
        assert places.select("value", "rank", "behind").rows() == [("b200", 1, 0.0), ("h100", 2, 1.0)]

    def test_a_test_bed_whose_machine_changed_is_there_once(self, store: Database) -> None:
        measured = (("big", 32, 1.0, 2), ("big", 16, 10.0, 1), ("small", 8, 5.0, 2))
        for name, memory, latency, day in measured:
            bed = api.TestBed(name=name, cpu="x", memory_gb=memory, os="Linux")
            about = {"commit": f"{day:040x}", "dut_timestamp": 1_700_000_000 + 86_400 * day}
            with store.record("model", test_bed=bed, **about) as run:  # type: ignore[arg-type]
                run.add("f", latency, unit="s")
        found = api.rank(store, "test_bed_name", benchmark="f")
        assert found.frame().select("value", "rank", "median").rows() == [("big", 1, 1e9), ("small", 2, 5e9)]
        assert found.values["value"].to_list() == ["big", "small"]
        assert found.values["score"].to_list() == pytest.approx([1.0, 0.2])
        assert found.means["geometric_mean"].to_list() == pytest.approx([1e9, 5e9])
        assert found.without == 0

    def test_machines_of_one_name_are_apart(self, store: Database) -> None:
        for cpu, latency in (("x", 1.0), ("y", 2.0)):
            bed = api.TestBed(name="lab", cpu=cpu, memory_gb=4, os="Linux")
            with store.record("model", commit="c" * 40, test_bed=bed) as run:
                run.add("f", latency, unit="s", tags={"framework": "trt"})
                run.add("f", 3.0 - latency, unit="s", tags={"framework": "vllm"})
        places = api.rank(store, "framework", benchmark="f").frame()
        assert sorted(places.filter(rank=1)["value"]) == ["trt", "vllm"]

    def test_a_tag_that_there_is_not(self, store: Database) -> None:
        with pytest.raises(UserError, match="no result has a tag 'frame'; the tags there are: framework"):
            api.rank(store, "frame")
        assert api.rank(store, "framework", benchmark="none").frame().is_empty()

    def test_text(self, store: Database) -> None:
        found = api.rank(store, "framework")
        text = ranks_text(found.tag, found.places, found.values, found.means, without=found.without)
        assert text.splitlines()[0].split() == [
            "framework",
            "score",
            "common",
            "mean",
            "rank",
            "first",
            "ranked",
            "missing",
            "failed",
        ]
        assert "left out: 1 results without the tag framework" in text
        assert "load=8" in text
