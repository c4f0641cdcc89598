from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.repository.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("docs/schema.md", "docs/cli.md", "docs/statistics.md")


def docs(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / ".ci/docs.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the pages and their generator to a temporary directory."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


class TestGeneratedPages:
    """The generated documentation matches the code."""

    def test_they_are_current(self) -> None:
        done = docs(ROOT, "--check")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize("page", PAGES)
    def test_a_changed_page_is_named_and_written_anew(self, copy: Path, page: str) -> None:
        before = (copy / page).read_text("utf-8")
        (copy / page).write_text(before.replace("bench", "wrench"), "utf-8")
        checked = docs(copy, "--check")
        assert (checked.returncode, checked.stdout) == (1, f"{page}: stale, run `just docs`\n")
        assert docs(copy).returncode == 0
        assert (copy / page).read_text("utf-8") == before

    def test_a_changed_list_of_formats_is_named(self, copy: Path) -> None:
        pages = [
            page
            for page in (copy / "README.md", *(copy / "docs").glob("*.md"))
            if "formats:begin" in page.read_text("utf-8")
        ]
        assert pages
        for page in pages:
            text = page.read_text("utf-8")
            page.write_text(text.replace("| format | reads |", "| format | writes |"), "utf-8")
            assert docs(copy, "--check").returncode == 1
            page.write_text(text, "utf-8")
