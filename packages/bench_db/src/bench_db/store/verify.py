"""Verification of all stored data against checksums, because Lance has none."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.arrow import samples_of, values_hash
from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreUnavailableError
from bench_db.model import Problem, Verification
from bench_db.store import artifacts, ledger, maintain
from bench_db.store.tables import ARTIFACTS_TABLE, RESULTS_TABLE, RUNS_TABLE, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from bench_db.store.engine import Engine, Snapshot

_BATCH_ROWS = 8192
_LOST = "derived table cannot be used; the next maintenance makes it again"


def verify(engine: Engine, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Verification:
    """Read the complete store with artifacts and return its problems; change nothing. `progress` gets rows read and in all."""
    tables = ledger.existing(engine)
    problems = [p for table in tables for p in _schema(engine, table)]
    lost = {problem.table for problem in problems if problem.kind == _LOST}
    tables = [table for table in tables if table.name not in lost]
    seen: Counter[int] = Counter()
    ids: list[pl.Series] = []
    changed: list[str] = []
    results = engine.open(RESULTS_TABLE)
    total = sum(fragment.rows for fragment in results.fragments())
    done = 0
    for batch in _batches(results, problems):
        frame = pl.DataFrame(batch)
        seen.update(frame["run_key"].to_list())
        ids.append(frame["id"])
        changed += changed_rows(batch)
        done += len(frame)
        progress(done, total)
    if changed:
        problems.append(_problem("values differ from their checksum", RESULTS_TABLE, changed))
    problems += _doubled(RESULTS_TABLE, ids)
    runs = engine.open(RUNS_TABLE).read(("run_key", "results"))
    expected = dict(zip(runs["run_key"].to_pylist(), runs["results"].to_pylist(), strict=True))
    problems += _disagreements(seen, expected)
    problems += [p for table in tables if _is_one_a_key(table) for p in _keys(engine, table)]
    problems += _artifacts(engine)
    problems += [p for table in tables for p in _orphans(engine, table)]
    return Verification(rows=done, runs=len(expected), problems=tuple(problems))


def repair(engine: Engine) -> None:
    """Rebuild what follows from the results: indexes, compaction, the rollup. Change nothing else."""
    maintain.optimize(engine)


def _problem(kind: str, table: Table, examples: list[str], *, harmless: bool = False) -> Problem:
    return Problem(kind=kind, table=table.name, count=len(examples), example=examples[0], harmless=harmless)


def _is_one_a_key(table: Table) -> bool:
    return table.merge_key == table.row_key and not table.derived


def _schema(engine: Engine, table: Table) -> Iterator[Problem]:
    """Report columns of another type; a column that an older release did not write is no problem."""
    try:
        stored = {column.name: column.type for column in engine.open(table).stored}
    except (CorruptStoreError, SchemaMismatchError) as error:
        if not table.derived:
            raise
        yield _problem(_LOST, table, [str(error)], harmless=True)
        return
    wrong = [column.name for column in table.schema if stored.get(column.name, column.type) != column.type]
    if wrong:
        yield _problem("columns of another type; restore the table from a copy", table, wrong)


def _batches(results: Snapshot, problems: list[Problem]) -> Iterator[Any]:
    """Yield every readable row by fragment, so that one damaged file does not hide the others."""
    for fragment in results.fragments():
        try:
            batches = list(results.row_batches(fragment=fragment, batch_size=_BATCH_ROWS))
        except (CorruptStoreError, StoreUnavailableError) as error:
            problems.append(_problem("data file cannot be read", RESULTS_TABLE, [f"{fragment.file}: {error}"]))
        else:
            yield from batches


def changed_rows(batch: pa.RecordBatch) -> list[str]:
    """Return the ids of the results of a batch whose values do not match their checksum."""
    return [row for row, bad in zip(batch.column("id").to_pylist(), _changed(batch), strict=True) if bad]


def _changed(batch: Any) -> Iterator[bool]:
    """Return for each row whether its values do not match its checksum."""
    for item, checksum in zip(batch.column("values"), batch.column("values_hash").to_pylist(), strict=True):
        values = item.values if item.is_valid else None
        if checksum is None:
            yield bool(values is not None and len(values))
        else:
            yield values is None or values_hash(samples_of(values.to_numpy(zero_copy_only=False))) != checksum


def _doubled(table: Table, ids: list[pl.Series]) -> Iterator[Problem]:
    every = pl.concat(ids) if ids else pl.Series(dtype=pl.String)
    if every.n_unique() != len(every):
        twice = every.filter(every.is_duplicated()).unique().sort().to_list()
        yield _problem("rows stored more than once", table, [str(key) for key in twice])


def _keys(engine: Engine, table: Table) -> Iterator[Problem]:
    """Report keys with more than one record."""
    try:
        rows = engine.open(table).read((table.row_key,))
    except CorruptStoreError as error:
        yield _problem("records cannot be read", table, [str(error)])
    else:
        yield from _doubled(table, [pl.DataFrame(rows)[table.row_key]])


def _artifacts(engine: Engine) -> Iterator[Problem]:
    try:
        for kind, places, harmless in artifacts.faults_of(engine):
            if places:
                yield _problem(kind, ARTIFACTS_TABLE, places, harmless=harmless)
    except CorruptStoreError as error:
        yield _problem("records cannot be read", ARTIFACTS_TABLE, [str(error)])


def _disagreements(seen: Counter[int], expected: dict[int, int]) -> Iterator[Problem]:
    kinds = {
        "rows without a run": ([key for key in seen if key not in expected], False),
        "runs without rows; publish their file again": ([key for key in expected if not seen[key]], True),
        "runs with more or fewer rows than published": (
            [key for key, rows in expected.items() if seen[key] and seen[key] != rows],
            False,
        ),
    }
    for kind, (keys, harmless) in kinds.items():
        if keys:
            yield _problem(kind, RUNS_TABLE, [f"{key:016x}" for key in sorted(keys)], harmless=harmless)


def _orphans(engine: Engine, table: Table) -> Iterator[Problem]:
    """Report orphans: data files that no version names, left by crashes; Lance removes them after a week."""
    orphans = engine.open(table).orphans()
    if orphans:
        yield _problem("files of unfinished writes", table, orphans, harmless=True)
