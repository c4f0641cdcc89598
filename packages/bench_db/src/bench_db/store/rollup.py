"""The rollup, a cache of the newest row of every series: a reader adds only newer fragments.

The rollup names the data files it covers. If one of them is missing or has lost rows (a compaction, a replaced run), the
reader ignores the rollup. So the rollup makes reads faster and never different.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.query.series import COLUMNS, newest
from bench_db.store.tables import RESULTS_TABLE, SERIES_TABLE

if TYPE_CHECKING:
    from bench_db.store.engine import Engine, Fragment, Snapshot

_COVER = b"bench_db:covers"


def rebuild(engine: Engine) -> int:
    """Write the rollup of the current results; return the number of series."""
    results = engine.open(RESULTS_TABLE)
    rows = _newest_of(results, None)
    table = rows.to_arrow().cast(SERIES_TABLE.schema)
    cover = json.dumps(_files(results)).encode()
    table = table.replace_schema_metadata({_COVER: cover})
    try:
        engine.replace_all(SERIES_TABLE, table)
    except CorruptStoreError:
        engine.discard(SERIES_TABLE)
        engine.replace_all(SERIES_TABLE, table)
    return int(table.num_rows)


def latest(engine: Engine, results: Snapshot) -> pl.DataFrame:
    """Return the newest row of each series in an open version of the results, with the columns of `query.series.COLUMNS`."""
    present = _files(results)
    try:
        series = engine.open(SERIES_TABLE)
        covered: dict[str, int] = json.loads(series.metadata.get(_COVER, b"{}"))
        if any(present.get(path) != rows for path, rows in covered.items()):
            return _newest_of(results, None)
        known = pl.DataFrame(series.read(COLUMNS))
    # A derived table may be missing, damaged, or from a release with fewer columns.
    except (StoreNotFoundError, CorruptStoreError, SchemaMismatchError):
        return _newest_of(results, None)
    newer = [fragment for fragment in results.fragments() if fragment.file not in covered]
    if not newer:
        return known
    return newest(pl.concat([known, _newest_of(results, newer)]).lazy()).collect()


def newest_of(results: Snapshot, points: pl.DataFrame) -> pl.DataFrame:
    """Return the newest row of each series among points with series key, commit time and row id."""
    commit_time = pl.col("dut_timestamp").fill_null(-1)
    of_newest_commit = points.filter(commit_time == commit_time.max().over("series_key"))
    rows = results.take(of_newest_commit["_rowid"].to_list(), COLUMNS)
    return newest(pl.DataFrame(rows).lazy()).collect()


def _newest_of(results: Snapshot, fragments: list[Fragment] | None) -> pl.DataFrame:
    """Return the newest rows in two passes: the narrow columns that decide, then the selected rows."""
    deciding = ("series_key", "dut_timestamp", "_rowid")
    return newest_of(results, pl.DataFrame(results.read(deciding, fragments=fragments)))


def _files(results: Snapshot) -> dict[str, int]:
    """Return the data file of each fragment, and its number of live rows."""
    return {fragment.file: fragment.rows for fragment in results.fragments()}
