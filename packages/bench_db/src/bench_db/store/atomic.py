"""Atomic writes of files on a local disk, and the place that files take."""

from __future__ import annotations

import os
from contextlib import contextmanager
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PART_SUFFIX = ".part"
# The unit of `st_blocks`, whatever the blocks of the disk.
_BLOCK_BYTES = 512


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`. Rename it to `path` at the end of the block, or delete it after an error."""
    part = path.with_name(f".{token_hex(8)}{PART_SUFFIX}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write chunks to a file atomically; an error in the chunks leaves an existing file unchanged."""
    with replacing(path) as part, part.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def set_aside(path: Path) -> Path | None:
    """Rename a file to the name of an unfinished write beside it, and return that; None when there is no such file."""
    aside = path.with_name(f".{token_hex(8)}{PART_SUFFIX}")
    try:
        return path.rename(aside)
    except (FileNotFoundError, NotADirectoryError):
        return None


def holes_in(facts: os.stat_result) -> int:
    """Return the bytes of a file that take no place on its disk."""
    blocks = getattr(facts, "st_blocks", None)
    return 0 if blocks is None else max(0, facts.st_size - blocks * _BLOCK_BYTES)
