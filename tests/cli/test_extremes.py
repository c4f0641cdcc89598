"""What a store may contain, and what an earlier release let in, never stops a reader."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.model import Result, Run, Samples, SummaryValues
from bench_db.store.database import connect
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from bench_db.units import Direction
from tests.cli.conftest import bench_db
from tests.strategies import HOSTILE, publication

if TYPE_CHECKING:
    from pathlib import Path

VALUES = ([0.0], [5e-324, 1e-300], [1e300, 9e299], [-1.0, 1.0], [7.0] * 5, [1.0])
BARE = SummaryValues(median=1.0, mean=1.0)
READERS = (
    ("latest",),
    ("latest", "--all"),
    ("trend", "*"),
    ("summary",),
    ("scan",),
    ("noise",),
    ("compare", "latest"),
    ("check", "latest"),
    ("detect", "bench 0"),
    ("query", "select * from results"),
    ("query", "select * from runs"),
)


def extreme(number: int, moment: int) -> tuple[Run, list[Result]]:
    """Return a publication at a time with numbers, names and units at the ends of what is valid."""
    run, [result, *_] = publication(number)
    dut = replace(run.dut, timestamp=moment, version="v" * 300)
    odd = replace(result, units="widgets", direction=Direction.INFO, metric="m" * 200)
    results = [replace(result, benchmark_name=f"bench {i}", values=Samples(v)) for i, v in enumerate(VALUES)]
    results += [
        replace(result, benchmark_name="statistics", values=Samples(), summary=BARE, n=2**63 - 1),
        replace(result, benchmark_name="failed", values=Samples(), error="boom\n" * 1000),
        replace(odd, benchmark_name=HOSTILE * 20, tags={"": "", "k" * 99: HOSTILE}),
        replace(result, benchmark_name="", suite="", lower=-1e300, upper=1e300, iterations=(2**63 - 1,)),
    ]
    run = replace(run, dut=dut, pr_number=None, branch="main" * 40, run_time=moment, ingested_at=moment)
    return run, [replace(each, dut=dut, run_time=moment, timestamp=moment) for each in results]


def assert_readable(store: Path, out: Path) -> None:
    """Run every reader and the site; none may crash."""
    for words in READERS:
        for output in ("text", "json"):
            answer = bench_db(*words, "--store", store, "--output", output)
            assert answer.code in {0, 1, 2}, (words, answer.err)
    site = bench_db("site", out, "--store", store)
    assert site.code == 0, site.err
    assert connect(store).verify().problems == ()


@pytest.mark.slow
class TestExtremes:
    """Every verb reads extreme values that are valid, and times that only an earlier release stored."""

    def test_valid(self, tmp_path: Path) -> None:
        store, later = connect(tmp_path / "s", create=True), int(time.time()) + 365 * 86_400
        for number, moment in enumerate((1, 2, 1_700_000_000, later)):
            run, results = extreme(number, moment)
            store.publish(results, run)
        assert_readable(tmp_path / "s", tmp_path / "site")

    @pytest.mark.parametrize("moment", [1_700_000_000_000, 1_700_000_000_000_000, -(10**12), -5])
    def test_times_of_an_earlier_release(self, tmp_path: Path, moment: int) -> None:
        store = connect(tmp_path / "s", create=True)
        run, results = publication(1)
        store.publish(results, run)
        run, results = derive(*extreme(2, moment))
        store._engine.merge(RUNS_TABLE, to_table([run], RUNS_TABLE.schema))
        store._engine.merge(RESULTS_TABLE, to_table(results, RESULTS_TABLE.schema))
        assert_readable(tmp_path / "s", tmp_path / "site")
