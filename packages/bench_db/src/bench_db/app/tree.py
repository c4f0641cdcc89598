"""Files written into a directory: each whole or not at all, and none that is already as it should be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.report.site.manifest import MANIFEST, Manifest, changes, digest, manifest_bytes, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How many files there are now and their bytes, how many of them had to be written, and how many were removed."""

    files: int
    bytes: int
    written: int
    removed: int


def write_tree(root: Path, files: Iterable[tuple[str, bytes]]) -> Written:
    """Make a directory hold these files; of what else is in it, only what an earlier call wrote is removed.

    Files that are named no longer go last, so that a reader of the tree before finds what it needs meanwhile. Raises
    `UserError` for a directory that holds a page which no earlier call wrote.
    """
    before = read_manifest(_content(root / MANIFEST) or b"")
    if not before and (root / "index.html").exists():
        message = f"{root} holds an index.html of something else; choose an empty directory, or remove that file"
        raise UserError(message)
    after: Manifest = {}
    size = written = 0
    for path, content in files:
        after[path] = digest(content)
        size += len(content)
        written += _renew(root / path, content)
    gone = changes(before, after).remove
    _renew(root / MANIFEST, manifest_bytes(after))
    for path in gone:
        (root / path).unlink(missing_ok=True)
    return Written(files=len(after), bytes=size, written=written, removed=len(gone))


def _renew(path: Path, content: bytes) -> bool:
    """Return whether the file had to be written."""
    if _content(path) == content:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the directory {path.parent}: {error.strerror}; choose another one"
        raise UserError(message) from error
    with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.close()
            Path(part.name).chmod(0o666 & ~_umask())
            Path(part.name).replace(path)
        except OSError as error:
            Path(part.name).unlink(missing_ok=True)
            message = f"cannot write {path}: {error.strerror}"
            raise UserError(message) from error
    return True


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise UserError(message) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
