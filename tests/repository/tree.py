"""The files of the repository: tracked by git, or neither tracked nor ignored."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def paths() -> tuple[Path, ...]:
    """Return every file that is not ignored, relative to the root."""
    # safe.directory: the checkout of a container often belongs to another user
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted({Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()}))


def modules(*folders: str) -> list[Path]:
    """Return the Python files below the given folders, or all of them."""
    return [p for p in paths() if p.suffix == ".py" and (not folders or p.parts[0] in folders)]


@cache
def text(path: Path) -> str:
    """Return a file as text, with invalid UTF-8 replaced, so that binary files can be searched too."""
    return (ROOT / path).read_text("utf-8", "replace")


@cache
def syntax(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file, parsed once: all of them take 1 s of CPU."""
    return ast.parse(text(path))
