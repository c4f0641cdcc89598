"""A seeded history of benchmark results, shaped like what publishing real pytest-benchmark files leaves, column by column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench_db import derive, identity
from bench_db.arrow import RESULTS, RUNS, from_table, to_table
from bench_db.model import DutBuild, Result, Run, TestBed
from bench_db.summary import statistics
from benchmarks.records import context, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Part of every cache key: raise it when the rows change.
VERSION = 4
BENCHMARKS = 200
TEST_BEDS = 5
ROWS_PER_COMMIT = BENCHMARKS * TEST_BEDS
FIRST_COMMIT_TIME = 1_600_000_000
SECONDS_BETWEEN_COMMITS = 86_400 // 4
_COMMITS_PER_BATCH = 10


@dataclass(frozen=True, kw_only=True)
class History:
    """`commits` builds of one device, each measured by 200 benchmarks on 5 test beds: one run per commit and test bed.

    Without `samples` rows have statistics alone, as of a tool that keeps no raw data, and no record of the tool.
    """

    commits: int
    seed: int = 7
    samples: bool = True

    @property
    def rows(self) -> int:
        """Rows in the whole history."""
        return self.commits * ROWS_PER_COMMIT

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in commit order, 10,000 at a time, 10 to 102 samples each (56 on average)."""
        for first in range(0, self.commits, _COMMITS_PER_BATCH):
            yield self._batch(np.arange(first, min(first + _COMMITS_PER_BATCH, self.commits)))

    def runs(self) -> pa.Table:
        """A row a published file."""
        keyed = [self._keyed(c, b) for c, b in product(range(self.commits), range(TEST_BEDS))]
        return to_table(keyed, RUNS)

    def run(self, commit: int, bed: int = 0) -> Run:
        """One published file, as an adapter reads it; a commit past the end is a new one."""
        sha = commit_sha(commit)
        time = FIRST_COMMIT_TIME + commit * SECONDS_BETWEEN_COMMITS
        return Run(
            run_id=str(commit),
            file_name=f"{sha[:7]}-{bed}.json",
            sha256=identity.hash63((str(self.seed), sha, str(bed))).to_bytes(8, "big").hex() * 4,
            format="pytest-benchmark",
            dut=DutBuild(name="lance", version=f"0.1.0+{sha[:7]}", timestamp=time),
            test_bed=test_bed(bed),
            commit=sha,
            branch="main",
            context=context(test_bed(bed)),
            run_time=time + 1800,
            results=BENCHMARKS,
            ingested_at=time + 3600,
        )

    def results(self, commit: int, bed: int = 0) -> list[Result]:
        """The 200 results of one published file."""
        batch = self._batch(np.array([commit]))
        return from_table(pa.table(batch.slice(bed * BENCHMARKS, BENCHMARKS)), Result)

    def _keyed(self, commit: int, bed: int) -> Run:
        run = self.run(commit, bed)
        return replace(run, run_key=derive.run_key(run))

    @cached_property
    def _series(self) -> Array:
        """Series key by benchmark and test bed."""
        dut = DutBuild(name="lance", version="0")
        named = [[(benchmark_name(b), test_bed(t)) for t in range(TEST_BEDS)] for b in range(BENCHMARKS)]
        return np.array(
            [
                [
                    derive.series_key(Result(dut=dut, test_bed=bed, benchmark_name=name, suite="python"))
                    for name, bed in row
                ]
                for row in named
            ]
        )

    def _batch(self, commits: Array) -> pa.RecordBatch:
        rng = np.random.default_rng((self.seed, int(commits[0])))
        bed = np.tile(np.repeat(np.arange(TEST_BEDS), BENCHMARKS), len(commits))
        bench = np.tile(np.arange(BENCHMARKS), len(commits) * TEST_BEDS)
        measured = _measured(rng, bench, bed, samples=self.samples)
        given = {**self._identity(rng, commits, bench, bed), **measured}
        columns = [given[f.name] if f.name in given else _default(f, len(bed)) for f in RESULTS]
        return pa.RecordBatch.from_arrays(columns, schema=RESULTS)

    def _identity(self, rng: np.random.Generator, commits: Array, bench: Array, bed: Array) -> dict[str, pa.Array]:
        at = np.repeat(np.arange(len(commits)), ROWS_PER_COMMIT)
        shas = np.array([commit_sha(int(c)) for c in commits], object)
        versions = np.array([f"0.1.0+{sha[:7]}" for sha in shas], object)
        times = FIRST_COMMIT_TIME + commits[at] * SECONDS_BETWEEN_COMMITS
        runs = np.array([[self._keyed(int(c), b).run_key for b in range(TEST_BEDS)] for c in commits])
        beds = to_table(
            [Result(dut=DutBuild(name="", version=""), test_bed=test_bed(b), benchmark_name="") for b in range(5)],
            RESULTS,
        )
        names = pa.array([benchmark_name(b) for b in range(BENCHMARKS)])
        return {
            "id": _ids(rng, len(bed)),
            "dut": _struct("dut", name=pa.repeat("lance", len(bed)), version=versions[at], timestamp=times),
            "test_bed": beds["test_bed"].combine_chunks().take(pa.array(bed)),
            "benchmark_name": names.take(pa.array(bench)),
            "timestamp": pa.array(times + 3600),
            "run_time": pa.array(times + 1800),
            "run_key": pa.array(runs[at, bed]),
            "series_key": pa.array(self._series[bench, bed]),
            "commit": pa.array(shas[at]),
            "branch": pa.repeat("main", len(bed)),
            "suite": pa.repeat("python", len(bed)),
            "source": pa.repeat("pytest-benchmark/1", len(bed)),
        }


def commit_sha(commit: int) -> str:
    """The full sha of a commit by its number."""
    return identity.content_id((str(commit),)).replace("-", "") + "00000000"


def benchmark_name(benchmark: int) -> str:
    """The name of a benchmark by its number."""
    return f"bench/module_{benchmark % 10}/test_case_{benchmark}[size={1 << benchmark % 12}]"


def test_bed(bed: int) -> TestBed:
    """A test bed by its number."""
    return TestBed(
        name=f"bench-{bed}",
        cpu=f"AMD EPYC 7{bed}63 64-Core Processor",
        memory_gb=16 << bed % 3,
        os="Linux 6.1.0-18-amd64",
        created_at=FIRST_COMMIT_TIME,
    )


test_bed.__test__ = False  # type: ignore[attr-defined]  # pytest sees a test in the name


def _measured(rng: np.random.Generator, bench: Array, bed: Array, *, samples: bool) -> dict[str, pa.Array]:
    lengths = rng.integers(10, 103, len(bench))
    level = 1e3 * (1 + bench % 37) * (1 + 0.1 * bed)
    if not samples:
        spread = np.sort(rng.normal(1, 0.03, (len(bench), 5)), axis=1) * level[:, None]
        columns = dict(zip(("min", "q1", "median", "q3", "max"), spread.T, strict=True))
        columns |= {"mean": spread.mean(axis=1), "standard_deviation": spread.std(axis=1, ddof=1)}
        return {"summary": _struct("summary", **columns), "n": pa.array(lengths)}
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = np.repeat(level, lengths) * np.exp(rng.normal(0, 0.03, offsets[-1]))
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
    columns = statistics(lists)
    names = [benchmark_name(b) for b in range(BENCHMARKS)]
    return {
        "values": lists,
        "summary": _struct("summary", **{name: column for name, column in columns.items() if name != "n"}),
        "metadata": records(names, bench),
        "n": pa.array(lengths),
        "values_hash": pa.array(rng.integers(-(2**63), 2**63 - 1, len(bench))),
    }


_DEFAULTS: dict[str, object] = {
    "units": "nanoseconds", "metric": "time", "direction": "lower", "metadata": "{}", "schema_version": 1,
    "tags": [], "tags_key": "", "iterations": [], "values": [],
}  # fmt: skip


def _default(column: pa.Field, rows: int) -> pa.Array:
    value = _DEFAULTS.get(column.name)
    return (
        pa.nulls(rows, column.type)
        if value is None
        else pa.array([value], column.type).take(pa.array(np.zeros(rows, int)))
    )


def _struct(column: str, /, **leaves: object) -> pa.StructArray:
    dtype = RESULTS.field(column).type
    return pa.StructArray.from_arrays([pa.array(leaves[leaf.name], leaf.type) for leaf in dtype], fields=list(dtype))


def _ids(rng: np.random.Generator, rows: int) -> pa.Array:
    text = rng.bytes(16 * rows).hex()
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return pa.array(["-".join(text[i + a : i + b] for a, b in cuts) for i in range(0, 32 * rows, 32)])
