"""Ranks of the values of a tag: which is best in each benchmark, and over the benchmarks that all of them have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

# What results that are compared with each other have in common, besides their other tags.
ALIKE = ("dut_name", "test_bed_name", "suite", "benchmark_name", "metric", "units", "direction", "other_tags")
_METRIC = ("metric", "units", "direction")


def ranked(rows: pl.DataFrame, apart: Sequence[str] = ()) -> pl.DataFrame:
    """Return a row for each group of `ALIKE` and each `value` that its metric has somewhere, with its rank.

    `rows` have the columns `ALIKE`, `value` and `median`; the columns `apart` keep groups apart, too. The best has `rank` 1, and equal ones share the rank of the first of them.
    `behind` is how much worse than the best it is, relative to that (0.1 is 10 %), null where the best is 0. Rank and median are null
    of a value without a result (`state` is "missing"), with a failed one ("failed") and without a better direction ("no direction").
    """
    key = [*ALIKE, *apart]
    there = rows.select(*key, "value", "median", has=pl.lit(value=True))
    values = there.select(*_METRIC, "value").unique()
    every = (
        there.select(key)
        .unique()
        .join(values, on=_METRIC)
        .join(there, on=[*key, "value"], how="left", nulls_equal=True)
    )
    median = pl.when(pl.col("median").is_finite()).then("median")
    state = (
        pl.when(pl.col("has").is_null())
        .then(pl.lit("missing"))
        .when(median.is_null())
        .then(pl.lit("failed"))
        .when(pl.col("direction") == Direction.INFO)
        .then(pl.lit("no direction"))
        .otherwise(pl.lit("ranked"))
    )
    known = every.with_columns(state=state, median=median)
    cost = pl.when(pl.col("state") == "ranked").then(
        pl.col("median") * pl.when(pl.col("direction") == Direction.HIGHER).then(-1.0).otherwise(1.0) + 0.0
    )
    best = cost.min().over(key)
    placed = known.with_columns(
        rank=cost.rank("min").over(key).cast(pl.Int64), behind=pl.when(best != 0).then((cost - best) / best.abs())
    )
    return placed.drop("has").sort(*key, "rank", "value", nulls_last=True)


def of_values(places: pl.DataFrame, apart: Sequence[str] = ()) -> pl.DataFrame:
    """Return a row for each value, the best first: how often it is ranked, and how close to the best it is.

    `places` are those of `ranked`. `missing` and `failed` count its groups without a rank, `first` those where its rank is 1. `score`
    is the geometric mean of the best median over its own, or of its own over the best where higher is better, over the `common` groups
    that are ranked for every value: 1 is the best in all of them. It is null without such groups.
    """
    counted = places.group_by("value").agg(
        ranked=pl.col("rank").count().cast(pl.Int64),
        first=(pl.col("rank") == 1).sum().cast(pl.Int64),
        mean_rank=pl.col("rank").mean(),
        **{state: (pl.col("state") == state).sum().cast(pl.Int64) for state in ("missing", "failed")},
    )
    shared = _common(places, [*ALIKE, *apart], places["value"].n_unique())
    higher = pl.col("direction") == Direction.HIGHER
    best = pl.when(higher).then(pl.col("median").max()).otherwise(pl.col("median").min()).over([*ALIKE, *apart])
    log = (best.log() - pl.col("median").log()).abs()
    scored = shared.with_columns(log=log).group_by("value")
    scores = scored.agg(common=pl.len().cast(pl.Int64), score=(-pl.col("log").mean()).exp())
    joined = counted.join(scores, on="value", how="left", nulls_equal=True).with_columns(pl.col("common").fill_null(0))
    return joined.sort("score", "mean_rank", "value", descending=[True, False, False], nulls_last=True)


def means(places: pl.DataFrame, apart: Sequence[str] = ()) -> pl.DataFrame:
    """Return the geometric mean of each value and metric, over the `common` groups of the metric that all of its values have.

    Groups with a median of 0 or below have no geometric mean and are left out. Without a common group there is no row.
    """
    found = [
        _common(of, [*ALIKE, *apart], of["value"].n_unique())
        for of in places.partition_by(_METRIC, maintain_order=True)
    ]
    shared = pl.concat(found) if found else places
    mean = pl.col("median").log().mean().exp()
    return (
        shared.group_by(*_METRIC, "value")
        .agg(common=pl.len().cast(pl.Int64), geometric_mean=mean)
        .sort(*_METRIC, "value")
    )


def _common(places: pl.DataFrame, key: Sequence[str], values: int) -> pl.DataFrame:
    """Return the places of groups in which so many values have a rank and a median above 0."""
    able = places.filter(pl.col("rank").is_not_null() & (pl.col("median") > 0))
    return able.filter(pl.len().over(key) == values)
