"""The ledgers that decide which results count and in which order: recorded commits and excluded runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import polars as pl

from bench_db.arrow import from_table, to_table
from bench_db.derive import commit_key, definition_key, exclusion_key
from bench_db.errors import ConflictError, StoreNotFoundError
from bench_db.model import CommitFacts, Definition, Exclusion, RecordedCommit, completed
from bench_db.query.definitions import in_force, place_of
from bench_db.query.history import History, history_of
from bench_db.store import ledger
from bench_db.store.engine import ROW_ID
from bench_db.store.filters import condition, or_null
from bench_db.store.tables import COMMITS_TABLE, DEFINITIONS_TABLE, EXCLUSIONS_TABLE, ROWS_PER_FRAGMENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bench_db.model import Recorded, Run
    from bench_db.query.definitions import Definitions
    from bench_db.store.engine import Engine, Snapshot

_MOST_FRAGMENTS = 16
# Records of so many commits are read by their commits, and of more by reading the whole table.
_FEW = 500


def history(engine: Engine, end: float) -> History:
    """Return the history of a store as its ledgers describe it until a time in unix seconds.

    It is kept as long as the ledgers do not change, because the order of many commits takes time to compute.
    """
    ledgers = (COMMITS_TABLE, EXCLUSIONS_TABLE, DEFINITIONS_TABLE)
    return ledger.kept(engine, ledgers, f"history until {end}", lambda there: _history(engine, end, there))


def _history(engine: Engine, end: float, there: Collection[str]) -> History:
    commits = _facts_of_commits(engine) if COMMITS_TABLE.name in there else []
    excluded = exclusions(engine) if EXCLUSIONS_TABLE.name in there else []
    written = [record for record in definitions(engine) if record.at <= end] if DEFINITIONS_TABLE.name in there else []
    return history_of(
        known_commits(facts for facts in commits if facts.recorded_at <= end),
        excluded=excluded_runs(record for record in excluded if record.at <= end) if excluded else frozenset(),
        definitions=in_force(written) if written else None,
    )


def known_commits(records: Iterable[Recorded]) -> dict[tuple[str, str], Recorded]:
    """Return what is known of each commit of a device, from records in the order in which they were written."""
    known: dict[tuple[str, str], Recorded] = {}
    for record in records:
        key = (record.dut_name, record.commit)
        known[key] = completed(known[key], record) if key in known else record
    return known


def _facts_of_commits(engine: Engine) -> list[CommitFacts]:
    """Return the facts of every record of a commit, in the order in which they were written."""
    columns = [name if name != "parent" else "parents" for name in CommitFacts._fields if name != "merged"]
    table = engine.open(COMMITS_TABLE)
    read = table.whole(table.read(columns), RecordedCommit)
    rows = cast("pl.DataFrame", pl.from_arrow(read))
    parents = pl.col("parents")
    several = pl.when(parents.list.len() > 1).then(parents.list.slice(1))
    rows = rows.with_columns(parents.list.first(), merged=several)
    # An empty list for each commit would make Python collect garbage.
    values = {column.name: column.to_list() for column in rows}
    values["merged"] = [() if merged is None else merged for merged in values["merged"]]
    return list(map(CommitFacts._make, zip(*values.values(), strict=True)))


def definitions(engine: Engine) -> list[Definition]:
    """Return every record of a definition in the order in which they were written; none without the table."""
    return ledger.records(engine, DEFINITIONS_TABLE, Definition)


def defined(engine: Engine) -> Definitions | None:
    """Return the definitions in force now; None without the table."""
    return in_force(definitions(engine)) if DEFINITIONS_TABLE.name in engine.present() else None


def define(engine: Engine, records: Sequence[Definition]) -> int:
    """Add the definitions that change something; return their number."""
    newest = {place_of(record): record for record in definitions(engine)}
    fresh = []
    for record in records:
        before = newest.get(place_of(record))
        if before is None and record.lifted:
            continue
        if before is None or (before.value, before.lifted) != (record.value, record.lifted):
            following = replace(record, replaces=before.key if before else None)
            fresh.append(replace(following, key=definition_key(following)))
            newest[place_of(record)] = fresh[-1]
    if fresh:
        engine.ensure(DEFINITIONS_TABLE)
        engine.merge(DEFINITIONS_TABLE, to_table(fresh, DEFINITIONS_TABLE.schema))
    return len(fresh)


def commits(engine: Engine, end: float) -> list[RecordedCommit]:
    """Return what is known of each recorded commit until a time, device after device, in the order of commits."""
    there = COMMITS_TABLE.name in engine.present()
    known = known_commits(r for r in (records_of_commits(engine) if there else ()) if r.recorded_at <= end)
    orders = history_of(known).orders
    return sorted(known.values(), key=lambda record: (record.dut_name, orders[record.commit], record.commit))


def known_in_full(engine: Engine, runs: Iterable[Run]) -> set[tuple[str, str | None]]:
    """Return device and commit of those runs whose commit is recorded with its position, which only a complete clone has."""
    wanted = {run.commit for run in runs if run.commit is not None}
    if not wanted or COMMITS_TABLE.name not in engine.present():
        return set()
    records = records_of_commits(engine, wanted)
    return {(record.dut_name, record.commit) for record in records if record.position is not None}


def records_of_commits(engine: Engine, commits: Collection[str] | None = None) -> list[RecordedCommit]:
    """Return the records of all commits, or of some, in the order in which they were written; none before there are any."""
    try:
        table = engine.open(COMMITS_TABLE)
    except StoreNotFoundError:
        return []
    if commits is None:
        return from_table(table.whole(table.rows(), RecordedCommit), RecordedCommit)
    # A publish asks whether a clone has more to say of its commit, and then what a record of it would add.
    return engine.asked(f"records of the commits {sorted(commits)}", lambda: _of_commits(table, commits))


def _of_commits(table: Snapshot, commits: Collection[str]) -> list[RecordedCommit]:
    # Most commits are new, and a filter that reads no other column is cheaper.
    wanted = condition("commit", commits if len(commits) > 1 else next(iter(commits)))
    found = table.read((ROW_ID,), or_null(wanted, ["commit"]))[ROW_ID].to_pylist()
    if not found:
        return []
    return from_table(table.whole(table.take(found, COMMITS_TABLE.schema.names), RecordedCommit), RecordedCommit)


def exclusions(engine: Engine) -> list[Exclusion]:
    """Return every record of an exclusion in the order in which they were written; none without the table."""
    return ledger.records(engine, EXCLUSIONS_TABLE, Exclusion)


def excluded(engine: Engine) -> frozenset[int]:
    """Return the keys of the excluded runs, which are kept as long as the table does not change."""

    def read(there: Collection[str]) -> frozenset[int]:
        return excluded_runs(exclusions(engine)) if there else frozenset()

    return ledger.kept(engine, (EXCLUSIONS_TABLE,), "excluded runs", read)


def standing(engine: Engine) -> list[Exclusion]:
    """Return the newest record of each excluded run."""
    newest = {record.run_key: record for record in exclusions(engine)}
    return [record for record in newest.values() if not record.lifted]


def exclude(  # noqa: PLR0913 all but the first two by keyword
    engine: Engine, runs: Sequence[int], *, reason: str, lifted: bool, at: int, by: str
) -> None:
    """Add a record of each run whose state it changes."""
    newest = {record.run_key: record for record in exclusions(engine)}
    changed = [run for run in runs if (run in newest and not newest[run].lifted) == lifted]
    records = [
        Exclusion(
            run_key=run,
            reason=reason,
            lifted=lifted,
            at=at,
            by=by,
            replaces=newest[run].key if run in newest else None,
        )
        for run in changed
    ]
    if records:
        engine.ensure(EXCLUSIONS_TABLE)
        keyed = [replace(record, key=exclusion_key(record)) for record in records]
        engine.merge(EXCLUSIONS_TABLE, to_table(keyed, EXCLUSIONS_TABLE.schema))


def excluded_runs(records: Iterable[Exclusion]) -> frozenset[int]:
    """Return the keys of the runs whose newest record excludes them."""
    newest = {record.run_key: record for record in records}
    return frozenset(key for key, record in newest.items() if not record.lifted)


def record_runs(engine: Engine, runs: Iterable[tuple[Run, Sequence[RecordedCommit]]]) -> None:
    """Record the commit of each run, with the details that a clone or a forge gives; nothing that is recorded already."""
    records = [record for run, details in runs if run.commit is not None for record in _of_run(run, details)]
    if records:
        record_commits(engine, records)


def _of_run(run: Run, details: Sequence[RecordedCommit]) -> list[RecordedCommit]:
    own = RecordedCommit(
        dut_name=run.dut.name,
        commit=run.commit or "",
        time=run.dut.timestamp,
        branch=run.branch,
        pr_number=run.pr_number,
        main_branch=run.default_branch,
        measured_at=run.run_time,
        recorded_at=run.ingested_at,
    )
    given = [
        replace(
            detail,
            dut_name=own.dut_name,
            branch=own.branch,
            pr_number=own.pr_number,
            main_branch=own.main_branch or detail.main_branch,
            # a clone that takes another branch for the main one does not say whether the commit is on this one
            on_main=detail.on_main if own.main_branch in (None, detail.main_branch) else None,
            measured_at=own.measured_at,
            recorded_at=own.recorded_at,
        )
        for detail in details
        if detail.commit == run.commit
    ]
    return given or [own]


def record_commits(engine: Engine, commits: Sequence[RecordedCommit]) -> int:
    """Write the records that say something new of their commit; return their number."""
    few = {record.commit for record in commits} if len(commits) <= _FEW else None
    there = COMMITS_TABLE.name in engine.present()
    written = records_of_commits(engine, few) if there else []
    known = known_commits(written) if written else {}
    newest = {(record.dut_name, record.commit): record.key for record in written}
    fresh = []
    for record in commits:
        key = (record.dut_name, record.commit)
        before = known.get(key)
        if before is None or _facts(completed(before, record)) != _facts(before):
            following = replace(record, replaces=newest.get(key))
            fresh.append(replace(following, key=commit_key(following)))
            known[key], newest[key] = following if before is None else completed(before, following), fresh[-1].key
    if fresh:
        engine.ensure(COMMITS_TABLE)
        _compact(engine)
        engine.merge(COMMITS_TABLE, to_table(fresh, COMMITS_TABLE.schema))
    return len(fresh)


def _compact(engine: Engine) -> None:
    """Join the small files of the commits, because every question reads all of them."""
    if engine.open(COMMITS_TABLE).small_fragments() >= _MOST_FRAGMENTS:
        with suppress(ConflictError):  # another process does the same
            engine.compact(COMMITS_TABLE, ROWS_PER_FRAGMENT)


def _facts(record: RecordedCommit) -> RecordedCommit:
    """Return a record without what differs between two records of the same facts."""
    return replace(record, key=0, recorded_at=0, source="", replaces=None)
