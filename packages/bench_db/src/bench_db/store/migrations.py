"""Changes of a store from release to release: columns that are added, and named migrations in their order.

A migration is recorded twice. Its name in the metadata of the results, which every open reads, keeps an older release from
writing. A record in the table `migrations` has the time and the release.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Protocol

from bench_db.arrow import to_table
from bench_db.derive import migration_key
from bench_db.model import AppliedMigration, StoreChange
from bench_db.store.tables import MIGRATIONS_TABLE, RESULTS_TABLE, registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench_db.store.engine import Engine

_MARK = "bench_db:migration:"
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
        """Change the rows that need it. A repetition, or several processes at once, is safe."""


# In order of application. A name is never changed, reused or removed.
MIGRATIONS: tuple[Migration, ...] = ()


def marks(names: Iterable[str] | None = None) -> dict[bytes, bytes]:
    """Return the metadata of results after some migrations, or all."""
    chosen = [migration.name for migration in MIGRATIONS] if names is None else names
    return {f"{_MARK}{name}".encode(): b"applied" for name in chosen}


def marked(stored: Mapping[bytes, bytes]) -> list[str]:
    """Return the names of the migrations in the metadata of results."""
    return sorted(key.decode().removeprefix(_MARK) for key in stored if key.startswith(_MARK.encode()))


def unknown(stored: Mapping[bytes, bytes]) -> list[str]:
    """Return the migrations of results that this release does not know."""
    known = {migration.name for migration in MIGRATIONS}
    return [name for name in marked(stored) if name not in known]


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
    if not engine.exists(MIGRATIONS_TABLE):
        engine.create(MIGRATIONS_TABLE)
    applied = AppliedMigration(
        name=step.name,
        rows=step.rows,
        applied_at=int(time.time()),
        bench_db_version=metadata.version("bench-db"),
    )
    record = replace(applied, key=migration_key(applied))
    engine.merge(MIGRATIONS_TABLE, to_table([record], MIGRATIONS_TABLE.schema))
    engine.mark(step.name)
