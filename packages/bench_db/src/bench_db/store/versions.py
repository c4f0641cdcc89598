"""Resolution of versions for readers, tags for versions, and the return to one."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from bench_db.arrow import ROW_CHECKSUM
from bench_db.errors import UserError
from bench_db.model import Restored
from bench_db.store.filters import condition
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.store.engine import Engine, Snapshot

AsOf = int | str | date
# Runs whose rows are in memory at once when they return.
_CHUNK = 200
_TAG = re.compile(r"[A-Za-z0-9._-]+")


def version_at(engine: Engine, table: Table, as_of: AsOf) -> int | str:
    """Resolve a version by number, tag or date: the last one up to then; a date includes its day.

    Numbers and tags are those of the results; any other table has its state at the time of that version. One look resolves each once.
    """
    return engine.resolved(f"{table.name} as of {as_of!r}", lambda: _resolved(engine, table, as_of))


def _resolved(engine: Engine, table: Table, as_of: AsOf) -> int | str:
    if table.name == RESULTS_TABLE.name or as_of in engine.tags(table):
        return _version_at(engine, table, as_of)
    number = engine.open(RESULTS_TABLE, version_at(engine, RESULTS_TABLE, as_of)).version
    return _version_at(engine, table, _made(engine, RESULTS_TABLE)[number])


def until(engine: Engine, as_of: AsOf) -> datetime | None:
    """Return the end of a version: a date, else the time of the next stored version of the results; None for the current one."""
    found = version_at(engine, RESULTS_TABLE, as_of)
    if not isinstance(as_of, int) and str(found) != as_of:
        return _moment(as_of, "none")
    number = engine.open(RESULTS_TABLE, found).version
    return min((made for later, made in _made(engine, RESULTS_TABLE).items() if later > number), default=None)


def _made(engine: Engine, table: Table) -> dict[int, datetime]:
    """Return the time of each stored version."""
    return engine.open(table).versions()


def _version_at(engine: Engine, table: Table, as_of: AsOf) -> int | str:
    if isinstance(as_of, str) and as_of in engine.tags(table):
        return as_of
    known = _made(engine, table)
    tags = ", ".join(engine.tags(table)) or "none"
    if isinstance(as_of, int) or (isinstance(as_of, str) and as_of.isdecimal()):
        number = int(as_of)
        if number in known:
            return number
        what = f"version {number} was cleaned away" if 0 < number < max(known) else f"there is no version {number}"
        message = f"{what}; versions kept: {min(known)} to {max(known)}, tags: {tags}; a tag keeps a version"
        raise UserError(message)
    moment = _moment(as_of, tags)
    before = [number for number, made in known.items() if made <= moment]
    if not before:
        oldest = min(known.values()).isoformat(timespec="seconds")
        message = f"no version is kept from {moment.isoformat()}: the oldest is of {oldest}; tag versions to keep them"
        raise UserError(message)
    return max(before)


def _moment(when: str | date, tags: str) -> datetime:
    """Parse a point in time, in UTC without an offset; a date alone is the end of its day."""
    if isinstance(when, date) and not isinstance(when, datetime):
        when = when.isoformat()
    try:
        moment = when if isinstance(when, datetime) else datetime.fromisoformat(when)
    except (TypeError, ValueError) as error:
        message = f"{when!r} is no version, tag or date; tags: {tags}; a date looks like 2026-01-31 or 2026-01-31T12:00"
        raise UserError(message) from error
    if isinstance(when, str) and len(when) == len("2026-01-31"):
        moment += timedelta(days=1, microseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def tag(engine: Engine, name: str, version: int | None) -> int:
    """Tag a version of the results, and the state of the runs at that time; see `Database.tag`."""
    results = engine.open(RESULTS_TABLE)
    taken = engine.tags(RESULTS_TABLE).get(name)
    if taken is not None:
        message = f"the tag {name!r} already names version {taken}; tags never move, choose another name"
        raise UserError(message)
    if not _TAG.fullmatch(name) or name.isdecimal():
        message = f"{name!r} cannot be a tag: use letters, digits, '.', '-' and '_', and not digits alone"
        raise UserError(message)
    number = results.version if version is None else int(version_at(engine, RESULTS_TABLE, version))
    then = int(version_at(engine, RUNS_TABLE, number))
    if name not in engine.tags(RUNS_TABLE):
        engine.tag(RUNS_TABLE, name, then)
    try:
        engine.tag(RESULTS_TABLE, name, number)
        is_kept = number in engine.written(RESULTS_TABLE)
    except UserError:  # of Lance: there is no such version any more
        is_kept = False
    if not is_kept:
        # A cleanup that has looked at the tags before this one removes the version all the same.
        for table in (RESULTS_TABLE, RUNS_TABLE):
            engine.untag(table, name)
        message = f"version {number} was cleaned away while it was tagged, so it has no tag; tag a newer one"
        raise UserError(message)
    return int(number)


def restore(engine: Engine, as_of: AsOf, *, dry_run: bool) -> Restored:
    """Go back to the runs of a version: later ones leave, removed ones return, and replaced ones are as they were.

    It is done with new versions, so the way back is a restore too. Returning records come before their rows, and leaving rows
    before their records: after a crash the same call completes it. Ledgers keep their records.
    """
    engine.require_writable(RESULTS_TABLE)
    results = engine.open(RESULTS_TABLE, version_at(engine, RESULTS_TABLE, as_of))
    runs = engine.open(RUNS_TABLE, version_at(engine, RUNS_TABLE, as_of))
    # A record without its rows is of a publish that had not ended.
    then = _keys(results) | _keys(runs, condition("results", 0))
    now = engine.open(RUNS_TABLE)
    recorded, measured, empty = _keys(now), _keys(engine.open(RESULTS_TABLE)), _keys(now, condition("results", 0))
    whole = recorded & (measured | empty)
    returning, leaving = sorted(then - whole), sorted((recorded | measured) - then)
    replaced = _replaced(runs, now, then & whole)
    found = Restored(
        version=results.version,
        runs_removed=len(leaving),
        results_removed=engine.count(RESULTS_TABLE, condition("run_key", leaving)) if leaving else 0,
        runs_returned=len(returning),
        results_returned=sum(results.read(("run_key",), condition("run_key", p)).num_rows for p in _chunks(returning)),
        runs_reverted=len(replaced),
        changed=not dry_run and bool(leaving or returning or replaced),
    )
    if dry_run:
        return found
    for key in replaced:
        mine = condition("run_key", key)
        engine.merge(RUNS_TABLE, runs.rows(mine), replacing=mine)
        engine.merge(RESULTS_TABLE, results.rows(mine), replacing=mine)
    for part in _chunks(returning):
        engine.merge(RUNS_TABLE, runs.rows(condition("run_key", part)))
        engine.merge(RESULTS_TABLE, results.rows(condition("run_key", part)))
    for table in (RESULTS_TABLE, RUNS_TABLE) if leaving else ():
        engine.delete(table, condition("run_key", leaving))
    return found


def _keys(snapshot: Snapshot, where: str | None = None) -> set[int]:
    return set(snapshot.read(("run_key",), where)["run_key"].unique().to_pylist())


def _replaced(then: Snapshot, now: Snapshot, keys: set[int]) -> list[int]:
    """Return the runs whose record has changed; a key that a migration has filled is no change."""
    older, newer = ({row["run_key"]: row for row in snapshot.rows().to_pylist()} for snapshot in (then, now))
    unread = {"content_key", ROW_CHECKSUM, *then.absent}
    names = [name for name in now.table.schema.names if name not in unread]
    return sorted(key for key in keys if any(older[key][name] != newer[key][name] for name in names))


def _chunks(keys: list[int]) -> Iterator[list[int]]:
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))
