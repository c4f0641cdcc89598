from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.compat import shim
from bench_db.ingest import Provenance
from bench_db.model import DutBuild, Result, SummaryValues, TestBed
from bench_db.store.database import connect
from bench_db.units import Direction

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database

ALL = SummaryValues(min=1.0, q1=1.0, median=2.0, q3=3.0, max=3.0, mean=2.0, standard_deviation=1.0)


def row(name: str = "b", /, **changes: object) -> Result:
    fields: dict[str, object] = {
        "dut": DutBuild(name="lance", version="0.15.0+abc1234", timestamp=1_702_345_678),
        "test_bed": TestBed(name="bed", cpu="a CPU", memory_gb=1, os="Linux 6.1"),
        "benchmark_name": name,
        "values": [1.0, 2.0, 3.0],
        "timestamp": 1_702_346_000,
    }
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    return connect(tmp_path / "db", create=True)


def stored(database: Database, *rows: Result) -> list[Result]:
    shim.publish(database, rows, Provenance())
    return database.results()


class TestPublish:
    """Rows of no known publisher are stored in base units, with the direction of their unit; others as their output is read."""

    @pytest.mark.parametrize(
        ("units", "factor", "base", "metric"),
        [
            ("ns", 1, "nanoseconds", "time"),
            ("ms", 1e6, "nanoseconds", "time"),
            ("recall", 1, "recall", "recall"),
            ("bytes", 1, "bytes", "bytes"),
        ],
    )
    def test_units(self, database: Database, units: str, factor: float, base: str, metric: str) -> None:
        (found,) = stored(database, row(units=units))
        assert (list(found.values), found.units, found.metric) == ([factor, 2 * factor, 3 * factor], base, metric)
        assert found.direction == (Direction.HIGHER if units == "recall" else Direction.LOWER)
        assert (found.n, found.commit, found.source) == (3, "abc1234", "lance-bench/1")

    def test_a_summary_alone(self, database: Database) -> None:
        (found,) = stored(database, row(values=[], summary=ALL, units="us", n=7))
        assert found.summary is not None
        assert (found.summary.median, found.summary.max, found.n) == (2000.0, 3000.0, 7)

    def test_no_figures(self, database: Database) -> None:
        (found,) = stored(database, row(values=[]))
        assert found.error == "no values were stored"

    def test_facts_of_the_row(self, database: Database) -> None:
        facts = {"commit": "feedbee", "branch": "main", "suite": "rust", "pr_number": 4, "tags": {"k": "v"}}
        (found,) = stored(database, row("b", **facts, dut=DutBuild(name="lance", version="2", timestamp=5)))
        assert {name: getattr(found, name) for name in facts} == facts

    def test_each_format_is_a_run(self, database: Database) -> None:
        message = {"measured_values": [10.0, 40.0], "iteration_count": [1, 2], "id": "c"}
        recall = {"ivf": 1, "pq": 2, "refine": None, "k": 5}
        rows = [
            row("c", metadata=json.dumps(message)),
            row("dbpedia_query_IVF1_PQ2_refine_None", values=[0.5], units="recall", metadata=json.dumps(recall)),
            row(),
        ]
        found = {result.benchmark_name: result for result in stored(database, *rows)}
        assert {result.source for result in found.values()} == {"criterion/1", "dbpedia/1", "lance-bench/1"}
        assert found["c"].values == [10.0, 20.0]
        assert found["dbpedia_query_IVF1_PQ2_refine_None"].tags == {"k": "5"}

    def test_several_types_in_one_file(self, database: Database) -> None:
        facts = {"metadata": json.dumps({"dataset_name": "words"}), "units": "ns", "summary": ALL}
        assert {r.suite for r in stored(database, row("train/a", **facts))} == {"train"}
        assert {r.suite for r in stored(database, row("x/a", **facts), row("y/a", **facts))} == {"train", ""}
