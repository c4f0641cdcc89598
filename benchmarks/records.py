"""Texts of a generated history in the form of pytest-benchmark: metadata of benchmarks, run contexts and files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench_db.model import TestBed

_OPTIONS = {
    "disable_gc": True, "timer": "perf_counter", "min_rounds": 5, "max_time": 1.0, "min_time": 5e-06,
    "precision": None, "confidence": None, "warmup": False,
}  # fmt: skip


def _own(name: str) -> dict[str, object]:
    return {
        "group": None,
        "name": name.rsplit("/", 1)[-1],
        "fullname": name,
        "params": None,
        "param": None,
        "extra_info": {},
        "options": _OPTIONS,
    }


def records(names: Sequence[str], bench: np.ndarray[Any, Any]) -> pa.Array:
    """Return the metadata of each row as ingest stores it: without raw samples and without the statistics that follow from them."""
    texts = [json.dumps({**_own(name), "stats": {"iterations": 10}}, separators=(",", ":")) for name in names]
    return pa.array(texts).take(pa.array(bench))


def context(bed: TestBed) -> str:
    """Return the context of a run: the machine with all its processor flags, and the version of the tool."""
    flags = sorted({f"flag{(7 * i) % 997}" for i in range(120)})
    machine = {
        "node": bed.name, "processor": "", "machine": "x86_64", "python_version": "3.12.3", "release": bed.os,
        "system": "Linux", "cpu": {"brand_raw": bed.cpu, "count": 64, "flags": flags},
    }  # fmt: skip
    return json.dumps({"machine_info": machine, "version": "5.3.1"}, separators=(",", ":"))


def write_file(path: Path, megabytes: int, seed: int = 7) -> None:
    """Write a pytest-benchmark file of about this size, with 2,500 raw samples per benchmark."""
    rng = np.random.default_rng(seed)
    benchmarks: list[dict[str, object]] = []
    size = 0
    while size < megabytes * 1_000_000:
        data = rng.normal(1e-3, 3e-5, 2_500).tolist()
        name = f"bench/test_case_{len(benchmarks)}"
        benchmarks.append({**_own(name), "stats": {"rounds": len(data), "iterations": 1, "data": data}})
        size += 22 * len(data)
    commit = {"id": "0" * 40, "time": "2026-01-31T12:00:00+00:00", "branch": "main", "dirty": False}
    document = {
        "machine_info": {"node": "bench-0", "system": "Linux", "machine": "x86_64"},
        "commit_info": commit,
        "benchmarks": benchmarks,
        "datetime": "2026-01-31T12:30:00+00:00",
        "version": "5.3.1",
    }
    path.write_text(json.dumps(document))
