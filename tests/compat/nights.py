"""The nights of a project that lance-bench measures: the raw output of each, of eight benchmarks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha1
from random import Random
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING

from tests.compat import upstream
from tests.ingest.support import criterion_line

if TYPE_CHECKING:
    from pathlib import Path

BED = "my-machine"
DAY = 86_400
START = 1_750_000_000
RUST = ("io/read", "io/write", "linalg/dot")
PYTHON = (
    "benchmarks/test_scan.py::test_scan",
    "benchmarks/test_scan.py::test_take",
    "benchmarks/test_open.py::test_open",
)
RECALL = "dbpedia_query_IVF100_PQ96_refine_10"
INDEX = "train_fts_index/dataset=words/with_position=true"
NAMES = {*RUST, *PYTHON, RECALL, INDEX}
MACHINE = {
    "node": "runner",
    "processor": "x86_64",
    "machine": "x86_64",
    "system": "Linux",
    "release": "6.8.0-azure",
    "cpu": {"brand_raw": "AMD EPYC 7763 64-Core Processor"},
}


def sha(night: int) -> str:
    """Return the commit that a night measures."""
    return sha1(f"night {night}".encode(), usedforsecurity=False).hexdigest()


def version(night: int) -> str:
    return f"0.15.0+{sha(night)[:7]}"


def commit_time(night: int) -> int:
    return START + night * DAY


def output(night: int, *, slower: str = "") -> dict[str, str]:
    """Return the raw output of a night by format; the benchmark `slower` takes twice its time."""
    random = Random(night)

    def times(name: str) -> list[float]:
        factor = 2 if name == slower else 1
        return [1000 * factor * random.gauss(1, 0.01) for _ in range(20)]

    return {
        "criterion": "".join(map(_criterion, RUST, map(times, RUST))),
        "pytest-benchmark": json.dumps(
            {
                "machine_info": MACHINE,
                "commit_info": {"id": sha(night), "branch": "main"},
                "benchmarks": list(map(_pytest, PYTHON, map(times, PYTHON))),
                "datetime": datetime.fromtimestamp(commit_time(night) + 600, UTC).isoformat(),
            }
        ),
        "dbpedia": f"IVF100,PQ96: refine=10, recall@10={0.95 + random.gauss(0, 0.001):.6f}\n",
        "values-ns": json.dumps(_index(times(INDEX), commit_time(night))),
    }


def _criterion(name: str, times: list[float]) -> str:
    counts = [100 * (1 + i) for i in range(len(times))]
    totals = [time * count for time, count in zip(times, counts, strict=True)]
    return criterion_line(name, counts=counts, totals=totals, throughput=[{"per_iteration": 64, "unit": "elements"}])


def _pytest(name: str, times: list[float]) -> dict[str, object]:
    data = sorted(time / 1e9 for time in times)
    stats = {"min": data[0], "max": data[-1], "mean": fmean(data), "median": median(data), "stddev": stdev(data)}
    stats |= {"q1": data[4], "q3": data[15], "rounds": len(data)}
    return {"fullname": name, "name": name.rpartition("::")[2], "params": None, "stats": {**stats, "data": data}}


def _index(times: list[float], now: int) -> dict[str, object]:
    whole = [round(time * 1e6) for time in times]
    entry = {
        "benchmark_name": INDEX,
        "dataset_name": "words",
        "dataset_description": "a thousand words",
        "num_rows": 5000,
        "total_text_bytes": 31_250,
        "peak_rss_bytes": 4_194_304 + now % 1000,
        "delta_rss_bytes": 65_536 + now % 1000,
        "with_position": True,
        "duration_ns": whole[0],
        "values_ns": whole,
    }
    return {"benchmark_type": "train_fts_index", "timestamp": now, "results": [entry]}


def measure_with_lance_bench(database: Path, nights: int) -> None:
    """Publish the first nights as the publishers of lance-bench do, each file at a time of its own."""
    for night in range(nights):
        facts = {"version": version(night), "commit_time": commit_time(night), "bed": BED}
        for number, (name, text) in enumerate(output(night).items()):
            now = commit_time(night) + 3600 + number
            upstream.publish(database, upstream.rows(name, text, now=now, **facts))  # type: ignore[arg-type]


SUITES = {"criterion": "rust", "pytest-benchmark": "python", "dbpedia": "recall"}


def flags(name: str, night: int) -> list[str]:
    """Return the flags of `bench-db publish` for a file of a night; the results of the index benchmark name their suite."""
    suite = ["--suite", SUITES[name]] if name in SUITES else []
    where = ["--test-bed-name", BED, "--dut-name", "lance", "--dut-version", version(night)]
    return ["--format", name, *where, "--dut-timestamp", str(commit_time(night)), *suite]
