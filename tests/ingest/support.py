"""Small files of each format, parsed under a fixed provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench_db.ingest import Provenance, parse
from bench_db.model import Result, Run, TestBed

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "tests" / "data"
REAL = REPOSITORY.parent / "shared" / "real-output"
BED = TestBed(name="bed", cpu="cpu", memory_gb=8, os="Linux 6.1")
FIXED = Provenance(test_bed=BED, ingested_at=1_700_000_000, dut_name="lib", dut_version="1.0")
STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")


def read(path: Path, content: str | bytes | None = None, provenance: Provenance = FIXED) -> tuple[Run, list[Result]]:
    """Parse a path, after writing the content if there is any."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse(path, provenance=provenance)


def pytest_file(*benchmarks: Any, **top: Any) -> str:
    """Return a pytest-benchmark file, with NaN and infinities as Python writes them."""
    return json.dumps({"machine_info": {"node": "ci"}, "commit_info": {}, "benchmarks": benchmarks, **top})


def pytest_benchmark(name: str = "t.py::test", data: Any = (1.0, 2.0, 3.0), **stats: Any) -> dict[str, Any]:
    """Return a benchmark of a pytest-benchmark file; `data` is in seconds, None omits it."""
    summary = {"min": 1.0, "q1": 1.5, "median": 2.0, "q3": 2.5, "max": 3.0, "mean": 2.0, "stddev": 1.0, "rounds": 3}
    raw = {} if data is None else {"data": data}
    return {"fullname": name, "name": name, "params": {"n": 1}, "stats": {**summary, **raw, **stats}}


def criterion_line(name: str = "group/f", *, counts: Any = (1, 2), totals: Any = (10.0, 40.0), **fields: Any) -> str:
    """Return a benchmark-complete message of cargo-criterion."""
    message = {"reason": "benchmark-complete", "id": name, "iteration_count": counts, "measured_values": totals}
    interval = {"estimate": 15.0, "lower_bound": 12.0, "upper_bound": 18.0, "unit": "ns"}
    return (
        json.dumps({**message, "unit": "ns", "throughput": [], "typical": interval, "mean": interval, **fields}) + "\n"
    )


def assert_close(summary: Any, expected: Any) -> None:
    """Assert that a summary equals expected statistics up to rounding; a null deviation counts as 0."""
    for name in STATISTICS:
        want = 0.0 if expected[name] is None else expected[name]
        assert abs(getattr(summary, name) - want) <= 1e-12 * abs(want) + 1e-9, (name, getattr(summary, name), want)


def figures(result: Result, *names: str) -> list[float | None]:
    """Return the named statistics of a result."""
    return [getattr(result.summary, name) for name in names]
