"""Benchmarks that were measured and then skipped at publishing: they failed, and are not missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from bench_db.analysis.judge import in_order
from bench_db.model import Verdict
from bench_db.query.availability import of_commit

if TYPE_CHECKING:
    from bench_db.model import Comparison
    from bench_db.store.database import Database

_COLUMNS = ("dut_name", "test_bed_name", "notes")


def with_skipped(store: Database, judged: list[Comparison], commit: str, as_of: str | None = None) -> list[Comparison]:
    """Turn missing into failed where publishing skipped the benchmark, as the notes of its run say."""
    if not any(j.verdict == Verdict.MISSING for j in judged):
        return judged
    runs = store.runs(as_of).filter(of_commit(commit) & (pl.col("notes").list.len() > 0)).select(_COLUMNS)
    notes = [(dut, bed, note) for dut, bed, some in runs.collect().iter_rows() for note in some]
    return in_order(_with_reason(j, notes) if j.verdict == Verdict.MISSING else j for j in judged)


def _with_reason(missing: Comparison, notes: list[tuple[str, str, str]]) -> Comparison:
    series = missing.series
    start = f"{series.benchmark_name}: skipped, "
    for dut, bed, note in notes:
        if (dut, bed) == (series.dut_name, series.test_bed_name) and note.startswith(start):
            return replace(missing, verdict=Verdict.FAILED, note=note.removeprefix(f"{series.benchmark_name}: "))
    return missing
