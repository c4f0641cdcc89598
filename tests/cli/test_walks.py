"""How many modules a reader visits who follows one command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import environment
from tests.cli.measured_histories import config, grow
from tests.support import walk

ROOT = Path(__file__).parents[2]
OUTPUT, ANOTHER = sorted((ROOT / "tests/data/pytest-benchmark").rglob("*.json"))[:2]


def walked(directory: Path, *arguments: object) -> set[str]:
    """The modules a command walks through, which must succeed."""
    done = subprocess.run(
        [sys.executable, walk.__file__, *map(str, arguments)],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    before, _, after = done.stderr.rpartition(walk.MARK)
    assert done.returncode == 0, before
    return set(after.split())


@pytest.mark.slow
class TestWalks:
    """A command walks through few modules: each is one idea, and none only passes its arguments on."""

    def test_publish_and_trend(self, tmp_path: Path) -> None:
        walked(tmp_path, "publish", OUTPUT, "--format", "pytest-benchmark", "--store", "store")
        publish = walked(tmp_path, "publish", ANOTHER, "--format", "pytest-benchmark", "--store", "store")
        trend = walked(
            tmp_path, "trend", "*", "--all", "--store", "store"
        )  # the checkout may be at another branch than main
        # 28 before: the names in bench-db.toml, what is stored already, leftovers, and the recorded commits
        assert len(publish) <= 32, sorted(publish)
        # 14 before: the history and its ledger, and the check of the recorded commits for lost values
        assert len(trend) <= 17, sorted(trend)

    def test_compare(self, demo_store: Path, tmp_path: Path) -> None:
        compare = walked(tmp_path, "compare", "latest", "--store", demo_store)
        # 26 before: the history and its ledger; the kernels of detection ran as machine code then, where a
        # walk does not see them, and run in plain Python now, as the history is short
        assert len(compare) <= 30, sorted(compare)

    def test_backfill_of_three_commits(self, tmp_path: Path) -> None:
        grow(tmp_path, 3)
        (tmp_path / "bench-db.toml").write_text(config())
        backfill = walked(tmp_path, "backfill", "--clone", "clone", "--store", "store")
        assert len(backfill) <= 46, sorted(
            backfill
        )  # 42 before: what a publish visits more, and what is masked in errors
