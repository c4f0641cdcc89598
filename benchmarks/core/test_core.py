"""Benchmarks of the core operations, short enough to run at every commit of the history.

The suite `python` of bench-db.toml runs this file from the current checkout against the bench_db of a work tree. A
benchmark is skipped on a commit that lacks the measured function.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

REAL_OUTPUT = Path(__file__).parents[2] / "tests" / "data" / "pytest-benchmark" / "5.3.1" / "with_raw_data.json"
ROUNDS = 25


@pytest.fixture(scope="module", autouse=True)
def _of_the_work_tree() -> None:
    """Assert that the measured code is in the current directory and not an installed package."""
    measured = Path(str(import_module("bench_db").__file__))
    assert measured.is_relative_to(Path.cwd()), f"{measured} is not in {Path.cwd()}"


def of_commit(module: str, name: str) -> Any:
    """Return an attribute of a module of the measured commit; skip the benchmark if it is missing."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        pytest.skip(f"this commit has no {module}.{name}")


def measured(benchmark: BenchmarkFixture, work: Callable[..., Any], *arguments: Any, iterations: int = 1) -> Any:
    """Run the work for 25 rounds and return its result."""
    pedantic: Callable[..., Any] = benchmark.pedantic
    return pedantic(work, arguments, rounds=ROUNDS, iterations=iterations, warmup_rounds=2)


def test_summarise(benchmark: BenchmarkFixture) -> None:
    summarise = of_commit("bench_db.summary", "summarise")
    values = np.random.default_rng(1).lognormal(10, 0.1, 56).tolist()
    assert measured(benchmark, summarise, values, iterations=50).min == min(values)


def test_summarise_many(benchmark: BenchmarkFixture) -> None:
    summarise_lists, samples_of = (
        of_commit("bench_db.summary", "summarise_lists"),
        of_commit("bench_db.arrow", "samples_of"),
    )
    lists = [samples_of(row) for row in np.random.default_rng(2).lognormal(10, 0.1, (500, 56)).tolist()]
    assert len(measured(benchmark, summarise_lists, lists, iterations=2)) == 500


def test_keys(benchmark: BenchmarkFixture) -> None:
    hash63 = of_commit("bench_db.identity", "hash63")
    names = [("series", "bench_db", f"benchmarks/test_{i}.py::test_{i}[{i}]", "time", "ns") for i in range(1_000)]
    found = measured(benchmark, lambda: {hash63(name) for name in names}, iterations=5)
    assert len(found) == len(names)


def test_parse(benchmark: BenchmarkFixture) -> None:
    parse = of_commit("bench_db.ingest", "parse")
    _, results = measured(benchmark, parse, REAL_OUTPUT)
    assert results


def test_publish(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Publish one file as runs of different commits into a new store."""
    connect, parse = of_commit("bench_db.store.database", "connect"), of_commit("bench_db.ingest", "parse")
    run, results = parse(REAL_OUTPUT)
    store = connect(tmp_path / "store", create=True)
    runs = iter(range(1_000))

    def publish() -> None:
        store.publish(results, replace(run, dut=replace(run.dut, timestamp=next(runs)), run_id=""))

    measured(benchmark, publish)
    assert store.runs().collect().height == ROUNDS + 2
