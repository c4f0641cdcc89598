"""Lance behind one door: open, create, merge into and read one table of a store. The only import of lance and lancedb."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import lance

from bench_db.errors import (
    ConflictError,
    CorruptStoreError,
    SchemaMismatchError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from bench_db.store import faults
from bench_db.store.tables import STORAGE_VERSION, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa
    from lancedb import DBConnection

    from bench_db.store.s3 import Bucket
    from bench_db.store.uri import Location

Answer = TypeVar("Answer")

COMMIT_RETRIES = 30
_OUTER_TRIES = 20
_TRANSIENT_TRIES = 4
_FRESH_SECONDS = 1.0
_RETRY_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds a whole call of Lance may take on S3, its retries included: to read, to publish, to work on whole tables.

    Lance multiplies its own time-outs by its layers of retries (a silent server costs 32 s with a time-out of 5 s), and a
    short read time-out would cut off slow uploads.
    """

    read: float = 30.0
    write: float = 120.0
    bulk: float = 1800.0


class Engine:
    """The Lance datasets of one store. Every call opens the newest version anew, so no handle outlives a clean-up."""

    def __init__(self, location: Location, bucket: Bucket | None, deadlines: Deadlines = Deadlines()) -> None:
        self.location = location
        self.bucket = bucket
        self.deadlines = deadlines
        self._session = lance.Session()  # type: ignore[attr-defined]
        self._just_opened: dict[str, tuple[float, lance.LanceDataset]] = {}
        self._jitter = Random()  # noqa: S311 spreads retries, protects nothing

    def __repr__(self) -> str:
        return f"Engine({str(self.location)!r})"

    def call(self, doing: str, action: Callable[[], Answer], *, seconds: float | None = None) -> Answer:
        """The answer of a storage call: errors told plainly, and on S3 a deadline, that of reading by default."""
        with faults.told_plainly(doing, str(self.location)):
            if self.bucket is None:
                return action()
            return self.bucket.within_deadline(doing, action, seconds or self.deadlines.read)

    def persist(self, doing: str, action: Callable[[], Answer], *, seconds: float | None = None) -> Answer:
        """The answer of a call that is safe to repeat, tried again while other writers come first or the way to S3 fails."""
        attempt = 0
        while True:
            try:
                return self.call(doing, action, seconds=seconds or self.deadlines.write)
            except StoreUnavailableError as error:
                attempt += 1
                if attempt >= _tries(error):
                    raise
                time.sleep(self._jitter.uniform(0, 0.05 * attempt))

    def open(self, table: Table, version: int | str | None = None) -> lance.LanceDataset:
        """The table at its newest version, or at a version number or tag; `StoreNotFoundError` when it does not exist.

        `SchemaMismatchError` when it lacks columns, as a database of lance-bench does.
        """
        dataset = self.open_any(table, version)
        present = set(dataset.schema.names)
        missing = [name for name in table.schema.names if name not in present]
        if missing:
            message = (
                f"{self.location}: {table.name} is of an older kind, without {', '.join(missing[:3])} and so on; "
                "see what an upgrade changes with 'bench-db store upgrade --dry-run'"
            )
            raise SchemaMismatchError(message)
        return dataset

    def open_any(self, table: Table, version: int | str | None = None) -> lance.LanceDataset:
        """The table as `open` gives it, whatever its columns."""
        try:
            return self._opened(table, version)
        except StoreNotFoundError:
            if not self._has_leftovers(table):
                raise
        try:
            return self._opened(table, version)  # it may have been made while we looked
        except StoreNotFoundError:
            message = (
                f"{self.location}: {table.name} has data files but no readable version; nothing was created over it. "
                "Restore its _versions directory, or move the table away"
            )
            raise CorruptStoreError(message) from None

    def _opened(self, table: Table, version: int | str | None) -> lance.LanceDataset:
        made, dataset = self._just_opened.pop(table.name, (0.0, None))
        if version is None and dataset is not None and time.monotonic() - made < _FRESH_SECONDS:
            return dataset
        return self.call(f"opening {table.name}", lambda: self._open(table, version))

    def keep_open(self, table: Table) -> None:
        """Open a table for whoever opens it next within a second: on S3 that spares a look-up two requests."""
        dataset = self.open(table)
        self._just_opened[table.name] = time.monotonic(), dataset

    def _open(self, table: Table, version: int | str | None) -> lance.LanceDataset:
        return lance.dataset(
            self.location.child(table.directory), version, storage_options=self._options, session=self._session
        )

    @property
    def _options(self) -> dict[str, str] | None:
        return self.bucket.storage_options() if self.bucket else None

    def _has_leftovers(self, table: Table) -> bool:
        if self.bucket:
            return self.bucket.has_objects(f"{self.location.path}/{table.directory}/data/".lstrip("/"))
        data = Path(self.location.child(table.directory)) / "data"
        return data.is_dir() and any(data.iterdir())

    def create(self, table: Table) -> None:
        """An empty table, unless it exists; of several processes doing so at once all succeed and one creates."""
        self.call(f"creating {table.name}", lambda: self._create(table))

    def _create(self, table: Table) -> None:
        try:
            self.write(table, table.schema.empty_table(), "create")
        except faults.STORAGE_ERRORS as error:
            if not (faults.already_exists(error) or faults.is_conflict(error)):
                raise

    def replace_all(self, table: Table, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Rows as the whole new content of a table, in one commit, whether or not it existed."""
        self.persist(
            f"writing {table.name}", lambda: self.write(table, rows, self._mode(table)), seconds=self.deadlines.bulk
        )

    def _mode(self, table: Table) -> Literal["create", "overwrite"]:
        try:
            self._opened(table, None)
        except StoreNotFoundError:  # data files alone may be those of somebody who is creating it now
            return "create"
        return "overwrite"

    def discard(self, table: Table) -> None:
        """Remove every file of a table that can be made again."""
        if self.bucket:
            self.bucket.remove(f"{self.location.path}/{table.directory}/".lstrip("/"))
        else:
            shutil.rmtree(self.location.child(table.directory), ignore_errors=True)

    def write(self, table: Table, rows: pa.Table | pa.RecordBatchReader, mode: str) -> lance.LanceDataset:
        """Rows as the whole new content of a table: `create` fails if it exists, `overwrite` makes a new version."""
        return lance.write_dataset(
            rows,
            self.location.child(table.directory),
            schema=rows.schema,
            mode=mode,
            data_storage_version=STORAGE_VERSION,
            max_rows_per_file=131_072,
            storage_options=self._options,
        )

    def merge(self, table: Table, rows: pa.Table, *, replacing: str | None = None) -> int:
        """Insert rows whose `run_key` is not in the table yet, in one commit; how many were inserted.

        With `replacing`, a filter, rows it selects leave the table in the same commit that adds the new ones.
        """
        return self.persist(f"publishing to {table.name}", lambda: self._merge(table, rows, replacing))

    def _merge(self, table: Table, rows: pa.Table, replacing: str | None) -> int:
        dataset = self._open(table, None)
        # Lance keeps two merges of the same rows apart by the marked key alone: another is matched by only where it must be.
        again = replacing is not None and dataset.count_rows(filter=f"run_key = {rows['run_key'][0].as_py()}") > 0
        merge = dataset.merge_insert(table.row_key if again else table.merge_key).when_not_matched_insert_all()
        if again:
            merge = merge.when_matched_update_all()
        if replacing is not None:
            merge = merge.when_not_matched_by_source_delete(replacing)
        # An index on the key, were there one, would let concurrent merges insert the same rows twice.
        merge = merge.use_index(False).retry_timeout(_RETRY_TIMEOUT)  # noqa: FBT003 positional alone
        # A replacement is tried again from here: Lance's own retries would keep what this one has seen.
        done = merge.conflict_retries(COMMIT_RETRIES if replacing is None else 0).execute(rows)
        return int(done["num_inserted_rows"] + done["num_updated_rows"])

    def delete(self, table: Table, where: str) -> None:
        """Take the rows a filter selects out of a table, in one commit."""
        self.persist(f"taking rows out of {table.name}", lambda: self._open(table, None).delete(where))

    def count(self, table: Table, where: str) -> int:
        """How many rows of a table a filter selects."""
        dataset = self.open(table)
        return self.call(f"counting {table.name}", lambda: dataset.count_rows(filter=where))

    def tags(self, table: Table) -> dict[str, int]:
        """Version of each tag of a table, by name."""
        dataset = self.open(table)
        tags = self.call("listing tags", dataset.tags.list)
        return {name: int(tag["version"]) for name, tag in sorted(tags.items())}

    def read(
        self,
        dataset: lance.LanceDataset,
        columns: Mapping[str, str],
        where: str | None = None,
        *,
        fragments: Iterable[Any] | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Leaves of a table by flat name, for the rows a filter keeps."""
        return self.call(
            "reading",
            lambda: dataset.scanner(
                columns=dict(columns.items()),
                filter=where,
                fragments=None if fragments is None else list(fragments),
                limit=limit,
            ).to_table(),
        )

    def take(self, dataset: lance.LanceDataset, rows: list[int], columns: Mapping[str, str]) -> pa.Table:
        """Leaves of the rows with these row ids, in their order."""
        return self.call("reading", lambda: dataset._take_rows(rows, columns=dict(columns)))  # noqa: SLF001

    def lancedb(self) -> DBConnection:
        """A LanceDB connection on the same store."""
        import lancedb  # noqa: PLC0415 its import costs more than a whole look-up

        return lancedb.connect(str(self.location), storage_options=self._options)


def _tries(error: BaseException) -> int:
    """How often a call that failed so is worth trying in all."""
    if isinstance(error, ConflictError):
        return _OUTER_TRIES
    return _TRANSIENT_TRIES if faults.is_transient(error.__cause__ or error) else 1
