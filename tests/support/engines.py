"""Engines for tests, and the series that they compute."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bench_db.model import Samples
from bench_db.store.database import connect
from bench_db.store.tables import RESULTS_TABLE
from bench_db.summary import STATISTICS, summarise
from tests.strategies import publication

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench_db.distributed import Engine
    from bench_db.store.database import Database

Array = np.ndarray[Any, Any]


class Pickling:
    """An engine in this process. Every function, argument and answer is pickled on its way, as on any other engine."""

    def __init__(self, workers: int = 3) -> None:
        self.workers = workers
        self.pickles: list[bytes] = []

    def put(self, value: object) -> object:
        return self._passed(value)

    def submit(self, function: Callable[..., Any], *arguments: object, returns: int = 1) -> list[object]:
        sent, given = self._passed((function, arguments))
        answer = self._passed(sent(*given))
        return [answer] if returns == 1 else list(answer)

    def get(self, handles: Sequence[object]) -> list[object]:
        return list(handles)

    def _passed(self, value: object) -> Any:
        self.pickles.append(pickle.dumps(value))
        return pickle.loads(self.pickles[-1])


@dataclass(frozen=True, kw_only=True)
class Case:
    """Series as `scan` takes them, with their keys."""

    values: Array
    offsets: Array
    runs: Array
    keys: Array
    named: dict[str, Any] = field(default_factory=dict)


def one_component(seed: int = 1, series: int = 30, runs: int = 40) -> Case:
    """Return series of one suite: runs that move, a lasting step of the suite, steps of a few series, and gaps."""
    drawn = np.random.default_rng(seed)
    y = drawn.normal(0, 0.02, (series, runs)) + drawn.normal(0, 0.05, runs)
    y[:, 30:] += 0.25
    y[2:5, 20:] += 0.4
    values = np.exp(y)
    values[drawn.random((series, runs)) < 0.02] = np.nan
    values[6, 3] = -1.0
    rates = np.arange(series) % 3 == 0
    return Case(
        values=values.ravel(),
        offsets=np.arange(0, y.size + 1, runs),
        runs=np.tile(np.arange(runs), series),
        keys=drawn.integers(0, 2**63 - 1, series),
        named={"rates": rates},
    )


def with_young_series(seed: int = 3, young: int = 40, since: int = 33) -> Case:
    """Return the series of `one_component`, and more than as many that began a few runs ago."""
    case = one_component(seed)
    runs = np.arange(since, int(case.runs.max()) + 1)
    lengths = [*np.diff(case.offsets), *[len(runs)] * young]
    values = np.random.default_rng(seed).lognormal(0, 0.3, young * len(runs))
    return Case(
        values=np.concatenate([case.values, values]),
        offsets=np.cumsum([0, *lengths]),
        runs=np.concatenate([case.runs, np.tile(runs, young)]),
        keys=np.concatenate([case.keys, np.arange(young)]),
        named={"rates": np.arange(len(lengths)) % 3 == 0},
    )


def many_components(seed: int = 2, suites: int = 4) -> Case:
    """Return suites that share no run, of different numbers of series and runs; one series has no point."""
    cases = [one_component(seed + number, 11 + number, 32 + 2 * number) for number in range(suites)]
    first_run = np.cumsum([0, *(int(case.runs.max()) + 1 for case in cases)])
    lengths = np.concatenate([*(np.diff(case.offsets) for case in cases), [0]])
    numbers = np.concatenate([*(np.full(len(case.keys), number) for number, case in enumerate(cases)), [0]])
    return Case(
        values=np.concatenate([case.values for case in cases]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        runs=np.concatenate([case.runs + first for case, first in zip(cases, first_run, strict=False)]),
        keys=np.concatenate([*(case.keys for case in cases), [7]]),
        named={"suites": numbers, "rates": np.arange(len(numbers)) % 3 == 0},
    )


_ZEROS = ", ".join(f"'{name}', 0.0" for name in STATISTICS)


def store_of_nine(directory: Path | str) -> Database:
    """Make a store of ten fragments, nine runs of five results: two without all samples, and one of all whose statistics are changed."""
    store = connect(directory, create=True)
    for number in range(9):
        run, results = publication(number, rows=5, samples_each=7)
        stated = replace(results[3], values=Samples(), n=20, summary=summarise([1.0, number + 2.0]))
        store.publish([*results[:3], stated, replace(results[4], values=Samples(), error="it failed")], run)
    rows = store._engine.open(RESULTS_TABLE).dataset
    rows.update({"summary": f"named_struct({_ZEROS})"}, where="benchmark_name = 'bench 1' AND dut.version = '1.0.3'")
    return store


def read_anew(store: Database, workers: Engine | None = None, parts: int | None = None) -> list[object]:
    """Return what a verification finds, and every bit of the statistics that are computed anew."""
    results, computed, rows = store.recompute(workers=workers, parts=parts)
    numbers = rows.drop("id", "differs").cast(pl.Float64).to_numpy().tobytes()
    differing = store.recompute(differing=True, workers=workers, parts=parts)[2]
    found = repr(store.verify(workers=workers, parts=parts))
    return [found, results, computed, rows["id"].to_list(), numbers, differing["id"].to_list()]
