"""Damage to the files of a store: single bits that flip, and files that are deleted, halved or emptied."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import lance

from bench_db.errors import BenchDbError
from bench_db.model import (
    Baseline,
    Definition,
    Finding,
    Notification,
    NotificationStep,
    PairRecord,
    PairVerdict,
    ScanRecord,
    State,
)
from bench_db.query.selection import Selection
from bench_db.store.database import connect
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from bench_db.model import Result, Run
    from bench_db.store.database import Database

RUNS = 12
ROWS = 8
_REPLACED, _REPLACEMENT = 5, 100
BROKEN = ("delete", "halve", "empty")
_NEAR = 8  # bytes of padding that count as used
# Files outside the tables of Lance, by their kind.
_OUTSIDE = {"levels": "levels.json", "points": "*.points", "content": "*/*"}


class Flip(NamedTuple):
    """A bit that has changed: the file, and the number of the bit."""

    file: Path
    bit: int


def fill(directory: Path) -> Database:
    """Make a store with rows in every table, indexes, derived tables, and runs that are newer than these; one is a replacement."""
    database = connect(directory, create=True)
    for number in range(RUNS):
        run, results = _publication(number)
        database.publish(results, run)
        if number == RUNS - 4:
            _keep_records(database)
            database.optimize()
            run, results = _publication(_REPLACEMENT)
            database.publish(results, run, replace=True)
    return database


def publications() -> Iterator[tuple[Run, list[Result]]]:
    """Yield the runs of such a store with their results, as they are in the end."""
    return (_publication(_REPLACEMENT if number == _REPLACED else number) for number in range(RUNS))


def _publication(number: int) -> tuple[Run, list[Result]]:
    place, time = ("ci", _REPLACED) if number in {_REPLACED, _REPLACEMENT} else ("", number)
    return publication(number, rows=ROWS, samples_each=6, branch="main", place=place, commit_time=time)


def _keep_records(database: Database) -> None:
    database.put_artifact(b"a log\n" * 50, kind="log", name="1.log", added_at=1)
    for number in range(4):
        database.set_baseline(Baseline(name=f"level {number % 2}", commit=commit_of(number), set_at=number + 1))
        database.record_findings([_finding(number)])
    database.define([Definition(kind="alias", field="benchmark", pattern="bench 7", value="seventh", at=1, by="test")])
    base, head = commit_of(1), commit_of(2)
    found = PairRecord(pair_id="1", at=1, base=base, head=head, seed=1, verdict=PairVerdict.REGRESSED, effect=0.2)
    database.record_pairs([found])
    about = {"receiver": "team", "message_id": "1", "claim": "c", "at": 1}
    claim = Notification(**about, step=NotificationStep.CLAIMED, finding_id="1", state="open", change=1)  # type: ignore[arg-type]
    database.record_notifications([claim, Notification(**about, step=NotificationStep.DELIVERED)])  # type: ignore[arg-type]
    database.record_scans([_scan(number) for number in range(2)])
    excluded = database.runs().collect()["run_key"].to_list()[:1]
    database.exclude(excluded, reason="a noisy machine", lifted=False, at=1, by="test")


def _finding(number: int) -> Finding:
    return Finding(
        id=f"{number}",
        series_key=number,
        commit=commit_of(number),
        index=number,
        effect=0.1,
        low=None,
        high=None,
        p_value=0.01,
        provisional=False,
        state=State.OPEN,
        at=number,
        by="test",
        note="slower since the cache was removed",
    )


def _scan(number: int) -> ScanRecord:
    return ScanRecord(
        dut_name="engine",
        commit=commit_of(number),
        dut_version="",
        runs=number + 1,
        store_version=number,
        judged=0,
        too_short=ROWS,
        profile="default",
        rate=0.05,
        at=number,
    )


READINGS: dict[str, Callable[[Database], Any]] = {
    "pairs": lambda store: store.query("select * from pairs").to_dicts(),
    "latest": lambda store: store.latest().to_dicts(),
    "trend": lambda store: store.trend("bench 3", values=True).to_dicts(),
    "summary": lambda store: store.summary().to_dicts(),
    "has": lambda store: store.has(commit_of(2)),
    "runs": lambda store: store.runs().drop("ingested_at").collect().to_dicts(),
    "rows": lambda store: sorted(map(repr, store.results())),
    "commits": lambda store: store.commits(),
    "baselines": lambda store: store.baselines(history=True),
    "findings": lambda store: store.findings(every=True),
    "definitions": lambda store: store.definitions(),
    "notifications": lambda store: store.notifications(),
    "scans": lambda store: store.scans(),
    "exclusions": lambda store: store.exclusion_reasons(),
    "everything": lambda store: store.latest(Selection(everything=True)).to_dicts(),
}


def answers(store: Path | str) -> dict[str, Any]:
    """Return the answer of each reading, or the error of bench_db that it ends in; each reading opens the store anew."""
    found = {}
    for name, read in READINGS.items():
        try:
            found[name] = read(connect(store))
        except BenchDbError as error:
            found[name] = error
    return found


def live_files(store: Path, table: str, kind: str = "data") -> list[Path]:
    """Return the files of the newest version of a table: `data`, `indexes`, `deletions`, its `manifest`, or the newest `transaction` that has a file.

    The table `projection` has its `levels` and its `points`, and `artifacts` has the `content` of its files, too.
    """
    if kind in _OUTSIDE:
        return sorted(path for path in (store / table).glob(_OUTSIDE[kind]) if path.is_file())
    directory = store / f"{table}.lance"
    dataset = lance.dataset(str(directory))
    if kind == "manifest":
        return [min((directory / "_versions").glob("*.manifest"))]  # the names count down
    if kind == "transaction":
        # A merge leaves no file of its own, because the manifest has its transaction too.
        return sorted((directory / "_transactions").glob("*.txn"), key=lambda path: int(path.stem.split("-")[0]))[-1:]
    if kind == "indexes":
        live = {str(segment.uuid) for index in dataset.describe_indices() for segment in index.segments}
        return sorted(p for p in (directory / "_indices").rglob("*") if p.is_file() and p.parent.name in live)
    parts = [part.metadata for part in dataset.get_fragments()]
    if kind == "deletions":
        lost = [(part.id, part.deletion_file) for part in parts if part.deletion_file]
        return sorted(directory / known.path(number) for number, known in lost)
    return sorted(directory / "data" / file.path for part in parts for file in part.files)


def flip(store: Path, table: str, random: Random, kind: str = "data") -> Flip:
    """Flip one bit of the live files of a table, each bit of them all as likely as another, padding aside."""
    used = {path: _used(path.read_bytes()) for path in live_files(store, table, kind)}
    file = random.choices(list(used), list(map(len, used.values())))[0]
    bit = 8 * random.choice(used[file]) + random.randrange(8)
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    return Flip(file, bit)


def _used(content: bytes) -> list[int]:
    """Return the places of the bytes outside long runs of zeros: Lance pads a manifest of 1 KB with 32 KB."""
    padding = [range(run.start() + _NEAR, run.end() - _NEAR) for run in re.finditer(rb"\0{64,}", content)]
    return sorted({*range(len(content))}.difference(*padding))


def spoil(file: Path, how: str) -> None:
    """Delete, halve or empty a file."""
    content = file.read_bytes()
    file.unlink()
    if how != "delete":
        file.write_bytes(content[: len(content) // 2] if how == "halve" else b"")


def copied(store: Path, target: Path) -> Path:
    """Copy a store, so that damage to one leaves the other."""
    shutil.copytree(store, target)
    return target
