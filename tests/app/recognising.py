"""Small repositories in which the tools of a project are recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.app.sources import sources
from bench_db.app.tools import FoundSuite, Unread, find
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.schedule.config import Command

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
[project]
name = "lib"
version = "1"
[project.optional-dependencies]
# pytest-benchmark is not used here
bench = [
    "pytest-benchmark>=4",
]
"""
FIXTURE = "def test_sum(benchmark):\n    benchmark(sum, range(9))\n"


def repository(root: Path, files: dict[str, str]) -> Path:
    """Create a git repository with these files in its index."""
    made = History(root)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    made.git("add", "--all")
    return root


def found_in(root: Path, files: dict[str, str]) -> tuple[list[FoundSuite], list[Unread]]:
    return find(sources(repository(root, files)))


def words(command: Command) -> str:
    return command if isinstance(command, str) else " ".join(command)
