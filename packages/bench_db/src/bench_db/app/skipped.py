"""Benchmarks that were measured and could not be read: they failed, and are not missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from bench_db.analysis.compare import Verdict
from bench_db.query.availability import of_commit

if TYPE_CHECKING:
    from bench_db.analysis.judge import Judged
    from bench_db.store.database import Database

_COLUMNS = ("dut_name", "test_bed_name", "notes")


def with_skipped(store: Database, judged: list[Judged], commit: str, as_of: str | None = None) -> list[Judged]:
    """The same, where a series that the commit lacks failed if publishing skipped its benchmark, as the notes of its run say."""
    if not any(j.verdict == Verdict.MISSING for j in judged):
        return judged
    runs = store.runs(as_of).filter(of_commit(commit) & (pl.col("notes").list.len() > 0)).select(_COLUMNS)
    notes = [(dut, bed, note) for dut, bed, some in runs.collect().iter_rows() for note in some]
    return [_told(j, notes) if j.verdict == Verdict.MISSING else j for j in judged]


def _told(missing: Judged, notes: list[tuple[str, str, str]]) -> Judged:
    start = f"{missing.benchmark_name}: skipped, "
    for dut, bed, note in notes:
        if (dut, bed) == (missing.dut_name, missing.testbed_name) and note.startswith(start):
            return replace(missing, verdict=Verdict.FAILED, note=note.removeprefix(f"{missing.benchmark_name}: "))
    return missing
