"""Copy of a store or an export into a store, merged by key, so that a repetition or continuation adds no duplicates."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.compute as pc

from bench_db.errors import ConflictError, CorruptStoreError
from bench_db.model import Moved, Transfer
from bench_db.store import content, maintain
from bench_db.store.filters import condition
from bench_db.store.source import StoreSource, artifacts_named, contents, groups, refuse_incomplete, refuse_strays
from bench_db.store.tables import ARTIFACTS_TABLE, RESULTS_TABLE, RUNS_TABLE, TABLES, Table, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import pyarrow as pa

    from bench_db.store.engine import Engine
    from bench_db.store.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The number of written contents, the contents missing in the source, and the keys of their records."""

    written: int = 0
    missing: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()


def _same() -> pl.Expr:
    """Select what two stores both have with the same rows, of their joined `contents`."""
    return (pl.col("rows") == pl.col("rows_ours")) & (pl.col("print") == pl.col("print_ours"))


def bring(
    source: Source,
    engine: Engine,
    *,
    replace: bool = False,
    artifacts: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Transfer:
    """Copy a source into a store with `runs` and `results`, and compare both; `progress` gets rows done and in all.

    Existing rows do not change; with `replace`, runs that both have with different rows become those of the source. Raises
    `CorruptStoreError` for a source that contradicts itself or the store, before any write.
    """
    engine.require_writable(RESULTS_TABLE)
    tables = [table for table in stored() if source.has(table) and (artifacts or table is not ARTIFACTS_TABLE)]
    theirs = {table.name: contents(source, table) for table in tables}
    ours = held(engine, tables)
    _refuse_contradictions(source, engine, theirs, ours)
    new = {name: rows.join(ours[name], on="key", how="anti") for name, rows in theirs.items()}
    differing = _differing(theirs[RESULTS_TABLE.name], ours[RESULTS_TABLE.name])
    total, files, added = sum(int(rows["rows"].sum()) for rows in new.values()), Files(), Counter[str]()
    done = 0
    for table in tables:
        if table is ARTIFACTS_TABLE:
            files = _bring_files(source, engine)
        for rows in groups(source, table, _without(new[table.name], files.keys)):
            added[table.name] += _merge(engine, table, rows)
            done += rows.num_rows
            progress(done, total)
    if replace:
        _replace(source, engine, theirs, differing)
    if added[RESULTS_TABLE.name] and ours[RESULTS_TABLE.name].is_empty():
        with suppress(ConflictError):  # another process does the same
            maintain.optimize(engine)
    left_alone = {
        RUNS_TABLE.name: _differing(
            theirs[RUNS_TABLE.name], ours[RUNS_TABLE.name]
        ),  # the same measurements in other bytes
        RESULTS_TABLE.name: () if replace else differing,
        ARTIFACTS_TABLE.name: files.keys,
    }
    _compare(source, engine, {name: _without(rows, left_alone.get(name, ())) for name, rows in theirs.items()})
    return Transfer(
        tables={name: Moved(rows=int(rows["rows"].sum()), new=added[name]) for name, rows in theirs.items()},
        files=files.written,
        replaced=differing if replace else (),
        differing=() if replace else differing,
        missing=files.missing,
    )


def held(engine: Engine, tables: Iterable[Table]) -> dict[str, pl.DataFrame]:
    """Return the current `contents` of a store by table."""
    now = StoreSource(engine)
    return {table.name: contents(now, table) for table in tables}


def _refuse_contradictions(
    source: Source, engine: Engine, theirs: Mapping[str, pl.DataFrame], ours: Mapping[str, pl.DataFrame]
) -> None:
    refuse_strays(source, theirs[RUNS_TABLE.name], theirs[RESULTS_TABLE.name])
    refuse_incomplete(source, theirs[RESULTS_TABLE.name])
    doubled = [name for name, rows in theirs.items() if name != RESULTS_TABLE.name and (rows["rows"] > 1).any()]
    if doubled:
        message = f"{source.name}: {doubled[0]} has records more than once; see 'bench-db store verify'"
        raise CorruptStoreError(message)
    other_rows = _differing(theirs[RESULTS_TABLE.name], ours[RESULTS_TABLE.name])
    others = [key for key in _differing(theirs[RUNS_TABLE.name], ours[RUNS_TABLE.name]) if key in other_rows]
    if others:
        message = f"run key {others[0]:016x} belongs to other content in {engine.location} than in {source.name}; nothing was written"
        raise CorruptStoreError(message)


def _differing(theirs: pl.DataFrame, ours: pl.DataFrame) -> tuple[int, ...]:
    """Return the keys that both have with different rows."""
    both = theirs.join(ours, on="key", suffix="_ours", maintain_order="left")
    return tuple(both.filter(~_same())["key"].to_list())


def _without(rows: pl.DataFrame, keys: Collection[int]) -> pl.DataFrame:
    return rows.filter(~pl.col("key").is_in(list(keys)))


def _merge(engine: Engine, table: Table, rows: pa.Table) -> int:
    engine.ensure(table)
    new = engine.merge(table, rows)
    maintain.optimize_if_due(engine)
    return new


def _replace(source: Source, engine: Engine, theirs: Mapping[str, pl.DataFrame], keys: Collection[int]) -> None:
    """Replace runs of a store by those of the source, with one commit per run and table."""
    for table in TABLES:
        chosen = theirs[table.name].filter(pl.col("key").is_in(list(keys)))
        for rows in groups(source, table, chosen):
            for key in rows["run_key"].unique().to_pylist():
                mine = rows.filter(pc.equal(rows["run_key"], key))
                engine.merge(table, mine, replacing=condition("run_key", key))


def _bring_files(source: Source, engine: Engine) -> Files:
    """Copy the content of every artifact of the source that the store lacks, or has with another size."""
    present = content.sizes(engine)
    written, missing, keys = 0, set[str](), list[int]()
    for key, sha256, size in artifacts_named(source):
        try:
            place = content.place(sha256)
            if sha256 not in missing and present.get(place) != size:
                content.keep(engine, sha256, source.file(sha256))
                present[place] = size
                written += 1
        except CorruptStoreError:
            missing.add(sha256)
        if sha256 in missing:
            keys.append(key)
    return Files(written=written, missing=tuple(sorted(missing)), keys=tuple(keys))


def _compare(source: Source, engine: Engine, expected: Mapping[str, pl.DataFrame]) -> None:
    """Raise `CorruptStoreError` unless the store has all expected contents."""
    now = held(engine, [table for table in stored() if table.name in expected])
    for name, rows in expected.items():
        same = rows.join(now[name], on="key", suffix="_ours").filter(_same())
        wrong = rows.join(same, on="key", how="anti")
        if len(wrong):
            message = (
                f"{engine.location}: {len(wrong)} keys of {name} do not hold what {source.name} does, the first "
                f"{wrong['key'][0]:016x}; copy again, and if that says the same, see 'bench-db store verify'"
            )
            raise CorruptStoreError(message)
