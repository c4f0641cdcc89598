"""docs/how-to/coming-from.md: its imports work on files that the other tools wrote."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import bench_db
from tests.repository.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs/how-to/coming-from.md").read_text("utf-8")
DATA = ROOT / "tests/data"
SECTIONS = dict(re.findall(r"^## Come from ([\w-]+).*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a directory with what a user of each tool has."""
    shutil.copytree(DATA / "asv/0.6.6/results", tmp_path / "results")
    shutil.copy(DATA / "github-action-benchmark-history/data.js", tmp_path)
    shutil.copy(DATA / "otava/history.csv", tmp_path)
    return tmp_path


class TestComingFrom:
    """Each import adds the history once."""

    @pytest.mark.parametrize("tool", ["calibrax", "metalab", "mltraq", "InferenceX"])
    def test_example(self, tmp_path: Path, tool: str) -> None:
        """The example in Python prints what the page shows."""
        [example], [shown] = (
            re.findall(rf"^```{kind}\n(.*?)^```", SECTIONS[tool], re.MULTILINE | re.DOTALL)
            for kind in ("python", "text")
        )
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == shown

    def test_a_store_of_calibrax(self, tmp_path: Path) -> None:
        shutil.copytree(DATA / "calibrax/0.1.1", tmp_path / "benchmark-data")
        imported, exported = re.findall(r"^bench-db [^#\n]+", SECTIONS["calibrax"], re.MULTILINE)
        lines = (imported, exported, imported.replace("benchmark-data/", "benchmark-data-again/"))
        done = [bench_db(*shlex.split(line)[1:], "--store", "store", cwd=tmp_path) for line in lines]
        assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
        assert re.search(r"\b0 new", done[-1].stdout)

    @pytest.mark.parametrize(
        ("tool", "new"), [("asv", "8 new, 4 failed"), ("github-action-benchmark", "new"), ("Apache", "5 runs: 8 new")]
    )
    def test_import(self, place: Path, tool: str, new: str) -> None:
        lines = re.findall(r"^(bench-db publish [^#\n]+)", SECTIONS[tool], re.MULTILINE)
        assert lines
        for number, line in enumerate(lines):
            done = bench_db(*shlex.split(line)[1:], "--store", "store", cwd=place)
            assert done.returncode == 0, done.stderr
            assert new in done.stdout or number
        again = bench_db(*shlex.split(lines[0])[1:], "--store", "store", cwd=place)
        assert re.search(r"\b0 new", again.stdout)
