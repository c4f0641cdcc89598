"""The files of a repository in which its benchmark tools are recognised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from bench_db.measure import git

_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The line of a file that shows a tool; lines count from 1."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a repository that git does not ignore, by their paths with `/`."""

    root: Path
    names: Sequence[str]
    _texts: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the text of a file; empty for a link, a large file and one that cannot be read."""
        if name not in self._texts:
            path = self.root / name
            try:
                small = path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_BYTES
                self._texts[name] = path.read_text(encoding="utf-8-sig", errors="replace") if small else ""
            except OSError:
                self._texts[name] = ""
        return self._texts[name]

    def like(self, *patterns: str) -> list[str]:
        """Return the files whose name, or path, matches a pattern; those nearest to the root come first."""
        found = [
            name
            for name in self.names
            if any(fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern) for pattern in patterns)
        ]
        return sorted(found, key=lambda name: (name.count("/"), name))

    def lines(self, names: Iterable[str], pattern: str, comment: str = "#") -> Iterator[tuple[Evidence, re.Match[str]]]:
        """Yield the lines of files that match a pattern and are no comment."""
        for name in names:
            for number, line in enumerate(self.text(name).splitlines(), 1):
                found = re.search(pattern, line)
                if found and not line.lstrip().startswith(comment):
                    yield Evidence(file=name, line=number, text=line.strip()), found

    def first(self, names: Iterable[str], pattern: str, comment: str = "#") -> Evidence | None:
        """Return the first line of files that matches a pattern."""
        return next((evidence for evidence, _ in self.lines(names, pattern, comment)), None)

    def each(self, names: Iterable[str], pattern: str, comment: str = "#") -> Iterator[Evidence]:
        """Yield the first matching line of every file that has one."""
        found = (self.first([name], pattern, comment) for name in names)
        yield from (evidence for evidence in found if evidence is not None)

    def home(self, name: str, *markers: str) -> str:
        """Return the nearest directory at or above a file that has a marker, such as Cargo.toml; `.` when none has."""
        for parent in PurePosixPath(name).parents:
            if any(str(parent / marker) in self.names for marker in markers):
                return str(parent)
        return "."


def sources(root: Path) -> Sources:
    """Return the files of a repository. Raises `UserError` outside of one."""
    listed = git.git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names = {name for name in listed if name and name.isprintable() and "\ufffd" not in name}
    return Sources(root, sorted(names))
