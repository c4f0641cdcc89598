"""Changes of a store from release to release: columns that are added, and named migrations in their order.

A migration is recorded twice. Its name in the metadata of the results, which every open reads, keeps an older release from
writing. A record in the table `migrations` has the time and the release.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Protocol

from bench_db.arrow import to_table
from bench_db.derive import MEASURED, Measured, content_key, migration_key, rows_in
from bench_db.model import AppliedMigration, StoreChange
from bench_db.store.filters import filter_text
from bench_db.store.tables import MIGRATIONS_TABLE, RESULTS_TABLE, RUNS_TABLE, registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench_db.store.engine import Engine

# The key of a migration in the metadata of results begins with this.
MARK = b"bench_db:migration:"
_LANCE_BENCH_COLUMNS = 10
_LOG = logging.getLogger(__name__)


class Migration(Protocol):
    """A named change of the contents of a store."""

    @property
    def name(self) -> str:
        """The permanent name."""

    @property
    def description(self) -> str:
        """The description."""

    def rows(self, engine: Engine) -> int:
        """Return the number of rows that need it, including those that an older release wrote later."""

    def apply(self, engine: Engine) -> None:
        """Change the rows that need it, and set their `row_checksum` to null or anew. A repetition, or several processes at once, is safe."""


_CHUNK_RUNS = 1000
_BATCH_ROWS = 8192


class ContentKeys:
    """Fill `runs.content_key` of runs that a release without it has published.

    Rows of results are read once, in batches, and every 1000 runs are committed, so a repetition after a crash continues where
    it was. A run with fewer or more rows than it was published with is left alone: its measurements are not known.
    """

    name = "0001-content-keys"
    description = "identify the measurements of each run, so that they are recognised in other bytes"

    def rows(self, engine: Engine) -> int:
        """Return the number of runs without a content key that have all their rows."""
        open_runs = _without_content_key(engine)
        if not open_runs:
            return 0
        results = engine.open(RESULTS_TABLE)
        counts: Counter[int] = Counter()
        for batch in results.batches(("run_key",)):
            counts.update(batch.column("run_key").to_pylist())
        return sum(1 for key, rows in open_runs.items() if counts[key] == rows)

    def apply(self, engine: Engine) -> None:
        """Fill the keys, chunk by chunk."""
        expected = _without_content_key(engine)
        if not expected:
            return
        found: dict[int, list[Measured]] = {}
        keys: dict[int, int] = {}
        for batch in engine.open(RESULTS_TABLE).batches(MEASURED, batch_size=_BATCH_ROWS):
            for key, name, row in rows_in(batch):
                if key in expected:
                    found.setdefault(key, []).append(Measured(name, row.fact))
            whole = [key for key, rows in found.items() if len(rows) == expected[key]]
            keys |= {key: content_key(found.pop(key)) for key in whole}
            if len(keys) >= _CHUNK_RUNS:
                engine.fill(RUNS_TABLE, "content_key", keys)
                keys = {}
        engine.fill(RUNS_TABLE, "content_key", keys)


def _without_content_key(engine: Engine) -> dict[int, int]:
    """Return the number of rows of each run without a content key."""
    runs = engine.open(RUNS_TABLE)
    where = filter_text({"content_key": None}, RUNS_TABLE.leaves, runs.absent)
    rows = runs.read(("run_key", "results"), where)
    return dict(zip(rows["run_key"].to_pylist(), rows["results"].to_pylist(), strict=True))


# In order of application. A name is never changed, reused or removed.
MIGRATIONS: tuple[Migration, ...] = (ContentKeys(),)


def marks(names: Iterable[str] | None = None) -> dict[bytes, bytes]:
    """Return the metadata of results after some migrations, or all."""
    chosen = [migration.name for migration in MIGRATIONS] if names is None else names
    return {MARK + name.encode(): b"applied" for name in chosen}


def marked(stored: Mapping[bytes, bytes]) -> list[str]:
    """Return the names of the migrations in the metadata of results."""
    return sorted(key.removeprefix(MARK).decode() for key in stored if key.startswith(MARK))


def is_of_lance_bench(columns: Sequence[str]) -> bool:
    """Return whether a table has the columns of lance-bench's results, and no others."""
    return tuple(columns) == tuple(RESULTS_TABLE.schema.names[:_LANCE_BENCH_COLUMNS])


def pending(engine: Engine) -> list[StoreChange]:
    """Return the changes that a store needs for this release, in order."""
    return [*_columns(engine), *(step for migration in MIGRATIONS for step in _pending(engine, migration))]


def _columns(engine: Engine) -> Iterator[StoreChange]:
    for table in registered():
        if not table.derived and engine.exists(table):
            for column in engine.open(table).missing:
                yield StoreChange(
                    name=f"{table.name}.{column.name}", description=f"add the column, {column.type}, as null"
                )


def _pending(engine: Engine, migration: Migration) -> Iterator[StoreChange]:
    rows = migration.rows(engine)
    if rows or migration.name not in marked(engine.open(RESULTS_TABLE).metadata):
        yield StoreChange(name=migration.name, description=migration.description, rows=rows)


def migrate(engine: Engine) -> list[StoreChange]:
    """Apply and record the pending changes in order, and return them. A repetition, or two processes at once, is safe.

    Raises `SchemaMismatchError` for a store that a newer release has written.
    """
    engine.require_writable(RESULTS_TABLE)
    done = list(_columns(engine))
    for step in done:
        _LOG.info("migration: %s, %s", step.name, step.description)
    for table in registered():
        if not table.derived and engine.exists(table):
            engine.complete(table)
    for migration in MIGRATIONS:
        for step in _pending(engine, migration):
            began = time.monotonic()
            migration.apply(engine)
            _record(engine, step)
            _LOG.info("migration %s took %.3f s: %d rows", step.name, time.monotonic() - began, step.rows)
            done.append(step)
    return done


def _record(engine: Engine, step: StoreChange) -> None:
    """Record a migration: the history first, because the mark says that it is complete."""
    engine.ensure(MIGRATIONS_TABLE)
    applied = AppliedMigration(
        name=step.name,
        rows=step.rows,
        applied_at=int(time.time()),
        bench_db_version=metadata.version("bench-db"),
    )
    record = replace(applied, key=migration_key(applied))
    engine.merge(MIGRATIONS_TABLE, to_table([record], MIGRATIONS_TABLE.schema))
    engine.mark(step.name)
