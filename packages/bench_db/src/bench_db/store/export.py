"""An export: one file per table of a store, the contents of its artifacts, and a manifest with the sha256 of each file."""

from __future__ import annotations

from hashlib import sha256 as new_digest
from importlib import metadata
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import CorruptStoreError, SchemaMismatchError, UnreadableOutputError, UserError
from bench_db.model import SCHEMA_VERSION, Export, TableFile
from bench_db.store import atomic, content
from bench_db.store.formats import FORMATS
from bench_db.store.source import artifacts_named, contents, refuse_strays, sound
from bench_db.store.tables import ARTIFACTS_TABLE, RESULTS_TABLE, RUNS_TABLE, TABLES, Table, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench_db.store.source import Piece, Source

MANIFEST = "manifest.json"
_KIND = "bench-db export 1"


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    format: str
    schema_version: int
    bench_db_version: str
    files: dict[str, TableFile]


def export(
    source: Source,
    directory: Path,
    *,
    format_name: str = "parquet",
    artifacts: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Export:
    """Export a source to files in a directory and replace an earlier export; the same rows give the same files.

    The old manifest is deleted first and the new one written last, so an unfinished export is invalid. `progress` gets the
    numbers of rows done and in all.
    """
    tables = [table for table in stored() if source.has(table) and (artifacts or table is not ARTIFACTS_TABLE)]
    held = {table.name: contents(source, table) for table in tables}
    refuse_strays(source, held[RUNS_TABLE.name], held[RESULTS_TABLE.name])
    total, done, files = sum(int(rows["rows"].sum()) for rows in held.values()), 0, dict[str, TableFile]()
    try:
        _make_way(directory)
        for table in tables:
            name = _file_name(table, format_name)
            files[name] = _written(source, table, directory / name)
            done += files[name].rows
            progress(done, total)
        copied, missing = _copy_contents(source, directory) if artifacts else (0, ())
        atomic.write(directory / MANIFEST, [_manifest(format_name, files)])
    except OSError as error:
        message = f"{directory}: cannot be written: {error.strerror or error}"
        raise UserError(message) from error
    return Export(files=files, artifacts=copied, missing=missing)


def _file_name(table: Table, format_name: str) -> str:
    return f"{table.name}.{format_name}"


def _ours() -> set[str]:
    """Return the names that an export writes."""
    return {MANIFEST, content.DIRECTORY, *(_file_name(table, name) for table in stored() for name in FORMATS)}


def _make_way(directory: Path) -> None:
    """Empty a directory except for contents of artifacts; raise `UserError` if it contains anything but an export."""
    directory.mkdir(parents=True, exist_ok=True)
    present = sorted(directory.iterdir(), key=lambda path: (path.name != MANIFEST, path.name))
    ours = _ours()
    other = next((p for p in present if p.name not in ours and p.suffix != atomic.PART_SUFFIX), None)
    if other is not None:
        message = f"{directory} holds other files, such as {other.name!r}; choose an empty directory"
        raise UserError(message)
    for path in present:
        if path.name != content.DIRECTORY:
            path.unlink()


def _written(source: Source, table: Table, path: Path) -> TableFile:
    batches = (batch for piece in source.pieces(table) for batch in sound(source, table, piece))
    with atomic.replacing(path) as part:
        rows = FORMATS[path.suffix[1:]].write(part, table, batches)
        return TableFile(rows=rows, bytes=part.stat().st_size, sha256=_sha256(part))


def _sha256(path: Path) -> str:
    digest = new_digest()
    for chunk in content.chunks_of(path):
        digest.update(chunk)
    return digest.hexdigest()


def _copy_contents(source: Source, directory: Path) -> tuple[int, tuple[str, ...]]:
    """Copy the contents of artifacts; return their number, and those missing in the source."""
    named = sorted({sha256 for _, sha256, _ in artifacts_named(source)})
    missing = [sha256 for sha256 in named if not (_has(directory, sha256) or _copied(source, directory, sha256))]
    return len(named) - len(missing), tuple(missing)


def _has(directory: Path, sha256: str) -> bool:
    """Return whether an earlier export contains the content, undamaged."""
    try:
        for _ in content.read_below(directory, sha256):
            """Reading to the end is the check."""
    except CorruptStoreError:
        return False
    return True


def _copied(source: Source, directory: Path, sha256: str) -> bool:
    try:
        path = directory / content.place(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, source.file(sha256))
    except CorruptStoreError:
        return False
    return True


def _manifest(format_name: str, files: dict[str, TableFile]) -> bytes:
    manifest = _Manifest(
        kind=_KIND,
        format=format_name,
        schema_version=SCHEMA_VERSION,
        bench_db_version=metadata.version("bench-db"),
        files=files,
    )
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


class ExportSource:
    """The tables of an export; a file that does not match the manifest is refused at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        manifest = _read_manifest(directory)
        self._format = manifest.format
        self._files = manifest.files
        for name, file in manifest.files.items():
            _refuse_changed(directory / name, file)

    @property
    def name(self) -> str:
        """The directory."""
        return str(self._directory)

    @property
    def has_artifacts(self) -> bool:
        """Whether the export has artifacts."""
        return self.has(ARTIFACTS_TABLE)

    def has(self, table: Table) -> bool:
        """Return whether the table was exported."""
        return _file_name(table, self._format) in self._files

    def pieces(self, table: Table) -> Iterator[Piece]:
        """Yield the parts of the file of a table."""
        if self.has(table):
            yield from FORMATS[self._format].pieces(self._directory / _file_name(table, self._format), table)

    def file(self, sha256: str) -> Iterator[bytes]:
        """Yield the content of an artifact, verified."""
        return content.read_below(self._directory, sha256)


def _read_manifest(directory: Path) -> _Manifest:
    path = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except FileNotFoundError as error:
        message = f"{directory} holds no finished export: there is no {MANIFEST}; export the store again"
        raise UserError(message) from error
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(path, f"no manifest of an export: {error}") from error
    if manifest.kind != _KIND or manifest.format not in FORMATS or manifest.schema_version > SCHEMA_VERSION:
        message = (
            f"{path}: {manifest.kind!r}, format {manifest.format!r}, schema {manifest.schema_version}, is none this bench-db "
            f"reads; use the one that wrote it, {manifest.bench_db_version!r}"
        )
        raise SchemaMismatchError(message)
    known = {_file_name(table, manifest.format): table for table in stored()}
    unknown = [name for name in manifest.files if name not in known]
    absent = [table.name for name, table in known.items() if table in TABLES and name not in manifest.files]
    if unknown or absent:
        raise _unreadable(path, f"it names {unknown[0]!r}, no table" if unknown else f"it does not name {absent[0]}")
    return manifest


def _refuse_changed(path: Path, file: TableFile) -> None:
    try:
        same = path.stat().st_size == file.bytes and _sha256(path) == file.sha256
    except OSError as error:
        raise _unreadable(path, f"it cannot be read: {error.strerror}") from error
    if not same:
        raise _unreadable(path, "not the file that was exported: its sha256 is not the one in the manifest")


def _unreadable(path: Path, reason: str) -> UnreadableOutputError:
    return UnreadableOutputError(f"{reason}; export the store again", file=str(path))
