"""A table as a Polars LazyFrame whose projections and predicates reach Lance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

from bench_db.store.filters import Where, filter_text, refuse_unknown
from bench_db.store.pushdown import lance_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench_db.store.engine import Engine
    from bench_db.store.tables import Table


def scan(  # noqa: PLR0913 all but the first three by keyword
    engine: Engine,
    dataset: Any,
    table: Table,
    *,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    observe: Callable[[Any], None] | None = None,
) -> pl.LazyFrame:
    """An open dataset, lazily, a flat column a leaf; `observe` is called with Lance's statistics of each scan."""
    leaves = table.leaves
    fixed = filter_text(where, leaves)
    refuse_unknown(columns or (), leaves)

    def source(
        wanted: list[str] | None, predicate: pl.Expr | None, limit: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        pushed = None if predicate is None else lance_filter(predicate, leaves)
        scanner = dataset.scanner(
            columns={name: leaves[name] for name in wanted or leaves},
            filter=" AND ".join(f"({text})" for text in (fixed, pushed) if text) or None,
            limit=limit if predicate is None else None,
            batch_size=batch,
            scan_stats_callback=observe,
        )
        batches = engine.call("reading", lambda: iter(scanner.to_batches()))
        left = limit
        while left is None or left > 0:
            rows = engine.call("reading", lambda: next(batches, None))
            if rows is None:
                return
            frame = pl.DataFrame(rows)
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame if left is None else frame.head(left)
            left = None if left is None else left - len(frame)

    schema = pl.DataFrame(table.flat_schema.empty_table()).schema
    frame = register_io_source(source, schema=schema, explain_name=f"lance {table.name}")
    return frame.select(columns) if columns else frame
