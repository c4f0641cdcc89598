"""A store with a series of every kind that the documentation gives a verdict, and rows as another writer leaves them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench_db import DutBuild, Result, Run, TestBed
from bench_db.model import Samples
from bench_db.store.database import Database, connect
from bench_db.store.publish import Entry
from bench_db.units import direction_of
from tests.support.histories import DAY, FIRST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Values = Mapping[str, float | str | tuple[float, str]]

BED = TestBed(name="ci-1", cpu="x", memory_gb=4, os="Linux 6")
COMMITS = 24  # a change point needs 20
LAST = COMMITS - 1


def sha(number: int) -> str:
    return f"{number + 0xABC0000:07x}".ljust(40, "0")


CANDIDATE = sha(LAST)
RENAMED = "renamed from read_batch to read_batches?"
UNIT = "unit changed from nanoseconds to bytes"
SHORT = "a verdict needs 5 runs of the baseline"
# kind, as the table in docs/statistics.md calls it -> (series, its unit, verdict, note)
KINDS = {
    "renamed": [
        ("read_batch", "nanoseconds", "missing", RENAMED),
        ("read_batches", "nanoseconds", "new", RENAMED),
    ],
    "vanished": [("vanished", "nanoseconds", "missing", "")],
    "failing": [("failing", "nanoseconds", "failed", "assert 1 == 2")],
    "constant": [
        ("constant", "nanoseconds", "unchanged", ""),
        ("constant, changed", "nanoseconds", "regressed", ""),
    ],
    "with NaN": [
        ("NaN before", "nanoseconds", "unchanged", ""),
        ("NaN now", "nanoseconds", "failed", "no finite value"),
    ],
    "of two points": [("two points", "nanoseconds", "insufficient", SHORT)],
    "whose unit changed": [
        ("unit changed", "nanoseconds", "missing", UNIT),
        ("unit changed", "bytes", "new", UNIT),
    ],
    "steady": [("steady", "nanoseconds", "unchanged", "")],
}


def entry(
    number: int,
    values: Values,
    *,
    commit: str | None = None,
    bed: TestBed = BED,
    branch: str | None = "main",
    suite: str = "",
    dut_name: str = "d",
    again: int = 0,
    repository: str | None = None,
    run_url: str | None = None,
) -> Entry:
    """Return a run of the commit of a number: a value each benchmark; a text is the error it failed with, a pair has its unit."""
    commit = commit or sha(number)
    dut = DutBuild(name=dut_name, version=f"1+{commit[:7]}", timestamp=FIRST + DAY * number)
    run = Run(
        file_name="f",
        sha256=f"{commit}/{branch}/{suite}" + (f"/{again}" if again else ""),
        format="x",
        dut=dut,
        test_bed=bed,
        commit=commit,
        branch=branch,
        repository=repository,
        run_url=run_url,
    )
    base = Result(dut=dut, test_bed=bed, benchmark_name="", commit=commit, branch=branch, suite=suite)
    return Entry(run, [_result(replace(base, benchmark_name=name), value) for name, value in values.items()])


def publish(store: Database, number: int, values: Values, **how: Any) -> None:
    """Publish one run, as `entry` describes it."""
    run, results, *_ = entry(number, values, **how)
    store.publish(results, run)


def publish_all(store: Database, entries: Iterable[Entry]) -> None:
    """Publish runs in one batch: one by one each takes 40 ms of CPU."""
    for _ in store.publish_many(entries):
        pass


def _result(base: Result, value: float | str | tuple[float, str]) -> Result:
    if isinstance(value, str):
        return replace(base, error=value)
    number, units = value if isinstance(value, tuple) else (value, "nanoseconds")
    return replace(base, values=Samples([number]), units=units, direction=direction_of(units))


def of_every_kind(path: Path) -> Database:
    """Twenty-four commits, of which the last is the candidate."""
    store = connect(path, create=True)
    entries = []
    for number in range(COMMITS):
        last, wobble = number == LAST, 1 + 0.001 * (number % 3)
        values: dict[str, float | str | tuple[float, str]] = {
            "steady": 100 * wobble,
            "read_batches" if last else "read_batch": 250 * wobble,
            "failing": "assert 1 == 2\nsecond line" if last else 70 * wobble,
            "constant": 5.0,
            "constant, changed": 6.0 if last else 5.0,
            "NaN before": 30 * wobble,
            "NaN now": 40 * wobble,
            "unit changed": (100 * wobble, "bytes" if last else "nanoseconds"),
        }
        if not last:
            values["vanished"] = 60 * wobble
        if number >= LAST - 1:
            values["two points"] = 9.0 if last else 3.0
        entries.append(entry(number, values))
    publish_all(store, entries)
    number_becomes_nan(store, "NaN before", {3, 7})
    number_becomes_nan(store, "NaN now", {LAST})
    return store


def number_becomes_nan(store: Database, benchmark: str, numbers: set[int]) -> None:
    """Write NaN where a benchmark's figures were, as another writer of the table may: publishing itself refuses it."""
    table: Any = store.lancedb().open_table("results")
    rows = table.to_arrow()
    picked = [
        {**row, "values": [math.nan], "summary": dict.fromkeys(row["summary"], math.nan)}
        for row in rows.to_pylist(maps_as_pydicts="strict")
        if row["benchmark_name"] == benchmark and row["commit"] in {sha(number) for number in numbers}
    ]
    table.delete(" OR ".join(f"id = '{row['id']}'" for row in picked))
    table.add(pa.Table.from_pylist(picked, schema=rows.schema))
