"""The newest row of every series, kept beside the results: a reader adds only the fragments that are newer.

The rollup names the data files it covers. When one of them is gone or has lost rows (a compaction, a replaced run), the
rollup cannot be told apart from what replaced it and is not used: it makes reading faster, never different.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.query.latest import newest
from bench_db.query.series import COLUMNS
from bench_db.store.tables import RESULTS_TABLE, Table

if TYPE_CHECKING:
    from bench_db.store.engine import Engine

_COVER = b"bench_db:covers"
_LEAVES = {name: RESULTS_TABLE.leaves[name] for name in COLUMNS}

SERIES_TABLE = Table(name="series", schema=pa.schema([RESULTS_TABLE.flat_schema.field(name) for name in COLUMNS]))


def rebuild(engine: Engine) -> int:
    """Write the rollup of the present results; how many series there are."""
    results = engine.open(RESULTS_TABLE)
    rows = _newest_of(engine, results, None)
    table = rows.to_arrow().cast(SERIES_TABLE.schema)
    cover = json.dumps(_files(results)).encode()
    table = table.replace_schema_metadata({_COVER: cover})
    try:
        engine.replace_all(SERIES_TABLE, table)
    except CorruptStoreError:
        engine.discard(SERIES_TABLE)
        engine.replace_all(SERIES_TABLE, table)
    return int(table.num_rows)


def latest(engine: Engine, results: Any) -> pl.DataFrame:
    """The newest row of each series, as of an open version of the results, with the columns of `query.series.COLUMNS`."""
    present = _files(results)
    try:
        series = engine.open(SERIES_TABLE)
        covered: dict[str, int] = json.loads((series.schema.metadata or {}).get(_COVER, b"{}"))
        if any(present.get(path) != rows for path, rows in covered.items()):
            return _newest_of(engine, results, None)
        known = pl.DataFrame(engine.read(series, {name: name for name in COLUMNS}))
    except (StoreNotFoundError, CorruptStoreError, SchemaMismatchError):  # a derived table may be missing or damaged
        return _newest_of(engine, results, None)
    newer = [f for f in results.get_fragments() if f.metadata.files[0].path not in covered]
    if not newer:
        return known
    return newest(pl.concat([known, _newest_of(engine, results, newer)]).lazy()).collect()


def newest_of(engine: Engine, results: Any, points: pl.DataFrame) -> pl.DataFrame:
    """The newest row of each series among points, which have the series key, the commit time and the row id."""
    commit_time = pl.col("dut_timestamp").fill_null(-1)
    of_newest_commit = points.filter(commit_time == commit_time.max().over("series_key"))
    rows = engine.take(results, of_newest_commit["_rowid"].to_list(), _LEAVES)
    return newest(pl.DataFrame(rows).lazy()).collect()


def _newest_of(engine: Engine, results: Any, fragments: list[Any] | None) -> pl.DataFrame:
    """Two passes: the narrow columns that decide, then the rows they chose."""
    deciding = {"series_key": "series_key", "dut_timestamp": "dut.timestamp", "_rowid": "_rowid"}
    return newest_of(engine, results, pl.DataFrame(engine.read(results, deciding, fragments=fragments)))


def _files(dataset: Any) -> dict[str, int]:
    """Data file of each fragment, and the rows alive in it."""
    return {f.metadata.files[0].path: f.metadata.num_rows for f in dataset.get_fragments()}
