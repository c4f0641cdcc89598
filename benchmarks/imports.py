"""A seeded history of google-benchmark files, one a commit, and the cost of publishing it.

python -m benchmarks.imports [FILES ...] publishes histories of so many files (200, 1,000 and 2,000 by default) into new stores, each
in a process of its own. It prints CPU milliseconds a file: of each phase, of publishing the files again, and of three rivals in the
same run, json.loads of the files, and DuckDB and SQLite inserting the stored rows, a transaction a file. Memory and disk are in MB.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from bench_db.app.publish import publish
from bench_db.report.text import table
from bench_db.store.engine import Engine, locate
from bench_db.store.tables import RESULTS_TABLE
from benchmarks import stores
from benchmarks.fresh import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SIZES = (200, 1_000, 2_000)
# Each benchmark has a real and a CPU time, and every second one a rate of bytes and one of items: 180 rows of a file.
BENCHMARKS = 60
REPETITIONS = 1
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_CACHES = [
    (("Data", 1, 49152, 1)),
    (("Instruction", 1, 32768, 1)),
    (("Unified", 2, 2097152, 1)),
    (("Unified", 3, 314572800, 2)),
]


@dataclass(frozen=True, kw_only=True)
class Import:
    """The files of a history; equal seeds give equal files."""

    files: int
    seed: int = 7

    def write(self, directory: Path) -> None:
        """Write every file into a directory, by the number of its commit."""
        directory.mkdir(parents=True)
        for number in range(self.files):
            (directory / f"{number:05}.json").write_text(json.dumps(self.document(number), indent=2))

    def document(self, number: int) -> dict[str, Any]:
        """Return one file as google-benchmark 1.9 writes it, with the facts of its commit in the context."""
        random = np.random.default_rng((self.seed, number))
        rows = [row for benchmark in range(BENCHMARKS) for row in _rows(benchmark, random)]
        return {"context": _context(number), "benchmarks": rows}


def _context(number: int) -> dict[str, Any]:
    moment = _FIRST + timedelta(hours=6 * number)
    return {
        "date": (moment + timedelta(minutes=20)).isoformat(),
        "host_name": "perf-runner-1",
        "executable": "./build/engine_bench",
        "num_cpus": 16,
        "mhz_per_cpu": 2100,
        "cpu_scaling_enabled": False,
        "caches": [dict(zip(("type", "level", "size", "num_sharing"), cache, strict=True)) for cache in _CACHES],
        "load_avg": [5.37842, 5.2207, 4.99023],
        "library_build_type": "release",
        "json_schema_version": 1,
        "GIT_COMMIT_HASH": sha1(str(number).encode(), usedforsecurity=False).hexdigest(),
        "GIT_COMMIT_DATE": moment.isoformat(),
        "GIT_BRANCH": "main",
    }


def _rows(benchmark: int, random: np.random.Generator) -> list[dict[str, Any]]:
    name = f"BM_Scan{benchmark // 6}/{1 << (benchmark % 6 + 6)}"
    real = 850.0 * (benchmark + 1) * random.lognormal(0, 0.02, REPETITIONS)
    rows: list[dict[str, Any]] = []
    for repetition, nanoseconds in enumerate(real.tolist()):
        row: dict[str, Any] = {
            "name": name,
            "family_index": benchmark // 6,
            "per_family_instance_index": benchmark % 6,
            "run_name": name,
            "run_type": "iteration",
            "repetitions": REPETITIONS,
            "repetition_index": repetition,
            "threads": 1,
            "iterations": 21867,
            "real_time": nanoseconds,
            "cpu_time": nanoseconds * 0.98,
            "time_unit": "ns",
        }
        if benchmark % 2:
            row |= {"bytes_per_second": 1e12 / nanoseconds, "items_per_second": 1e11 / nanoseconds}
        rows.append(row)
    return rows


class Phases:
    """The CPU seconds between the reports of a publish, by what it was doing."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._last = "", time.process_time()

    def __call__(self, _done: int, _total: int, doing: str = "") -> None:
        """Add the time since the last report to what was being done."""
        before, at = self._last
        now = time.process_time()
        if before:
            self.seconds[before] += now - at
        self._last = doing, now


def measured(files: int, directory: Path) -> dict[str, float]:
    """Return CPU milliseconds a file of each work over a history, and the memory and the disk of publishing it in MB."""
    source, store = directory / "files", directory / "store"
    Import(files=files).write(source)
    phases, started = Phases(), time.process_time()
    published = publish(store, source, progress=phases)
    took = {"publish": time.process_time() - started, **phases.seconds}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    disk = stores.bytes_on_disk(store) / 1e6
    for name, work in (("again", _again), ("json.loads", _json), ("duckdb", _duckdb), ("sqlite", _sqlite)):
        started = time.process_time()
        work(directory)
        took[name] = time.process_time() - started
    stores.settle(store)
    costs = {name: seconds * 1e3 / files for name, seconds in took.items()}
    return {
        "files": files,
        "rows": published.new,
        **costs,
        "memory": memory,
        "disk": disk,
        "disk, settled": stores.bytes_on_disk(store) / 1e6,
    }


def _again(directory: Path) -> None:
    assert publish(directory / "store", directory / "files").new == 0


def _json(directory: Path) -> None:
    for file in (directory / "files").iterdir():
        json.loads(file.read_bytes())


def _duckdb(directory: Path) -> None:
    rows = _stored(directory)
    with duckdb.connect(directory / "duckdb") as connection:
        connection.execute("CREATE TABLE results AS SELECT * FROM rows LIMIT 0")
        for of_run in _runs(rows):  # noqa: B007 DuckDB finds it by its name
            connection.execute("INSERT INTO results SELECT * FROM of_run")


def _sqlite(directory: Path) -> None:
    (directory / "sqlite").mkdir()
    connection = stores.create_sqlite(directory / "sqlite")
    for of_run in _runs(_stored(directory)):
        with connection:
            connection.executemany(stores.SQLITE_INSERT, stores.sqlite_rows(of_run))
    connection.close()


def _stored(directory: Path) -> pa.Table:
    return stores.flat(Engine(locate(directory / "store"), None).open(RESULTS_TABLE).rows())


def _runs(rows: pa.Table) -> Iterator[pa.Table]:
    at = 0
    for _, run in groupby(rows["run_key"].to_pylist()):
        length = len(list(run))
        yield rows.slice(at, length)
        at += length


def in_fresh_process(files: int) -> dict[str, float]:
    """Return what `measured` returns for a history of so many files, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.imports", "--one", str(files)]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)  # noqa: S603 our own code
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(sizes: list[int]) -> None:
    """Measure each size in a process of its own, and print a row for each."""
    found = [in_fresh_process(files) for files in sizes]
    headings = tuple(found[0])
    print(table(headings, [[f"{row[name]:,.4g}" for name in headings] for row in found], right=headings))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        with TemporaryDirectory() as place:
            print(json.dumps(measured(int(sys.argv[2]), Path(place))))
    else:
        main([int(text) for text in sys.argv[1:]] or list(SIZES))
