"""Damage to the files of a store: single bits that flip, and files that are deleted, halved or emptied."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import lance

from bench_db.model import (
    Baseline,
    Definition,
    Finding,
    Notification,
    NotificationStep,
    PairRecord,
    PairVerdict,
    State,
)
from bench_db.query.selection import Selection
from bench_db.store.database import connect
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from bench_db.store.database import Database

RUNS = 12
ROWS = 8
BROKEN = ("delete", "halve", "empty")


class Flip(NamedTuple):
    """A bit that has changed: the file, and the number of the bit."""

    file: Path
    bit: int


def fill(directory: Path) -> Database:
    """Make a store with rows in every table, indexes, derived tables, and runs that are newer than these."""
    database = connect(directory, create=True)
    for number in range(RUNS):
        run, results = publication(number, rows=ROWS, samples_each=6, branch="main")
        database.publish(results, run)
        if number == RUNS - 4:
            _keep_records(database)
            database.optimize()
    return database


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
    "exclusions": lambda store: store.exclusion_reasons(),
    "everything": lambda store: store.latest(Selection(everything=True)).to_dicts(),
}


def live_files(store: Path, table: str, kind: str = "data") -> list[Path]:
    """Return the files of the newest version of a table: `data`, `indexes`, or its `manifest`."""
    directory = store / f"{table}.lance"
    dataset = lance.dataset(str(directory))
    if kind == "manifest":
        return [min((directory / "_versions").glob("*.manifest"))]  # the names count down
    if kind == "indexes":
        live = {str(segment.uuid) for index in dataset.describe_indices() for segment in index.segments}
        return sorted(p for p in (directory / "_indices").rglob("*") if p.is_file() and p.parent.name in live)
    parts = [part.metadata for part in dataset.get_fragments()]
    return sorted(directory / "data" / file.path for part in parts for file in part.files)


def flip(store: Path, table: str, random: Random, kind: str = "data") -> Flip:
    """Flip one bit of the live files of a table, each bit of them all as likely as another."""
    files = live_files(store, table, kind)
    file = random.choices(files, [path.stat().st_size for path in files])[0]
    content = bytearray(file.read_bytes())
    bit = random.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    return Flip(file, bit)


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
