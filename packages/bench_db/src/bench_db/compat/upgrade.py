"""The upgrade of a database of lance-bench, in place: add columns, repair values, collapse copies, define what continues."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from bench_db.arrow import from_table, samples_of, to_table
from bench_db.compat.rows import SOURCE, as_runs, commit_of, record_of, with_known_cpu
from bench_db.derive import derive
from bench_db.errors import SchemaMismatchError
from bench_db.ingest.formats.criterion import throughput_of
from bench_db.model import Definition, Result, Upgrade
from bench_db.query.definitions import ANY, place_of
from bench_db.store import history, maintain
from bench_db.store.database import engine_at
from bench_db.store.filters import condition
from bench_db.store.migrations import is_of_lance_bench
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from bench_db.units import RECALL, direction_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from bench_db.model import JsonObject
    from bench_db.store.engine import Engine, Snapshot

TAG = "before-upgrade"


def upgrade(uri: str | Path, *, dry_run: bool = False) -> Upgrade:
    """Bring a lance-bench database to the present schema, in one commit; with `dry_run` only say what would change.

    Definitions let every series continue under the same device, test bed name, benchmark, metric and unit; a database that an older
    release upgraded gets them too. The version before is kept under the tag `before-upgrade`. Raises `SchemaMismatchError` for a table
    that is neither.
    """
    engine = engine_at(uri)
    found = engine.open_any(RESULTS_TABLE)
    missing = tuple(column.name for column in found.missing)
    if not RESULTS_TABLE.required.intersection(missing):
        return _continued(engine, found, dry_run=dry_run)
    if not is_of_lance_bench(found.stored.names):
        message = f"{engine.location}: results has columns that no version wrote: {', '.join(found.stored.names)}"
        raise SchemaMismatchError(message)
    old = _read(found.rows(seconds=engine.deadlines.bulk))
    kept = _without_copies(old)
    counts: Counter[str] = Counter()
    repaired = [_repaired(result, counts) for result in kept]
    pairs = [derive(run, results) for run, results in as_runs(repaired)]
    results = [result for _, rows in pairs for result in rows]
    definitions = _definitions({r.test_bed.name for r in results}, {r.dut.name for r in results})
    if not dry_run:
        if TAG not in found.tags():
            engine.tag(RESULTS_TABLE, TAG, found.version)
        engine.create(RUNS_TABLE)
        engine.merge(RUNS_TABLE, to_table([run for run, _ in pairs], RUNS_TABLE.schema))
        history.define(engine, definitions)
        engine.replace_all(RESULTS_TABLE, to_table(results, RESULTS_TABLE.schema))
        maintain.optimize(engine)
    return Upgrade(
        needed=True,
        rows_before=len(old),
        rows_after=len(results),
        runs=len(pairs),
        columns_added=missing,
        criterion_repaired=counts["criterion"],
        units_unified=counts["units"],
        commits_parsed=counts["commits"],
        copies_collapsed=len(old) - len(kept),
        cpus_unknown=counts["cpus"],
        series=len({result.series_key for result in results}),
        definitions=len(definitions),
    )


def _continued(engine: Engine, results: Snapshot, *, dry_run: bool) -> Upgrade:
    """Write the definitions that a store lacks for its rows of lance-bench; those that somebody ended stay ended."""
    old = results.read(("test_bed_name", "dut_name", "series_key"), condition("source", SOURCE))
    beds, duts, series = (set(old[name].to_pylist()) for name in old.column_names)
    written = {place_of(record) for record in history.definitions(engine)}
    missing = [record for record in _definitions(beds, duts) if place_of(record) not in written]
    if missing and not dry_run:
        history.define(engine, missing)
    rows = sum(fragment.rows for fragment in results.fragments())
    return Upgrade(
        needed=bool(missing),
        rows_before=rows,
        rows_after=rows,
        runs=0,
        columns_added=(),
        criterion_repaired=0,
        units_unified=0,
        commits_parsed=0,
        copies_collapsed=0,
        cpus_unknown=0,
        series=len(series),
        definitions=len(missing),
    )


def _definitions(beds: Collection[str], duts: Collection[str]) -> list[Definition]:
    """Return the definitions that do without what lance-bench did not store: the machine of a test bed, and suites."""
    now = int(time.time())
    pools = [
        Definition(kind="pool", pattern=bed, at=now, by=SOURCE, note="lance-bench identified a test bed by its name")
        for bed in sorted(beds)
    ]
    suites = [
        Definition(
            kind="alias",
            field="suite",
            pattern="",
            value=ANY,
            dut_name=dut,
            at=now,
            by=SOURCE,
            note="lance-bench stored no suites",
        )
        for dut in sorted(duts)
    ]
    return [*pools, *suites]


def _read(table: pa.Table) -> list[Result]:
    return [replace(result, source=SOURCE) for result in from_table(table, Result)]


def _without_copies(results: Iterable[Result]) -> list[Result]:
    """Keep one of each set of rows with the same device, test bed name, benchmark, tool record and values: the oldest."""
    first: dict[tuple[object, ...], Result] = {}
    for result in sorted(results, key=lambda r: r.timestamp):
        key = (result.dut, result.test_bed.name, result.benchmark_name, result.metadata, result.values.tobytes())
        first.setdefault(key, result)
    return list(first.values())


def _repaired(result: Result, counts: Counter[str]) -> Result:
    record = record_of(result.metadata)
    if "measured_values" in record and "iteration_count" in record:
        counts["criterion"] += 1
        result = _criterion(result, record)
    if result.units == "ns":
        counts["units"] += 1
        result = replace(result, units="nanoseconds")
    if result.units == RECALL.name:
        tags = {"k": str(record["k"])} if "k" in record else {}
        result = replace(result, metric=RECALL.name, tags=tags)
    bed = with_known_cpu(result.test_bed)
    counts["cpus"] += bed != result.test_bed
    commit = commit_of(result.dut.version)
    counts["commits"] += commit is not None
    return replace(
        result,
        test_bed=bed,
        commit=commit,
        direction=direction_of(result.units),
        metadata=json.dumps(_without_samples(record)) if record else result.metadata,
        summary=None if len(result.values) else result.summary,
        error=None if len(result.values) or result.summary else "no values were stored",
    )


def _criterion(result: Result, record: JsonObject) -> Result:
    """lance-bench stored the totals of each batch; the counts to divide them by are in its metadata."""
    counts = [int(count) for count in record["iteration_count"]]
    values = [total / count for total, count in zip(record["measured_values"], counts, strict=True)]
    typical = record.get("typical") or {}
    return replace(
        result,
        values=samples_of(values),
        iterations=tuple(counts),
        lower=typical.get("lower_bound"),
        upper=typical.get("upper_bound"),
        throughput=result.throughput and throughput_of(result.throughput.name, result.throughput.multiplier),
    )


def _without_samples(record: Mapping[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in record.items() if name not in {"measured_values", "iteration_count"}}
    if isinstance(stats := kept.get("stats"), dict):
        kept["stats"] = {name: value for name, value in stats.items() if name != "data"}
    return kept
