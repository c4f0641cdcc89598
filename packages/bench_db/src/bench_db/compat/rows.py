"""Rows of lance-bench, which stored no runs, and the architecture of a machine as its CPU."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bench_db import identity
from bench_db.model import Result, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.model import TestBed

SOURCE = "lance-bench/1"
# What the platform names where lance-bench asked for the CPU.
_ARCHITECTURES = {"x86_64", "amd64", "i386", "i686", "aarch64", "arm64", "arm", "armv7l", "ppc64le", "riscv64", "s390x"}


def as_runs(results: Iterable[Result]) -> list[tuple[Run, list[Result]]]:
    """Rows of one device and test bed published in the same second are one run."""
    groups: defaultdict[tuple[object, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.dut, result.test_bed.name, result.timestamp].append(result)
    return [(_run(group), group) for group in groups.values()]


def _run(group: list[Result]) -> Run:
    first = group[0]
    return Run(
        file_name="lance-bench",
        sha256=digest(group),
        format=SOURCE,
        dut=first.dut,
        test_bed=first.test_bed,
        commit=first.commit,
        ingested_at=first.timestamp,
    )


def digest(rows: Iterable[Result]) -> str:
    """Return the SHA-256 of names, records and values of rows, in any order."""
    content = sha256()
    for row in sorted(rows, key=lambda r: (r.benchmark_name, r.metadata)):
        content.update(identity.injective((row.benchmark_name, row.metadata)).encode())
        content.update(row.values.tobytes())
    return content.hexdigest()


def commit_of(version: str) -> str | None:
    """Return the commit that a version names: at its end, or alone, which the publishers write when no version is stated."""
    is_alone = len(version) == identity.ABBREVIATED_SHA and identity.is_commit_id(version)
    return version.lower() if is_alone else identity.commit_of_version(version)


def record_of(metadata: str) -> dict[str, Any]:
    """Return the record of the tool in the metadata of a row; empty when it is no JSON object."""
    try:
        record = json.loads(metadata)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def with_known_cpu(bed: TestBed) -> TestBed:
    """Return a test bed whose CPU is unknown when an architecture was stored for it."""
    return replace(bed, cpu="") if bed.cpu.lower() in _ARCHITECTURES else bed
