"""The publishers of lance-bench: the rows that they make of raw output, and the database that they write.

They keep batch totals of Criterion and statistics of two kinds, the unit "ns" of the index benchmarks, and the architecture of the
publishing machine as its CPU. They drop suites, and the machine, commit and times in a file.
"""

from __future__ import annotations

import json
import platform
import re
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import lancedb
import pyarrow as pa

import lance_bench_db
from bench_db.ingest.host import memory_gb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Row = dict[str, Any]

_STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "dut": pa.struct({"name": pa.string(), "version": pa.string(), "timestamp": pa.int64()}),
        "test_bed": pa.struct(
            {
                "name": pa.string(),
                "cpu": pa.string(),
                "memory_gb": pa.int32(),
                "os": pa.string(),
                "created_at": pa.int64(),
            }
        ),
        "benchmark_name": pa.string(),
        "values": pa.list_(pa.float64()),
        "summary": pa.struct(dict.fromkeys(_STATISTICS, pa.float64())),
        "units": pa.string(),
        "throughput": pa.struct({"multiplier": pa.float64(), "name": pa.string(), "unit_system": pa.string()}),
        "metadata": pa.string(),
        "timestamp": pa.int64(),
    }
)


def criterion(text: str) -> list[Row]:
    """Read the messages of cargo-criterion."""
    messages = [json.loads(line) for line in text.splitlines()]
    return [_criterion(message) for message in messages if message["reason"] == "benchmark-complete"]


def _criterion(message: Row) -> Row:
    totals, counts = message["measured_values"], message["iteration_count"]
    ranked, single = sorted(totals), [total / count for total, count in zip(totals, counts, strict=True)]
    quartiles = [ranked[len(ranked) * part // 4] for part in (1, 2, 3)]
    work = message.get("throughput")
    throughput = work and {"multiplier": work[0]["per_iteration"], "name": work[0]["unit"], "unit_system": "binary"}
    return {
        "benchmark_name": message["id"],
        "values": totals,
        "summary": _summary(ranked[0], *quartiles, ranked[-1], fmean(single), pstdev(single)),
        "units": "nanoseconds",
        "throughput": throughput or None,
        "metadata": json.dumps(message),
    }


def pytest_benchmark(text: str) -> list[Row]:
    """Read a file of pytest-benchmark."""
    return [_pytest_benchmark(benchmark) for benchmark in json.loads(text)["benchmarks"]]


def _pytest_benchmark(benchmark: Row) -> Row:
    stats = benchmark["stats"]
    names = ("min", "q1", "median", "q3", "max", "mean", "stddev")
    return {
        "benchmark_name": benchmark.get("fullname") or benchmark.get("name") or "unknown",
        "values": [seconds * 1e9 for seconds in stats["data"]],
        "summary": _summary(*(stats[name] * 1e9 for name in names)),
        "units": "nanoseconds",
        "throughput": None,
        "metadata": json.dumps(benchmark),
    }


_RECALL = re.compile(r"IVF(\d+),PQ(\d+):\s+refine=(\w+),\s+recall@(\d+)=([\d.]+)")


def dbpedia(text: str) -> list[Row]:
    """Read the recall lines."""
    return [_dbpedia(*found.groups()) for line in text.splitlines() if (found := _RECALL.match(line))]


def _dbpedia(ivf: str, pq: str, refine: str, k: str, recall: str) -> Row:
    value, facts = float(recall), {"ivf": int(ivf), "pq": int(pq), "refine": _number(refine), "k": int(k)}
    return {
        "benchmark_name": f"dbpedia_query_IVF{ivf}_PQ{pq}_refine_{refine}",
        "values": [value],
        "summary": _summary(*[value] * 6, 0.0),
        "units": "recall",
        "throughput": None,
        "metadata": json.dumps({**facts, "metric": "cosine"}),
    }


def _number(refine: str) -> int | None:
    return None if refine == "None" else int(refine)


_DATASET = (
    "dataset_name",
    "dataset_description",
    "num_rows",
    "total_text_bytes",
    "peak_rss_bytes",
    "delta_rss_bytes",
    "with_position",
)


def fts_index(text: str) -> list[Row]:
    """Read the results of the full-text index benchmark."""
    return [_fts_index(entry) for entry in json.loads(text)["results"]]


def _fts_index(entry: Row) -> Row:
    return {
        "benchmark_name": entry["benchmark_name"],
        "values": entry["values_ns"],
        "summary": _summary(*[float(entry["duration_ns"])] * 6, 0.0),
        "units": "ns",
        "throughput": None,
        "metadata": json.dumps({name: entry[name] for name in _DATASET}),
    }


def _summary(*numbers: float) -> dict[str, float]:
    return dict(zip(_STATISTICS, numbers, strict=True))


PUBLISHERS: dict[str, Callable[[str], list[Row]]] = {
    "criterion": criterion,
    "pytest-benchmark": pytest_benchmark,
    "dbpedia": dbpedia,
    "values-ns": fts_index,
}


def rows(format_name: str, text: str, *, version: str, commit_time: int, now: int, bed: str) -> list[Row]:
    """Return the rows of a file, with what the publisher adds to all of them."""
    test_bed = {
        "name": bed,
        "cpu": platform.processor() or platform.machine(),
        "memory_gb": memory_gb(),
        "os": f"{platform.system()} {platform.release()}",
        "created_at": now,
    }
    dut = {"name": "lance", "version": version, "timestamp": commit_time}
    of_all = {"dut": dut, "test_bed": test_bed, "timestamp": now}
    return [{"id": str(uuid4()), **row, **of_all} for row in PUBLISHERS[format_name](text)]


def publish(database: Path, rows: Iterable[Row]) -> None:
    """Append rows to the database, which the first publisher creates."""
    connection = lancedb.connect(str(database))
    there = (database / "results.lance").is_dir()
    table = connection.open_table("results") if there else connection.create_table("results", schema=SCHEMA)
    table.add(pa.Table.from_pylist(list(rows), SCHEMA))


def upload(rows: Iterable[Row]) -> None:
    """Publish rows through `lance_bench_db`, as the publishers do."""
    table = lance_bench_db.Result.open_table(lance_bench_db.connect())
    table.add(lance_bench_db.Result.to_arrow_table(map(_record, rows)))


def _record(row: Row) -> lance_bench_db.Result:
    throughput = row["throughput"]
    records = {
        "dut": lance_bench_db.DutBuild(**row["dut"]),
        "test_bed": lance_bench_db.TestBed(**row["test_bed"]),
        "summary": lance_bench_db.SummaryValues(**row["summary"]),
        "throughput": throughput and lance_bench_db.Throughput(**throughput),
    }
    return lance_bench_db.Result(**{**row, **records})
