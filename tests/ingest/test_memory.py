"""Memory budgets, each in a fresh process, so that earlier tests do not count."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from tests.support.needs import needs_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MIB = 1 << 20
# ru_maxrss of a child starts at the value of its parent, so read the peak of this address space from the kernel
CODE = """
import re, sys
from bench_db.arrow import samples_of
from bench_db.ingest import Provenance, parse
from bench_db.model import Samples
from bench_db.summary import summarise
summarise(Samples([1.0, 2.0]))
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
before = peak()
run, results = parse(sys.argv[1], provenance=Provenance(ingested_at=1))
print(peak() - before, len(results), sum(len(r.values) for r in results))
"""


@pytest.fixture(autouse=True)
def _kernel_that_tells_the_peak() -> None:
    needs_file("/proc/self/status")


def benchmark(name: str, samples: int) -> str:
    numbers = ", ".join(f"{1e-6 * (1 + i % 997 / 7919)!r}" for i in range(samples))
    return f'{{"fullname": {json.dumps(name)}, "stats": {{"rounds": {samples}, "iterations": 1, "data": [{numbers}]}}}}'


def written(path: Path, bodies: Iterable[str]) -> Path:
    """Write a file of these benchmarks, one by one."""
    with path.open("w") as file:
        file.write('{"machine_info": {}, "benchmarks": [')
        file.writelines(f"{', ' if index else ''}{body}" for index, body in enumerate(bodies))
        file.write("]}")
    return path


def growth(path: Path) -> tuple[int, int, int]:
    answer = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
    grown, results, samples = map(int, answer.stdout.split())
    return grown, results, samples


class TestMemory:
    """Reading a file takes little more than the file and its samples."""

    def test_fifty_megabytes(self, tmp_path: Path) -> None:
        body = benchmark("x", 5000)
        path = written(tmp_path / "f", repeat(body, 50_000_000 // len(body)))
        grown, results, samples = growth(path)
        assert samples == 5000 * results
        assert grown < 130 * MIB

    @pytest.mark.slow
    def test_a_million_samples_in_one_benchmark(self, tmp_path: Path) -> None:
        path = written(tmp_path / "f", [benchmark("x", 1_000_000)])
        grown, results, samples = growth(path)
        assert (results, samples) == (1, 1_000_000)
        assert grown < path.stat().st_size + 110 * MIB

    @pytest.mark.slow
    def test_two_hundred_megabytes(self, tmp_path: Path) -> None:
        body = benchmark("x", 5000)
        path = written(tmp_path / "f", repeat(body, 200_000_000 // len(body)))
        grown, _, samples = growth(path)
        assert grown < path.stat().st_size + 8 * samples + 40 * MIB
