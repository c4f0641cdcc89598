"""A slow machine moves times up and rates down together: scan says so once, and finds nothing."""

from pathlib import Path

import numpy as np
import pytest

from bench_db import DutBuild, Result, Run, TestBed, connect
from bench_db.model import Samples
from bench_db.units import Direction
from tests.cli.conftest import bench_db

RUNS, SLOW = 30, 20
KINDS = {"decode": ("nanoseconds", Direction.LOWER), "serve": ("per_second", Direction.HIGHER)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight times and eight rates over 30 runs, of which one was a third slower."""
    path = tmp_path_factory.mktemp("movement")
    database, noise = connect(path, create=True), np.random.default_rng(5)
    bed = TestBed(name="ci", cpu="x", memory_gb=4, os="Linux 6")
    for number in range(RUNS):
        commit = f"{number:040x}"
        dut = DutBuild(name="d", version=f"1+{number:07x}", timestamp=1_700_000_000 + 86_400 * number)
        slower = 4 / 3 if number == SLOW else 1.0
        rows = []
        for name, (units, direction) in KINDS.items():
            factor = slower if direction is Direction.LOWER else 1 / slower
            rows += [
                Result(
                    dut=dut,
                    test_bed=bed,
                    benchmark_name=f"{name} {i}",
                    commit=commit,
                    units=units,
                    direction=direction,
                    values=Samples([float(1000 * factor * np.exp(noise.normal(0, 0.01)))]),
                )
                for i in range(8)
            ]
        run = Run(dut=dut, test_bed=bed, commit=commit, file_name="f", sha256=f"{number:064x}", format="values-ns")
        database.publish(rows, run)
    return path


def test_named_once_and_no_finding(store: Path) -> None:
    answer = bench_db("scan", "--dry-run", "--store", store)
    assert answer.code == 0
    assert f"run {SLOW:040x}"[:13] + ": 16 series moved together by +3" in answer.out
    assert "% (rates the other way): the machine or the tool chain" in answer.out
    assert bench_db("scan", "--dry-run", "--store", store, "--output", "json").document["findings"] == []
