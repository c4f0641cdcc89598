"""The statistics of all stored samples, computed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from bench_db.store import parts as of_table
from bench_db.store.tables import RESULTS_TABLE
from bench_db.summary import STATISTICS, summarise_column
from bench_db.threads import threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from bench_db.distributed.engine import Engine as Workers
    from bench_db.store.engine import Engine, Fragment, Snapshot

_COLUMNS = ("id", "values", "summary", "n")
_BATCH_ROWS = 8192
# Other orders of addition, as other versions of numpy have, differ by less, relative to the largest sample.
_ROUNDING = 1e-9


def recompute(
    engine: Engine,
    version: int | None = None,
    *,
    differing: bool = False,
    workers: Workers | None = None,
    parts: int | None = None,
) -> tuple[int, int, pl.DataFrame]:
    """Return the number of results, of those whose statistics are computed, and a row for each of these.

    A row has the id, the statistics, the interval of the mean, `n`, and whether the stored statistics differ by more than rounding.
    Results without samples, or with fewer than the tool measured, have the statistics of their tool, and no row. With
    `differing` only rows that differ are returned. Workers of an engine read and compute `parts` parts of the table.
    """
    snapshot = engine.open(RESULTS_TABLE, version)
    if workers is None:
        found = [_of_fragment(snapshot, part, differing, threads()) for part in snapshot.every_fragment()]
    else:
        found = of_table.of_fragments(workers, snapshot, _of_fragment, differing, 1, parts=parts)
    frames = [pl.DataFrame(rows) for _, _, rows in found]
    return (
        sum(results for results, _, _ in found),
        sum(computed for _, computed, _ in found),
        pl.concat(frames) if frames else _compared([], summarise_column([])),
    )


def _of_fragment(
    snapshot: Snapshot,
    fragment: Fragment,
    differing: bool,  # noqa: FBT001 engines take no keywords
    count: int,
) -> tuple[int, int, pa.Table]:
    """Return the number of results of a fragment, that of rows computed on `count` threads, and the rows."""
    stored: list[pl.DataFrame] = []

    def samples() -> Iterator[pa.ListArray]:
        batches = snapshot.row_batches(_COLUMNS, fragment=fragment, batch_size=_BATCH_ROWS)
        for batch in batches:
            stored.append(pl.DataFrame(batch.drop_columns(["values"])).unnest("summary"))
            yield batch.column("values")

    computed = summarise_column(samples(), count)
    results = len(computed)
    rows = _compared(stored, computed)
    chosen = rows.filter("differs") if differing else rows
    return results, len(rows), chosen.to_arrow()


def _compared(stored: list[pl.DataFrame], computed: pl.DataFrame) -> pl.DataFrame:
    """Return the computed statistics beside the ids, of results whose samples are all there, with whether the stored ones differ."""
    before = pl.concat(stored) if stored else pl.DataFrame(schema={"id": pl.String, "n": pl.Int64})
    largest = pl.max_horizontal(pl.col("min").abs(), pl.col("max").abs())
    known = before.select("id", pl.all().exclude("id").name.prefix("stored_"))
    rows = pl.concat([known, computed], how="horizontal").filter(pl.col("n") > 0, pl.col("n") == pl.col("stored_n"))
    if not stored:
        return rows.select("id", *computed.columns, differs=pl.lit(value=False))
    differs = pl.any_horizontal(
        ((pl.col(name) - pl.col(f"stored_{name}")).abs() > _ROUNDING * largest).fill_null(value=True)
        for name in STATISTICS
    )
    return rows.select("id", *computed.columns, differs=differs)
