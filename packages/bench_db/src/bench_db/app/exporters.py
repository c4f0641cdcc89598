"""Exports in the forms of other tools: exporters of bench_db, and those that installed packages declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from bench_db import plugins
from bench_db.app.asv import asv_files
from bench_db.app.database import Database, opened
from bench_db.app.mlflow import mlflow_files
from bench_db.app.runs import runs as chosen
from bench_db.app.wandb import wandb_files
from bench_db.errors import UserError
from bench_db.model import Export, Run, TableFile
from bench_db.store import atomic

if TYPE_CHECKING:
    from collections.abc import Collection

    from bench_db.app.database import Source

# An exporter is called with the store, the runs and the absolute directory, and yields each file: its path below the directory, its
# bytes, and how many results are in it.
Exporter = Callable[[Database, Sequence[Run], Path], Iterable[tuple[str, bytes, int]]]
_OWN: dict[str, Exporter] = {"asv": asv_files, "mlflow": mlflow_files, "wandb": wandb_files}
_OTHERS = ("parquet", "jsonl", "calibrax")
_MANIFEST, _KIND = "bench-db.json", "bench_db export for another tool"
# The paths that an export has begun to write, a JSON text a line; the next export takes what one that was cut short left.
_UNFINISHED = "bench-db.unfinished"


class _Manifest(msgspec.Struct):
    kind: str
    files: list[str]


def export(source: Source, directory: Path, format_name: str, *, runs: Collection[int | str] = ()) -> Export:
    """Write runs of a store in the form of another tool: those named, or all that are not of a pull request; no excluded ones.

    `format_name` is "asv", "mlflow", "wandb", or the name of an exporter that an installed package declares in `bench_db.exporters`. An earlier export
    there is replaced. Raises `UserError` for an unknown name, and for a directory with files that no export wrote.
    """
    exporter = _exporter(format_name)
    store = opened(source)
    named = [run if isinstance(run, str) else f"{run:016x}" for run in runs]
    keys = chosen(store, excluded=False, runs=named).frame()["run_key"]
    records = [run for run in map(store.run_record, keys) if named or run.pr_number is None]
    files: dict[str, TableFile] = {}
    try:
        earlier = _earlier(directory)
        directory.mkdir(parents=True, exist_ok=True)
        _write_manifest(directory, earlier)  # first: an unfinished export can be replaced
        with (directory / _UNFINISHED).open("ab") as begun:
            for path, content, rows in exporter(Database(store), records, directory.absolute()):
                target = directory / _below(path)
                begun.write(msgspec.json.encode(path) + b"\n")
                begun.flush()
                target.parent.mkdir(parents=True, exist_ok=True)
                atomic.write(target, [content])
                files[path] = TableFile(rows=rows, bytes=len(content), sha256=sha256(content).hexdigest())
        for path in earlier - files.keys():
            _remove(directory, path)
        _write_manifest(directory, files)
        (directory / _UNFINISHED).unlink()
    except OSError as error:
        message = f"{directory}: cannot be written: {error.strerror or error}"
        raise UserError(message) from error
    left_out = sum(run.results for run in records) - sum(file.rows for file in files.values())
    return Export(files=files, artifacts=0, missing=(), left_out=max(0, left_out))


def refuse_of_past(format_name: str, *, salvage: bool, as_of: object) -> None:
    """Raise `UserError` for `salvage` and `as_of`: the form of another tool is of a sound store, as it is now."""
    if salvage or as_of is not None:
        given = "`salvage`" if salvage else "`as_of`"
        message = f"{given}: the format {format_name} is of a sound store as it is now; export as parquet, import that and export the copy"
        raise UserError(message)


def _exporter(name: str) -> Exporter:
    if name in _OWN:
        return _OWN[name]
    found = plugins.load(plugins.EXPORTERS, plugins.callable_of, reserved=(*_OWN, *_OTHERS), only=name).get(name)
    if found is None:
        known = ", ".join((*_OTHERS, *_OWN, *plugins.names(plugins.EXPORTERS)))
        message = f"`format_name`: {name!r} is no format of exports; there are {known}"
        raise UserError(message)
    return found


def _below(path: str) -> str:
    """Return the path of a file of an exporter; raise `UserError` for one that is not below the directory."""
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or path in (_MANIFEST, _UNFINISHED):
        message = f"the exporter gave the path {path!r}, which is not one below the directory"
        raise UserError(message)
    return path


def _earlier(directory: Path) -> set[str]:
    """Return the files of an earlier export in a directory; raise `UserError` for one with files of anything else."""
    if not directory.exists() or not any(directory.iterdir()):
        return set()
    message = f"{directory} holds other files; choose an empty directory, or that of an earlier export"
    try:
        manifest = msgspec.json.decode((directory / _MANIFEST).read_bytes(), type=_Manifest)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(message) from error
    if manifest.kind != _KIND:
        raise UserError(message)
    begun = _begun(directory)
    if begun:
        for folder in {(directory / path).parent for path in begun}:
            for part in folder.glob(f".*{atomic.PART_SUFFIX}"):
                part.unlink()
    return {_below(path) for path in (*manifest.files, *begun)}


def _begun(directory: Path) -> list[str]:
    """Return the paths that an export which was cut short has begun to write; the last line may be cut short, too."""
    try:
        *lines, _ = (directory / _UNFINISHED).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=str) for line in lines]


def _remove(directory: Path, path: str) -> None:
    """Remove a file of an earlier export, and the directories that are empty then."""
    target = directory / path
    target.unlink(missing_ok=True)
    for folder in target.parents:
        if folder == directory or (folder.exists() and any(folder.iterdir())):
            return
        folder.rmdir()


def _write_manifest(directory: Path, names: Collection[str]) -> None:
    manifest = msgspec.json.encode(_Manifest(kind=_KIND, files=sorted(names)))
    atomic.write(directory / _MANIFEST, [msgspec.json.format(manifest, indent=1) + b"\n"])
