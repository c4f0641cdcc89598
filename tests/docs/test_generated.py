from __future__ import annotations

import io
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.repository.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("docs/schema.md", "docs/cli.md", "docs/statistics.md")


def docs(root: Path, *arguments: str) -> tuple[int, str]:
    """Run the generator of a directory in this process, and return its exit code and what it printed."""
    script, out = str(root / ".ci/docs.py"), io.StringIO()
    with (
        mock.patch.object(sys, "argv", [script, *arguments]),
        redirect_stdout(out),
        pytest.raises(SystemExit) as stop,
    ):
        runpy.run_path(script, run_name="__main__")
    return int(stop.value.code or 0), out.getvalue()


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
        command = [sys.executable, str(ROOT / ".ci/docs.py"), "--check"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize("page", PAGES)
    def test_a_changed_page_is_named_and_written_anew(self, copy: Path, page: str) -> None:
        before = (copy / page).read_text("utf-8")
        (copy / page).write_text(before.replace("bench", "wrench"), "utf-8")
        assert docs(copy, "--check") == (1, f"{page}: stale, run `just docs`\n")
        assert docs(copy) == (0, f"{page}: written\n")
        assert (copy / page).read_text("utf-8") == before

    def test_a_changed_list_of_formats_is_named(self, copy: Path) -> None:
        page = copy / "README.md"
        text = page.read_text("utf-8")
        assert "[asv](docs/formats.md#asv)" in text
        page.write_text(text.replace("[asv](docs/formats.md#asv)", "[asw](docs/formats.md#asv)"), "utf-8")
        assert docs(copy, "--check") == (1, "README.md: stale, run `just docs`\n")
