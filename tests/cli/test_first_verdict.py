"""The first verdict of a new environment waits for no compiler."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)


class TestFirstVerdict:
    """A verdict on a store of some hundred runs imports neither Numba nor its compiler, whatever is cached."""

    @pytest.mark.parametrize(
        "words", [("compare", "latest"), ("check", "latest"), ("scan",), ("detect", "*")], ids=lambda words: words[0]
    )
    def test_no_compiler_is_imported(self, demo_copy: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
        code = (
            "import sys, threading; from bench_db.cli import main; sys.argv[0] = 'bench-db'\n"
            "try: main()\n"
            "finally: print(sorted({'bench_db', 'llvmlite', 'numba', 'polars'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--store", str(demo_copy), "--output", "json"],
            cwd=tmp_path,
            env=environment(NUMBA_CPU_NAME="generic", NUMBA_CACHE_DIR=str(tmp_path / "cache")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines()[-1] == "['bench_db', 'polars']", done.stderr
        assert not (tmp_path / "cache").exists()
