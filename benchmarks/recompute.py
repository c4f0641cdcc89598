"""Statistics and intervals of all raw samples, by bench_db, DuckDB and Polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench_db.store.engine import Engine, locate
from bench_db.store.tables import RESULTS_TABLE
from bench_db.summary import summarise_column

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BATCH = 65_536


def bench_db(place: Path) -> Any:
    """Compute the formulas of bench_db over a scan of the raw samples."""
    dataset = Engine(locate(place), None).open(RESULTS_TABLE).dataset
    batches = dataset.scanner(columns=["values"], batch_size=BATCH).to_batches()
    return summarise_column(batch.column(0) for batch in batches)


def duckdb(place: Path) -> Any:
    """Compute list aggregates of DuckDB over Parquet."""
    from benchmarks.contenders import DuckDb  # noqa: PLC0415 keeps DuckDB out of the memory of bench_db

    statistics = ", ".join(
        f"list_aggregate(v, '{name}'{rest})"
        for name, rest in (
            ("min", ""), ("quantile_cont", ", 0.25"), ("quantile_cont", ", 0.5"), ("quantile_cont", ", 0.75"),
            ("max", ""), ("avg", ""), ("stddev_samp", ""), ("count", ""),
        )
    )  # fmt: skip
    return DuckDb(place).frame(f'SELECT {statistics} FROM (SELECT "values" AS v FROM results)')


def polars(place: Path) -> Any:
    """Compute list expressions of Polars over the same Parquet files."""
    import polars as pl  # noqa: PLC0415

    v = pl.col("values").list
    quantiles = v.eval(pl.element().quantile(0.25, "linear")), v.eval(pl.element().quantile(0.75, "linear"))
    columns = [
        v.min(),
        quantiles[0].list.first(),
        v.median(),
        quantiles[1].list.first(),
        v.max(),
        v.mean(),
        v.std(ddof=1),
    ]
    return pl.scan_parquet(place / "*.parquet").select(c.alias(str(i)) for i, c in enumerate(columns)).collect()


WAYS: dict[str, Callable[[Path], Any]] = {"bench_db": bench_db, "duckdb": duckdb, "polars": polars}
