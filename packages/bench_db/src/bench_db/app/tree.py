"""Files written into a directory: each whole or not at all, and none that is already as it should be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.report.site.manifest import (
    MANIFEST,
    UNFINISHED,
    Manifest,
    changes,
    digest,
    manifest_bytes,
    read_manifest,
    read_note,
    read_paths,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How many files there are now and their bytes, how many of them had to be written, and how many were removed."""

    files: int
    bytes: int
    written: int
    removed: int


class Tree:
    """A directory of files that one program writes again and again; a manifest lists the files that it wrote.

    `note` is the one with which the last write ended; "" without one, and where somebody has changed the manifest since.
    """

    def __init__(self, root: Path) -> None:
        """Read the manifest of a directory. Raises `UserError` for one that holds a page which no earlier call wrote."""
        self._root = root
        manifest = _content(root / MANIFEST) or b""
        self._before = read_manifest(manifest)
        self.note = read_note(manifest)
        self._by_stem = {path.rpartition("-")[0]: path for path in self._before}
        self._unfinished = read_paths(_content(root / UNFINISHED) or b"")
        if not (self._before or self._unfinished) and (root / "index.html").exists():
            message = f"{root} holds an index.html of something else; choose an empty directory, or remove that file"
            raise UserError(message)

    def kept(self, path: str) -> bytes | None:
        """Return the bytes of a file that an earlier write finished with; None when it is not there or has changed since."""
        known = self._before.get(path)
        content = None if known is None else _content(self._root / path)
        return content if content is not None and digest(content) == known else None

    def named(self, stem: str) -> bytes | None:
        """Return the bytes of a `kept` file whose path is `stem`, a hyphen and what has neither; None when there is none."""
        path = self._by_stem.get(stem)
        return None if path is None else self.kept(path)

    def unchanged(self) -> Written | None:
        """Return what a write of the same files again would return; None where a file has changed, or a later write has not ended."""
        kept = [] if self._unfinished else [self.kept(path) for path in self._before]
        if not kept or any(content is None for content in kept):
            return None
        return Written(files=len(kept), bytes=sum(len(content or b"") for content in kept), written=0, removed=0)

    def write(self, files: Iterable[tuple[str, bytes | None]], note: Callable[[], str] = str) -> Written:
        """Make the directory hold these files; of what else is in it, only what an earlier call wrote is removed.

        None as the content is that of a file that is `kept`. Files that are named no longer go last, so that a reader of the
        tree before finds what it needs meanwhile. What an interrupted call wrote is removed by the next one. `note` is asked at the
        end, for the `note` of the next one.
        """
        after: Manifest = {}
        size = written = 0
        for path, content in files:
            if content is None:
                after[path] = self._before[path]
                size += (self._root / path).stat().st_size
                continue
            after[path] = digest(content)
            size += len(content)
            if _content(self._root / path) != content:
                self._note(path)
                _write(self._root / path, content)
                written += 1
        gone = changes({**self._before, **dict.fromkeys(self._unfinished, "")}, after).remove
        manifest = manifest_bytes(after, note())
        if gone or _content(self._root / MANIFEST) != manifest:
            self._note(*sorted(gone))
            _write(self._root / MANIFEST, manifest)
        for path in gone:
            (self._root / path).unlink(missing_ok=True)
        (self._root / UNFINISHED).unlink(missing_ok=True)
        return Written(files=len(after), bytes=size, written=written, removed=len(gone))

    def _note(self, *paths: str) -> None:
        """Record paths that the manifest does not have yet, or no longer, so that an interrupted call leaves no file for ever."""
        _made(self._root)
        with (self._root / UNFINISHED).open("a", encoding="utf-8") as noted:
            noted.writelines(f"{path}\n" for path in paths)


def _made(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the directory {directory}: {error.strerror}; choose another one"
        raise UserError(message) from error


def _write(path: Path, content: bytes) -> None:
    _made(path.parent)
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
