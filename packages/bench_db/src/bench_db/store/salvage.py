"""Salvage of a damaged store: readers do without its unreadable files, writers take them out, and repair rebuilds what is derived."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections import Counter, deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import xxhash

from bench_db.errors import (
    BenchDbError,
    CorruptStoreError,
    DamagedStoreWarning,
    StoreNotFoundError,
    StoreUnavailableError,
)
from bench_db.store import content, faults, roaring
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE, TABLES, Table, registered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.store.engine import Engine, Fragment, Snapshot

NO_INDEX = "an index is damaged, so answers take longer; 'bench-db store verify --repair' makes it anew"
_COPIED = "A copy that cp or rsync makes while others publish may lack files that maintenance has removed: make one with 'bench-db store copy'"
_SHOWN = 10
# A reader may hold a version for so long, and a write may take so long.
YOUNG = timedelta(minutes=10)
# Seconds in which a process that makes a table writes its first file.
_FIRST_FILE = 0.1
_NOTE = "_versions/latest_version_hint.json"
_END_OF_MANIFEST = b"LANC"
_ARROW = ".arrow"
_END_OF_ARROW = b"ARROW1"


def make_writable(engine: Engine, error: BenchDbError) -> None:
    """Take out the files that are gone or cut, so that a write that failed can be repeated; raise its error again for anything else.

    A file that is whole stays, whatever reading it says: a writer takes out only what nobody can read any more. A table whose newest
    manifest is cut goes back to the newest version that can be opened.
    """
    if not (is_of_reading(error) and find(engine) and not _whole(engine)):
        raise error
    if engine.readable:
        go_back(engine)
    take_out(engine)


def is_of_reading(error: BenchDbError) -> bool:
    """Return whether Lance has met damage; an error without a cause says that what was read contradicts itself."""
    return error.__cause__ is not None and faults.is_damage(error)


def find(engine: Engine) -> bool:
    """Look for what cannot be read, so that readers do without it; warn of it. Return whether there is something new.

    That is: data files, and the newest version of a table, in place of which readers use the newest one that can be opened. When
    all of these can be read, an index may be damaged: in a directory readers compare each again, in a bucket they scan instead.
    """
    engine.look_again()
    before = engine.unreadable, engine.without_indexes, engine.readable
    engine.readable = {}
    torn = [table for table in _tables(engine) if not _opens(engine, table)]
    versions = {table.name: version for table in torn if (version := newest_readable(engine, table)) is not None}
    engine.readable = versions
    found = {table.name: frozenset(_unreadable(engine, table)) for table in _tables(engine)}
    engine.unreadable = {name: files for name, files in found.items() if files}
    is_lost = len(versions) < len(torn)  # a table without any version that opens
    if (engine.unreadable, versions) == (before[0], before[2]) and not is_lost:
        if not engine.bucket:
            engine.sound_indexes.clear()
            return True
        engine.without_indexes = True
    if (engine.unreadable, engine.without_indexes, versions) == before:
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
    engine.readable = {}
    engine.look_again()
    for table in registered():
        if table not in TABLES and table.name in engine.present() and _is_nothing(engine, table):
            engine.discard(table)
            done.append(f"{table.name}: every version is lost, and the next record makes it anew")
        elif table.name in engine.present() and not _opens(engine, table):
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
            content.remove(engine, _hint(table))
        elif table.name in engine.present() and (lost := lost_version(engine, table)) is not None:
            content.remove(engine, _hint(table))
            done.append(
                f"{table.name}: version {lost} is lost, and version {engine.open(table).version} is the newest now"
            )
    return done


def lost_version(engine: Engine, table: Table) -> int | None:
    """Return the version that Lance has noted as the newest of a table when its manifest is gone and none is newer; else None.

    Without its newest manifest a table opens at the version before, as if what was written last had never been.
    """
    try:
        noted = json.loads(content.read_small(engine, _hint(table)) or b"{}").get("version", 0)
    except ValueError:  # a cut note, which Lance does without
        return None
    return noted if isinstance(noted, int) and noted > max(engine.written(table), default=0) else None


def note_of_versions(engine: Engine) -> bytes:
    """Return the newest version of each table as this process last opened it, as JSON after a checksum."""
    text = json.dumps(engine.opened, sort_keys=True).encode()
    return xxhash.xxh3_64_hexdigest(text).encode() + b" " + text


def older(engine: Engine, note: bytes) -> list[tuple[str, int, int]]:
    """Return the tables that were opened at an older version than a note names: their name, their newest version, and that of the note.

    A table that another process has changed since it was opened is none of them.
    """
    checksum, _, text = note.partition(b" ")
    noted: dict[str, int] = json.loads(text) if xxhash.xxh3_64_hexdigest(text).encode() == checksum else {}
    tables = [table for table in registered() if engine.opened.get(table.name, math.inf) < noted.get(table.name, 0)]
    newest = {table.name: max(engine.written(table), default=0) for table in tables}
    return [(name, version, noted[name]) for name, version in newest.items() if version < noted[name]]


def warn_of_older(engine: Engine, note: bytes) -> None:
    """Warn once of tables that are older than what is derived from them, as after one of them was restored from a backup."""
    for name, version, noted in older(engine, note):
        if name not in engine.warned:
            engine.warned.add(name)
            message = (
                f"{engine.location}: {name} is at version {version}, and the last maintenance has seen version {noted}: it is that of "
                "an older backup, or has lost its newest versions. Restore all tables from one copy; without one, publish again what is "
                "missing, and then run 'bench-db store verify --repair'"
            )
            warnings.warn(message, DamagedStoreWarning, stacklevel=3)


def has_lost_all(engine: Engine, table: Table) -> bool:
    """Return whether a table that the store has and that cannot be found has lost every version; False while a process makes it.

    What that process has written before the first version is some minutes old at most, and one that was killed has left no more.
    """
    if lost_version(engine, table) is not None:
        return True
    files = engine.files(table)
    if not files:
        time.sleep(_FIRST_FILE)
        engine.look_again()
        files = engine.files(table)
    if not files:
        return table.name in engine.present()
    try:
        now = engine.now()
    except StoreUnavailableError:  # without the right to write, the time of a directory cannot be read
        now = time.time()
    return any(now - file.written >= YOUNG.total_seconds() for file in files.values())


def _hint(table: Table) -> str:
    return f"{table.directory}/{_NOTE}"


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


def _is_nothing(engine: Engine, table: Table) -> bool:
    """Return whether a table has lost everything but notes of Lance, from which nothing can be restored."""
    kept = [name for name in engine.files(table) if not name.startswith("_transactions/") and name != _NOTE]
    return not kept and has_lost_all(engine, table)


def _opens(engine: Engine, table: Table) -> bool:
    try:
        engine.open(table)
        return not engine.is_misnamed(table)
    except BenchDbError as error:
        return not faults.is_damage(error)


def _unreadable(engine: Engine, table: Table) -> list[str]:
    try:
        snapshot = engine.open(table)
        return [part.file for part in snapshot.every_fragment() if not is_readable(engine, snapshot, part)]
    except StoreNotFoundError:  # it has no version: another process makes it, or every version of it is lost
        return []
    except faults.damage_errors() as error:
        faults.require_damage(error)
        return []


def is_readable(engine: Engine, snapshot: Snapshot, fragment: Fragment) -> bool:
    """Read a fragment whole: one that can be read in part would give one answer to one question and fail the next.

    A fragment is damaged when a file of it is gone or has another size, or when its bytes can be had and still give no rows.
    Raises when the bytes cannot be had: then the storage fails, and says nothing of the file.
    """
    if fault_of_deletions(engine, snapshot.table, fragment):
        return False
    if _gives_rows(snapshot, fragment):
        return True
    files = _files(snapshot.table, fragment)
    if any(content.size_of(engine, name) != size for name, size in files.items()):
        return False
    for name, size in files.items():
        deque(content.chunks_in(engine, name, size or 0), maxlen=0)
    return _gives_rows(snapshot, fragment)


def _gives_rows(snapshot: Snapshot, fragment: Fragment) -> bool:
    """Return whether a fragment gives its rows with all columns, and with each alone: Lance reads a few columns in another way."""
    try:
        return all(
            sum(map(len, snapshot.row_batches(columns, fragment=fragment))) == fragment.rows
            for columns in (None, *((name,) for name in snapshot.table.schema.names))
        )
    except faults.damage_errors() as error:
        faults.require_damage(error)
        return False


def _whole(engine: Engine) -> list[str]:
    """Return the unreadable files that are not cut: those with the size that their table has recorded, and manifests with an end.

    When all of several files of the results or the runs are gone at once, that says more of the storage than of the files: they count
    as whole, so that only a repair takes them out.
    """
    for table in TABLES:
        files = [part.file for part in engine.open(table).every_fragment()]
        if len(files) > 1 and engine.unreadable.get(table.name, frozenset()).issuperset(files):
            return files
    torn = [engine.newest_manifest(table) for table in registered() if table.name in engine.readable]
    files = [
        name
        for table in registered()
        if (lost := engine.unreadable.get(table.name))
        for fragment in engine.open(table).every_fragment()
        if fragment.file in lost and not _lacks_deletions(engine, table, fragment)
        for name, size in _files(table, fragment).items()
        if content.size_of(engine, name) == size
    ]
    return [*files, *(name for name in torn if (content.read_small(engine, name) or b"").endswith(_END_OF_MANIFEST))]


def _lacks_deletions(engine: Engine, table: Table, fragment: Fragment) -> bool:
    """Return whether the list of the rows that have left a fragment is gone or cut; no size of it is recorded."""
    name = _deletions(table, fragment)
    if not name:
        return False
    known = content.read_small(engine, name)
    if not known or name.endswith(_ARROW):
        return not known or not known.endswith(_END_OF_ARROW)
    try:
        roaring.numbers(known)
    except EOFError:
        return True
    except ValueError:
        return False
    return False


def fault_of_deletions(engine: Engine, table: Table, fragment: Fragment) -> str:
    """Return what is wrong with the list of the rows that have left a fragment; an empty text when nothing is.

    Lance does not check the sizes in a damaged list: it may ask for 2^54 bytes of memory, which ends the process.
    """
    name = _deletions(table, fragment)
    if not name:
        return ""
    try:
        numbers = _listed(name, content.read_small(engine, name) or b"")
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        EOFError,
    ) as error:  # ValueError: also a name of a column that is no UTF-8
        return f"{name} cannot be read: {error}"
    expected = 0 if fragment.deletions is None else fragment.deletions.rows
    if len(numbers) != expected:
        return f"{name} lists {len(numbers)} of {expected} deleted rows"
    if not ((numbers >= 0) & (numbers < fragment.physical_rows)).all():
        return f"{name} lists a deleted row that the file does not have"
    return "" if len(np.unique(numbers)) == expected else f"{name} lists a deleted row more than once"


def _listed(name: str, known: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the numbers of the rows in a list of deleted rows: a table of Arrow, or a bitmap of more than 5,000."""
    if not name.endswith(_ARROW):
        return roaring.numbers(known)
    listed = pa.ipc.open_file(pa.py_buffer(known)).read_all()
    listed.validate(full=True)
    return np.concatenate([np.zeros(0, np.int64), *(column.cast(pa.int64()).to_numpy() for column in listed.columns)])


def require_deletions(snapshot: Snapshot, fragments: Iterable[Fragment] | None = None, *, every: bool = False) -> None:
    """Raise `CorruptStoreError` for a damaged list of the rows that have left some fragments, before Lance reads it.

    Without `fragments` these are all that can be read, or `every` one. A process looks once at each list of a directory.
    """
    engine, table = snapshot.engine, snapshot.table
    if fragments is None:
        fragments = snapshot.every_fragment() if every else snapshot.fragments()
    for fragment in fragments:
        name = _deletions(table, fragment)
        if name and name not in engine.sound_deletions:
            if fault := fault_of_deletions(engine, table, fragment):
                message = f"{engine.location}: {fault}; run 'bench-db store verify --repair', or restore it from a copy"
                raise CorruptStoreError(message) from ValueError(fault)
            engine.sound_deletions.add(name)


def _deletions(table: Table, fragment: Fragment) -> str:
    """Return the path of the list of the rows that have left a fragment, inside the store; empty when all are there."""
    return "" if fragment.deletions is None else f"{table.directory}/{fragment.deletions.path}"


def _files(table: Table, fragment: Fragment) -> dict[str, int | None]:
    """Return the recorded sizes of the data files of a fragment by their paths inside the store; None where none was recorded."""
    return {f"{table.directory}/data/{name}": size for name, size in fragment.files.items()}


def _warning(engine: Engine) -> str:
    files = [f"{name}.lance/data/{file}" for name, lost in engine.unreadable.items() for file in sorted(lost)]
    torn = [f"version {version} of {name}" for name, version in engine.readable.items()]
    if not files and not torn:
        return f"{engine.location}: {NO_INDEX}"
    try:
        runs = lost_runs(engine)
    except BenchDbError as error:
        runs = [f"not known, the runs cannot be read ({error})"]
    more = f" and {len(runs) - _SHOWN:,} more" if len(runs) > _SHOWN else ""
    named = f" These runs are not complete: {', '.join(runs[:_SHOWN])}{more}." if runs else ""
    what = (
        [f"{len(files)} data files cannot be read, such as {files[0]}, and answers are without their rows"]
        if files
        else []
    )
    copied = f". {_COPIED}" if files and content.size_of(engine, files[0]) is None else ""
    what += [f"the newest manifest cannot be read, and answers are of {' and '.join(torn)}"] if torn else []
    return (
        f"{engine.location}: {'; '.join(what)}.{named} "
        "Restore the files from a copy, or take them out with 'bench-db store verify --repair' and publish the runs again"
        f"{copied}"
    )
