"""Salvage of a damaged store: readers do without its unreadable files, writers take them out, and repair rebuilds what is derived."""

from __future__ import annotations

import warnings
from collections import Counter, deque
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from bench_db.errors import BenchDbError, CorruptStoreError, DamagedStoreWarning, StoreUnavailableError
from bench_db.store import content, faults
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, Table, registered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench_db.store.engine import Engine, Fragment, Snapshot

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")
_SHOWN = 10


class _Store(Protocol):
    _engine: Engine


_Method = TypeVar("_Method", bound=_Store)


def of_sound_part(
    method: Callable[Concatenate[_Method, Arguments], Answer],
) -> Callable[Concatenate[_Method, Arguments], Answer]:
    """Make a method of a store answer from what can be read when files are damaged, with a warning that names the lost runs."""

    @wraps(method)
    def answer(self: _Method, /, *args: Arguments.args, **options: Arguments.kwargs) -> Answer:
        try:
            return method(self, *args, **options)
        except (CorruptStoreError, StoreUnavailableError) as error:
            if not (_is_of_reading(error) and find(self._engine)):
                raise
        return method(self, *args, **options)

    return answer


def each(engine: Engine, batches: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
    """Yield what is read one by one; when the first cannot be read because of damage, read the sound part."""
    begun = False
    try:
        for batch in batches():
            begun = True
            yield batch
    except (CorruptStoreError, StoreUnavailableError) as error:
        if begun or not (_is_of_reading(error) and find(engine)):
            raise
    else:
        return
    yield from batches()


def written(engine: Engine, write: Callable[[], Answer]) -> Answer:
    """Return the answer of a write that is safe to repeat. When files are gone or cut, take them out and write again.

    A file that is whole stays, whatever reading it says: a writer takes out only what nobody can read any more.
    """
    try:
        return write()
    except (CorruptStoreError, StoreUnavailableError) as error:
        if not (_is_of_reading(error) and find(engine) and not _whole(engine)):
            raise
    take_out(engine)
    return write()


def _is_of_reading(error: BenchDbError) -> bool:
    """Return whether Lance has met damage; an error without a cause says that what was read contradicts itself."""
    return error.__cause__ is not None and faults.is_damage(error)


def find(engine: Engine) -> bool:
    """Look for files that cannot be read, so that readers do without them; warn of them. Return whether there are new ones.

    When every data file can be read, an index is damaged: readers scan instead.
    """
    engine.look_again()
    before = engine.unreadable, engine.without_indexes
    found = {table.name: frozenset(_unreadable(engine, table)) for table in _tables(engine)}
    engine.unreadable = {name: files for name, files in found.items() if files}
    if engine.unreadable == before[0]:
        engine.without_indexes = True
    if (engine.unreadable, engine.without_indexes) == before:
        return False
    warnings.warn(_warning(engine), DamagedStoreWarning, stacklevel=3)
    return True


def take_out(engine: Engine) -> list[str]:
    """Take the unreadable files that `find` has found out of their tables, in a new version; say what was done.

    The version before keeps a tag, so no clean-up removes a file that may be restored.
    """
    done = []
    for table in registered():
        files = engine.unreadable.get(table.name)
        if files:
            version = engine.open(table).version
            name = f"damaged-{version}"
            if name not in engine.tags(table):
                engine.tag(table, name, version)
            engine.drop(table, files)
            done.append(
                f"{table.name}: {len(files)} unreadable data files taken out; the tag {name} names the version before"
            )
    engine.unreadable = {}
    return done


def go_back(engine: Engine) -> list[str]:
    """Go back to the newest version that can be opened in each table that cannot; discard a derived one. Say what was done."""
    done = []
    for table in registered():
        if table.name in engine.present() and not _opens(engine, table):
            version = None if table.derived else engine.go_back(table)
            if table.derived:
                engine.discard(table)
            if table.derived or version is not None:
                what = (
                    "discarded, it is made again"
                    if table.derived
                    else f"went back to version {version}, the newest readable one"
                )
                done.append(f"{table.name}: {what}")
    return done


def newest_readable(engine: Engine, table: Table) -> int | None:
    """Return the newest version of a table that can be opened, from the names of its manifests; None when there is none."""
    for version in sorted(engine.written(table), reverse=True):
        try:
            return engine.open_any(table, version).version
        except BenchDbError as error:
            faults.require_damage(error)
    return None


def lost_runs(engine: Engine) -> list[str]:
    """Return the names of the runs that have fewer readable rows than they were published with."""
    runs = engine.open(RUNS_TABLE).read(("run_key", "run_id", "file_name", "results")).to_pylist()
    rows = Counter(engine.open(RESULTS_TABLE).read(("run_key",))["run_key"].to_pylist())
    return [f"{run['run_id']} ({run['file_name']})" for run in runs if rows[run["run_key"]] < run["results"]]


def _tables(engine: Engine) -> Iterable[Table]:
    present = engine.present()
    return [table for table in registered() if table.name in present and not table.derived]


def _opens(engine: Engine, table: Table) -> bool:
    try:
        engine.open(table)
    except BenchDbError as error:
        return not faults.is_damage(error)
    return True


def _unreadable(engine: Engine, table: Table) -> list[str]:
    try:
        snapshot = engine.open(table)
        return [part.file for part in snapshot.every_fragment() if not is_readable(engine, snapshot, part)]
    except faults.DAMAGE_ERRORS as error:
        faults.require_damage(error)
        return []


def is_readable(engine: Engine, snapshot: Snapshot, fragment: Fragment) -> bool:
    """Read a fragment whole: one that can be read in part would give one answer to one question and fail the next.

    A fragment is damaged when a file of it is gone or has another size, or when its bytes can be had and still give no rows.
    Raises when the bytes cannot be had: then the storage fails, and says nothing of the file.
    """
    if _gives_rows(snapshot, fragment):
        return True
    files = _files(snapshot.table, fragment)
    if any(content.size_of(engine, name) != size for name, size in files.items()):
        return False
    for name, size in files.items():
        deque(content.chunks_in(engine, name, size), maxlen=0)
    return _gives_rows(snapshot, fragment)


def _gives_rows(snapshot: Snapshot, fragment: Fragment) -> bool:
    try:
        return sum(map(len, snapshot.row_batches(fragment=fragment))) == fragment.rows
    except faults.DAMAGE_ERRORS as error:
        faults.require_damage(error)
        return False


def _whole(engine: Engine) -> list[str]:
    """Return the unreadable files that have the size which their table has recorded."""
    return [
        name
        for table in registered()
        if (lost := engine.unreadable.get(table.name))
        for fragment in engine.open(table).every_fragment()
        if fragment.file in lost
        for name, size in _files(table, fragment).items()
        if content.size_of(engine, name) == size
    ]


def _files(table: Table, fragment: Fragment) -> dict[str, int]:
    """Return the recorded sizes of the data files of a fragment by their paths inside the store."""
    return {f"{table.directory}/data/{file.path}": file.file_size_bytes for file in fragment.part.metadata.files}


def _warning(engine: Engine) -> str:
    files = [f"{name}.lance/data/{file}" for name, lost in engine.unreadable.items() for file in sorted(lost)]
    if not files:
        return f"{engine.location}: an index cannot be read, so answers take longer; 'bench-db store verify --repair' makes it anew"
    try:
        runs = lost_runs(engine)
    except BenchDbError as error:
        runs = [f"not known, the runs cannot be read ({error})"]
    more = f" and {len(runs) - _SHOWN:,} more" if len(runs) > _SHOWN else ""
    named = f" These runs are not complete: {', '.join(runs[:_SHOWN])}{more}." if runs else ""
    return (
        f"{engine.location}: {len(files)} data files cannot be read, such as {files[0]}, and answers are without their rows.{named} "
        "Restore the files from a copy, or take them out with 'bench-db store verify --repair' and publish the runs again"
    )
