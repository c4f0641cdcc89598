"""Rows as lance-bench wrote them, which kept no runs."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING

from bench_db import identity
from bench_db.model import Result, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = "lance-bench/1"


def as_runs(results: Iterable[Result]) -> list[tuple[Run, list[Result]]]:
    """Rows of one device and test bed published in the same second are one run."""
    groups: defaultdict[tuple[object, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.dut, result.test_bed.name, result.timestamp].append(result)
    return [(_run(group), group) for group in groups.values()]


def _run(group: list[Result]) -> Run:
    first = group[0]
    content = sha256()
    for row in sorted(group, key=lambda r: (r.benchmark_name, r.metadata)):
        content.update(identity.injective((row.benchmark_name, row.metadata)).encode())
        content.update(row.values.tobytes())
    return Run(
        file_name="lance-bench",
        sha256=content.hexdigest(),
        format=SOURCE,
        dut=first.dut,
        test_bed=first.test_bed,
        commit=first.commit,
        ingested_at=first.timestamp,
    )
