"""What a store already has of a run: the run itself, whatever the bytes of its file, or its benchmarks under other names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench_db import derive
from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.model import DutBuild, Run, TestBed
from bench_db.store.engine import ROW_ID
from bench_db.store.filters import condition, filter_text
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, SERIES_TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from bench_db.derive import Row
    from bench_db.model import Result
    from bench_db.store.engine import Engine, Snapshot
    from bench_db.store.filters import Scalar

_RECORD = (
    *("run_key", "run_id", "file_name", "sha256", "content_key", "results", "ingested_at"),
    *("dut_name", "dut_version", "dut_timestamp", "test_bed_name", "commit", "pr_number"),
)


# The benchmarks of a run whose neighbours are looked up, and what neighbours differ in.
_NAMES = 10
_SERIES_PLACE = ("test_bed_name", "suite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a store has of a run: the stored run that is the same, the number of its rows, and runs with the same measurements.

    `completes` is the key of a stored run that lacks the samples that this one has. `rereads` says that `same` is another
    reading of the same bytes. `elsewhere` are the runs of another commit, device, test bed or pull request, oldest first.
    """

    same: Run | None = None
    rows: int = 0
    completes: int | None = None
    rereads: bool = False
    elsewhere: tuple[Run, ...] = ()


def find(engine: Engine, run: Run, results: Sequence[Result]) -> Known:
    """Return what a store has of a derived run; raise `CorruptStoreError` when its key belongs to other measurements."""
    runs = engine.open(RUNS_TABLE)
    records = _records(runs, _like(run, {column.name for column in runs.missing}))
    own = next((record for record in records if record.run_key == run.run_key), None)
    place = derive.place_of(run)
    elsewhere = tuple(r for r in records if derive.place_of(r) != place and _has_same_content(r, run))
    if own is not None:
        if not _has_same_content(own, run):
            message = f"{engine.location}: run key {run.run_key} belongs to other content; nothing was written"
            raise CorruptStoreError(message)
        return Known(same=own, rows=rows_of(engine, own), elsewhere=elsewhere)
    here = [record for record in records if derive.place_of(record) == place]
    found = _same(engine, here, run, results) if here else Known()
    return Known(
        same=found.same, rows=found.rows, completes=found.completes, rereads=found.rereads, elsewhere=elsewhere
    )


def find_twin(engine: Engine, run: Run, results: Sequence[Result]) -> Known:
    """Return what a store has, apart from a derived run itself, with the same measurements at the same place."""
    runs = engine.open(RUNS_TABLE)
    records = _records(runs, _like(run, {column.name for column in runs.missing}))
    here = [r for r in records if r.run_key != run.run_key and derive.place_of(r) == derive.place_of(run)]
    return _same(engine, here, run, results) if here else Known()


def _same(engine: Engine, here: Sequence[Run], run: Run, results: Sequence[Result]) -> Known:
    """Look for a run among those of the same place."""
    for record in here:
        if record.content_key == run.content_key:
            return Known(same=record, rows=rows_of(engine, record))
    stored = _rows(engine, here)
    new = {derived.name: row for derived, row in map(derive.row_of, results)}
    for record in here:
        rows = stored.get(record.run_key, {})
        shared = sum(1 for name in rows.keys() & new.keys() if rows[name].fact == new[name].fact)
        if record.sha256 == run.sha256 and shared:
            is_part = shared == len(rows) and len(rows) < record.results == len(new)
            return Known(same=record, rows=len(rows), rereads=not is_part and not shared == len(rows) == len(new))
        if rows.keys() == new.keys() and all(rows[name].agrees(new[name]) for name in rows):
            gained = any(new[name].sampled and not rows[name].sampled for name in rows)
            lost = any(rows[name].sampled and not new[name].sampled for name in rows)
            if not gained:
                return Known(same=record, rows=len(rows))
            if not lost:
                return Known(completes=record.run_key)
    return Known()


def rows_of(engine: Engine, run: Run) -> int:
    """Return the number of stored rows of a run. The index on the commit makes the first look cheap."""
    mine = condition("run_key", run.run_key)
    if run.commit is not None and "\0" not in run.commit:
        found = engine.count(RESULTS_TABLE, f"{condition('commit', run.commit)} AND {mine}")
        if found == run.results:
            return found
    return engine.count(RESULTS_TABLE, mine)


def in_place_of(engine: Engine, run: Run, results: Sequence[Result]) -> tuple[list[int], list[int]]:
    """Return the keys of the other runs that a replacement by this run concerns: those recorded before it, and those after it.

    They have its run id and file name, or its bytes; its device, commit, test bed and pull request; and one of its suites with
    the same tags. A run without rows is none of them, because nothing tells its suite: it may be a publish of another suite in
    progress. If another replacement has removed the record of this run already, all remaining ones are later.
    """
    same_file = f"({condition('run_id', run.run_id)} AND {condition('file_name', run.file_name)})"
    where = " OR ".join([same_file, _equal("sha256", run.sha256 or None)])
    keys = [r.run_key for r in _records(engine.open(RUNS_TABLE), where) if derive.place_of(r) == derive.place_of(run)]
    at = keys.index(run.run_key) if run.run_key in keys else -1
    others = [key for key in keys if key != run.run_key]
    groups = {(result.suite, result.tags_key) for result in results}
    shared = _with_groups(engine, others, groups) if others else set()
    return (
        [key for key in keys[: max(at, 0)] if key in shared],
        [key for key in keys[at + 1 :] if key in shared],
    )


def _with_groups(engine: Engine, keys: Sequence[int], groups: Collection[tuple[str, str]]) -> set[int]:
    found = engine.open(RESULTS_TABLE).read(("run_key", "suite", "tags_key"), condition("run_key", keys))
    columns = (found[name].to_pylist() for name in found.column_names)
    return {key for key, suite, tags in zip(*columns, strict=True) if (suite, tags) in groups}


def _like(run: Run, absent: Collection[str]) -> str:
    """Return the filter for records that may have the measurements of a run, in a table without the columns `absent`."""
    build = [condition("commit", None), condition("dut.timestamp", run.dut.timestamp)]
    here = build if run.commit is None else [_equal("commit", run.commit)]
    return " OR ".join(
        [
            condition("run_key", run.run_key),
            _equal("content_key", None if "content_key" in absent else run.content_key),
            _equal("sha256", run.sha256 or None),
            f"({' AND '.join([*here, condition('results', run.results)])})",
        ]
    )


def _equal(leaf: str, value: Scalar | None) -> str:
    """Return a condition; false for null and for a text that no filter can hold."""
    is_usable = value is not None and not (isinstance(value, str) and "\0" in value)
    return condition(leaf, value) if is_usable else "false"


def _records(runs: Snapshot, where: str) -> list[Run]:
    """Return the records that a filter selects, in the order in which they were added, without what nothing here needs."""
    found = sorted(runs.read((ROW_ID,), where)[ROW_ID].to_pylist())
    # Most runs are new, and a filter that reads no other column is a third faster.
    return [_record(row) for row in runs.take(found, _RECORD).to_pylist()] if found else []


def _record(row: Mapping[str, Any]) -> Run:
    return Run(
        run_key=row["run_key"],
        run_id=row["run_id"],
        file_name=row["file_name"],
        sha256=row["sha256"],
        format="",
        dut=DutBuild(name=row["dut_name"], version=row["dut_version"], timestamp=row["dut_timestamp"]),
        test_bed=TestBed(name=row["test_bed_name"]),
        commit=row["commit"],
        pr_number=row["pr_number"],
        results=row["results"],
        ingested_at=row["ingested_at"],
        content_key=row["content_key"],
    )


def _has_same_content(record: Run, run: Run) -> bool:
    """Compare measurements; by the bytes of the file when the record is of a release without `content_key`."""
    if record.content_key is None:
        return record.sha256 == run.sha256
    return record.content_key == run.content_key


def _rows(engine: Engine, records: Iterable[Run]) -> dict[int, dict[int, Row]]:
    """Return the rows of some runs by run key and name."""
    where = condition("run_key", [record.run_key for record in records])
    rows: dict[int, dict[int, Row]] = {}
    for batch in engine.open(RESULTS_TABLE).batches(derive.MEASURED, where):
        for key, name, row in derive.rows_in(batch):
            rows.setdefault(key, {})[name] = row
    return rows


def neighbours(engine: Engine, results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return test bed and suite of other series of these benchmarks; none when one of the series of the results exists already.

    `results` are derived. Only the first few benchmarks are looked up, in the rollup where there is one: the answer is advice, and
    must not delay a publish.
    """
    first = list({result.benchmark_name: result for result in results}.values())[:_NAMES]
    if not first:
        return []
    own = condition("series_key", [result.series_key for result in first])
    where = {"dut_name": first[0].dut.name, "benchmark_name": [result.benchmark_name for result in first]}
    columns = ("series_key", *_SERIES_PLACE)
    try:
        known = engine.open(SERIES_TABLE).read(columns, filter_text(where, SERIES_TABLE.leaves))
    except (StoreNotFoundError, CorruptStoreError, SchemaMismatchError):
        known = engine.open(RESULTS_TABLE).read(columns, filter_text(where, RESULTS_TABLE.leaves))
    if {result.series_key for result in first} & set(known["series_key"].to_pylist()):
        return []
    others = set(zip(*(known[name].to_pylist() for name in _SERIES_PLACE), strict=True))
    return sorted(others) if others and not engine.count(RESULTS_TABLE, own) else []
