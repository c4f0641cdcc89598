"""The commands a page shows: the lines of its fenced shell blocks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.repository import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LAUNCHERS = (["uv", "run", "--no-sync"], ["uv", "run"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command as shown, without its launcher."""

    page: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def shown() -> list[Command]:
    """Return every command of every page."""
    pages = [path for path in tree.paths() if path.suffix == ".md" and path.parts[0] not in {"tests", "benchmarks"}]
    return [command for page in pages for block in FENCE.findall(tree.text(page)) for command in _commands(page, block)]


def _commands(page: Path, block: str) -> Iterator[Command]:
    prompted = any(line.startswith("$ ") for line in block.splitlines())
    for line in block.replace("\\\n", " ").splitlines():
        if prompted and not line.startswith("$ "):
            continue  # output
        words = shlex.split(line.removeprefix("$ "), comments=True)
        for part in _parts(words):
            yield Command(page=page, words=tuple(_without_launcher(part)))


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Split a line at `&&`, `|` and `;` into commands."""
    part: list[str] = []
    for word in [*words, "&&"]:
        if word in {"&&", "||", "|", ";"}:
            if part:
                yield part
            part = []
        else:
            part.append(word)


def _without_launcher(words: list[str]) -> list[str]:
    for launcher in LAUNCHERS:
        if words[: len(launcher)] == launcher:
            return words[len(launcher) :]
    return words
