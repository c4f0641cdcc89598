"""A seeded history of benchmark results in columns, with the shape of published pytest-benchmark files."""

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
from benchmarks import columns
from benchmarks.records import context

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Part of every cache key. Increase it when the rows change.
VERSION = 5
BENCHMARKS = 200
TEST_BEDS = 5
ROWS_PER_COMMIT = BENCHMARKS * TEST_BEDS
FIRST_COMMIT_TIME = 1_600_000_000
SECONDS_BETWEEN_COMMITS = 86_400 // 4
_COMMITS_PER_BATCH = 10


def benchmark_name(benchmark: int) -> str:
    """Return the name of a benchmark by its number."""
    return f"bench/module_{benchmark % 10}/test_case_{benchmark}[size={1 << benchmark % 12}]"


@dataclass(frozen=True, kw_only=True)
class History:
    """Results of `commits` builds of one device: `benchmarks` benchmarks on `beds` test beds, one run per commit and test bed.

    Without `samples` rows have only statistics, as of a tool that writes no raw data, and no metadata of the tool.
    """

    commits: int
    seed: int = 7
    samples: bool = True
    benchmarks: int = BENCHMARKS
    beds: int = TEST_BEDS

    @property
    def rows(self) -> int:
        """Rows of the history."""
        return self.commits * self.benchmarks * self.beds

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in commit order, 10 commits per batch, 10 to 102 samples per row (56 on average)."""
        for first in range(0, self.commits, _COMMITS_PER_BATCH):
            yield self._batch(np.arange(first, min(first + _COMMITS_PER_BATCH, self.commits)))

    def runs(self) -> pa.Table:
        """Return one row per published file."""
        keyed = [self._keyed(c, b) for c, b in product(range(self.commits), range(self.beds))]
        return to_table(keyed, RUNS)

    def run(self, commit: int, bed: int = 0) -> Run:
        """Return one published file as an adapter parses it; a commit number past the end gives a new file."""
        sha = commit_sha(commit)
        time = FIRST_COMMIT_TIME + commit * SECONDS_BETWEEN_COMMITS
        return Run(
            run_id=str(commit),
            file_name=f"{sha[:7]}-{bed}.json",
            sha256=identity.hash63((str(self.seed), sha, str(bed))).to_bytes(8, "big").hex() * 4,
            format="pytest-benchmark",
            dut=DutBuild(name="lance", version=f"0.1.0+{sha[:7]}", timestamp=time),
            test_bed=nth_test_bed(bed),
            commit=sha,
            branch="main",
            context=context(nth_test_bed(bed)),
            run_time=time + 1800,
            results=self.benchmarks,
            ingested_at=time + 3600,
        )

    def results(self, commit: int, bed: int = 0) -> list[Result]:
        """Return the results of one published file, without the checksums of stored rows."""
        batch = self._batch(np.array([commit]))
        rows = from_table(pa.table(batch.slice(bed * self.benchmarks, self.benchmarks)), Result)
        return [replace(row, values_hash=None) for row in rows]

    def _keyed(self, commit: int, bed: int) -> Run:
        run = self.run(commit, bed)
        return replace(run, run_key=derive.run_key(run))

    @cached_property
    def _names(self) -> list[str]:
        return [benchmark_name(b) for b in range(self.benchmarks)]

    @cached_property
    def _series(self) -> Array:
        """Return the series keys by benchmark and test bed."""
        dut = DutBuild(name="lance", version="0")
        named = [[(name, nth_test_bed(t)) for t in range(self.beds)] for name in self._names]
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
        bed = np.tile(np.repeat(np.arange(self.beds), self.benchmarks), len(commits))
        bench = np.tile(np.arange(self.benchmarks), len(commits) * self.beds)
        measured = columns.measured(rng, self._names, bench, bed, samples=self.samples)
        given = {**self._identity(rng, commits, bench, bed), **measured}
        arrays = [given[f.name] if f.name in given else columns.default(f, len(bed)) for f in RESULTS]
        return pa.RecordBatch.from_arrays(arrays, schema=RESULTS)

    def _identity(self, rng: np.random.Generator, commits: Array, bench: Array, bed: Array) -> dict[str, pa.Array]:
        at = np.repeat(np.arange(len(commits)), self.benchmarks * self.beds)
        shas = np.array([commit_sha(int(c)) for c in commits], object)
        versions = np.array([f"0.1.0+{sha[:7]}" for sha in shas], object)
        times = FIRST_COMMIT_TIME + commits[at] * SECONDS_BETWEEN_COMMITS
        runs = np.array([[self._keyed(int(c), b).run_key for b in range(self.beds)] for c in commits])
        beds = to_table(
            [
                Result(dut=DutBuild(name="", version=""), test_bed=nth_test_bed(b), benchmark_name="")
                for b in range(self.beds)
            ],
            RESULTS,
        )
        return {
            "id": columns.ids(rng, len(bed)),
            "dut": columns.struct("dut", name=pa.repeat("lance", len(bed)), version=versions[at], timestamp=times),
            "test_bed": beds["test_bed"].combine_chunks().take(pa.array(bed)),
            "benchmark_name": pa.array(self._names).take(pa.array(bench)),
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
    """Return the full sha of a commit by its number."""
    return identity.content_id((str(commit),)).replace("-", "") + "00000000"


def nth_test_bed(bed: int) -> TestBed:
    """Return a test bed by its number."""
    return TestBed(
        name=f"bench-{bed}",
        cpu=f"AMD EPYC 7{bed}63 64-Core Processor",
        memory_gb=16 << bed % 3,
        os="Linux 6.1.0-18-amd64",
        created_at=FIRST_COMMIT_TIME,
    )
