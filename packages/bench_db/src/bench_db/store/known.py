"""What a store already has of a run: the run itself, whatever the bytes of its file, or its benchmarks under other names."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import polars as pl

from bench_db import derive
from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.model import DutBuild, Run, TestBed
from bench_db.query.series import IDENTITY, MACHINE
from bench_db.store import faults, history
from bench_db.store.engine import ROW_ID
from bench_db.store.filters import condition, filter_text
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, SERIES_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

    from bench_db.derive import Row
    from bench_db.model import FrameRow, Result
    from bench_db.query.definitions import Definitions
    from bench_db.store.engine import Engine, Snapshot
    from bench_db.store.filters import Scalar

_RECORD = (
    *("run_key", "run_id", "file_name", "sha256", "content_key", "results", "ingested_at"),
    *("dut_name", "dut_version", "dut_timestamp", "test_bed_name", "commit", "branch", "pr_number"),
)
_INPUT = (*_RECORD, "format", "skipped", "notes", "input_key")

# The benchmarks of a run whose neighbours are looked up, and what neighbours differ in.
NEIGHBOURS = 10
_SERIES_PLACE = ("test_bed_name", "suite")
# Where the context of a run names what ran its benchmarks: implementation and version.
_PYTHON = (
    (("machine_info", "python_implementation"), ("machine_info", "python_version")),  # pytest-benchmark
    (("metadata", "python_implementation"), ("metadata", "python_version")),  # pyperf
    ((), ("python", "sysconfig", "py_version")),  # pytest-codspeed
)
_DOTNET = ("HostEnvironmentInfo", "RuntimeVersion")
_RELEASE = re.compile(r"\D*\d+(\.\d+)?")
_NUMBER = re.compile(r"\d+(\.\d+)?$")
_USUAL = {"python": {"cpython", "python"}, "runtime": {"net", "netcore"}}  # a tag of these has the number alone


# The series of the last rollup of each engine, with its version and data files.
_SERIES: WeakKeyDictionary[Engine, tuple[object, frozenset[int]]] = WeakKeyDictionary()


class Runtime(NamedTuple):
    """What ran the benchmarks: its name with the first two numbers, such as CPython 3.13, and a tag for its series, python=3.13."""

    name: str
    tag: str


class Beside(NamedTuple):
    """A run of the same place that shares a series with another, and what ran its benchmarks; None before that is read."""

    run: Run
    runtime: Runtime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a store has of a run: the stored run that is the same, the number of its rows, and runs with the same measurements.

    `completes` is the key of a stored run that lacks the samples that this one has. `rereads` says that `same` is another
    reading of the same bytes. `elsewhere` are the runs of another commit, device, test bed or pull request, oldest first.
    `beside` has the runs of the same place that share a series but not the measurements, and that another runtime measured.
    """

    same: Run | None = None
    rows: int = 0
    completes: int | None = None
    rereads: bool = False
    elsewhere: tuple[Run, ...] = ()
    beside: tuple[Beside, ...] = ()


class _Look(NamedTuple):
    """What the records of runs say of a run: the stored run that is the same, else those from which its rows must distinguish it."""

    same: Run | None
    here: Sequence[Run]
    elsewhere: tuple[Run, ...]


def find(engine: Engine, run: Run, results: Sequence[Result]) -> Known:
    """Return what a store has of a derived run; raise `CorruptStoreError` when its key belongs to other measurements."""
    return find_each(engine, [(run, results)])[0]


def find_each(engine: Engine, runs: Sequence[tuple[Run, Sequence[Result]]], *, but_own: bool = False) -> list[Known]:
    """Return what a store has of each derived run as `find` does, with one look-up for all of them.

    With `but_own` a record of the run itself is left out: only another run with the same measurements is the same.
    """
    table = engine.open(RUNS_TABLE)
    records = records_of(table, _like([run for run, _ in runs], {column.name for column in table.missing}))
    looks = _looks(engine, records, [run for run, _ in runs], but_own=but_own)
    counts = _counts(engine, [look.same for look in looks if look.same is not None])
    rows = _rows(engine, {record.run_key: record for look in looks for record in look.here}.values())
    founds = [
        replace(match(look.here, rows, run, results), elsewhere=look.elsewhere)
        if look.same is None
        else Known(same=look.same, rows=counts[look.same.run_key], elsewhere=look.elsewhere)
        for look, (run, results) in zip(looks, runs, strict=True)
    ]
    return _with_runtimes(engine, runs, founds)


def of_files(engine: Engine, digests: Collection[str]) -> list[Run]:
    """Return the records with an `input_key` of runs that were read from files with some SHA-256, oldest first."""
    table = engine.open(RUNS_TABLE)
    if "input_key" in table.absent:
        return []
    found = sorted(table.read((ROW_ID,), _among("sha256", digests))[ROW_ID].to_pylist())
    return [
        replace(
            _record(row),
            format=row["format"],
            skipped=dict(row["skipped"]),
            notes=tuple(row["notes"]),
            input_key=row["input_key"],
        )
        for row in (table.take(found, _INPUT).to_pylist() if found else ())
        if row["input_key"] is not None
    ]


def _looks(engine: Engine, records: Sequence[Run], runs: Iterable[Run], *, but_own: bool) -> list[_Look]:
    places = {record.run_key: derive.place_of(record) for record in records}
    by_key = {record.run_key: record for record in records}
    number = {record.run_key: at for at, record in enumerate(records)}
    here: dict[tuple[str, ...], list[Run]] = {}
    alike: dict[int | str | None, list[Run]] = {}
    for record in records:
        here.setdefault(places[record.run_key], []).append(record)
        alike.setdefault(record.sha256 if record.content_key is None else record.content_key, []).append(record)
    looks = []
    for run in runs:
        place, own = derive.place_of(run), None if but_own else by_key.get(run.run_key)
        if own is not None and not _has_same_content(own, run):
            message = f"{engine.location}: run key {run.run_key} belongs to other content; nothing was written"
            raise CorruptStoreError(message)
        others = [r for r in here.get(place, ()) if r.run_key != run.run_key and is_like(r, run)]
        same = own or next((r for r in others if r.content_key == run.content_key), None)
        elsewhere = [*alike.get(run.content_key, ()), *alike.get(run.sha256, ())]
        elsewhere.sort(key=lambda record: number[record.run_key])
        away = tuple(record for record in elsewhere if places[record.run_key] != place)
        looks.append(_Look(same, () if same else others, away))
    return looks


def is_like(record: Run, run: Run) -> bool:
    """Return whether two runs may have the same measurements: they have the same key, the same bytes or as many results."""
    return record.content_key == run.content_key or record.sha256 == run.sha256 or record.results == run.results


def match(here: Sequence[Run], stored: Mapping[int, Mapping[int, Row]], run: Run, results: Sequence[Result]) -> Known:
    """Return what runs of the same place, whose rows are given by run key and name, have of a derived run.

    The runs that are beside it are looked for when its tool names a runtime.
    """
    new = {derived.name: row for derived, row in map(derive.row_of, results)} if here else {}
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
    if not here or runtime_of(run.context) is None:
        return Known()
    return Known(beside=tuple(Beside(record) for record in here if stored.get(record.run_key, {}).keys() & new.keys()))


def _with_runtimes(
    engine: Engine, runs: Sequence[tuple[Run, Sequence[Result]]], founds: Sequence[Known]
) -> list[Known]:
    """Leave beside each run the runs that another runtime measured, without those that are excluded.

    What cannot be read has no runtime: the answer is advice, and damage that a publish does not touch must not stop it.
    """
    keys = {one.run.run_key for found in founds for one in found.beside}
    runtimes = _runtimes(engine, keys) if keys else {}
    named = []
    for (run, _), found in zip(runs, founds, strict=True):
        own = runtime_of(run.context) if found.beside else None
        others = ((one.run, runtimes.get(one.run.run_key)) for one in found.beside)
        named.append(tuple(Beside(*pair) for pair in others if own and pair[1] and pair[1].tag != own.tag))
    excluded = excluded_of(engine) if any(named) else frozenset[int]()
    return [
        replace(found, beside=tuple(one for one in beside if one.run.run_key not in excluded))
        for found, beside in zip(founds, named, strict=True)
    ]


def _runtimes(engine: Engine, keys: Collection[int]) -> dict[int, Runtime | None]:
    """Return the runtime of each of some runs; none of them when one is damaged."""
    try:
        read = engine.open(RUNS_TABLE).read(("run_key", "context"), _among("run_key", keys))
        contexts = zip(read["run_key"].to_pylist(), read["context"].to_pylist(), strict=True)
        return {key: runtime_of(context) for key, context in contexts}
    except faults.damage_errors():
        return {}


def runtime_of(context: str) -> Runtime | None:
    """Return what ran the benchmarks from the context of a run as JSON; None when the tool does not name it."""
    try:
        facts = json.loads(context)
    except ValueError:  # a run that Python made may have any text
        return None
    for implementation, version in _PYTHON:
        if isinstance(number := _at(facts, version), str):
            return _runtime("python", f"{_at(facts, implementation) or 'Python'} {number}")
    return _runtime("runtime", name) if isinstance(name := _at(facts, _DOTNET), str) else None


def _at(facts: object, place: tuple[str, ...]) -> object:
    for key in place:
        facts = facts.get(key) if isinstance(facts, dict) else None
    return facts if place else None


def _runtime(tag: str, text: str) -> Runtime:
    found = _RELEASE.match(text)
    name = found[0] if found else text
    number = found[0] if (found := _NUMBER.search(name)) else ""
    kind = re.sub(r"[^a-z]", "", name.removesuffix(number).lower())
    return Runtime(name, f"{tag}={number if number and kind in _USUAL[tag] else kind + number}")


def excluded_of(engine: Engine) -> frozenset[int]:
    """Return the keys of excluded runs; none where the records are damaged."""
    try:
        return history.excluded_runs(history.exclusions(engine))
    except faults.damage_errors():
        return frozenset()


def _counts(engine: Engine, runs: Sequence[Run]) -> Counter[int]:
    """Return the number of stored rows of each run. The index on the commit makes the first look cheap."""
    counts: Counter[int] = Counter()
    if runs and not any(run.commit is None or "\0" in run.commit for run in runs):
        counts = _counted(engine, runs, f"{_among('commit', {run.commit for run in runs})} AND ")
    partial = [run for run in runs if counts[run.run_key] != run.results]
    if partial:
        again = _counted(engine, partial)
        for run in partial:
            counts[run.run_key] = again[run.run_key]
    return counts


def _counted(engine: Engine, runs: Sequence[Run], of_commits: str = "") -> Counter[int]:
    where = of_commits + _among("run_key", {run.run_key for run in runs})
    if len(runs) == 1:
        return Counter({runs[0].run_key: engine.count(RESULTS_TABLE, where)})
    return Counter(engine.open(RESULTS_TABLE).read(("run_key",), where)["run_key"].to_pylist())


def in_place_of(
    engine: Engine, run: Run, results: Sequence[Result], but: Collection[int] = ()
) -> tuple[list[int], list[int]]:
    """Return the keys of the other runs that this run replaces: those recorded before it, and those after it.

    They have its run id and file name, or its bytes; its device, commit, test bed and pull request; and one of its suites with
    the same tags. A run without rows is none of them, because nothing names its suite: it may be a publish of another suite in
    progress. If another replacement has removed the record of this run already, all remaining ones are later. A run in `but` is one
    of them only when it has a series of this run.
    """
    same_file = f"({condition('run_id', run.run_id)} AND {condition('file_name', run.file_name)})"
    where = " OR ".join([same_file, _among("sha256", {run.sha256} - {""})])
    keys = [r.run_key for r in records_of(engine.open(RUNS_TABLE), where) if derive.place_of(r) == derive.place_of(run)]
    at = keys.index(run.run_key) if run.run_key in keys else -1
    others = [key for key in keys if key != run.run_key]
    shared = _sharing(engine, others, results, but) if others else set()
    return (
        [key for key in keys[: max(at, 0)] if key in shared],
        [key for key in keys[at + 1 :] if key in shared],
    )


def _sharing(engine: Engine, keys: Sequence[int], results: Sequence[Result], strictly: Collection[int]) -> set[int]:
    """Return the runs with a suite and tags of some results; those of `strictly` only with one of their series."""
    groups = {(result.suite, result.tags_key) for result in results}
    series = {result.series_key for result in results}
    found = engine.open(RESULTS_TABLE).read(("run_key", "suite", "tags_key", "series_key"), condition("run_key", keys))
    columns = (found[name].to_pylist() for name in found.column_names)
    return {
        key
        for key, suite, tags, of in zip(*columns, strict=True)
        if (of in series if key in strictly else (suite, tags) in groups)
    }


def _like(runs: Sequence[Run], absent: Collection[str]) -> str:
    """Return the filter for records that may have the measurements of a run, in a table without the columns `absent`."""
    of_commits = [run for run in runs if run.commit is not None]
    of_builds = [run for run in runs if run.commit is None]
    build = [condition("commit", None), _among("dut.timestamp", {run.dut.timestamp for run in of_builds})]
    return " OR ".join(
        [
            _among("run_key", {run.run_key for run in runs}),
            _among("content_key", () if "content_key" in absent else {run.content_key for run in runs}),
            _among("sha256", {run.sha256 for run in runs} - {""}),
            _all([_among("commit", {run.commit for run in of_commits}), _of_size(of_commits)]),
            _all([*build, _of_size(of_builds)]),
        ]
    )


def _of_size(runs: Sequence[Run]) -> str:
    return _among("results", {run.results for run in runs})


def _all(conditions: Sequence[str]) -> str:
    return "false" if "false" in conditions else f"({' AND '.join(conditions)})"


def _among(leaf: str, values: Collection[Scalar | None]) -> str:
    """Return a condition; false for null and for a text that no filter can hold."""
    usable = [v for v in values if v is not None and not (isinstance(v, str) and "\0" in v)]
    return condition(leaf, usable[0] if len(usable) == 1 else usable)


def records_of(runs: Snapshot, where: str) -> list[Run]:
    """Return the records that a filter selects, in the order in which they were added, without what nothing here needs."""
    found = sorted(runs.read((ROW_ID,), where)[ROW_ID].to_pylist())
    # Most runs are new, and a filter that reads no other column is a third faster.
    return [_record(row) for row in runs.take(found, _RECORD).to_pylist()] if found else []


def _record(row: FrameRow) -> Run:
    return Run(
        run_key=row["run_key"],
        run_id=row["run_id"],
        file_name=row["file_name"],
        sha256=row["sha256"],
        format="",
        dut=DutBuild(name=row["dut_name"], version=row["dut_version"], timestamp=row["dut_timestamp"]),
        test_bed=TestBed(name=row["test_bed_name"]),
        commit=row["commit"],
        branch=row["branch"],
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


def _rows(engine: Engine, records: Collection[Run]) -> dict[int, dict[int, Row]]:
    """Return the rows of some runs by run key and name."""
    rows: dict[int, dict[int, Row]] = {}
    if not records:
        return rows
    where = condition("run_key", [record.run_key for record in records])
    for batch in engine.open(RESULTS_TABLE).batches(derive.MEASURED, where):
        for key, name, row in derive.rows_in(batch):
            rows.setdefault(key, {})[name] = row
    return rows


def neighbours(
    engine: Engine, results: Sequence[Result], definitions: Callable[[], Definitions | None] = lambda: None
) -> list[tuple[str, str]]:
    """Return test bed and suite of other series of these benchmarks; none when one of the results continues a series.

    `results` are derived. `definitions` is called only when there are other series. Only the first few benchmarks are looked up, in
    the rollup where there is one: the answer is advice, and must not delay a publish.
    """
    # No filter can hold a NUL.
    usable = [result for result in results if "\0" not in result.benchmark_name + result.dut.name]
    if not usable:
        return []
    names = list(dict.fromkeys(result.benchmark_name for result in usable))[:NEIGHBOURS]
    first = [result for result in usable if result.benchmark_name in names]
    keys = [result.series_key for result in first]
    where = {"dut_name": first[0].dut.name, "benchmark_name": names}
    columns = (*IDENTITY, *MACHINE)
    try:
        rollup = engine.open(SERIES_TABLE)
        # Most runs continue a series, and the keys alone take less than half the time of a filter.
        if not _series_in(engine, rollup).isdisjoint(keys):
            return []
        known = rollup.read(columns, filter_text(where, SERIES_TABLE.leaves))
    except (StoreNotFoundError, CorruptStoreError, SchemaMismatchError):
        if _has_points(engine, keys):  # most runs continue a series, and to read its identity takes longer
            return []
        known = engine.open(RESULTS_TABLE).read(columns, filter_text(where, RESULTS_TABLE.leaves))
    others = set(zip(*(known[name].to_pylist() for name in _SERIES_PLACE), strict=True))
    if not others or _has_points(engine, keys):
        return []
    defined = definitions()
    return [] if defined and _continues(known, first, defined) else sorted(others)


def _series_in(engine: Engine, rollup: Snapshot) -> frozenset[int]:
    """Return the keys of all series of a rollup, which is read once: each publish asks, and only a maintenance changes it."""
    state = rollup.version, tuple(fragment.file for fragment in rollup.fragments())
    known = _SERIES.get(engine)
    if known is None or known[0] != state:
        known = state, frozenset(rollup.read(("series_key",))["series_key"].to_pylist())
        _SERIES[engine] = known
    return known[1]


def _has_points(engine: Engine, keys: Collection[int]) -> bool:
    """Return whether one of these series has a stored row."""
    return bool(engine.open(RESULTS_TABLE).read((ROW_ID,), condition("series_key", keys), limit=1).num_rows)


def _continues(known: pa.Table, results: Sequence[Result], definitions: Definitions) -> bool:
    """Return whether definitions give one of the results the key of a known series."""
    before = pl.DataFrame(known).unique("series_key")
    named = definitions.renamed(pl.concat([before, pl.DataFrame(list(map(_series, results)), before.schema)]))
    if named is None:
        return False
    is_new = named["stored_key"].is_in([result.series_key for result in results])
    return not set(named.filter(is_new)["series_key"]).isdisjoint(named.filter(~is_new)["series_key"])


def _series(result: Result) -> dict[str, Any]:
    """Return the columns of `IDENTITY` and `MACHINE`."""
    names = ("series_key", "suite", "benchmark_name", "metric", "tags_key", "units", "direction")
    bed = result.test_bed
    return {
        **{name: getattr(result, name) for name in names},
        "dut_name": result.dut.name,
        "test_bed_name": bed.name,
        "test_bed_cpu": bed.cpu,
        "test_bed_memory_gb": bed.memory_gb,
        "test_bed_os": bed.os,
    }
