"""The sound part of a damaged store, as the source of a copy or an export that changes nothing in the store."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from bench_db.errors import CorruptStoreError, DamagedStoreWarning, StoreNotFoundError
from bench_db.model import PassedOver
from bench_db.store import salvage
from bench_db.store.faults import damage_errors, require_damage
from bench_db.store.source import StoreSource
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, TABLES, Table, stored
from bench_db.store.verify import changed_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from bench_db.store.engine import Engine, Fragment, Snapshot
    from bench_db.store.source import Piece
    from bench_db.store.versions import AsOf

    Marks = npt.NDArray[np.bool_]

_AGAIN = "publish its file again"


class _Part(NamedTuple):
    """A readable fragment of a table and, for each of its rows, whether it is in the sound part."""

    fragment: Fragment
    kept: Marks


class SoundPart(StoreSource):
    """The runs of a store whose rows are all sound, and its sound records; `passed_over` names everything else.

    A table whose newest version cannot be opened is read at the newest one that can. Every row is read and compared with its
    checksum first, and the marks take a byte a row. Raises `CorruptStoreError` when no version of the runs or results opens.
    """

    def __init__(self, engine: Engine, as_of: AsOf | None = None, runs: Collection[int | str] = ()) -> None:
        self._passed_over: list[PassedOver] = []
        self._fallback: dict[str, int | None] = {}
        if runs:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DamagedStoreWarning)  # what is passed over is named
                salvage.find(engine)  # so that the names of runs are looked up in the files that can be read
        super().__init__(engine, as_of, runs)
        self._parts: dict[str, list[_Part]] = {}
        columns = {name: self._read(snapshot) for name, snapshot in self._tables.items()}
        self._keep_sound_runs(columns[RUNS_TABLE.name], columns[RESULTS_TABLE.name])
        for table in (table for table in stored() if self.has(table) and table not in TABLES):
            self._keep_each_once(table, columns[table.name])

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """What is not in the sound part: files and rows, and then the runs that suffer."""
        return tuple(self._passed_over)

    def _pass_over(self, table: Table, name: str, reason: str) -> None:
        self._passed_over.append(PassedOver(table=table.name, name=name, reason=reason))

    def _existing(self) -> list[Table]:
        present = self._engine.present()
        return [table for table in stored() if (table in TABLES or table.name in present) and self._can_open(table)]

    def _can_open(self, table: Table) -> bool:
        try:
            self._engine.open(table)
        except damage_errors() as error:
            if isinstance(error, StoreNotFoundError) and table not in TABLES:
                if not salvage.has_lost_all(self._engine, table):
                    return False
            else:
                require_damage(error)
        else:
            return True
        version = self._fallback[table.name] = salvage.newest_readable(self._engine, table)
        if version is not None:
            self._pass_over(table, "its newest version", f"it cannot be opened; version {version} was taken")
            return True
        if table in TABLES:
            message = f"{self.name}: {table.name}: no version can be opened, so there is nothing to salvage; restore it from a copy"
            raise CorruptStoreError(message)
        self._pass_over(table, "the whole table", "no version can be opened")
        return False

    def _version(self, table: Table, as_of: AsOf | None) -> int | str | None:
        return super()._version(table, as_of) or self._fallback.get(table.name)

    def pieces(self, table: Table) -> Iterator[Piece]:
        """Yield the readable fragments of a table, without the rows that are passed over."""
        if not self._selects(table):
            return
        for part in self._parts.get(table.name, ()):
            yield partial(self._kept, self._tables[table.name], part)

    def _kept(self, snapshot: Snapshot, part: _Part, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in self._fragment(snapshot, part.fragment, columns):
            end = start + len(batch)
            yield batch.filter(pa.array(part.kept[start:end]))
            start = end

    def _read(self, snapshot: Snapshot) -> pl.DataFrame:
        """Read a table, mark the rows that match their checksums, and return the keys of every row that can be read."""
        table = snapshot.table
        names = list(
            dict.fromkeys((table.merge_key, table.row_key, *(("results", *_NAME) if table is RUNS_TABLE else ())))
        )
        found = [pl.DataFrame(schema=pl.DataFrame(table.schema.empty_table().select(names)).schema)]
        parts = self._parts[table.name] = []
        for fragment in snapshot.every_fragment() if self._selects(table) else ():
            file = f"{table.directory}/data/{fragment.file}"
            try:
                if not salvage.is_readable(self._engine, snapshot, fragment):
                    self._pass_over(table, file, f"it cannot be read; it had {fragment.rows:,} rows")
                    continue
                batches = list(self._fragment(snapshot, fragment, None))
                changed = [changed_rows(batch, table.row_key) for batch in batches]
                keys = [pl.DataFrame(batch.select(names)) for batch in batches]
            except damage_errors() as error:
                require_damage(error)
                self._pass_over(table, file, f"its content cannot be understood; it had {fragment.rows:,} rows")
                continue
            found += keys
            kept = [np.ones(len(batch), np.bool_) for batch in batches]
            for marks, wrong in zip(kept, changed, strict=True):
                for at, key in wrong:
                    marks[at] = False
                    self._pass_over(table, f"row {key}", "it differs from its checksum")
            parts.append(_Part(fragment, np.concatenate([np.zeros(0, np.bool_), *kept])))
        marks = np.concatenate([np.zeros(0, np.bool_), *(part.kept for part in parts)])
        return pl.concat(found).with_columns(sound=pl.Series(marks, dtype=pl.Boolean))

    def _mark(self, table: Table, kept: pl.Series) -> None:
        """Set the marks of a table from those of all its readable rows."""
        marks, start = kept.to_numpy(), 0
        for at, part in enumerate(self._parts[table.name]):
            end = start + len(part.kept)
            self._parts[table.name][at] = part._replace(kept=marks[start:end])
            start = end

    def _keep_sound_runs(self, runs: pl.DataFrame, results: pl.DataFrame) -> None:
        """Keep the runs of which every row is there once and matches its checksum."""
        first = runs["run_key"].is_first_distinct()
        known = runs.filter(first & runs["sound"])
        seen = results.group_by("run_key").agg(rows=pl.len(), good=pl.col("sound").sum())
        doubled = results.filter(pl.col("id").is_duplicated())["run_key"].unique()
        faults = dict(_incomplete(known, seen, set(doubled.to_list())))
        strays = seen.join(known, on="run_key", how="anti")
        named = {
            key: name
            for key, *rest in runs.filter(first).select("run_key", *_NAME).rows()
            for name in [_named(key, *rest)]
        }
        for key, reason in faults.items():
            self._pass_over(RUNS_TABLE, named[key], f"{reason}; {_AGAIN}")
        for key, rows in strays.sort("run_key").select("run_key", "rows").rows():
            self._pass_over(
                RUNS_TABLE, named.get(key, f"{key:016x}"), f"{rows:,} rows without a record of their run; {_AGAIN}"
            )
        good = pl.Series(sorted(set(known["run_key"].to_list()) - faults.keys()), dtype=pl.Int64)
        self._mark(RUNS_TABLE, first & runs["sound"] & runs["run_key"].is_in(good.implode()))
        self._mark(RESULTS_TABLE, results["run_key"].is_in(good.implode()))

    def _keep_each_once(self, table: Table, records: pl.DataFrame) -> None:
        sound = records.filter(pl.col("sound"))
        for key in sound.filter(pl.col(table.row_key).is_duplicated())[table.row_key].unique(maintain_order=True):
            self._pass_over(table, f"row {key}", "it is there more than once; one was taken")
        again = records.select(pl.struct(table.row_key, "sound").is_first_distinct()).to_series()
        self._mark(table, records["sound"] & again)


_NAME = ("run_id", "file_name")


def _named(key: int, run_id: str, file: str) -> str:
    return f"{run_id or ''} {key:016x} ({file})".strip()


def _incomplete(known: pl.DataFrame, seen: pl.DataFrame, doubled: Collection[int]) -> Iterator[tuple[int, str]]:
    """Yield the runs of which not every row is there, sound and once, and what is wrong."""
    counts: Mapping[int, tuple[int, int]] = {
        key: (rows, good) for key, rows, good in seen.select("run_key", "rows", "good").rows()
    }
    for key, expected in known.select("run_key", "results").rows():
        rows, good = counts.get(key, (0, 0))
        if key in doubled:
            yield key, "two of its rows have one id"
        elif good != expected:
            yield key, f"{good:,} of {expected:,} rows are sound"
        elif rows != good:
            yield key, f"{rows - good:,} rows too many differ from their checksums"
