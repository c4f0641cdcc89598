"""What a Rust program prints when it panics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PANIC = re.compile(r"thread '[^']*'(?: \(\d+\))? (panicked at .*)")


def message(line: str) -> str:
    """Where and why it panicked, "" for any other line."""
    found = _PANIC.match(line)
    return found[1] if found else ""


def joined(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines, with the reason of a panic, which stands in the next line since Rust 1.73, in that of its place."""
    waiting: tuple[int, str] | None = None
    for number, line in lines:
        if waiting:
            yield waiting[0], f"{waiting[1]} {line.strip()}"
            waiting = None
        elif line.endswith(":") and message(line):
            waiting = number, line
        else:
            yield number, line
    if waiting:
        yield waiting
