"""Verification of all stored data against checksums, because Lance has none."""

from __future__ import annotations

import math
import warnings
from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from bench_db.arrow import ROW_CHECKSUM, from_table, row_checksums, samples_of, values_hash
from bench_db.derive import is_as_derived
from bench_db.errors import (
    BenchDbError,
    DamagedStoreWarning,
    SchemaMismatchError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from bench_db.model import Problem, Result, Verification
from bench_db.store import artifacts, indexes, ledger, maintain, migrations, projection, rollup, salvage, twins
from bench_db.store.engine import ROW_ID
from bench_db.store.faults import damage_errors, is_damage
from bench_db.store.filters import condition
from bench_db.store.history import history
from bench_db.store.parts import of_fragments
from bench_db.store.tables import (
    ARTIFACTS_TABLE,
    RESULTS_TABLE,
    RUNS_TABLE,
    SERIES_TABLE,
    TABLES,
    Table,
    registered,
    stored,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench_db.distributed.engine import Engine as Workers
    from bench_db.store.engine import Engine, Fragment, Snapshot

_BATCH_ROWS = 8192
_REPAIR = "run 'bench-db store verify --repair'"
_LOST = f"derived table cannot be used, and readers do without it; the next maintenance makes it again, or {_REPAIR}"
_LOST_VERSION = (
    "newest version is gone, with what it added; restore its manifest from a copy, or publish again what is missing and "
    f"{_REPAIR}"
)
_OLDER = (
    "tables are older than at the last maintenance, as those of an older backup are; restore all tables from one copy, or publish again "
    f"what is missing and {_REPAIR}"
)
_UNREADABLE = "data file cannot be read"
# Where one row in 500 has changed, so many rows show it with a probability of 98 %.
SAMPLE = 2000
_UNCHECKED = (
    "the checksums of all other results",
    "whether indexes find what a scan finds, the rollup and the projection",
    "the content of artifacts, beyond its size",
)
_AGAIN = "publish their files again with --replace, or restore the table from a copy"


def verify(
    engine: Engine,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    workers: Workers | None = None,
    parts: int | None = None,
) -> Verification:
    """Read the complete store with artifacts and return its problems; change nothing. `progress` gets rows read and in all.

    Damage in a table is a problem of that table, and hides nothing of the others. Workers of an engine read the results, cut into
    `parts` parts, and compare them with their checksums.
    """
    problems: list[Problem] = []
    tables = [table for table in registered() if table in TABLES or table.name in engine.present()]
    opened = {table.name: snapshot for table in tables for snapshot in _opened(engine, table, problems)}
    keys: dict[str, pl.Series] = {}
    expected: dict[int, int] = {}
    seen: Counter[int] = Counter()
    done = 0
    for name in sorted(opened, key=lambda name: name == RESULTS_TABLE.name):
        snapshot = opened[name]
        if snapshot.table.derived:
            continue
        is_results = name == RESULTS_TABLE.name
        found = of_fragments(workers, snapshot, read_fragment, parts=parts) if workers and is_results else None
        reading = _Reading(snapshot, progress if is_results else None, found=found)
        if name == RUNS_TABLE.name:
            expected = reading.expected
        if is_results:
            seen, done = reading.seen, reading.rows
        problems += reading.problems([k for k, rows in expected.items() if seen[k] < rows])
        keys[name] = reading.column(snapshot.table.row_key)
    if RUNS_TABLE.name in opened and RESULTS_TABLE.name in opened:
        problems += _disagreements(seen, expected)
        problems += _stored_twice(engine) if not problems else ()
    checked = [s for s in opened.values() if s.table.name in keys and _is_one_a_key(s.table)]
    problems += [p for s in checked for p in _doubled(s.table, keys[s.table.name])]
    problems += _artifacts(engine) if ARTIFACTS_TABLE.name not in {p.table for p in problems} else ()
    whole = not any(p.table == RESULTS_TABLE.name for p in problems)
    problems += [p for s in opened.values() if whole for p in _indexes(s)]
    problems += _rollup(engine) if whole and SERIES_TABLE.name in opened else ()
    problems += _projection(engine) if whole and RESULTS_TABLE.name in opened else ()
    problems += _older(engine, problems)
    problems += [p for s in opened.values() for p in _orphans(s)]
    return Verification(rows=done, runs=len(expected), problems=tuple(problems))


def quick(engine: Engine, seed: int, sample: int = SAMPLE) -> Verification:
    """Check what takes a fraction of a plain read of the store; change nothing.

    That is: every table opens and every data file has its recorded size; the runs and the ledgers are read whole, with their
    checksums; the results have unique ids, and each run its number of rows; of `sample` results chosen by `seed` everything is compared
    with their checksums; each artifact has a file of its size, and each file of an index its checksum.
    """
    problems: list[Problem] = []
    tables = [table for table in stored() if table in TABLES or table.name in engine.present()]
    opened = {table.name: snapshot for table in tables for snapshot in _opened(engine, table, problems)}
    problems += [p for snapshot in opened.values() for p in _files(engine, snapshot)]
    readings = {
        name: _Reading(snapshot, None, ("run_key", "id") if name == RESULTS_TABLE.name else None)
        for name, snapshot in opened.items()
    }
    runs, results = (readings.get(table.name) for table in (RUNS_TABLE, RESULTS_TABLE))
    expected = runs.expected if runs else {}
    seen = results.seen if results else Counter[int]()
    lost = [key for key, rows in expected.items() if seen[key] < rows]
    problems += [p for reading in readings.values() for p in reading.problems(lost)]
    problems += _disagreements(seen, expected) if runs and results else ()
    for name, reading in readings.items():
        table = opened[name].table
        problems += _doubled(table, reading.column(table.row_key)) if _is_one_a_key(table) else ()
    positions = Random(seed).sample(range(results.rows), min(sample, results.rows)) if results else []  # noqa: S311
    whole = not any(p.table == RESULTS_TABLE.name and p.kind.startswith(_UNREADABLE) for p in problems)
    problems += _sampled(opened[RESULTS_TABLE.name], sorted(positions)) if positions and whole else ()
    problems += _artifacts(engine, contents=False) if ARTIFACTS_TABLE.name in opened else ()
    problems += [p for s in opened.values() for p in _damaged_indexes(s)]
    problems += _older(engine, problems)
    return Verification(
        rows=sum(seen.values()),
        runs=len(expected),
        problems=tuple(problems),
        sampled=len(positions) if whole else 0,
        seed=seed,
        unchecked=_UNCHECKED,
    )


def _files(engine: Engine, snapshot: Snapshot) -> Iterator[Problem]:
    """Report data files that are gone or have another size than recorded."""
    present = engine.files(snapshot.table, "data/")
    wrong = [
        f"{name}: {present[name].bytes if name in present else 'no'} of {size or 'some'} bytes"
        for name, size in snapshot.file_sizes().items()
        if name not in present or size not in {None, present[name].bytes}
    ]
    if wrong:
        yield _problem(f"data files are missing or have another size; {_REPAIR}", snapshot.table, wrong)


def _sampled(snapshot: Snapshot, positions: Sequence[int]) -> Iterator[Problem]:
    """Report those of some results that differ from their checksums."""
    table = snapshot.table
    try:
        batches = snapshot.rows_at(positions).combine_chunks().to_batches()
        found = [] if snapshot.newer else [(batch, *one) for batch in batches for one in changed_rows(batch)]
    except damage_errors() as error:
        yield _problem(f"rows cannot be read; {_REPAIR}", table, [_in_words(error)])
        return
    if found:
        runs = [batch["run_key"][at].as_py() for batch, at, _ in found]
        yield _problem(f"rows differ from their checksum; {_AGAIN}", table, [key for *_, key in found], runs=runs)


def repair(engine: Engine) -> list[str]:
    """Go back to readable versions, take unreadable data files and further copies of rows out, and rebuild what is derived.

    Return what was done, in words.
    """
    done = salvage.go_back(engine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedStoreWarning)  # the verification before and after says more
        salvage.find(engine)
    done += salvage.take_out(engine)
    done += [what for table in ledger.existing(engine) if _is_one_a_key(table) for what in _undouble(engine, table)]
    maintain.reindex(engine)
    engine.without_indexes = False
    projection.discard(engine)
    maintain.optimize(engine)
    return done


def _undouble(engine: Engine, table: Table) -> Iterator[str]:
    """Leave one of the rows of each key, one that has its checksum where there is one; say how many were taken out.

    A copy of a data file under the name of another doubles its rows, and publishing them again, or with --replace, adds none.
    """
    snapshot = engine.open(table)
    keys = _column(snapshot.read((table.row_key,)), table.row_key)
    doubled = [_text(key) if isinstance(key, bytes) else key for key in keys.filter(keys.is_duplicated()).unique()]
    if not doubled:
        return
    where = condition(table.row_key, doubled)
    places = snapshot.read((ROW_ID,), where)[ROW_ID].to_pylist()
    [rows] = snapshot.rows(where).combine_chunks().to_batches()
    changed = {at for at, _ in changed_rows(rows, table.row_key)}
    kept: dict[object, int] = {}
    for at, key in enumerate(rows[table.row_key].to_pylist()):
        if key not in kept or (kept[key] in changed and at not in changed):
            kept[key] = at
    chosen = set(kept.values())
    further = [place for at, place in enumerate(places) if at not in chosen]
    engine.delete_at(snapshot, further)
    yield f"{table.name}: {len(further)} further copies of {len(doubled)} rows taken out"


def _problem(
    kind: str, table: Table, examples: Sequence[str], *, harmless: bool = False, runs: Sequence[int] = ()
) -> Problem:
    return Problem(
        kind=kind,
        table=table.name,
        count=len(examples),
        example=examples[0],
        harmless=harmless,
        runs=tuple(f"{key:016x}" for key in sorted(set(runs))),
    )


def _is_one_a_key(table: Table) -> bool:
    return not table.derived and (table.merge_key == table.row_key or table is RESULTS_TABLE)


def _opened(engine: Engine, table: Table, problems: list[Problem]) -> Iterator[Snapshot]:
    """Yield a table, unless it cannot be opened, and report that, and columns of another type.

    A column that an older release did not write is no problem.
    """
    try:
        snapshot = engine.open(table)
        stored = {column.name: column.type for column in snapshot.stored}
    except damage_errors() as error:
        if isinstance(error, SchemaMismatchError) and migrations.is_of_lance_bench(engine.open_any(table).stored.names):
            raise
        if isinstance(error, StoreNotFoundError) and table not in TABLES and not salvage.has_lost_all(engine, table):
            return
        kind = _LOST if table.derived else f"table cannot be opened; {_REPAIR}, or restore it from a copy"
        problems.append(_problem(kind, table, [_in_words(error)], harmless=table.derived))
    else:
        lost = None if table.derived else salvage.lost_version(engine, table)
        if lost is not None:
            where = f"version {lost} is lost, version {snapshot.version} answers"
            problems.append(_problem(_LOST_VERSION, table, [where]))
        if engine.is_misnamed(table):
            problems.append(
                _problem(f"newest manifest is that of another version; {_REPAIR}", table, [table.directory])
            )
        wrong = [column.name for column in table.schema if stored.get(column.name, column.type) != column.type]
        if wrong:
            problems.append(_problem("columns of another type; restore the table from a copy", table, wrong))
        else:
            yield snapshot


def _in_words(error: BaseException) -> str:
    """Return what an error says of damaged files; raise it again when the storage does not answer, which says nothing of them."""
    if isinstance(error, StoreUnavailableError) and not is_damage(error):
        raise error
    return str(error) if isinstance(error, BenchDbError) else f"{type(error).__name__}: {error}"


class Found(NamedTuple):
    """What reading a fragment has found: key columns, number and key of changed rows, rows, and the fault of an unreadable one."""

    keys: dict[str, list[pl.Series]]
    changed: list[tuple[str, int]]
    rows: int
    fault: str = ""


def read_fragment(snapshot: Snapshot, fragment: Fragment, columns: Sequence[str] | None = None) -> Found:
    """Read a fragment: all of it, or nothing, so that one damaged file does not hide the others.

    Without the checksum among `columns`, no row is compared.
    """
    table, names = snapshot.table, _key_columns(snapshot.table)
    if fault := salvage.fault_of_deletions(snapshot.engine, table, fragment):
        return Found({}, [], 0, f"{fragment.file}: {fault}")
    keys: dict[str, list[pl.Series]] = {name: [] for name in names}
    changed: list[tuple[str, int]] = []
    rows = 0
    try:
        for batch in snapshot.row_batches(columns, fragment=fragment, batch_size=_BATCH_ROWS):
            # A checksum by a newer release includes columns that this one does not read.
            different = [] if snapshot.newer else changed_rows(batch, table.row_key)
            runs = batch.column(table.merge_key)
            changed += [(key, runs[at].as_py()) for at, key in different]
            for name in names:
                keys[name].append(_column(batch, name))
            rows += len(batch)
        # Lance reads few columns in another way, which may fail where all together can be read.
        deque(snapshot.row_batches((table.merge_key,), fragment=fragment), maxlen=0)
    except damage_errors() as error:
        return Found({}, [], 0, f"{fragment.file}: {_in_words(error)}")
    return Found(keys, changed, rows)


def _key_columns(table: Table) -> list[str]:
    wanted = (table.merge_key, table.row_key, "results")
    return [name for name in dict.fromkeys(wanted) if name in table.schema.names]


class _Reading:
    """What a complete reading of a table has found: the keys of its rows, the rows that have changed, the unreadable files.

    `found` are the fragments that workers have read.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        progress: Callable[[int, int], None] | None,
        columns: Sequence[str] | None = None,
        *,
        found: list[Found] | None = None,
    ) -> None:
        self._table = snapshot.table
        self._keys: dict[str, list[pl.Series]] = {name: [] for name in _key_columns(snapshot.table)}
        self._changed: list[tuple[str, int]] = []
        self._unreadable: list[str] = []
        self.rows = 0
        fragments = snapshot.every_fragment()
        total = sum(fragment.rows for fragment in fragments)
        read = (read_fragment(snapshot, fragment, columns) for fragment in fragments) if found is None else found
        for one in read:
            self._unreadable += [one.fault] if one.fault else []
            self._changed += one.changed
            for name, column in one.keys.items():
                self._keys[name] += column
            self.rows += one.rows
            if progress is not None:
                progress(self.rows, total)

    def column(self, name: str) -> pl.Series:
        """Return a column of keys, of the rows that can be read."""
        return pl.concat(self._keys[name]) if self._keys[name] else pl.Series(name, [])

    @property
    def expected(self) -> dict[int, int]:
        """The number of rows of each run, as its record says."""
        return dict(zip(self.column("run_key").to_list(), self.column("results").to_list(), strict=True))

    @property
    def seen(self) -> Counter[int]:
        """The number of rows of each run that can be read."""
        counts = self.column("run_key").value_counts()
        return Counter(dict(counts.iter_rows()))

    def problems(self, lost: Sequence[int]) -> Iterator[Problem]:
        """Yield the damage; `lost` are the runs that lack rows."""
        of_runs = self._table.merge_key == "run_key"
        if self._unreadable:
            kind = f"{_UNREADABLE}; {_REPAIR}, then publish the files of its runs again"
            yield _problem(kind, self._table, self._unreadable, runs=lost)
        if self._changed:
            kind = (
                f"rows differ from their checksum; {_AGAIN}"
                if of_runs
                else f"records differ from their checksum; {_REPAIR}"
            )
            runs = [key for _, key in self._changed] if of_runs else ()
            yield _problem(kind, self._table, [key for key, _ in self._changed], runs=runs)


def _column(batch: pa.RecordBatch | pa.Table, name: str) -> pl.Series:
    """Return a column of a batch, a text as its bytes: damage can make one that is no UTF-8."""
    column = batch.column(name)
    return pl.Series(name, column.cast(pa.binary()) if pa.types.is_string(column.type) else column)


def _text(key: object) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def changed_rows(batch: pa.RecordBatch, key: str = RESULTS_TABLE.row_key) -> list[tuple[int, str]]:
    """Return number and key of the rows of a batch that do not match their checksum.

    A row of an older release has a checksum of its values alone; of it, what is derived is derived again.
    """
    if ROW_CHECKSUM not in batch.schema.names:
        return []
    sums, written = row_checksums(batch), batch.column(ROW_CHECKSUM)
    # The scheme is part of the checksum, so a change of the scheme is a difference too.
    wrong = np.asarray(written.fill_null(0)) != np.where(written.is_valid(), np.asarray(sums), 0)
    if key == RESULTS_TABLE.row_key:
        wrong |= np.fromiter(_changed_values(batch), np.bool_, len(batch))
        old = np.flatnonzero(np.asarray(written.is_null()) & ~wrong)
        if len(old):
            records = from_table(pa.Table.from_batches([batch]).take(old), Result)
            wrong[old] = [not is_as_derived(record) for record in records]
    names = _column(batch, key)
    return [(int(at), _text(names[int(at)])) for at in np.flatnonzero(wrong)]


def _changed_values(batch: pa.RecordBatch) -> Iterator[bool]:
    """Return for each row whether its values do not match their checksum."""
    for item, checksum in zip(batch.column("values"), batch.column("values_hash").to_pylist(), strict=True):
        values = item.values if item.is_valid else None
        if checksum is None:
            yield bool(values is not None and len(values))
        else:
            yield values is None or values_hash(samples_of(values.to_numpy(zero_copy_only=False))) != checksum


def _doubled(table: Table, keys: pl.Series) -> Iterator[Problem]:
    if keys.hash().n_unique() == len(keys):  # a third of the time that the texts themselves take
        return
    twice = keys.filter(keys.is_duplicated()).unique().sort().to_list()
    if twice:
        yield _problem(f"rows stored more than once; {_REPAIR}", table, [_text(key) for key in twice])


def _older(engine: Engine, problems: Sequence[Problem]) -> Iterator[Problem]:
    """Report tables that are older than what was derived from them, unless it is known that their newest version is lost."""
    known = {problem.table for problem in problems if problem.kind == _LOST_VERSION}
    notes = (rollup.note_of_versions(engine), projection.note_of_versions(engine))
    found = {name: (version, noted) for note in notes for name, version, noted in salvage.older(engine, note)}
    for name, (version, noted) in found.items():
        if name in known:
            continue
        where = f"version {version} is the newest, and maintenance has seen version {noted}"
        yield Problem(kind=_OLDER, table=name, count=1, example=where)


def _artifacts(engine: Engine, *, contents: bool = True) -> Iterator[Problem]:
    try:
        for kind, places, harmless in artifacts.faults_of(engine, contents=contents):
            if places:
                yield _problem(kind, ARTIFACTS_TABLE, places, harmless=harmless)
    except damage_errors() as error:
        yield _problem(f"records cannot be read; {_REPAIR}", ARTIFACTS_TABLE, [_in_words(error)])


def _disagreements(seen: Counter[int], expected: dict[int, int]) -> Iterator[Problem]:
    kinds = {
        "rows without a run; publish their file again": ([key for key in seen if key not in expected], False),
        "runs without rows; publish their file again": ([key for key in expected if not seen[key]], True),
        f"runs with more or fewer rows than published; {_REPAIR}, then publish their file again": (
            [key for key, rows in expected.items() if seen[key] and seen[key] != rows],
            False,
        ),
    }
    for kind, (keys, harmless) in kinds.items():
        if keys:
            examples = [f"{key:016x}" for key in sorted(keys)]
            yield _problem(kind, RUNS_TABLE, examples, harmless=harmless, runs=keys)


def _stored_twice(engine: Engine) -> Iterator[Problem]:
    """Report runs that an older release has stored a second time."""
    found = twins.twins(engine)
    if found:
        kind = "runs that an older release has stored a second time; run 'bench-db store migrate', which excludes them"
        examples = [f"{key:016x} has the measurements of {first:016x}" for key, first in sorted(found.items())]
        yield _problem(kind, RUNS_TABLE, examples, harmless=True, runs=sorted(found))


def _damaged_indexes(snapshot: Snapshot) -> Iterator[Problem]:
    """Report indexes that differ from their checksums, so that no reader uses them."""
    try:
        damaged = indexes.damaged(snapshot)
    except damage_errors() as error:
        yield _problem(f"indexes cannot be listed; {_REPAIR}", snapshot.table, [_in_words(error)])
        return
    if damaged:
        kind = (
            f"indexes differ from their checksums, and readers scan; the next maintenance makes them anew, or {_REPAIR}"
        )
        yield _problem(kind, snapshot.table, damaged, harmless=True)


def _indexes(snapshot: Snapshot) -> Iterator[Problem]:
    """Report indexes that are damaged, or do not find the rows that a scan finds."""
    damaged = list(_damaged_indexes(snapshot))
    yield from damaged
    if any(not problem.harmless for problem in damaged):
        return
    names = {leaf: name for name, leaf in snapshot.leaves.items()}
    unread = set(indexes.damaged(snapshot))  # readers scan in place of these
    leaves = [leaf for leaf in snapshot.indexed() if leaf in names and leaf not in unread]
    wrong = [f"{leaf}: {fault}" for leaf in leaves for fault in _fault_of_index(snapshot, leaf, names[leaf])]
    if wrong:
        yield _problem(f"indexes do not find what a scan finds; {_REPAIR}", snapshot.table, wrong)


def _fault_of_index(snapshot: Snapshot, leaf: str, name: str) -> Iterator[str]:
    """Yield how an index differs from a scan.

    The different values are laid out in a square, and the index is asked for every row and every column of it: a row of the table
    that it finds by another value is in another row or another column, and N values take 2 N ** 0.5 questions.
    """
    try:
        scanned = pl.DataFrame(snapshot.read((name, ROW_ID))).drop_nulls()
        if scanned.schema[name] == pl.String:  # no filter can hold a NUL, so no reader asks for such a value
            scanned = scanned.filter(~pl.col(name).str.contains("\0", literal=True))
        values = scanned[name].unique().sort()
        side = max(1, math.isqrt(len(values)))
        place = pl.DataFrame({name: values, "at": range(len(values))})
        placed = scanned.join(place, on=name)
        for cell in (pl.col("at") // side, pl.col("at") % side):
            for (_, part), (_, of_part) in zip(
                place.group_by(cell, maintain_order=True),
                placed.sort("at").group_by(cell, maintain_order=True),
                strict=True,
            ):
                found = snapshot.read((ROW_ID,), condition(leaf, part[name].to_list()))[ROW_ID]
                if sorted(found.to_pylist()) != sorted(of_part[ROW_ID].to_list()):
                    yield f"it finds {len(found)} rows of {len(of_part)} with values such as {part[name][0]!r}"
                    return
    except damage_errors() as error:
        yield _in_words(error)


def _rollup(engine: Engine) -> Iterator[Problem]:
    """Report a rollup that readers ignore, or that differs from the results."""
    try:
        fault, is_used = rollup.fault(engine, history(engine, math.inf))
    except damage_errors() as error:
        fault, is_used = _in_words(error), False
    yield from _of_cache("rollup", SERIES_TABLE.name, fault, is_used=is_used)


def _projection(engine: Engine) -> Iterator[Problem]:
    """Report a projection that readers ignore, or that differs from the results."""
    try:
        fault, is_used = projection.fault(engine)
    except damage_errors() as error:
        fault, is_used = _in_words(error), False
    yield from _of_cache("projection", projection.DIRECTORY, fault, is_used=is_used)


def _of_cache(name: str, place: str, fault: str, *, is_used: bool) -> Iterator[Problem]:
    if fault:
        kind = f"{name} differs from the results; {_REPAIR}" if is_used else _LOST
        yield Problem(kind=kind, table=place, count=1, example=fault, harmless=not is_used)


def _orphans(snapshot: Snapshot) -> Iterator[Problem]:
    """Report orphans: data files that no version names, left by crashes; Lance removes them after a week."""
    try:
        orphans = snapshot.orphans()
    except damage_errors() as error:
        yield _problem("older versions cannot be read", snapshot.table, [_in_words(error)], harmless=True)
    else:
        if orphans:
            yield _problem("files of unfinished writes", snapshot.table, orphans, harmless=True)
