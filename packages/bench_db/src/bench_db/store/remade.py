"""Tables that have lost every version, made anew from their data files: each file has whole rows, and each row its checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from bench_db.arrow import conform
from bench_db.errors import CorruptStoreError, SchemaMismatchError
from bench_db.store import faults, salvage
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, Table, stored
from bench_db.store.verify import changed_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench_db.store.engine import Engine

    # The numbers of the rows to take of each data file, by its path in the table.
    _Chosen = Mapping[str, np.ndarray[tuple[int], np.dtype[np.int64]]]

_TORN = ".torn"


def remake(engine: Engine) -> list[str]:
    """Make the tables anew that have data files and no version, or none that can be opened; say what was done.

    The runs and the results filter one another, so that what was removed or replaced stays away while one of both has versions. What
    was deleted from other tables may be back, as long as no maintenance has removed its files.
    """
    lost = [table for table in _without_versions(engine) if _is_lost(engine, table)]
    done = salvage.go_back(engine)
    lost += [table for table in _without_versions(engine) if table not in lost and _is_torn(engine, table)]
    for table in sorted(lost, key=stored().index):
        chosen, rows = _chosen(engine, table, lost)
        batches = _batches(engine, table, chosen)
        if table.name == RESULTS_TABLE.name:
            engine.create_from(table, pa.RecordBatchReader.from_batches(table.schema, batches))
        else:
            engine.create_from(table, _in_order(pa.Table.from_batches(batches, table.schema), table))
        done.append(
            f"{table.name}: every version is lost, so it was made anew from {len(chosen)} data files with {rows} rows; rows that were "
            "removed or replaced since the last maintenance may be back"
        )
    return done


def _without_versions(engine: Engine) -> list[Table]:
    present = engine.present()
    there = [table for table in stored() if table.name in present and not engine.written(table)]
    return [table for table in there if engine.files(table, "data/")]


def _is_lost(engine: Engine, table: Table) -> bool:
    if not salvage.has_lost_all(engine, table):
        message = (
            f"{engine.location}: {table.name} has data files and no version, and all are younger than {salvage.YOUNG}, so a process may "
            "be making it; repair it later"
        )
        raise CorruptStoreError(message)
    return True


def _is_torn(engine: Engine, table: Table) -> bool:
    return any(name.endswith(_TORN) for name in engine.files(table, "_versions/"))


def _chosen(engine: Engine, table: Table, lost: list[Table]) -> tuple[_Chosen, int]:
    """Return where the rows to take are, and their number: of each key the newest that has its checksum."""
    files = engine.files(table, "data/")
    names = sorted(files, key=lambda name: (files[name].written, name))
    found = [frame for at, name in enumerate(names) for frame in _keys(engine, table, name, at)]
    if not found:
        return {}, 0
    rows = pl.concat(found).unique("key", keep="last", maintain_order=True)
    other = {RUNS_TABLE.name: RESULTS_TABLE, RESULTS_TABLE.name: RUNS_TABLE}.get(table.name)
    if other is not None and (other not in lost or other is RUNS_TABLE):
        kept = pl.Series(engine.open(other).read(("run_key",))["run_key"])
        rows = rows.filter(pl.col("run").is_in(kept.unique().implode()))
    parts = rows.sort("file", "row").group_by("file", maintain_order=True)
    return {names[file]: part["row"].to_numpy() for (file,), part in parts}, len(rows)


def _keys(engine: Engine, table: Table, name: str, at: int) -> Iterator[pl.DataFrame]:
    """Yield the keys of the sound rows of a data file; none of one that cannot be read or has no whole rows."""
    try:
        start, frames = 0, []
        for batch in _whole(engine, table, name):
            wrong = {row for row, _ in changed_rows(batch, table.row_key)}
            frame = pl.DataFrame({"key": batch[table.row_key], "run": batch[table.merge_key]})
            frame = frame.with_columns(file=at, row=pl.int_range(start, start + len(batch)))
            frames.append(frame.filter(~(pl.col("row") - start).is_in(sorted(wrong))))
            start += len(batch)
    except faults.damage_errors() as error:
        faults.require_damage(error)
        return
    yield from frames


def _whole(engine: Engine, table: Table, name: str) -> Iterator[pa.RecordBatch]:
    for batch in engine.batches_of_file(table, name):
        names = set(batch.schema.names)
        if unknown := sorted(names.difference(table.schema.names)):
            message = (
                f"{engine.location}: a newer bench_db has written {table.name} (a data file has the column {unknown[0]!r}), so this one "
                "does not make it anew; upgrade bench_db"
            )
            raise SchemaMismatchError(message)
        if not table.required <= names:  # columns that were filled, of the rows of another file
            return
        yield conform(batch, table.schema)


def _batches(engine: Engine, table: Table, chosen: _Chosen) -> Iterator[pa.RecordBatch]:
    for name, rows in chosen.items():
        start = 0
        for batch in _whole(engine, table, name):
            taken = rows[(rows >= start) & (rows < start + len(batch))] - start
            yield batch.take(pa.array(taken))
            start += len(batch)


def _in_order(rows: pa.Table, table: Table) -> pa.Table:
    """Return records in the order of their times: a copy of files may have lost the times of these."""
    times = rows[table.recorded or "ingested_at"].to_numpy()
    return rows.take(np.argsort(times, kind="stable"))
