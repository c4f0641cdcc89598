"""What the tests of exports share: the facts of recorded runs, and the client of another tool that reads an export."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import bench_db as api
from tests.repository.tree import ROOT
from tests.support.needs import lacking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMIT = "5d6e7f8" + 33 * "0"
TIME = 1_780_000_000
# What is stated of the runs.
ABOUT: Mapping[str, Any] = {
    "test_bed": api.TestBed(name="gpu-1", cpu="c", memory_gb=8, os="Linux 6"),
    "commit": COMMIT,
    "branch": "main",
    "environment": {},
    "run_time": TIME,
}


def read_by(tool: str, script: str, *directories: Path) -> dict[str, Any]:
    """Return what the client of a tool reads, which a script of tests/support runs in an environment of its own.

    Without an index of packages uv says that it failed to get them, and the test is skipped; in CI it fails.
    """
    command = ["uv", "run", "--quiet", "--no-project", "--script", ROOT / "tests/support" / script, *directories]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode and "Failed to " in done.stderr:
        lacking(f"{tool} cannot be installed here, so that it reads nothing: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
