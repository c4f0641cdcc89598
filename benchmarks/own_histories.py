"""Injected steps in the recorded histories of two projects, judged by the figure of each series, and by medians alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.analysis.compare import compare
from bench_db.analysis.histories import figure_values, figures
from bench_db.analysis.level import changes_of_values, established
from bench_db.model import Figure
from bench_db.rules import RULES
from benchmarks.accuracy import all_found

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.synthetic import Array

FILE = "own_histories.parquet"
PLACES = (0.35, 0.5, 0.65)
NEAR = 3  # runs
EFFECTS = (0.05, 0.1)


def series(file: Path, *, medians: bool) -> list[Array]:
    """Return the values of each series of at least `rules.figure_runs` runs, oldest first, by its figure or by its median."""
    rows = pl.read_parquet(file).filter(pl.col("median") > 0)
    rows = rows.filter(pl.len().over("project", "benchmark_name") >= RULES.figure_runs)
    names = rows.select("project", "benchmark_name").unique().sort("project", "benchmark_name").with_row_index("number")
    names = names.with_columns(pl.lit("lower").alias("direction"))
    points = rows.join(names, on=("project", "benchmark_name")).sort("number", "dut_timestamp", "run_time")
    of = [Figure.MEDIAN] * len(names) if medians else figures(points, names)
    values = points.select("number").with_columns(figure_values(points, of).alias("value"))
    return [part["value"].to_numpy() for part in values.partition_by("number", maintain_order=True)]


def measured(file: Path, *, medians: bool) -> dict[str, float]:
    """Return the false alarms and the shares found of `detect` and `compare` with one candidate run."""
    every = series(file, medians=medians)
    out = {"detect: changes a series without a step": sum(map(len, all_found(every))) / len(every)}
    for effect in EFFECTS:
        hit = []
        for place in PLACES:
            at = [int(len(values) * place) for values in every]
            stepped = [np.where(np.arange(len(x)) < k, x, x * (1 + effect)) for x, k in zip(every, at, strict=True)]
            found = all_found(stepped)
            hit += [any(abs(f - k) <= NEAR for f in one) for one, k in zip(found, at, strict=True)]
        out[f"detect: +{effect:.0%} found"] = float(np.mean(hit))
    prefixes = [(values, at) for values in every for at in range(RULES.level_runs, len(values))]
    pieces = [values[:at] for values, at in prefixes]
    changes = changes_of_values(np.concatenate(pieces), np.cumsum([0, *map(len, pieces)], dtype=np.int64))
    baselines = [piece[established(len(piece), changes.get(n, ()))].tolist() for n, piece in enumerate(pieces)]
    for effect in (0.0, *EFFECTS):
        answers = [
            compare([float(values[at]) * (1 + effect)], old).significant
            for (values, at), old in zip(prefixes, baselines, strict=True)
        ]
        out[f"compare: +{effect:.0%} found" if effect else "compare: no change"] = float(np.mean(answers))
    return out
