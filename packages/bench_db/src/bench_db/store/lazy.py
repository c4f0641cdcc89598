"""A table as a Polars LazyFrame whose projections and predicates reach Lance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from bench_db.store.filters import Where, filter_text, lance_filter, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench_db.store.engine import Snapshot


def scan(
    snapshot: Snapshot,
    *,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    observe: Callable[[object], None] | None = None,
    around: Callable[[Iterator[pl.DataFrame]], Iterator[pl.DataFrame]] = iter,
) -> pl.LazyFrame:
    """Return a table as a LazyFrame with one flat column per leaf; `observe` gets Lance's statistics of each scan.

    `around` gets the frames of each scan as they are read, and returns those to use.
    """
    table, leaves = snapshot.table, snapshot.table.leaves
    fixed = filter_text(where, leaves, snapshot.absent)
    refuse_unknown(columns or (), leaves)

    def read(
        wanted: list[str] | None, predicate: pl.Expr | None, limit: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        pushed = None if predicate is None else lance_filter(predicate, snapshot.leaves)
        batches = snapshot.batches(
            wanted or list(leaves),
            " AND ".join(f"({text})" for text in (fixed, pushed) if text) or None,
            limit=limit if predicate is None else None,
            batch_size=batch,
            observe=observe,
        )
        left = limit
        for rows in batches if left is None or left > 0 else ():
            frame = pl.DataFrame(rows)
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame if left is None else frame.head(left)
            left = None if left is None else left - len(frame)
            if left is not None and left <= 0:
                return

    def source(
        wanted: list[str] | None, predicate: pl.Expr | None, limit: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        return around(read(wanted, predicate, limit, batch))

    schema = pl.DataFrame(table.flat_schema.empty_table()).schema
    frame = pl.io.plugins.register_io_source(source, schema=schema, explain_name=f"lance {table.name}")
    return frame.select(columns) if columns else frame
